"""The content store: what a step put out, under the key of what it took in. Whole or not there at
all.
"""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.adapters.failpoints import boundary
from sluice.identity import file_sha256

_RECORD = "step.json"
# Where files and folders are made before they are renamed to what they are.
_LEFT = (
    "store/*/.*",
    "champions/.*",
    "bentoml/.build-*",
    "bentoml/.serve-*",
    "containers/smoke-*",
    ".manifests-*",
    *(
        f"{folder}/**/.*-????????"
        for folder in ("latest", "outcomes", "evidence", "proposals", "rollbacks", "data")
    ),
    *(f"{folder}/**/.*.part" for folder in ("registry", "containers", "bentoml")),
)


@dataclass(frozen=True)
class Result:
    """What one step put out: its folder, the hash of each file in it, and the facts it wants
    remembered.
    """

    step: str
    key: str
    folder: Path
    outputs: dict[str, str]
    facts: dict[str, Any]
    seconds: float

    def hash(self, name: str) -> str:
        """The SHA-256 of one of its files."""
        return self.outputs[name]


def find(home: Path, step: str, key: str) -> Result | None:
    """What this step put out under this key, if it ever ended."""
    folder = home / "store" / step / key
    try:
        record = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return Result(step, key, folder, record["outputs"], record["facts"], record["seconds"])


def keep(
    home: Path,
    step: str,
    inputs: Mapping[str, str],
    key: str,
    work: Callable[[Path], Mapping[str, Any] | None],
    replace: bool = False,
) -> Result:
    """Let `work` fill an empty folder, then move it into the store; what is there already wins,
    unless `replace`.
    """
    place = home / "store" / step / key
    place.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with boundary("store.begin"):
        folder = Path(tempfile.mkdtemp(prefix=f".{key[:8]}-", dir=place.parent))
    try:
        with boundary("store.fill"):
            facts = dict(work(folder) or {})
        outputs = {
            path.relative_to(folder).as_posix(): file_sha256(path) for path in _files(folder)
        }
        record = {
            "step": step,
            "key": key,
            "inputs": dict(inputs),
            "outputs": outputs,
            "facts": facts,
            "seconds": round(time.monotonic() - started, 3),
        }
        with boundary("store.record"):
            (folder / _RECORD).write_text(
                json.dumps(record, indent=1, sort_keys=True), encoding="utf-8"
            )
        with boundary("store.flush"):
            for path in _files(folder):
                _sync(path)
        if replace and place.exists():
            with boundary("store.aside"):
                place.rename(folder.with_name(f"{folder.name}-old"))
        with boundary("store.rename"):
            _move(folder, place)
    finally:
        shutil.rmtree(folder.with_name(f"{folder.name}-old"), ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
    result = find(home, step, key)
    assert result is not None
    return result


@boundary("store.remember")
def remember(home: Path, model: str, step: str, inputs: Mapping[str, str]) -> None:
    """Note the inputs of a step that ended, so that the next plan can say what changed."""
    write_atomic(
        home / "latest" / model / f"{step}.json", json.dumps(dict(inputs), sort_keys=True).encode()
    )


def changes(home: Path, model: str, step: str, inputs: Mapping[str, str]) -> list[str]:
    """The names of the inputs that differ from the last time; empty where there is no last time."""
    try:
        before = json.loads((home / "latest" / model / f"{step}.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    return sorted(name for name in {*before, *inputs} if before.get(name) != inputs.get(name))


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file under a temporary name, flush it to the disk, and rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with boundary("file.write"), os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        with boundary("file.rename"):
            Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)


@boundary("store.sweep")
def sweep(home: Path, older_than: float = 86_400.0) -> int:
    """Remove what killed runs left half done, a day after; the number of files and folders."""
    return swept(home, older_than)


def swept(home: Path, older_than: float) -> int:
    """The same, apart from the boundary. Half-done things have names of their own, and nobody reads
    them.
    """
    limit = time.time() - older_than
    left = [
        path for pattern in _LEFT for path in home.glob(pattern) if path.lstat().st_mtime < limit
    ]
    for path in left:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return len(left)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != _RECORD) + [
        path for path in [folder / _RECORD] if path.exists()
    ]


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _move(folder: Path, place: Path) -> None:
    folder.chmod(0o755)
    try:
        folder.rename(place)
    except OSError:
        # Another run was first: a folder that is not empty cannot be renamed onto. Its content is
        # the same by its key.
        if not (place / _RECORD).exists():
            raise
