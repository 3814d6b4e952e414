"""The peers, and one virtual environment for each, so that clashing versions never meet.

The environments live in `benchmarks/.envs/`, are made when they are needed and kept until what a
peer requires changes. A peer that can't be installed is reported with the reason and left out.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENVIRONMENTS = HERE / ".envs"


class NotInstalled(Exception):
    """A peer's environment could not be made; the text is the installer's own reason."""


@dataclass(frozen=True)
class Mapper:
    """A mapper that is measured.

    Attributes:
        name: How the table calls it.
        module: The adapter that runs its lanes.
        imports: What a program imports to have it.
        requirements: What its environment holds, pinned; empty for ours, which runs in this one.
    """

    name: str
    module: str
    imports: str
    requirements: tuple[str, ...] = ()

    @property
    def python(self) -> Path:
        """The interpreter that runs its lanes."""
        if not self.requirements:
            return Path(sys.executable)
        return ENVIRONMENTS / self.module.rpartition(".")[2] / "bin" / "python"


OURS = Mapper("mongokit", "benchmarks.ours", "mongokit")

# PyMongo is the same version everywhere but under the old port, which knows nothing newer than 3.
PYMONGO = "pymongo==4.20.0"
PEERS = (
    Mapper(
        "MongoEngine",
        "benchmarks.peers.mongoengine_peer",
        "mongoengine",
        ("mongoengine==0.29.3", PYMONGO),
    ),
    Mapper("Beanie", "benchmarks.peers.beanie_peer", "beanie", ("beanie==2.2.0", PYMONGO)),
    Mapper("ODMantic", "benchmarks.peers.odmantic_peer", "odmantic", ("odmantic==1.1.0", PYMONGO)),
    Mapper("umongo", "benchmarks.peers.umongo_peer", "umongo", ("umongo==4.0.0", PYMONGO)),
    Mapper(
        "mongokit-ng",
        "benchmarks.peers.mongokit_ng_peer",
        "mongokit_ng",
        ("mongokit-ng==0.1.1", "pymongo==3.13.0"),
    ),
)


def prepare(mapper: Mapper) -> None:
    """Make a peer's environment unless it is there as required.

    Args:
        mapper: The peer; nothing is done for ours.

    Raises:
        NotInstalled: It can't be made; the text says why in one line.

    Example:
        >>> prepare(PEERS[0])
    """
    if not mapper.requirements:
        return
    folder = mapper.python.parent.parent
    stamp = folder / ".installed"
    wanted = "\n".join((sys.version, *mapper.requirements))
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    try:
        venv.create(folder, clear=True, with_pip=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise NotInstalled(f"no virtual environment: {error}") from error
    command = [str(mapper.python), "-m", "pip", "install", "--quiet", *mapper.requirements]
    done = subprocess.run(  # noqa: S603 (the pinned requirements above)
        [*command, "--disable-pip-version-check"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise NotInstalled(lines[-1] if lines else f"pip ended with status {done.returncode}")
    stamp.write_text(wanted, encoding="utf-8")
