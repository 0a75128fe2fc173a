"""The stack for a team: what is made for it, and what its files must not say."""

import shutil
import sys
from pathlib import Path
from typing import Any

import bcrypt
import pytest
import yaml

from flows.adapters.process import run
from scripts import stack

TOOLS = Path(sys.executable).parent


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stack") / "stack"
    stack.prepare(folder, "team.example.com")
    return folder


def test_the_files_are_compose_and_nothing_is_wrong_with_them() -> None:
    schema = ["--builtin-schema", "vendor.compose-spec"]
    run([TOOLS / "check-jsonschema", *schema, *(stack.COMPOSE / name for name in stack.FILES)])
    assert list(stack.wrong()) == []


@pytest.mark.parametrize(
    ("right", "planted", "said"),
    [
        ("@sha256:7958605b", "", "a tag and a digest are required"),
        ("MLFLOW_DISABLE_TELEMETRY", "MLFLOW_TRACKING_PASSWORD", "belongs into a file"),
        ("127.0.0.1:9090", "9090", "open to other machines"),
        ("./databases.sql", "./database.sql", "./database.sql is no file"),
        ("${STACK_FOLDER}/git.env", "./git.env", "not in the folder that make stack makes"),
    ],
)
def test_what_would_be_wrong_is_said(right: str, planted: str, said: str, tmp_path: Path) -> None:
    copied = tmp_path / "deploy" / "compose"
    shutil.copytree(stack.COMPOSE, copied)
    shutil.copytree(stack.COMPOSE.parent / "grafana", tmp_path / "deploy" / "grafana")
    text = (copied / "compose.yaml").read_text()
    assert right in text
    (copied / "compose.yaml").write_text(text.replace(right, planted, 1))
    [sentence] = stack.wrong(copied)
    assert said in sentence


def test_every_file_that_is_mounted_or_read_is_made(made: Path) -> None:
    document = yaml.safe_load((stack.COMPOSE / "compose.yaml").read_text())
    for what in document["services"].values():
        for place in [*what.get("env_file", []), *what.get("volumes", [])]:
            if place.startswith("${STACK_FOLDER"):
                name = place.partition("}/")[2].partition(":")[0]
                assert (made / name).exists(), name


def test_nobody_else_looks_into_it_and_a_second_call_keeps_it(made: Path) -> None:
    def kept() -> dict[str, bytes]:
        return {str(file): file.read_bytes() for file in made.rglob("*") if file.is_file()}

    assert made.stat().st_mode & 0o777 == 0o700
    for file in made.glob("*.env"):
        assert file.stat().st_mode & 0o777 == 0o600
    before = kept()
    stack.prepare(made, "team.example.com")
    assert kept() == before


def test_what_was_killed_is_made_anew(tmp_path: Path) -> None:
    stack.prepare(tmp_path / "stack", "localhost")
    (tmp_path / "stack" / "sluice.env").unlink()
    stack.prepare(tmp_path / "stack", "localhost")
    assert (tmp_path / "stack" / "sluice.env").exists()


def test_no_secret_is_made_twice(made: Path) -> None:
    words = (made / "postgres.env").read_text().split()
    secrets = [word.partition("=")[2] for word in words]
    assert len(set(secrets)) == len(secrets) == 4
    text = "".join((stack.COMPOSE / name).read_text() for name in stack.FILES)
    assert not any(secret in text for secret in secrets)


def test_the_hash_of_the_registry_is_that_of_the_login_that_is_kept(made: Path) -> None:
    import base64
    import json

    [kept] = json.loads((made / "auth.json").read_text())["auths"].values()
    user, _, password = base64.b64decode(kept["auth"]).decode().partition(":")
    name, _, hashed = (made / "htpasswd").read_text().strip().partition(":")
    assert name == user
    assert bcrypt.checkpw(password.encode(), hashed.encode())


def test_what_grafana_shows_is_there() -> None:
    document: dict[str, Any] = yaml.safe_load((stack.COMPOSE / "compose.yaml").read_text())
    targets = {place.split(":")[1] for place in document["services"]["grafana"]["volumes"]}
    provider = yaml.safe_load((stack.COMPOSE / "dashboards" / "sluice.yaml").read_text())
    assert provider["providers"][0]["options"]["path"] in targets


@pytest.mark.parametrize("words", [[], ["prepare"], ["check", "more"]])
def test_a_wrong_call_is_told_how_it_is_written(words: list[str]) -> None:
    assert stack.main(words) == 2
