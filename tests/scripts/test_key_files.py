"""The keys of a job become files for this user alone, and nothing of them is printed."""

import stat
from pathlib import Path

import pytest

from flows.adapters import process
from scripts.key_files import main

KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\r\nabc\r\n-----END OPENSSH PRIVATE KEY-----"


def test_what_is_set_becomes_a_file_for_this_user_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "runner" / "keys"
    given = {"KEYS_FOLDER": str(folder), "DEPLOY_KEY": KEY, "KNOWN_HOSTS": "", "CLUSTER_CONFIG": ""}
    for _ in range(2):  # the second time it is there
        assert main(given) == 0
        assert capsys.readouterr().out == "Written: git_key.\n"
    assert (folder / "git_key").read_text() == KEY.replace("\r", "") + "\n"
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / "git_key")]
    assert modes == [0o700, 0o600]
    assert [path.name for path in folder.iterdir()] == ["git_key"]


def test_ssh_takes_a_key_whose_last_line_end_a_form_cut_off(tmp_path: Path) -> None:
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "made"]
    process.run(words)
    pasted = (tmp_path / "made").read_text().strip().replace("\n", "\r\n")
    assert main({"KEYS_FOLDER": str(tmp_path / "keys"), "DEPLOY_KEY": pasted}) == 0
    public = process.run(["ssh-keygen", "-y", "-f", tmp_path / "keys" / "git_key"]).stdout
    assert public.split()[:2] == (tmp_path / "made.pub").read_text().split()[:2]


def test_without_a_key_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main({"KEYS_FOLDER": str(tmp_path / "keys")}) == 0
    assert "nothing is written" in capsys.readouterr().out
    assert list((tmp_path / "keys").iterdir()) == []
    assert main({}) == 2
    assert "KEYS_FOLDER is not set" in capsys.readouterr().err
