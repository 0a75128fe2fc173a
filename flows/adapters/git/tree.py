"""Files of a commit without a working tree: read from its tree, and written into a new one.

Nothing is checked out, so no filter, attribute or ignore rule of anybody decides what a file holds
or whether it is committed. A path that leaves the repository, or crosses a link or a submodule, is
refused.
"""

import hashlib
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from flows.adapters import process
from flows.adapters.failpoints import boundary
from flows.adapters.git import calls
from flows.adapters.git.calls import Where
from sluice.errors import SluiceError

_LINK, _SUBMODULE, _FOLDER, _FILE = "120000", "160000", "040000", "100644"
_KINDS = {_LINK: "a symbolic link", _SUBMODULE: "a submodule", _FOLDER: "a folder"}
_REMEDIES = {
    _LINK: "Commit the files themselves in its place: Sluice follows no link.",
    _SUBMODULE: "Commit the files themselves in its place: Sluice writes into no submodule.",
}


@dataclass(frozen=True)
class Entry:
    """What a tree says of a path: its mode (`100644` for a file), and the hash of what it holds."""

    mode: str
    oid: str

    @property
    def is_file(self) -> bool:
        """Whether it is a file, executable or not."""
        return self.mode.startswith("100")


@dataclass(frozen=True)
class Known:
    """What was read of a repository so far, by the hash of it: so it never changes, and a tip that
    moved costs what moved. `paths` are those that were asked for.
    """

    folders: dict[str, dict[str, Entry]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    paths: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Place:
    """A bare repository, and what is known of it."""

    path: Path
    known: Known


def find(place: Place, commit: str, path: str) -> Entry | None:
    """The entry of a file; None where the commit (or, for an empty one, nobody) has none.

    Raises SluiceError where the path leaves the repository, crosses a link or a submodule, or names
    a folder.
    """
    entries = _entries(place, commit, path)
    for folder in _prefixes(path)[:-1]:
        found = entries.get(folder)
        if found is not None and found.mode != _FOLDER:
            raise _refusal(path, folder, found)
    found = entries.get(path)
    if found is not None and not found.is_file:
        raise _refusal(path, path, found)
    return found


def names(place: Place, commit: str, folder: str) -> list[str]:
    """The names of what lies in a folder of a commit, sorted; none where there is no such folder.

    Raises SluiceError as `find`, where the folder is a link or a submodule or lies behind one.
    """
    entries = _entries(place, commit, folder)
    for above in _prefixes(folder):
        found = entries.get(above)
        if found is not None and found.mode != _FOLDER:
            raise _refusal(folder, above, found)
    start = f"{folder}/"
    inside = (path.removeprefix(start) for path in entries if path.startswith(start))
    return sorted(name for name in inside if "/" not in name)


def content(place: Place, entry: Entry) -> bytes:
    """What a file holds."""
    if entry.oid not in place.known.files:
        [place.known.files[entry.oid]] = blobs(place.path, [entry.oid])
    return place.known.files[entry.oid]


def unchanged(place: Place, one: str, other: str) -> bool:
    """Whether two commits agree in everything that was asked for so far."""
    tops = {path.partition("/")[0] for path in place.known.paths}
    before, after = _top(place, one), _top(place, other)
    return all(before.get(top) == after.get(top) for top in tops)


def blobs(repository: Path, objects: Iterable[str]) -> list[bytes]:
    """What these objects (hashes, or `commit:path`) hold, in their order; missing ones are left
    out.
    """
    asked = "".join(f"{name}\n" for name in objects)
    words = ("cat-file", "--batch")
    raw = calls.run_bytes(*words, where=Where(bare=repository), stdin=asked.encode())
    if raw.code:
        raise process.CommandFailed(["git", *words], raw.text("utf-8"))
    found, rest = [], raw.stdout
    while rest:
        head, _, rest = rest.partition(b"\n")
        *_, kind, size = head.split(b" ")
        if kind == b"blob":
            found.append(rest[: int(size)])
        if size.isdigit():
            rest = rest[int(size) + 1 :]
    return found


def write(place: Place, commit: str, files: Mapping[str, bytes]) -> str:
    """The tree of `commit` (of nothing, where that is empty) with exactly these files changed.

    Nothing but objects is written. Raises SluiceError as `find`, or where git cannot write them.
    """
    entries = _wanted(place, commit, files)
    with boundary("clone.write"):
        for path, inside in files.items():
            if entries[path].oid not in place.known.files:
                _git(place, "hash-object", "-w", "--no-filters", "--stdin", stdin=inside)
                place.known.files[entries[path].oid] = inside
    lines = [f"{entry.mode} {entry.oid}\t{path}\0" for path, entry in entries.items()]
    with tempfile.TemporaryDirectory(prefix="index-", dir=place.path) as folder:
        index = {"GIT_INDEX_FILE": f"{folder}/index"}
        _git(place, "read-tree", commit or "--empty", env=index)
        words = ("update-index", "-z", "--index-info")
        _git(place, *words, env=index, stdin="".join(lines).encode())
        return _git(place, "write-tree", env=index)


def compare(place: Place, before: str, after: str, files: Mapping[str, bytes]) -> None:
    """Hold a commit that was made against what was meant: from `before` to `after` exactly these
    files change, to these bytes.

    Raises SluiceError where anything else changes, or nothing.
    """
    meant = {
        path: entry
        for path, entry in _wanted(place, before, files).items()
        if find(place, before, path) != entry
    }
    if not meant:
        raise SluiceError("the commit changes nothing", "This is a fault of Sluice; report it.")
    changed = _changed(place, before, after)
    if changed != meant:
        raise SluiceError(
            f"the commit changes {', '.join(sorted(changed)) or 'nothing'};"
            f" {', '.join(sorted(meant))} and nothing else was meant",
            "Nothing was pushed. Check the disk of this machine, and its git.",
        )


def _wanted(place: Place, commit: str, files: Mapping[str, bytes]) -> dict[str, Entry]:
    """The entries that these files are to have; a file that is there keeps its mode."""
    for path in files:
        for above in _prefixes(path)[:-1]:
            if above in files:
                raise SluiceError(f"{above} would be a file and a folder", "Write one of the two.")
    wanted = {}
    for path, inside in files.items():
        before = find(place, commit, path)
        mode = before.mode if before else _FILE
        wanted[path] = Entry(mode, _hash(place, inside))
    return wanted


def _hash(place: Place, inside: bytes) -> str:
    """The name that git gives a file with this content, computed without git."""
    named = b"blob %d\0" % len(inside) + inside
    return hashlib.new(object_format(place.path), named, usedforsecurity=False).hexdigest()


def object_format(repository: Path) -> str:
    """How a repository of ours names objects: `sha1` or `sha256`."""
    text = (repository / "config").read_text(encoding="utf-8").lower()
    return "sha256" if "objectformat = sha256" in text else "sha1"


def _changed(place: Place, before: str, after: str) -> dict[str, Entry]:
    """Path -> what it is after, of every path that differs; the mode of one that is gone is 0."""
    if not before:
        entries = _listed(place, "-r", after)
        return {path: entry for path, entry in entries.items() if entry.mode != _FOLDER}
    words = ("diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", before, after)
    fields = _read(place, *words).split("\0")[:-1]
    changed = {}
    for head, path in zip(fields[::2], fields[1::2], strict=True):
        _, mode, _, oid, _ = head.split(" ")
        changed[path] = Entry(mode, oid)
    return changed


def _entries(place: Place, commit: str, path: str) -> dict[str, Entry]:
    """Every entry of a commit in the top folder of a path, that one included, by its whole path.

    Raises SluiceError where the path leaves the repository.
    """
    _require_inside(path)
    place.known.paths.add(path)
    top = path.partition("/")[0]
    found = _top(place, commit).get(top)
    if found is None:
        return {}
    if found.mode != _FOLDER:
        return {top: found}
    if found.oid not in place.known.folders:
        place.known.folders[found.oid] = _listed(place, "-r", found.oid)
    inside = place.known.folders[found.oid]
    return {top: found, **{f"{top}/{name}": entry for name, entry in inside.items()}}


def _top(place: Place, commit: str) -> dict[str, Entry]:
    """What lies at the top of a commit; nothing where there is none."""
    if not commit:
        return {}
    if commit not in place.known.folders:
        place.known.folders[commit] = _listed(place, commit)
    return place.known.folders[commit]


def _listed(place: Place, *words: str) -> dict[str, Entry]:
    """What `git ls-tree` says, with `-r` the folders on the way included."""
    raw = _read(place, "ls-tree", "-t", "-z", "--full-tree", *words)
    entries = {}
    for line in raw.split("\0")[:-1]:
        head, _, path = line.partition("\t")
        mode, _, oid = head.split(" ")
        entries[path] = Entry(mode, oid)
    return entries


def _read(place: Place, *words: str) -> str:
    """What git prints, no line end changed: a name may hold one."""
    raw = calls.run_bytes(*words, where=Where(bare=place.path))
    if raw.code:
        raise process.CommandFailed(["git", *words], raw.text("utf-8"))
    return raw.stdout.decode("utf-8", "surrogateescape")


def _git(
    place: Place,
    *words: str,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
) -> str:
    """The one line that git prints. Raises SluiceError, with its cause, where it fails."""
    raw = calls.run_bytes(*words, where=Where(bare=place.path), env=env, stdin=stdin)
    if raw.code:
        cause = " ".join(raw.text("utf-8").stderr.split())
        raise SluiceError(
            f"git {words[0]} failed in {place.path}: {cause}",
            "Free space there, then run it again.",
        )
    return raw.stdout.decode("ascii").strip()


def _prefixes(path: str) -> list[str]:
    """`a`, `a/b` and `a/b/c` of `a/b/c`."""
    parts = path.split("/")
    return ["/".join(parts[:length]) for length in range(1, len(parts) + 1)]


def _require_inside(path: str) -> None:
    """Refuse a path that does not name a file below the folder of the repository."""
    parts = path.split("/")
    if PurePosixPath(path).is_absolute() or {"", ".", ".."} & set(parts) or "\0" in path:
        raise SluiceError(f"{path!r} leaves the manifest repo", "Name a file inside of it.")
    if path.startswith("-") or ".git" in path.lower().split("/"):
        raise SluiceError(f"{path!r} is no file that git keeps", "Name another file.")


def _refusal(path: str, crossed: str, entry: Entry) -> SluiceError:
    kind = _KINDS.get(entry.mode, "a file")
    what = f"{path} of the manifest repo is {kind}"
    if crossed != path:
        what = f"{path} of the manifest repo lies behind {crossed}, which is {kind}"
    return SluiceError(what, _REMEDIES.get(entry.mode, "Give one of the two another name."))
