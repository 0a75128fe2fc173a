"""Who commits: author, committer, and a signature that git itself verifies."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from support.git_repos import ONE, promotion, seeded, tip

from flows.adapters.git import git
from flows.gitops.promotion import promote
from flows.project import settings
from flows.project.settings import Settings
from sluice.errors import UsageError

BOT = "Release Bot <bot@example.com>"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """A key for ssh, and beside it the file that says whose it is."""
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "bot", "-f", tmp_path / "key"]
    subprocess.run(words, check=True)
    (tmp_path / "allowed").write_text(f"bot@example.com {(tmp_path / 'key.pub').read_text()}")
    return tmp_path / "key"


def verified(given: Settings, *config: str) -> "subprocess.CompletedProcess[str]":
    """What git says of the signature at the tip."""
    words = ["git", *(word for name in config for word in ("-c", name)), "verify-commit", "main"]
    return subprocess.run(
        words, cwd=given.manifest_url, capture_output=True, text=True, check=False
    )


def test_a_commit_is_signed_with_an_ssh_key(key: Path, tmp_path: Path) -> None:
    given = seeded(tmp_path / "home", author=BOT, signing_key=str(key))
    promote(given, promotion(ONE, 1))
    found = verified(given, f"gpg.ssh.allowedSignersFile={tmp_path / 'allowed'}")
    assert found.returncode == 0
    assert 'Good "git" signature for bot@example.com' in found.stderr


def test_another_key_is_not_taken_for_it(key: Path, tmp_path: Path) -> None:
    given = seeded(tmp_path / "home", author=BOT, signing_key=str(key))
    promote(given, promotion(ONE, 1))
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other"]
    subprocess.run(words, check=True)
    (tmp_path / "allowed").write_text(f"bot@example.com {(tmp_path / 'other.pub').read_text()}")
    assert verified(given, f"gpg.ssh.allowedSignersFile={tmp_path / 'allowed'}").returncode != 0


def test_a_commit_is_signed_with_an_openpgp_key(tmp_path: Path) -> None:
    assert shutil.which("gpg")
    home = tmp_path / "g"  # the path of gpg-agent's socket has to be short
    home.mkdir(mode=0o700)
    os.environ["GNUPGHOME"] = str(home)
    try:
        words = [
            "gpg",
            "--batch",
            "--quiet",
            "--passphrase",
            "",
            "--quick-gen-key",
            BOT,
            "ed25519",
            "sign",
            "never",
        ]
        subprocess.run(words, check=True, capture_output=True)
        given = seeded(
            tmp_path / "home", author=BOT, signing_key="bot@example.com", signing_format="openpgp"
        )
        promote(given, promotion(ONE, 1))
        found = verified(given)
        assert (found.returncode, "Good signature" in found.stderr) == (0, True)
    finally:
        subprocess.run(["gpgconf", "--kill", "all"], check=True)


def test_without_a_key_nothing_is_signed(tmp_path: Path) -> None:
    given = seeded(tmp_path / "home")
    promote(given, promotion(ONE, 1))
    assert git.git("log", "-1", "--format=%G?", "main", cwd=Path(given.manifest_url)).strip() == "N"


def test_a_key_that_cannot_sign_is_said_and_nothing_is_pushed(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("no key")
    given = seeded(tmp_path / "home", signing_key=str(tmp_path / "key"))
    before = tip(given)
    with pytest.raises(UsageError, match="the commit could not be made") as raised:
        promote(given, promotion(ONE, 1))
    assert "SLUICE_SIGNING_KEY" in raised.value.fix
    assert tip(given) == before


def test_author_and_committer_are_those_of_the_settings(tmp_path: Path) -> None:
    given = seeded(tmp_path / "home", author="Anna <anna@example.com>", committer=BOT)
    promote(given, promotion(ONE, 1))
    shown = git.git(
        "log", "-1", "--format=%an <%ae>|%cn <%ce>", "main", cwd=Path(given.manifest_url)
    )
    assert shown.strip() == f"Anna <anna@example.com>|{BOT}"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("COMMITTER", "anna", "Name <address>"),
        ("AUTHOR", "Anna <>", "Name <address>"),
        ("AUTHOR", "<a@b>", "Name <address>"),
        ("SIGNING_KEY", "/nowhere/key", "path of a file"),
        ("GIT_KEY", "-----BEGIN OPENSSH PRIVATE KEY-----", "path of a file"),
        ("KNOWN_HOSTS", "/nowhere", "path of a file"),
        ("CA", "/nowhere", "path of a file"),
    ],
)
def test_what_is_sure_to_fail_is_said_at_the_start(name: str, value: str, said: str) -> None:
    os.environ[f"SLUICE_{name}"] = value
    with pytest.raises(UsageError, match=f"SLUICE_{name} ") as raised:
        settings.load()
    assert said in raised.value.fix
    assert "PRIVATE" not in str(raised.value)


def test_the_id_of_an_openpgp_key_is_no_file() -> None:
    os.environ |= {"SLUICE_SIGNING_KEY": "0123ABCD", "SLUICE_SIGNING_FORMAT": "openpgp"}
    assert settings.load().signature.key == "0123ABCD"
