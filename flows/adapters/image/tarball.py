"""Archives whose bytes depend on names and contents alone.

They hold no times, no users and no modes of this machine.
"""

import os
import tarfile
from pathlib import Path


def pack(folder: Path, prefix: str, target: Path, left_out: str = "") -> None:
    """Write all files of `folder` to the tar `target`, below `prefix`, but those of one folder in
    it, where `left_out` names one.

    They are sorted by path, owned by root and readable by all.
    """
    with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as tar:
        parents = Path(prefix).parents
        for parent in [*reversed(parents[:-1]), Path(prefix)]:
            tar.addfile(_entry(str(parent), tarfile.DIRTYPE, 0o755))
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder)
            if not left_out or not name.is_relative_to(left_out):
                _add(tar, path, f"{prefix}/{name}")


def pack_from_root(folder: Path, target: Path) -> None:
    """Write all files of `folder` to the tar `target` as they lie below it, in the same manner."""
    with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as tar:
        for path in sorted(folder.rglob("*")):
            _add(tar, path, str(path.relative_to(folder)))


def empty(target: Path) -> None:
    """Write an archive without entries."""
    with tarfile.open(target, "w", format=tarfile.GNU_FORMAT):
        pass


def _entry(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.mode = kind, mode
    return info


def _add(tar: tarfile.TarFile, path: Path, name: str) -> None:
    if path.is_symlink():
        info = _entry(name, tarfile.SYMTYPE, 0o777)
        info.linkname = str(path.readlink())
        tar.addfile(info)
    elif path.is_dir():
        tar.addfile(_entry(name, tarfile.DIRTYPE, 0o755))
    else:
        mode = 0o755 if os.access(path, os.X_OK) else 0o644
        info = _entry(name, tarfile.REGTYPE, mode)
        info.size = path.stat().st_size
        with path.open("rb") as file:
            tar.addfile(info, file)
