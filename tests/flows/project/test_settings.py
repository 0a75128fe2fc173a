"""Settings: from the environment alone, each described, each with an embedded default, wrong ones
named.
"""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from flows.gitops import manifest_repo
from flows.project import settings
from flows.project.root import ROOT
from flows.project.settings import Settings
from sluice.errors import UsageError


def test_everything_has_a_default_under_the_state_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLUICE_HOME")
    given = settings.load()
    assert given.home == ROOT / ".sluice"
    assert given.project == ROOT
    assert given.manifest_url == str(ROOT / ".sluice" / "manifests.git")
    assert given.tracking == f"sqlite:///{ROOT / '.sluice' / 'mlflow.db'}"
    assert (given.branch, given.overlay, given.registry) == ("main", "production", "")


def test_each_setting_is_described() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_the_environment_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "REGISTRY": "127.0.0.1:5000/team",
        "MANIFESTS": "https://git.example.com/x.git",
        "BRANCH": "live",
        "OVERLAY": "staging",
        "TRACKING_URI": "http://127.0.0.1:5001",
        "WORKERS": "4",
        "AUTHOR": "Anna <anna@example.com>",
    }
    for name, value in values.items():
        monkeypatch.setenv(f"SLUICE_{name}", value)
    given = settings.load()
    assert given.manifest_url == values["MANIFESTS"]
    assert given.tracking == values["TRACKING_URI"]
    assert (given.branch, given.overlay, given.workers, given.author) == (
        "live",
        "staging",
        4,
        values["AUTHOR"],
    )
    assert manifest_repo.image_name(given, "attrition") == "127.0.0.1:5000/team/attrition"


def test_a_home_may_be_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLUICE_HOME", "state")
    assert settings.load().home == tmp_path.resolve() / "state"


def test_an_empty_tracking_uri_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_TRACKING_URI", "")
    assert settings.load().tracking == ""


LISTS = ("data_from", "notify")
TEXTS = [
    name
    for name, field in Settings.model_fields.items()
    if field.annotation in (str, SecretStr, Path) and name not in LISTS
]


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("sign", ["\n", "\r\n", "\x1b[2J", "\t", "\x85", "\u2028"], ids=repr)
def test_a_value_of_more_than_one_line_is_refused_by_its_name_and_not_shown(
    name: str, sign: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """git, ssh and HTTP would each read the second line as something else."""
    monkeypatch.setenv(f"SLUICE_{name.upper()}", f"hush{sign}hush")
    with pytest.raises(UsageError, match=f"^SLUICE_{name.upper()} holds .*one line") as raised:
        settings.load()
    assert "hush" not in str(raised.value)


EMPTY = ["", " ", "\n", " \t\n"]
FILLED = [name for name in Settings.model_fields if name != "tracking_uri"]


@pytest.mark.parametrize("name", FILLED)
@pytest.mark.parametrize("value", EMPTY, ids=repr)
def test_empty_is_unset(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(f"SLUICE_{name.upper()}", raising=False)
    unset = settings.load()
    monkeypatch.setenv(f"SLUICE_{name.upper()}", value)
    assert settings.load() == unset


@pytest.mark.parametrize("after", ["\n", "\r\n", " ", "\t\n"], ids=repr)
def test_a_line_end_of_a_secret_is_no_part_of_it(
    after: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "key"
    key.write_text("")
    values = {
        "HOME": str(tmp_path),
        "MANIFESTS": "https://git.example.com/x.git",
        "REGISTRY": "ghcr.io/team",
        "TRACKING_URI": "http://127.0.0.1:5001",
        "GIT_USER": "bot",
        "GIT_TOKEN": "t0ken",
        "GIT_KEY": str(key),
        "BRANCH": "live",
        "MODE": "branch",
        "WORKERS": "3",
    }
    for name, value in values.items():
        monkeypatch.setenv(f"SLUICE_{name}", value)
    plain = settings.load()
    for name, value in values.items():
        monkeypatch.setenv(f"SLUICE_{name}", value + after)
    assert settings.load() == plain
    assert plain.remote.url == values["MANIFESTS"]


KNOWN = [f"SLUICE_{name.upper()}" for name in (*Settings.model_fields, *settings.OTHERS)]


@given(st.sampled_from(KNOWN), st.integers(0, 30), st.sampled_from(["drop", "double", "swap"]))
def test_a_slip_of_the_pen_is_told_with_a_name_that_is_near(name: str, at: int, slip: str) -> None:
    at = len("SLUICE_") + at % max(1, len(name) - len("SLUICE_") - 1)
    if slip == "drop":
        wrong = name[:at] + name[at + 1 :]
    elif slip == "double":
        wrong = name[:at] + name[at] + name[at:]
    else:
        wrong = name[:at] + name[at : at + 2][::-1] + name[at + 2 :]
    told = settings.unknown([wrong])
    assert bool(told) is (wrong not in KNOWN)
    assert all(wrong in sentence for sentence in told)
    if len(name) > 12 and told:
        assert "Did you mean SLUICE_" in told[0]


def test_the_typo_of_the_report_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SLUICE_REGISTY", "x")
    settings.load()
    assert "SLUICE_REGISTY is set, and is no setting of Sluice. Did you mean SLUICE_REGISTRY?" in (
        capsys.readouterr().err
    )


def test_what_is_known_is_not_warned_about_and_the_rest_is_none_of_ours() -> None:
    assert settings.unknown([*KNOWN, "PATH", "SLUICEGATE", "HOME", "XSLUICE_HOME"]) == []


def test_every_name_that_the_code_reads_is_known() -> None:
    rooms = ("flows", "bento", "sluice", "scripts", "deploy", ".github", "docs", "benchmarks")
    paths = [path for room in rooms for path in (ROOT / room).rglob("*") if path.is_file()]
    files = [path for path in paths if "__pycache__" not in path.parts]
    texts = [path.read_text(errors="replace") for path in files]
    used = {name for text in texts for name in re.findall(r"\bSLUICE_[A-Z]+(?:_[A-Z]+)*\b", text)}
    assert used - set(KNOWN) == set()


def test_they_do_not_change(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="frozen"):
        settings.load().branch = "other"


def test_a_login_in_the_address_of_a_store_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SLUICE_S3_ENDPOINT", "https://key:secret@minio.example")
    with pytest.raises(UsageError, match="SLUICE_S3_ENDPOINT is 'https://minio") as raised:
        settings.load()
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WORKERS", "many"),
        ("WORKERS", "0"),
        ("AUTHOR", "Anna"),
        ("AUTHOR", "anna@example.com>"),
        ("REGISTRY", "https://registry.example.com/team"),
        ("OVERLAY", "../staging"),
        ("BRANCH", "a..b"),
        ("BRANCH", "-x"),
        ("DATA_FROM", "s3://bucket/path"),
        ("DATA_FROM", "https://a.example ftp://b"),
        ("S3_ENDPOINT", "minio.example:9000"),
    ],
)
def test_a_wrong_one_is_named_with_its_value(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"SLUICE_{name}", value)
    with pytest.raises(UsageError) as raised:
        settings.load()
    assert f"SLUICE_{name} is '{value}'" in raised.value.what
    assert raised.value.fix


def test_a_branch_may_be_called_as_git_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_BRANCH", "deploy/main-2")
    assert settings.load().branch == "deploy/main-2"


def test_a_home_that_is_a_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SLUICE_HOME", str(tmp_path / "file"))
    with pytest.raises(UsageError, match=r"SLUICE_HOME is .*file'"):
        settings.load()


def test_clones_share_what_was_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert settings.load().shared == tmp_path / "sluice"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert settings.load().shared == Path.home() / ".cache" / "sluice"
