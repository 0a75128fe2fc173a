"""The manifest repo over every transport, for real, and everything that goes wrong on the way: a
clear error each.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.git_repos import ONE, TWO, hook, image, promotion, seeded, use
from support.git_servers import Hosted, Ssh, certificate, serving, sshd

from flows.adapters.git import git
from flows.gitops import manifest_repo
from flows.gitops.ledger import reserve
from flows.gitops.promotion import promote
from flows.project.root import ROOT
from flows.project.settings import Settings
from sluice.errors import Retryable, SluiceError, UsageError

LOGIN = {"bot": "s3cret/with:odd@characters"}


@pytest.fixture
def local(tmp_path: Path) -> Settings:
    """The repository as the server has it on its disk."""
    return seeded(tmp_path)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def hosted(tmp_path: Path, authority: tuple[Path, Path, Path]) -> Iterator[Hosted]:
    with serving(Hosted(tmp_path, dict(LOGIN)), authority[1:]) as hosted:
        yield hosted


@pytest.fixture
def ssh(tmp_path: Path) -> Iterator[Ssh]:
    with sshd(tmp_path / "ssh") as server:
        yield server


def over_https(
    local: Settings, hosted: Hosted, authority: tuple[Path, Path, Path], **changes: Any
) -> Settings:
    """The same repository, reached over HTTPS with what opens it."""
    given = {
        "manifests": f"{hosted.url}/manifests.git",
        "ca": str(authority[0]),
        "git_timeout": 20.0,
        "git_user": "bot",
        "git_token": LOGIN["bot"],
        **changes,
    }
    return settings_with(local, **given)


def over_ssh(local: Settings, ssh: Ssh, **changes: Any) -> Settings:
    given = {
        "manifests": ssh.url(local.home / "manifests.git"),
        "git_key": str(ssh.key),
        "git_timeout": 20.0,
        "known_hosts": str(ssh.known_hosts),
        **changes,
    }
    return settings_with(local, **given)


def settings_with(local: Settings, **changes: Any) -> Settings:
    return Settings(**{**local.model_dump(), **changes})


def works(given: Settings, local: Settings) -> None:
    """Number, promotion, the same again, a second one: all over this transport."""
    assert reserve(given, "attrition", use("a")) == (1, (0, 0))
    assert promote(given, promotion(ONE, 1)).outcome == "committed"
    assert promote(given, promotion(ONE, 1)).outcome == "already there"
    written = promote(given, promotion(TWO, 2, against=ONE))
    assert (written.outcome, written.commit) == ("committed", git.tip(local.manifest_url, "main"))
    assert image(local)["newTag"] == TWO
    now = manifest_repo.live(given, "attrition")
    assert now is not None
    assert now.tip == written.commit


def test_a_path(local: Settings) -> None:
    works(settings_with(local, manifests=str(local.home / "manifests.git")), local)


def test_https_with_a_password(
    local: Settings, hosted: Hosted, authority: tuple[Path, Path, Path]
) -> None:
    works(over_https(local, hosted, authority), local)


def test_https_with_a_token_alone(
    local: Settings, hosted: Hosted, authority: tuple[Path, Path, Path]
) -> None:
    hosted.users = {"x-access-token": "ghs_0123456789"}
    works(over_https(local, hosted, authority, git_user="", git_token="ghs_0123456789"), local)


def test_https_with_a_login_in_the_url(
    local: Settings, hosted: Hosted, authority: tuple[Path, Path, Path]
) -> None:
    url = hosted.url.replace("://", "://bot:s3cret%2Fwith%3Aodd%40characters@") + "/manifests.git"
    works(over_https(local, hosted, authority, manifests=url, git_user="", git_token=""), local)


def test_https_with_what_a_runner_passes(
    local: Settings,
    hosted: Hosted,
    authority: tuple[Path, Path, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As actions/checkout and its like leave it: a header in the configuration of git that the
    environment carries.
    """
    hosted.users = {"runner": "ghs_0123456789"}
    given = {
        "COUNT": "1",
        "KEY_0": f"http.{hosted.url}/.extraheader",
        "VALUE_0": "Authorization: Bearer ghs_0123456789",
    }
    for name, value in given.items():
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    works(over_https(local, hosted, authority, git_user="", git_token=""), local)


def test_ssh_with_a_deploy_key(local: Settings, ssh: Ssh) -> None:
    works(over_ssh(local, ssh), local)


def failing(
    given: Settings, kind: type[SluiceError], said: str, seconds: float = 30
) -> SluiceError:
    """The promotion fails so, in time, and says nothing of what opens the server."""
    started = time.monotonic()
    with pytest.raises(SluiceError, match=said) as raised:
        promote(given, promotion(ONE, 1))
    assert time.monotonic() - started < seconds
    assert type(raised.value) is kind
    assert raised.value.fix
    assert not any(
        secret in str(raised.value)
        for secret in (*LOGIN.values(), "odd%40characters", "PRIVATE KEY")
    )
    return raised.value


def test_a_wrong_password(
    local: Settings, hosted: Hosted, authority: tuple[Path, Path, Path]
) -> None:
    error = failing(
        over_https(local, hosted, authority, git_token="wrong"), UsageError, "Authentication failed"
    )
    assert "SLUICE_GIT_TOKEN" in error.fix


def test_no_password(local: Settings, hosted: Hosted, authority: tuple[Path, Path, Path]) -> None:
    given = over_https(local, hosted, authority, git_user="", git_token="")
    failing(given, UsageError, "could not read Username")


def test_a_certificate_that_nobody_vouches_for(
    local: Settings, hosted: Hosted, authority: tuple[Path, Path, Path]
) -> None:
    error = failing(over_https(local, hosted, authority, ca=""), UsageError, "certificate")
    assert "SLUICE_CA" in error.fix
    assert all(login == "" for _, login in hosted.seen)


@pytest.mark.parametrize("shift", ["+1 day", "-31 days"], ids=["not valid yet", "no longer valid"])
def test_a_certificate_when_a_clock_is_off(shift: str, local: Settings, tmp_path: Path) -> None:
    made = certificate(tmp_path / "tls", shift)
    with serving(Hosted(tmp_path, dict(LOGIN)), made[1:]) as hosted:
        error = failing(over_https(local, hosted, made), UsageError, "certificate")
    assert "clock" in error.fix


def test_a_key_that_is_not_let_in(local: Settings, ssh: Ssh) -> None:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", ssh.folder / "other"], check=True
    )
    error = failing(
        over_ssh(local, ssh, git_key=str(ssh.folder / "other")), UsageError, "Permission denied"
    )
    assert "SLUICE_GIT_KEY" in error.fix


@pytest.mark.parametrize("known", ["nothing", "another key"])
def test_a_host_that_is_not_known_is_not_talked_to(known: str, local: Settings, ssh: Ssh) -> None:
    other = (ssh.folder / "deploy.pub").read_text()
    file = ssh.folder / "strange"
    file.write_text("" if known == "nothing" else f"[127.0.0.1]:{ssh.port} {other}")
    error = failing(
        over_ssh(local, ssh, known_hosts=str(file)), UsageError, "Host key verification failed"
    )
    assert "SLUICE_KNOWN_HOSTS" in error.fix
    assert file.read_text() == ("" if known == "nothing" else f"[127.0.0.1]:{ssh.port} {other}")


@pytest.mark.parametrize("transport", ["https", "ssh", "path"])
def test_a_protected_branch(
    transport: str, local: Settings, hosted: Hosted, ssh: Ssh, authority: tuple[Path, Path, Path]
) -> None:
    hook(
        local,
        "while read old new name; do [ $name = refs/heads/main ] && echo 'main is protected' &&"
        " exit 1; done; exit 0",
    )
    given = {
        "https": over_https(local, hosted, authority),
        "ssh": over_ssh(local, ssh),
        "path": local,
    }[transport]
    error = failing(given, SluiceError, "main is protected")
    assert "SLUICE_MODE=branch" in error.fix
    assert promote(settings_with(given, mode="branch"), promotion(ONE, 1)).outcome == "proposed"


@pytest.mark.parametrize("fault", ["gone", "lost"])
def test_a_server_that_hangs_up_in_mid_push_is_asked_again_and_there_is_one_commit(
    fault: str, local: Settings, hosted: Hosted, authority: tuple[Path, Path, Path]
) -> None:
    before = int(git.git("rev-list", "--count", "main", cwd=Path(local.manifest_url)))
    hosted.fault, hosted.times = fault, 1
    written = promote(over_https(local, hosted, authority), promotion(ONE, 1))
    assert hosted.hit == 1
    assert (written.outcome, written.commit) == ("committed", git.tip(local.manifest_url, "main"))
    assert int(git.git("rev-list", "--count", "main", cwd=Path(local.manifest_url))) == before + 1


def test_a_server_that_goes_on_hanging_up_may_be_back_later(
    local: Settings, hosted: Hosted, authority: tuple[Path, Path, Path]
) -> None:
    hosted.fault = "gone"
    failing(over_https(local, hosted, authority), Retryable, "did not answer as a git repository")
    assert hosted.hit >= 3  # curl itself repeats a request on a connection that died


def test_a_server_that_is_not_there_may_be_back_later(
    local: Settings, authority: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    with serving(Hosted(tmp_path, dict(LOGIN)), authority[1:]) as hosted:
        given = over_https(local, hosted, authority)
    failing(given, Retryable, "did not answer")


def test_a_slow_server_is_waited_for(
    local: Settings, hosted: Hosted, authority: tuple[Path, Path, Path]
) -> None:
    hosted.fault, hosted.seconds = "slow", 0.3
    assert promote(over_https(local, hosted, authority), promotion(ONE, 1)).outcome == "committed"
    assert hosted.hit > 3


def test_a_server_that_never_answers_is_given_up_in_time(
    local: Settings, hosted: Hosted, authority: tuple[Path, Path, Path]
) -> None:
    hosted.fault, hosted.seconds = "silent", 60
    error = failing(
        over_https(local, hosted, authority, git_timeout=2.0),
        Retryable,
        "did not answer within 2 seconds",
    )
    assert "SLUICE_GIT_TIMEOUT" in error.fix
    assert hosted.hit == 3
    # Nothing that git started is left behind. What was killed may take a moment to be gone.
    left = [
        process
        for process in psutil.process_iter(["cmdline"])
        if {"remote-https", "git-remote-https"} & {*(process.info["cmdline"] or ())}
        and hosted.url in " ".join(process.info["cmdline"])
    ]
    assert psutil.wait_procs(left, timeout=20)[1] == []


def test_a_read_only_server(
    local: Settings, hosted: Hosted, authority: tuple[Path, Path, Path]
) -> None:
    hosted.fault = "read-only"
    given = over_https(local, hosted, authority)
    failing(given, SluiceError, "403")
    assert manifest_repo.live(given, "attrition") is not None


def test_a_login_is_not_given_to_another_host(
    local: Settings, hosted: Hosted, authority: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    with serving(Hosted(tmp_path, {"x": "y"}), authority[1:]) as other:
        hosted.fault, hosted.elsewhere = "elsewhere", other.url
        failing(
            over_https(local, hosted, authority),
            UsageError,
            "could not read Username|Authentication failed",
        )
        assert other.seen
        assert all(login == "" for _, login in other.seen)


def test_a_server_that_repeats_the_login_is_not_repeated(
    local: Settings, hosted: Hosted, authority: tuple[Path, Path, Path]
) -> None:
    hook(local, 'echo "I was given s3cret/with:odd@characters" >&2; exit 1')
    error = failing(over_https(local, hosted, authority), SluiceError, "I was given")
    assert "I was given ***" in error.what
    hosted.fault = "talkative"
    failing(over_https(local, hosted, authority), SluiceError, "403")


# Disks and clocks: in a process of its own, in a namespace or with a clock of its own.

CODE = """
import sys
sys.path[:0] = ["tests"]
from support.git_repos import ONE, promotion
from flows.project import settings
from flows.gitops.promotion import promote
from sluice.errors import SluiceError
try:
    print(promote(settings.load(), promotion(ONE, 1)).outcome)
except SluiceError as error:
    print(type(error).__name__, error)
"""


def alone(local: Settings, *before: str, code: str = CODE, **env: str) -> str:
    """What a promotion in a process of its own says; `before` are the words in front of its
    command.
    """
    own = {"SLUICE_HOME": str(local.home), "PYTHONPATH": str(ROOT), **env}
    done = subprocess.run(
        [*before, sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, **own},
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def on_small_disk(folder: Path, size: str, filled: str) -> tuple[str, ...]:
    """The words that give a process a small disk in the place of a folder, with what was in it, and
    filled so far.
    """
    script = """
        cp -a "$1" "$1.kept" && mount -t tmpfs -o size="$2" tmpfs "$1" && cp -a "$1.kept/." "$1" || exit 9
        head -c "$3" /dev/zero > "$1/filler" 2> /dev/null
        shift 3 && exec "$@" """
    return (
        "unshare",
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
        script,
        "sh",
        str(folder),
        size,
        filled,
    )


def test_a_full_disk_here(local: Settings, tmp_path: Path) -> None:
    (tmp_path / "small").mkdir()
    before = git.tip(local.manifest_url, "main")
    said = alone(
        local, *on_small_disk(tmp_path / "small", "64k", "32k"), TMPDIR=str(tmp_path / "small")
    )
    assert said.startswith("SluiceError ")
    assert "No space left" in said
    assert "Free space" in said
    assert git.tip(local.manifest_url, "main") == before


def test_a_full_disk_there(local: Settings) -> None:
    before = git.tip(local.manifest_url, "main")
    said = alone(local, *on_small_disk(local.home / "manifests.git", "2m", "2m"))
    assert said.startswith("SluiceError ")
    assert "No space left" in said
    assert "Free space" in said
    assert git.tip(local.manifest_url, "main") == before
    assert promote(local, promotion(ONE, 1)).outcome == "committed"


@pytest.mark.skipif(
    os.getuid() != 0, reason="needs root, to mount a folder that cannot be written to"
)
def test_a_repository_that_may_not_be_written_to(local: Settings, tmp_path: Path) -> None:
    place = Path("/tmp") / f"sluice-read-only-{os.getpid()}"
    shutil.copytree(local.home / "manifests.git", place)
    try:
        script = f'mount --bind {place} {place} && mount -o remount,bind,ro {place} && exec "$@"'
        said = alone(
            local, "unshare", "--mount", "sh", "-c", script, "sh", SLUICE_MANIFESTS=str(place)
        )
    finally:
        shutil.rmtree(place)
    assert said.startswith("SluiceError ")
    assert "Read-only file system" in said or "unable to create temporary object" in said


@pytest.mark.parametrize("shift", ["+1 day", "-1 day"])
def test_a_clock_that_is_a_day_off_decides_nothing(shift: str, local: Settings) -> None:
    assert promote(local, promotion(TWO, 0)).outcome == "committed"
    code = CODE.replace("promotion(ONE, 1)", f"promotion(ONE, 1, against={TWO!r})")
    assert alone(local, "faketime", shift, code=code) == "committed\n"
    assert image(local)["newTag"] == ONE
    assert promote(local, promotion(TWO, 2, against=ONE)).outcome == "committed"
    bare = Path(local.manifest_url)
    subjects = git.git("log", "--format=%s", "main", cwd=bare).splitlines()
    assert subjects[:3] == ["Release 2", "Release 1", "Release 0"]
    assert git.git("fsck", "--strict", cwd=bare, check=False) == ""
