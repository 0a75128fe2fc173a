"""What no build used for a month goes from the cache of this machine, and nothing else."""

import os
import time
from pathlib import Path

from flows.adapters import machine_cache
from flows.adapters.image.pipeline import shelf

LONG_AGO = time.time() - shelf.UNUSED - 60


def kept(cache: Path, name: str) -> Path:
    return machine_cache.kept(shelf.place(cache) / name, lambda part: part.write_bytes(b"bytes"))


def image(cache: Path, tag: str) -> Path:
    folder = shelf.image(cache, tag)
    (folder / "blobs").mkdir(parents=True)
    (folder / "blobs" / "one").write_text("layer")
    return folder


def old(*paths: Path) -> None:
    for path in paths:
        os.utime(path, (LONG_AGO, LONG_AGO))


def test_what_was_not_used_for_a_month_goes_with_its_record(tmp_path: Path) -> None:
    archive, layer = kept(tmp_path, "a.tar"), kept(tmp_path, "b.gz")
    older, newer = image(tmp_path, "0000"), image(tmp_path, "1111")
    fresh = kept(tmp_path, "c.tar")
    old(archive, layer, older)
    assert set(shelf.sweep(tmp_path)) == {archive, layer, older}
    assert not archive.exists()
    assert not older.exists()
    left = {path.name for path in shelf.place(tmp_path).iterdir() if not path.name.startswith(".")}
    assert left == {"c.tar", "c.tar.sha256", "images"}
    assert machine_cache.intact(fresh)
    assert newer.is_dir()
    assert machine_cache.intact(kept(tmp_path, "a.tar"))  # it is made again


def test_what_a_build_used_stays(tmp_path: Path) -> None:
    archive, folder = kept(tmp_path, "a.tar"), image(tmp_path, "0000")
    old(archive, folder)
    shelf.used(archive)
    shelf.used(folder)
    assert shelf.sweep(tmp_path) == []
    assert machine_cache.intact(archive)


def test_an_empty_machine_has_nothing_to_sweep(tmp_path: Path) -> None:
    assert shelf.sweep(tmp_path) == []
