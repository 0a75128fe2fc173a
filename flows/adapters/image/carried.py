"""What the pipeline image carries: the base and the packages of every model image, so that a
release in a pod needs neither Debian's archive nor a package index.

It lies there as in the cache of a machine, but compressed, because an image is pulled more often
than a release builds one.
"""

import lzma
import shutil
from pathlib import Path

from flows.adapters import machine_cache

PLACE = Path("/srv/carried")
KINDS = ("base", "site")
_PACKED = ".xz"


def there(place: Path = PLACE) -> bool:
    """Whether this process runs in the pipeline image."""
    return place.is_dir()


def into(cache: Path, kind: str, place: Path = PLACE) -> None:
    """Have what is carried of one kind in the machine's `cache`; nothing outside of the image."""
    for source in sorted((place / kind).glob("*")):
        target = cache / kind / source.name.removesuffix(_PACKED)
        if source.suffix == _PACKED:
            machine_cache.kept(target, lambda part, source=source: _unpack(source, part))  # type: ignore[misc]
        elif not target.is_file():
            machine_cache.write(target, source.read_bytes())


def pack(source: Path, target: Path) -> None:
    """Compress an archive; its bytes depend on the archive's alone."""
    with source.open("rb") as file, lzma.open(target, "wb", preset=6) as packed:
        shutil.copyfileobj(file, packed, 1 << 20)


def _unpack(source: Path, target: Path) -> None:
    with lzma.open(source) as packed, target.open("wb") as file:
        shutil.copyfileobj(packed, file, 1 << 20)
