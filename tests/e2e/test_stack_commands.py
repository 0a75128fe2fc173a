"""Every command of docs/stack.md: typed here in a clean clone, or named with what stands for it.

Those that start containers pull images, which only a container registry has; the servers in them
are started as programs by test_stack.py.
"""

import json
import re
from pathlib import Path

import pytest
from support.clones import PROJECT, Clone, Demo, Finished, done, run

HOST = "team.example.com"
MAKE = f"make stack HOST={HOST}"
SETTINGS = "set -a; . .sluice/stack/sluice.env; set +a"
DOCTOR = "sluice doctor"
# What runs in containers, by how it begins.
IN_CONTAINERS = ("podman compose ", "alias stack=", "stack exec ", "echo ", "SERVICE_IMAGE=")
TYPED = (MAKE, SETTINGS, DOCTOR)


@pytest.fixture(scope="module")
def place(demo: Demo) -> Clone:
    """The clone of the demo: its environment is there."""
    return demo.clone


@pytest.fixture(scope="module")
def made(place: Clone) -> Finished:
    return done(place, MAKE)


def shown() -> list[str]:
    """Each line of the indented blocks of the page; one that ends with a backslash goes on."""
    text = (PROJECT / "docs" / "stack.md").read_text(encoding="utf-8")
    lines = re.findall(r"(?m)^ {4}(.+)$", text.replace("\\\n", ""))
    return [" ".join(line.split()) for line in lines]


def test_every_command_is_typed_here_or_runs_in_a_container() -> None:
    commands = [line for line in shown() if not line.startswith(IN_CONTAINERS)]
    assert commands == list(TYPED)


def test_make_says_what_to_type_next_and_it_is_what_the_page_shows(
    made: Finished, place: Clone
) -> None:
    folder = place.path / ".sluice" / "stack"
    said = [" ".join(line.split()) for line in made.stdout.splitlines() if line.startswith("  ")]
    short = [line.replace(f"{place.path}/", "") for line in said]
    start = next(line for line in shown() if line.startswith("podman compose --env-file"))
    assert short == [start, f"{SETTINGS}; .venv/bin/sluice doctor"]
    for word in re.findall(r"(?:--env-file|--file) (\S+)", start):
        assert (place.path / word).is_file()
    assert (folder.stat().st_mode & 0o777, folder.parent.stat().st_mode & 0o777) == (0o700, 0o700)


def test_what_is_installed_in_the_image_of_the_servers_is_the_lock_by_hash(
    made: Finished, place: Clone
) -> None:
    assert made.code == 0
    listed = (place.path / ".sluice/stack/servers/requirements.txt").read_text()
    for name in ("prefect", "mlflow", "psycopg2-binary", "boto3"):
        assert re.search(rf"(?m)^{name}==\S+ \\\n    --hash=sha256:", listed), name


def test_a_second_call_keeps_the_passwords(made: Finished, place: Clone) -> None:
    def kept() -> dict[str, bytes]:
        folder = place.path / ".sluice" / "stack"
        return {str(file): file.read_bytes() for file in sorted(folder.rglob("*")) if _file(file)}

    assert made.code == 0
    before = kept()
    assert done(place, MAKE).stdout == made.stdout
    assert kept() == before


def _file(path: Path) -> bool:
    return path.is_file() and path.name != "requirements.txt"


def test_the_doctor_looks_at_each_server_by_these_settings(made: Finished, place: Clone) -> None:
    """None of them runs: each is a line with what to do, and what needs no server is right."""
    assert made.code == 0
    looked = run(place, f"export PATH=$PWD/.venv/bin:$PATH; {SETTINGS}; {DOCTOR} --json")
    assert looked.code == 1, looked.stderr
    wrong = {one["check"]: one for one in json.loads(looked.stdout)["findings"] if not one["right"]}
    registries = {name for name in wrong if name.startswith("registry ")}
    assert registries
    assert set(wrong) - registries <= {"manifest repo", "Prefect", "tracking", "images"}
    assert {"manifest repo", "Prefect", "tracking"} <= set(wrong)
    assert HOST in wrong["manifest repo"]["found"]
    for name in registries:
        assert f"{HOST}:5443 does not answer" in wrong[name]["found"]
    assert all(one["fix"] for one in wrong.values())
