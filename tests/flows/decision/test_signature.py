"""A signature counts where git calls it good, by a key that the tip of the protected branch allows
and that is valid today; nothing of the caller's changes that.
"""

import datetime
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.signing import Gpg, commit, git, key, project_of, protect, signer

from flows.decision import signature, signed_file
from flows.decision.signature import KEYS, REVOKED
from flows.project import settings
from sluice.errors import Refused

FILE = "overrides/attrition/file.toml"
TODAY = datetime.date(2026, 11, 20)
CARLA = "Carla <carla@example.com>"


@pytest.fixture
def anna(tmp_path: Path) -> Path:
    return key(tmp_path, "anna")


@pytest.fixture
def project(anna: Path, tmp_path: Path) -> Path:
    return project_of(anna, tmp_path / "project")


@pytest.fixture
def gpg(tmp_path: Path) -> Iterator[Gpg]:
    gpg = Gpg(tmp_path / "gnupg")
    yield gpg
    gpg.end()


def who() -> str:
    """Who signed the file; empty where it is refused for its signature."""
    try:
        signed = signed_file.read(settings.load(), FILE, TODAY)
    except Refused as refused:
        assert "is signed by nobody whom" in refused.what, refused.what
        return ""
    assert signed is not None
    return signed.signer


def state(project: Path, *words: str) -> str:
    """What git says of the signature of HEAD, asked as anybody asks."""
    return git(project, *words, "log", "-1", "--format=%G?").strip()


def test_who_was_removed_on_the_protected_branch_no_longer_counts(
    project: Path, anna: Path, tmp_path: Path
) -> None:
    """The change set began while Anna was allowed: its merge base still names her."""
    commit(project, "x = 1\n", anna, FILE)
    assert who() == "anna@example.com"
    protect(project, signer("berta", key(tmp_path, "berta")))
    assert who() == ""


def test_who_was_added_on_the_protected_branch_counts_at_once(
    project: Path, tmp_path: Path
) -> None:
    berta = key(tmp_path, "berta")
    commit(project, "x = 1\n", berta, FILE)
    assert who() == ""
    protect(project, signer("berta", berta))
    assert who() == "berta@example.com"


@pytest.mark.parametrize(
    ("options", "counts"),
    [
        ('valid-before="20261121"', True),
        ('valid-after="20200101"', True),
        ('valid-before="20261119"', False),
        ('valid-before="20261120"', False),
        ('valid-before="20200101"', False),
        ('valid-after="20261121"', False),
        ('namespaces="file"', False),
        ('namespaces="git"', True),
    ],
)
def test_a_key_for_ssh_that_has_expired_does_not_count(
    options: str, counts: bool, project: Path, anna: Path
) -> None:
    """The signer names the day of the commit, so it says nothing about today."""
    protect(project, signer("anna", anna, options))
    for day in ("2019-06-01", "2026-11-01", "2026-11-20"):
        os.environ["GIT_COMMITTER_DATE"] = f"{day}T12:00:00Z"
        commit(project, f"x = '{day}'\n", anna, FILE)
        early = day == "2019-06-01" and "valid-after" in options
        assert (who() == "anna@example.com") == (counts and not early)


def test_a_key_that_had_expired_when_it_signed_does_not_count(project: Path, anna: Path) -> None:
    protect(project, signer("anna", anna, 'valid-before="20261125"'))
    os.environ["GIT_COMMITTER_DATE"] = "2026-11-26T12:00:00Z"
    commit(project, "x = 1\n", anna, FILE)
    assert who() == ""


def test_a_key_for_ssh_that_was_revoked_does_not_count(project: Path, anna: Path) -> None:
    commit(project, "x = 1\n", anna, FILE)
    protect(project, anna.with_suffix(".pub").read_text(), REVOKED)
    assert who() == ""


@pytest.mark.parametrize("spoil", ["expire", "revoke"])
def test_a_key_of_openpgp_that_expired_or_was_revoked_does_not_count(
    spoil: str, project: Path, gpg: Gpg
) -> None:
    """Git calls such a signature Y or R, and names its signer."""
    gpg.make(CARLA)
    gpg.commit(project, CARLA, "x = 1\n", FILE)
    protect(project, gpg.public(CARLA), KEYS)
    assert who() == CARLA
    {"expire": gpg.expire, "revoke": gpg.revoke}[spoil](CARLA)
    protect(project, gpg.public(CARLA), KEYS)
    os.environ["GNUPGHOME"] = str(gpg.home)
    assert state(project) == {"expire": "Y", "revoke": "R"}[spoil]
    assert git(project, "log", "-1", "--format=%GS").strip() == CARLA
    assert who() == ""


def test_a_good_signature_by_a_key_that_nobody_allowed_does_not_count(
    project: Path, gpg: Gpg, tmp_path: Path
) -> None:
    """Git calls it U: the signature fits, and nobody says whose key it is."""
    gpg.make(CARLA)
    gpg.commit(project, CARLA, "x = 1\n", FILE)
    assert who() == ""
    commit(project, "x = 2\n", key(tmp_path, "mallory"), FILE)
    nobody = tmp_path / "nobody"
    nobody.write_text("")
    assert state(project, "-c", f"gpg.ssh.allowedSignersFile={nobody}") == "U"
    assert who() == ""


def test_what_was_changed_under_a_signature_does_not_count(project: Path, anna: Path) -> None:
    commit(project, "x = 1\n", anna, FILE)
    content = git(project, "cat-file", "commit", "HEAD").replace("Set it aside", "Set all aside")
    forged = subprocess.run(
        ["git", "hash-object", "-t", "commit", "-w", "--stdin"],
        cwd=project,
        input=content,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    git(project, "reset", "--quiet", "--hard", forged)
    assert who() == ""


def liar(folder: Path, name: str) -> Path:
    """A program that calls every signature good, and says it is Anna's."""
    good = "[GNUPG:] GOODSIG 1 anna@example.com"
    told = 'Good "git" signature for anna@example.com with ED25519 key SHA256:abc'
    said = {
        # git asks it twice: who a signature may be of, and whether it is good.
        "ssh-keygen": f"case \"$2\" in verify) echo '{told}' ;; *) echo anna@example.com ;; esac",
        "gpg": f"echo '{good}' >&2\necho '{good}'",
    }
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{said[name]}\nexit 0\n")
    path.chmod(0o755)
    return path


CONFIGURED = [
    ("gpg.ssh.program", "ssh-keygen"),
    ("gpg.ssh.allowedSignersFile", "mallory"),
    ("gpg.program", "gpg"),
    ("gpg.openpgp.program", "gpg"),
    ("gpg.x509.program", "gpg"),
    ("gpg.minTrustLevel", "never"),
]
HARMLESS = [
    ("log.showSignature", "true"),
    ("gpg.format", "x509"),
    ("gpg.minTrustLevel", "ultimate"),
    ("gpg.ssh.revocationFile", "revoked"),
    ("log.follow", "true"),
    ("log.mailmap", "false"),
    ("log.date", "raw"),
    ("format.pretty", "%H nonsense"),
    ("color.ui", "always"),
    ("log.decorate", "full"),
    ("core.quotePath", "true"),
    ("status.short", "false"),
    ("status.branch", "true"),
]


def configure(where: str, name: str, value: str, project: Path) -> None:
    """Set one thing in the user's configuration, the project's, or the environment's."""
    if where == "environment":
        os.environ |= {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": name,
            "GIT_CONFIG_VALUE_0": value,
        }
    elif where == "project":
        git(project, "config", name, value)
    else:
        home = project.parent / "home"
        home.mkdir()
        os.environ["HOME"] = str(home)
        git(project, "config", "--global", name, value)


@pytest.mark.parametrize("where", ["user", "project", "environment"])
@pytest.mark.parametrize(("name", "value"), CONFIGURED, ids=lambda value: str(value))
def test_no_configuration_makes_a_signature_good(
    name: str, value: str, where: str, project: Path, tmp_path: Path
) -> None:
    mallory = key(tmp_path, "mallory")
    commit(project, "x = 1\n", mallory, FILE)
    signers = tmp_path / "signers"
    signers.write_text(signer("anna", mallory))
    values = {"mallory": str(signers), "never": "never"}
    given = values.get(value) or str(liar(tmp_path / "liars", value))
    configure(where, name, given, project)
    assert who() == ""


@pytest.mark.parametrize("where", ["user", "project", "environment"])
@pytest.mark.parametrize(("name", "value"), HARMLESS, ids=lambda value: str(value))
def test_no_configuration_makes_a_good_signature_bad(
    name: str, value: str, where: str, project: Path, anna: Path, tmp_path: Path
) -> None:
    """The sample is log.showSignature, which put a sentence before what was parsed."""
    commit(project, "x = 1\n", anna, FILE)
    given = value
    if value == "revoked":
        (tmp_path / "revoked").write_text(anna.with_suffix(".pub").read_text())
        given = str(tmp_path / "revoked")
    configure(where, name, given, project)
    assert who() == "anna@example.com"


def test_no_program_of_the_callers_path_verifies(project: Path, tmp_path: Path) -> None:
    commit(project, "x = 1\n", key(tmp_path, "mallory"), FILE)
    for name in ("ssh-keygen", "gpg"):
        liar(tmp_path / "liars", name)
    os.environ["PATH"] = f"{tmp_path / 'liars'}:{os.environ['PATH']}"
    assert who() == ""


def test_no_object_in_the_place_of_another_is_signed_by_its_signature(
    project: Path, anna: Path, tmp_path: Path
) -> None:
    """`git replace` gives the signed commit's name to what Mallory wrote."""
    commit(project, "x = 1\n", anna, FILE)
    good = git(project, "rev-parse", "HEAD").strip()
    (project / "evil").write_text("x = 2\n")
    evil = git(project, "hash-object", "-w", "evil").strip()
    (project / "evil").unlink()
    git(project, "replace", git(project, "rev-parse", f"{good}:{FILE}").strip(), evil)
    signed = signed_file.read(settings.load(), FILE, TODAY)
    assert signed is not None
    assert signed.text == "x = 1\n"


def test_a_branch_that_contains_what_is_judged_allows_nobody(project: Path, anna: Path) -> None:
    commit(project, "x = 1\n", anna, FILE)
    git(project, "branch", "--force", "main", "work")
    with pytest.raises(Refused, match="main allows no signers, because it contains the commit"):
        signed_file.read(settings.load(), FILE, TODAY)


def test_a_commit_before_ones_own_allows_nobody(project: Path, tmp_path: Path) -> None:
    """Mallory adds her key in one commit, and signs the next one with it."""
    mallory = key(tmp_path, "mallory")
    commit(project, signer("mallory", mallory), None, signature.SIGNERS)
    commit(project, "x = 1\n", mallory, FILE)
    for ref in ("HEAD~1", "work~1", "@^"):
        os.environ["SLUICE_PROTECTED_REF"] = ref
        with pytest.raises(Refused, match="allows no signers, because it is the branch"):
            signed_file.read(settings.load(), FILE, TODAY)
