"""The declared name that a misspelt one most likely means: what an error can offer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from mongokit.schema import (
    EmbeddedNode,
    I18nNode,
    KeyedNode,
    ListNode,
    MappingNode,
    Node,
    ReferenceNode,
    TupleNode,
    UnionNode,
)


def nearest(tree: Node | None, path: str, known: Iterable[str] = ("_id",)) -> str | None:
    """Return the declared path nearest to `path`, or None when nothing is near.

    Each part is compared with the names of its own level. Where nothing is near to a part, the
    path ends before it, if a part was corrected until then.

    Args:
        tree: Where to look; None knows nothing.
        path: A dotted path, positions in lists included.
        known: Names at the top that no structure declares, such as the type field.

    Example:
        >>> tree = User.__mongokit__.tree
        >>> nearest(tree, "nmae"), nearest(tree, "Email"), nearest(tree, "zip")
        ('name', 'email', None)
    """
    found: list[str] = []
    corrected = False
    node = tree
    names: Iterable[str] = () if tree is None else known
    for part in path.split("."):
        fields = {} if node is None else _fields(node)
        if isinstance(fields, Node):  # any key
            found.append(part)
            node = fields
        elif part.isdigit() and isinstance(node, (ListNode, I18nNode, UnionNode)):
            found.append(part)
            node = node.item if isinstance(node, ListNode) else node
        elif part.isdigit() and isinstance(node, TupleNode) and int(part) < len(node.items):
            found.append(part)
            node = node.items[int(part)]
        else:
            near = near_name(part, [*fields, *names])
            if near is None and isinstance(node, I18nNode):
                near = "value"  # a language was meant
            if near is None:
                return ".".join(found) if corrected else None
            corrected = corrected or near != part
            found.append(near)
            node = fields.get(near)
        names = ()
    return ".".join(found)


def near_name(name: str, names: Iterable[str]) -> str | None:
    """Return the one of `names` that `name` most likely means, or None.

    Args:
        name: As it was written.
        names: What it may have meant; upper and lower case are one.

    Example:
        >>> near_name("$gtt", ["$gte", "$gt"]), near_name("userName", ["username"])
        ('$gt', 'username')
        >>> near_name("zip", ["name"]) is None
        True
    """
    candidates = list(names)
    if name in candidates:
        return name
    folded: dict[str, str] = {}
    for each in candidates:
        folded.setdefault(each.casefold(), each)
    close = get_close_matches(name.casefold(), folded, n=1)
    return folded[close[0]] if close else None


def _fields(node: Node) -> Mapping[str, Node] | Node:
    """What may stand below a node, by name; a node where any name may."""
    match node:
        case MappingNode():
            return node.fields
        case KeyedNode():
            return node.value
        case ListNode():
            return _fields(node.item)
        case TupleNode() | UnionNode():
            nodes = node.items if isinstance(node, TupleNode) else node.options
            levels = [_fields(item) for item in nodes]
            return {
                name: child
                for fields in levels
                if isinstance(fields, Mapping)
                for name, child in fields.items()
            }
        case I18nNode():
            return {"lang": node, "value": node.inner}
        case EmbeddedNode():
            tree = node.document_class.__mongokit__.tree
            return {} if tree is None else _fields(tree)
        case ReferenceNode():
            return dict.fromkeys(("$id", "$ref", "$db"), node)
    return {}
