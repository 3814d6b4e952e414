"""The other mappers' side of the lanes, one module each; each runs in an environment of its own."""
