"""The lock in the keys: a dependency moves it, and the version of Sluice itself does not."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.engine.code_identity import lock, lock_of
from flows.project.root import ROOT

LOCK = (ROOT / "uv.lock").read_text(encoding="utf-8")
LINES = LOCK.splitlines()
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
OWN = f'name = "sluice"\nversion = "{VERSION}"\n'
# The line of the version of Sluice, counted from 0.
OWN_LINE = LINES.index('name = "sluice"') + 1


def hash_of(project: Path, text: str) -> str:
    (project / "uv.lock").write_text(text, encoding="utf-8")
    return lock_of(project)


@pytest.mark.parametrize("version", ["0.2.0", "1.0.0rc1", "10.20.30+local.1"])
def test_another_version_of_sluice_is_the_same_lock(version: str, tmp_path: Path) -> None:
    assert LOCK.count(OWN) == 1
    released = LOCK.replace(OWN, f'name = "sluice"\nversion = "{version}"\n')
    assert released != LOCK
    assert hash_of(tmp_path, released) == hash_of(tmp_path, LOCK) == lock_of(ROOT) == lock()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.integers(0, len(LINES) - 1).filter(lambda number: number != OWN_LINE))
def test_every_other_line_counts(tmp_path: Path, number: int) -> None:
    other = [*LINES[:number], f"{LINES[number]} ", *LINES[number + 1 :]]
    assert hash_of(tmp_path, "\n".join(other) + "\n") != lock()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('name = "numpy"\nversion = "', 'name = "numpy"\nversion = "9'),
        ('hash = "sha256:', 'hash = "sha256:0'),
        ("\ndev = [\n", '\ndev = [\n    { name = "x" },\n'),
    ],
    ids=["version of a dependency", "hash of a file", "another dependency"],
)
def test_a_changed_dependency_is_another_lock(before: str, after: str, tmp_path: Path) -> None:
    assert before in LOCK
    assert hash_of(tmp_path, LOCK.replace(before, after, 1)) != lock()


def test_a_lock_without_a_project_of_its_own_counts_whole(tmp_path: Path) -> None:
    one = '[[package]]\nname = "a"\nversion = "1"\nsource = { registry = "r" }\n'
    assert hash_of(tmp_path, one) != hash_of(tmp_path, one.replace('"1"', '"2"'))
