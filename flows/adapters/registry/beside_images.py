"""Small things that are kept beside the images of a model, where the access control of the registry
holds: in a registry an artifact under a tag, in an embedded layout a file of mode 0600.

What was kept under a name stays: nothing is ever moved or written over.
"""

import os
from pathlib import Path

from flows.adapters import machine_cache
from flows.adapters.failpoints import boundary
from flows.adapters.registry import oci, registry
from flows.adapters.registry.layout import Layout
from flows.adapters.registry.registry import Place

PREFIX = "ledger."  # of a tag; no image and no artifact of a model begins so
_FILE = "content"
_TYPE = "application/vnd.sluice.ledger.v1"


def names(place: Place) -> list[str]:
    """The names of all that is kept there, sorted. Raises Retryable where the registry is down."""
    if isinstance(place, Layout):
        folder = _folder(place)
        return sorted(path.name for path in folder.glob("*") if not path.name.startswith("."))
    return [tag.removeprefix(PREFIX) for tag in registry.tags(place) if tag.startswith(PREFIX)]


def find(place: Place, name: str) -> bytes | None:
    """What is kept under a name; None where nothing is. Raises Retryable, and Broken for bytes
    that are not what their digest says.
    """
    if isinstance(place, Layout):
        path = _folder(place) / name
        return path.read_bytes() if path.is_file() else None
    tag = PREFIX + name
    if registry.digest(place, tag) is None:
        return None
    return registry.pull_files(place, tag)[_FILE]


@boundary("ledger.keep")
def keep(place: Place, name: str, content: bytes) -> None:
    """Keep these bytes under a name; the same again is no change.

    Raises TagTaken where the name has other content, Retryable where the registry is down.
    """
    if not isinstance(place, Layout):
        registry.push_files(place, PREFIX + name, {_FILE: content}, _TYPE, {})
        return
    path = _folder(place) / name
    if not path.is_file():
        _write_once(path, content)
    kept = path.read_bytes()
    if kept != content:
        raise oci.TagTaken(name, oci.digest_of(kept), oci.digest_of(content))


def _folder(place: Layout) -> Path:
    """`ledger/<model>` beside the `registry` that has the layout: that may be emptied."""
    return place.folder.parents[1] / "ledger" / place.folder.name


def _write_once(path: Path, content: bytes) -> None:
    """Write a file whole, readable by its owner alone, unless somebody was faster."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with machine_cache.locked(path.with_name(".lock")):
        if path.is_file():
            return
        # What a killed process left under this name is nobody's, for the lock is ours.
        part = path.with_name(".part")
        part.unlink(missing_ok=True)
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
