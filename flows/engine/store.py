"""The content store: what a step put out, under the key of what it took in.

A result is there as a whole or not at all, also after `kill -9`. What is found is what was kept:
the record has a hash of itself, facts included, and the hashes of all files.
"""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from flows.adapters.failpoints import boundary
from flows.adapters.files import changed_before, write_atomic
from flows.adapters.private_files import make_private, make_private_folder
from flows.facts.step_files import RECORD
from sluice.errors import Refused
from sluice.identity import file_sha256, sha256, value_hash
from sluice.model.json_file import decode_json, parse_json, read_json

F = TypeVar("F", bound=msgspec.Struct)
D = TypeVar("D", bound=msgspec.Struct)

_AGAIN = "Run the release again with --no-cache: it does every step anew and replaces this result."

# Where files and folders are made before they are renamed to what they are.
_TEMPORARY = (
    "store/*/.*",
    "champions/.*",
    "bentoml/.build-*",
    "bentoml/.serve-*",
    "containers/smoke-*",
    ".manifests-*",
    *(
        f"{folder}/**/.*-????????"
        for folder in (
            "latest",
            "refusals",
            "outcomes",
            "evidence",
            "proposals",
            "rollbacks",
            "data",
        )
    ),
    *(f"{folder}/**/.*.part" for folder in ("registry", "containers", "bentoml")),
)


class Altered(Refused):
    """What lies in the store is not what a step put there."""

    def __init__(self, step: str, files: Sequence[str]) -> None:
        super().__init__(f"{', '.join(files)} changed after {step} wrote it", _AGAIN)


class Record(msgspec.Struct, frozen=True):
    """What `step.json` says of a result: its inputs and files by hash, and its facts.

    `hash` is that of everything else in it; it is empty in a record that an older version wrote.
    """

    step: str
    key: str
    inputs: dict[str, str]
    outputs: dict[str, str]
    facts: dict[str, Any]
    seconds: float
    hash: str = ""


@dataclass(frozen=True)
class Result(Generic[F]):
    """What one step put out: its folder, the SHA-256 of each file in it, and its facts."""

    step: str
    key: str
    folder: Path
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    facts: F
    seconds: float

    def hash(self, name: str) -> str:
        """The SHA-256 of one of its files."""
        return self.outputs[name]

    def read(self, name: str) -> bytes:
        """The bytes of one of its files. Raises Altered where they are not those it put out."""
        content = (self.folder / name).read_bytes()
        if sha256(content) != self.outputs[name]:
            raise Altered(self.step, [name])
        return content

    def changed(self) -> list[str]:
        """Its files that are not as it put them out, are gone, or came later; sorted."""
        there = {path.relative_to(self.folder).as_posix(): path for path in _files(self.folder)}
        return sorted(
            name
            for name in {*there, *self.outputs}
            if name not in there or file_sha256(there[name]) != self.outputs.get(name)
        )

    def parsed(self, name: str, schema: type[D]) -> D:
        """One of its JSON files, read by its schema. Raises Unreadable where it does not fit."""
        return read_json(self.read(name), schema, name)

    def document(self, name: str) -> Any:
        """One of its JSON files, as it is."""
        return parse_json(self.read(name), name)


def find(home: Path, step: str, key: str, facts: type[F]) -> Result[F] | None:
    """What this step put out under this key.

    None where it never came to its end, or where an older version kept it, without a hash of its
    facts: it is done again. Raises Altered where record or files are not as the step left them.
    """
    folder = home / "store" / step / key
    record = _recorded(folder, step)
    if record is None or not record.hash:
        return None
    if record != hashed(record) or (record.step, record.key) != (step, key):
        raise Altered(step, [RECORD])
    result = Result(
        step=step,
        key=key,
        folder=folder,
        inputs=record.inputs,
        outputs=record.outputs,
        facts=msgspec.convert(record.facts, facts),
        seconds=record.seconds,
    )
    changed = result.changed()
    if changed:
        raise Altered(step, changed)
    return result


def is_outdated(home: Path, step: str, key: str) -> bool:
    """Whether an older version kept this result, without a hash of its facts."""
    return _is_outdated(home / "store" / step / key, step)


def _is_outdated(folder: Path, step: str) -> bool:
    record = _recorded(folder, step)
    return record is not None and not record.hash


def _recorded(folder: Path, step: str) -> Record | None:
    """The record of a folder; None where there is none. Raises Altered where it is no record."""
    try:
        return decode_json((folder / RECORD).read_bytes(), Record, RECORD)
    except FileNotFoundError:
        return None
    except ValueError:
        raise Altered(step, [RECORD]) from None


def hashed(record: Record) -> Record:
    """The record with the hash of everything in it but that."""
    bare = msgspec.structs.replace(record, hash="")
    return msgspec.structs.replace(record, hash=value_hash(msgspec.to_builtins(bare)))


def keep(
    home: Path,
    record: Record,
    work: Callable[[Path], msgspec.Struct],
    *,
    replace: bool = False,
) -> None:
    """Let `work` fill an empty folder, then move it into the store under the key of `record`.

    A result that is there already wins, unless `replace`, or unless an older version kept it.
    Outputs, facts, seconds and hash of the record are filled in.
    """
    target = home / "store" / record.step / record.key
    make_private_folder(target.parent)
    started = time.monotonic()
    with boundary("store.begin"):
        folder = Path(tempfile.mkdtemp(prefix=f".{record.key[:8]}-", dir=target.parent))
    try:
        with boundary("store.fill"):
            facts = work(folder)
        _finish(folder, record, facts, round(time.monotonic() - started, 3))
        _publish(folder, target, replace=replace or _is_outdated(target, record.step))
    finally:
        shutil.rmtree(_aside(folder), ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def _finish(folder: Path, record: Record, facts: msgspec.Struct, seconds: float) -> None:
    """Write the record last, and flush all files to the disk."""
    complete = msgspec.structs.replace(
        record,
        outputs={path.relative_to(folder).as_posix(): file_sha256(path) for path in _files(folder)},
        facts=msgspec.to_builtins(facts),
        seconds=seconds,
    )
    with boundary("store.record"):
        write_record(folder, complete)
    make_private(folder)
    with boundary("store.flush"):
        for path in [*_files(folder), folder / RECORD]:
            _sync(path)


def write_record(folder: Path, record: Record) -> None:
    """Write the record of a folder, with its hash."""
    text = json.dumps(msgspec.to_builtins(hashed(record)), indent=1, sort_keys=True)
    (folder / RECORD).write_text(text, encoding="utf-8")


def _publish(folder: Path, target: Path, *, replace: bool) -> None:
    if replace and target.exists():
        with boundary("store.aside"):
            target.rename(_aside(folder))
    with boundary("store.rename"):
        _move(folder, target)


def _aside(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}-old")


@boundary("store.remember")
def remember(home: Path, model: str, step: str, inputs: Mapping[str, str]) -> None:
    """Note the inputs of a step that ended, so that the next plan can say what changed."""
    content = json.dumps(dict(inputs), sort_keys=True).encode()
    write_atomic(home / "latest" / model / f"{step}.json", content)


def changes(home: Path, model: str, step: str, inputs: Mapping[str, str]) -> list[str]:
    """The names of the inputs that differ from the last time, sorted; empty for a first time."""
    path = home / "latest" / model / f"{step}.json"
    try:
        before = decode_json(path.read_bytes(), dict[str, str], str(path))
    except FileNotFoundError:
        return []
    return sorted(name for name in {*before, *inputs} if before.get(name) != inputs.get(name))


class _Refused(msgspec.Struct, frozen=True):
    """A refusal as it is remembered."""

    sentence: str


def refuse(home: Path, step: str, key: str, sentence: str) -> None:
    """Remember that a step refused these inputs. `sentence` holds no value of a row."""
    write_atomic(_refusal(home, step, key), msgspec.json.encode(_Refused(sentence)))


def refusal(home: Path, step: str, key: str) -> str:
    """The sentence with which a step refused these inputs before; empty where it did not."""
    try:
        content = _refusal(home, step, key).read_bytes()
        return decode_json(content, _Refused, "a refusal in the store").sentence
    except FileNotFoundError:
        return ""


def _refusal(home: Path, step: str, key: str) -> Path:
    return home / "refusals" / step / f"{key}.json"


@boundary("store.sweep")
def sweep(home: Path, older_than: float = 86_400.0) -> int:
    """Remove temporary files older than `older_than` seconds; return how many."""
    return swept(home, older_than)


def swept(home: Path, older_than: float) -> int:
    """Do what `sweep` does, without its boundary.

    Temporary files have names of their own, and nobody reads them.
    """
    limit = time.time() - older_than
    paths = [path for pattern in _TEMPORARY for path in home.glob(pattern)]
    old = [path for path in paths if changed_before(path, limit)]
    for path in old:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return len(old)


def _files(folder: Path) -> list[Path]:
    """All files of a result but its record, sorted."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != RECORD)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _move(folder: Path, target: Path) -> None:
    try:
        folder.rename(target)
    except OSError:
        # Another run was first: a folder that is not empty cannot be renamed onto. Its content
        # is the same by its key.
        if not (target / RECORD).exists():
            raise
