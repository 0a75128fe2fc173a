"""The base of the image and its site-packages, made for real from Debian's archive and from the
lock.
"""

import os
import shutil
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from support.model_artifacts import PROJECT

from flows.adapters.image import base_image
from flows.adapters.image.base_image import Base

pytestmark = pytest.mark.skipif(
    not shutil.which("mmdebstrap"), reason="needs mmdebstrap (apt-get install mmdebstrap)"
)


def test_a_lock_behind_the_archive_is_said_and_does_not_stop(
    tmp_path: Path, built_base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The base is the same, whatever the environment tells Python about bytecode."""
    if "PYTHONDONTWRITEBYTECODE" in os.environ:
        monkeypatch.delenv("PYTHONDONTWRITEBYTECODE")
    else:
        monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    (tmp_path / "bento").mkdir()
    first, *others = built_base.entry.packages
    name = first.partition("=")[0]
    packages = (f"{name}=0.1-gone", *others)
    behind = replace(built_base.entry, packages=packages)
    (tmp_path / "bento" / "base.lock").write_text(base_image._document([behind]))
    said: list[str] = []
    made = base_image.ensure(tmp_path, tmp_path / "cache", said.append)
    assert ["behind" in text and f"{name}=" in text for text in said] == [True]
    assert made.entry != behind
    assert base_image.expected(tmp_path, tmp_path / "cache") == made.entry
    if made.entry == built_base.entry:
        assert made.tar.read_bytes() == built_base.tar.read_bytes()


def test_refreshing_writes_what_the_archive_has(tmp_path: Path, built_base: Base) -> None:
    (tmp_path / "bento").mkdir()
    entry = base_image.refresh(tmp_path, tmp_path / "cache")
    assert base_image.locked(tmp_path) == entry
    assert base_image.ensure(tmp_path, tmp_path / "cache", pytest.fail).entry == entry
    assert base_image.main([]) == 2


def test_the_site_archive_holds_no_path_of_this_machine(site: Path) -> None:
    with tarfile.open(site) as tar:
        members = tar.getmembers()
        assert {(member.uid, member.gid, member.mtime) for member in members} == {(0, 0, 0)}
        records = [tar.extractfile(member) for member in members if member.name.endswith("/RECORD")]
        texts = [record.read() for record in records if record]
    assert texts
    assert not any(str(PROJECT).encode() in text or sys.prefix.encode() in text for text in texts)
