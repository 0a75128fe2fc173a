"""A world in which a release can be killed: it is put back as it was, and its runs do only to
themselves what they do.
"""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.drills.crash.world import World, _lax
from flows.project.root import ROOT
from sluice.policy import load_policy

PARTS = ("home", "git", "registry", "cache")
FILES = st.dictionaries(
    st.tuples(st.sampled_from(PARTS), st.sampled_from(["a", "b", "deep/c"])),
    st.binary(max_size=9),
    max_size=5,
)


def fill(world: World, files: dict[tuple[str, str], bytes]) -> None:
    for (part, name), content in files.items():
        path = world.folder / part / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def content(world: World) -> dict[str, bytes]:
    return {
        path.relative_to(world.folder).as_posix(): path.read_bytes()
        for part in PARTS
        for path in (world.folder / part).rglob("*")
        if path.is_file()
    }


@given(FILES, FILES)
@settings(
    deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_was_remembered_is_put_back_whatever_came_after(
    tmp_path_factory: pytest.TempPathFactory,
    before: dict[tuple[str, str], bytes],
    after: dict[tuple[str, str], bytes],
) -> None:
    world = World(tmp_path_factory.mktemp("world"), {})
    for part in PARTS:
        (world.folder / part).mkdir()
    fill(world, before)
    remembered = content(world)
    world.keep("a: step")
    fill(world, after)
    world.put_back("a: step")
    assert content(world) == remembered
    world.put_back("a: step")
    assert content(world) == remembered


def test_what_is_beside_the_world_stays(tmp_path: Path) -> None:
    world = World(tmp_path, {})
    for part in PARTS:
        (tmp_path / part).mkdir()
    world.keep("start")
    (tmp_path / "log").write_text("what the runs said")
    world.put_back("start")
    assert (tmp_path / "log").read_text() == "what the runs said"


def test_a_link_is_put_back_as_a_link(tmp_path: Path) -> None:
    world = World(tmp_path, {})
    for part in PARTS:
        (tmp_path / part).mkdir()
    (tmp_path / "images").mkdir()
    (tmp_path / "home" / "containers").symlink_to(tmp_path / "images")
    world.keep("start")
    world.put_back("start")
    assert (tmp_path / "home" / "containers").is_symlink()


def test_a_world_that_nobody_remembered_cannot_be_put_back(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        World(tmp_path, {}).put_back("never")


def test_the_policy_of_a_drill_is_one_that_a_release_takes() -> None:
    shipped = (ROOT / "models" / "attrition" / "policy.toml").read_text(encoding="utf-8")
    lax = _lax(shipped)
    assert load_policy(lax).search.trials == 2
    assert set(tomllib.loads(lax)) <= set(tomllib.loads(shipped))
    assert _lax(lax) == lax


# In a process of its own: it forks, and nobody else's threads may be there then.
RUNS = """
import errno, json, os, sys
from pathlib import Path
from flows.adapters.failpoints import boundary
from flows.drills.crash import trial
from flows.drills.crash.world import World
from sluice.errors import Refused, UsageError

folder = Path(sys.argv[1])
world = World(folder, {"SLUICE_MODE": "branch"})
os.environ |= {"SLUICE_HOME": "foreign", "GIT_DIR": "foreign", "PREFECT_HOME": "foreign"}

def two():
    with boundary("outer"), boundary("inner"):
        print("done", flush=True)
    return 4

def fails(error):
    def play():
        raise error
    return play

def said():
    names = ("SLUICE_HOME", "GIT_DIR", "PREFECT_HOME", "SLUICE_MODE")
    print(json.dumps({name: os.environ.get(name) for name in names}), flush=True)
    return 0

ends = {
    "undisturbed": trial.run(world, world.env, two),
    "killed at": trial.run(world, world.env, two, trial.kill_at("outer/inner.after")),
    "never there": trial.run(world, world.env, two, trial.kill_at("inner.after")),
    "second": trial.run(world, world.env, two, trial.kill_after(2)),
    "fifth of four": trial.run(world, world.env, two, trial.kill_after(5)),
    "noted": trial.run(world, world.env, two, trial.note(folder / "seen", lambda: "step")),
    "usage": trial.run(world, world.env, fails(UsageError("a is 1", "Write 2."))),
    "refused": trial.run(world, world.env, fails(Refused("no"))),
    "full": trial.run(world, world.env, fails(OSError(errno.ENOSPC, "full"))),
    "unknown": trial.run(world, world.env, fails(ValueError("nobody thought of it"))),
    "interrupted": trial.run(world, world.env, fails(KeyboardInterrupt())),
}
log = trial.log_of(world)
(folder / "log").unlink()
trial.run(world, {"SLUICE_MODE": "commit"}, said)
print(json.dumps({
    "ends": {name: [end.code, end.killed] for name, end in ends.items()},
    "log": log,
    "seen": (folder / "seen").read_text(),
    "env": json.loads((folder / "log").read_text()),
    "here": os.environ["SLUICE_HOME"],
}))
"""


def test_a_run_ends_as_it_would_for_a_person_and_is_killed_where_it_was_told(
    tmp_path: Path,
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUNS, str(tmp_path)],
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["ends"] == {
        "undisturbed": [4, False],
        "killed at": [-9, True],
        "never there": [4, False],
        "second": [-9, True],
        "fifth of four": [4, False],
        "noted": [4, False],
        "usage": [2, False],
        "refused": [3, False],
        "full": [1, False],
        "unknown": [99, False],
        "interrupted": [99, False],
    }
    assert found["seen"].splitlines() == [
        "step\touter.before",
        "step\touter/inner.before",
        "step\touter/inner.after",
        "step\touter.after",
    ]
    # killed behind the inner boundary it had done its work, killed before it nothing
    assert found["log"].count("done\n") == 5
    assert "Error: a is 1 Write 2.\n" in found["log"]
    assert "Error: the system says: full Free space there" in found["log"]
    assert "ValueError: nobody thought of it" in found["log"]
    assert found["env"] == {
        "SLUICE_HOME": None,
        "GIT_DIR": None,
        "PREFECT_HOME": None,
        "SLUICE_MODE": "commit",
    }
    assert found["here"] == "foreign"
