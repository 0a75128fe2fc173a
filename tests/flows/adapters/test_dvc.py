"""Files of DVC: what is read of them, and what is refused. `dvc pull` itself is tried with the real
program in tests/e2e/test_dvc.py.
"""

from pathlib import Path

import pytest

from flows.adapters import dvc
from flows.adapters.dvc import Tracked
from sluice.errors import Refused, SluiceError, UsageError

CONTENT = b"a,b\n1,2\n"
MD5 = "e5ebd4c02cefbe7955977c67ada242b7"


def named(folder: Path, text: str) -> str:
    (folder / "rows.csv.dvc").write_text(text)
    return "rows.csv.dvc"


def of(path: str = "rows.csv", md5: str = MD5, more: str = "") -> str:
    return f"outs:\n- md5: {md5}\n  size: 8\n  hash: md5\n  path: {path}\n{more}"


def test_what_dvc_writes_is_read(tmp_path: Path) -> None:
    wanted = Tracked("rows.csv.dvc", "rows.csv", MD5, 8)
    assert dvc.read(tmp_path, named(tmp_path, of())) == wanted
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows.csv.dvc").write_text(of(more="wdir: ..\nmeta: {a: [1, 2]}\n"))
    assert dvc.read(tmp_path, "data/rows.csv.dvc").path == "rows.csv"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (of("../rows.csv"), "which is outside the project"),
        (of("/etc/passwd"), "which is outside the project"),
        (of(more="wdir: ../..\n"), "which is outside the project"),
        (of() + "- md5: '0'\n  path: b.csv\n", "names 2 files; 1 is required"),
        ("outs: []\n", "names 0 files; 1 is required"),
        ("stages: {}\n", "names 0 files; 1 is required"),
        (of(md5=f"{MD5}.dir"), "names a folder; a file is required"),
        (of().replace("  hash: md5\n", ""), "hash is ''; 'md5' is required"),
        (of(md5="''"), "md5 is ''; 32 hexadecimal digits are required"),
        ("outs: 1\n", "is no file of DVC"),
        ("outs: [\n", "is no file of DVC"),
        ("- a\n", "is no file of DVC"),
        ("outs: !!python/object/apply:os.getcwd []\n", "is no file of DVC"),
        ("[" * 5000, "is no file of DVC"),
        ("a: b\n" * 20_000, "is longer than 65,536 characters"),
        ("\x00", "is no file of DVC"),
    ],
)
def test_what_is_none_is_refused(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said) as raised:
        dvc.read(tmp_path, named(tmp_path, text))
    assert "\n" not in raised.value.what
    with pytest.raises(UsageError, match="there is no such file"):
        dvc.read(tmp_path, "unheard.dvc")


def test_a_link_out_of_the_project_is_followed_before_it_is_judged(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "out").symlink_to(tmp_path)
    with pytest.raises(UsageError, match="which is outside the project"):
        dvc.read(project, named(project, of("out/rows.csv")))


def test_what_is_here_already_needs_no_dvc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "rows.csv").write_bytes(CONTENT)
    tracked = Tracked("rows.csv.dvc", "rows.csv", MD5, 8)
    assert dvc.content(tmp_path, tracked, 100) == CONTENT
    (tmp_path / "rows.csv").unlink()
    with pytest.raises(SluiceError, match=r"rows\.csv\.dvc needs dvc, which is not on PATH"):
        dvc.content(tmp_path, tracked, 100)


def test_other_bytes_are_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(b"changed")
    with pytest.raises(UsageError, match=f"{MD5} is required by rows.csv.dvc") as raised:
        dvc.content(tmp_path, Tracked("rows.csv.dvc", "rows.csv", MD5, 8), 100)
    assert "dvc add rows.csv" in raised.value.fix
    assert (tmp_path / "rows.csv").read_bytes() == b"changed"


def test_more_than_the_limit_is_refused_before_it_is_brought(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="is 8 bytes; at most 7 is required"):
        dvc.content(tmp_path, Tracked("rows.csv.dvc", "rows.csv", MD5, 8), 7)
