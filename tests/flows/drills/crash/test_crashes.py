"""The drills on a world without servers: some of what `make e2e` does at every boundary, and what
they tell.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from flows.adapters.git import git
from flows.adapters.process import run
from flows.drills.crash.command import same_sources, told, watched
from flows.drills.crash.kill import BROKEN, HELD, INVALID, Trial
from flows.project.models import models
from flows.project.root import ROOT

# In a process of its own: it forks, and nobody else's threads may be there then.
PLAYED = """
import json, sys
from flows.drills.crash import command as crashes, faults, kill, race, scenarios as scenes, world
from flows.project.settings import Settings
NAMES = ("store.rename.before", "ledger.reserve.after", "git.push.after", "layout.tag.before",
    "evidence.push.after")
found = []
with crashes.prepared() as scratch:
    made = world.alone(scratch / "world", Settings(), "attrition")
    made.keep(scenes.START)
    rehearsed = crashes.rehearse(made, scenes.SCENES[:1])
    planned = kill.planned(rehearsed)
    for number, place in enumerate(planned[name][0] for name in NAMES):
        found.append(kill.once(made, rehearsed["first release"], place))
    chance = kill.random.Random(10)
    # as if that recovery had come to many more boundaries than this one will
    noted = kill.noted(made)
    noted.write_text(9 * noted.read_text())
    place = planned["git.push.before"][0]
    found.append(kill.again(made, rehearsed["first release"], place, chance))
    found += [kill.at_random(made, rehearsed, ["first release"], number) for number in range(2)]
    turn = list(planned).index("shelf.rename.before") // 2
    found += faults.on_disk(made, rehearsed, 0, lambda now: now == turn)
    found += [faults.rejected(made, rehearsed)]
    made.put_back(scenes.START)
    raced = list(race.rounds(made, 1))
    wrong = race.judged(made, raced)
said = [one.document() for one in found]
outcomes = [one.outcome for one in raced[0].ended]
print(json.dumps({"trials": said, "raced": outcomes, "wrong": wrong}))
"""


def test_killed_failed_and_raced_it_comes_to_what_an_undisturbed_run_has(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PLAYED], cwd=ROOT, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert [trial for trial in found["trials"] if trial["state"] != HELD] == []
    kinds = [trial["kind"] for trial in found["trials"]]
    assert kinds[:8] == ["once"] * 5 + ["again", "process", "program"]
    assert [trial["said"].split(":")[0] for trial in found["trials"][8:]] == ["Error", "Error"]
    assert found["wrong"] == []
    assert found["raced"].count("committed") + found["raced"].count("superseded") == 8


OF_ANOTHER = """
import json, sys
from flows.drills.crash import command as crashes, kill, race, scenarios as scenes, world
from flows.project.settings import Settings
with crashes.prepared() as scratch:
    made = world.alone(scratch / "world", Settings(), sys.argv[1])
    made.keep(scenes.START)
    rehearsed = crashes.rehearse(made, scenes.SCENES[:1])
    place = kill.planned(rehearsed)["git.push.after"][0]
    killed = kill.once(made, rehearsed["first release"], place)
    made.put_back(scenes.START)
    wrong = race.judged(made, list(race.rounds(made, 1)))
print(json.dumps([killed.document(), wrong]))
"""


@pytest.mark.parametrize("model", [one for one in models(ROOT) if one != "attrition"])
def test_every_model_can_be_played(model: str) -> None:
    """One kill and one race; what is killed and raced is the same for all."""
    done = subprocess.run(
        [sys.executable, "-c", OF_ANOTHER, model],
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    killed, wrong = json.loads(done.stdout.splitlines()[-1])
    assert (killed["state"], wrong) == (HELD, [])


TRIALS = [
    Trial("once", "git.push.after", HELD, kills=1),
    Trial("once", "git.push.before", BROKEN, "two commits", 1),
    Trial("again", "store.begin", INVALID, "it was not killed"),
]


def test_what_did_not_hold_stands_above_the_count_and_makes_it_fail(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert told("kill", TRIALS, 61.0, as_json=False) == 1
    *lines, last = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["once                 1 of 2", "again                0 of 1"]
    assert any("two commits" in line for line in lines)
    assert last.startswith(
        "1 of 3 came to what an undisturbed run has after 2 kills, 1 of them invalid, in 61 s;"
        " 2 fai"
    )


def test_no_failure_is_told_with_what_it_says_and_no_more(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert told("kill", TRIALS[:1] * 300, 9.0, as_json=False) == 0
    assert (
        capsys.readouterr().out.splitlines()[-1].endswith("the true rate is below 1.00 % (95 %).")
    )
    assert told("kill", TRIALS[:1], 9.0, as_json=True) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["n"], said["held"], said["kills"]) == (1, 1, 1)


def test_nothing_that_was_tried_is_no_success(capsys: pytest.CaptureFixture[str]) -> None:
    assert told("kill", [], 9.0, as_json=True) == 1
    assert told("kill", [], 9.0, as_json=False) == 1
    assert capsys.readouterr().out.strip().endswith("nothing was tried, which proves nothing.")


def test_while_it_goes_on_what_did_not_hold_is_told_at_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert list(watched(TRIALS, "round 1")) == TRIALS
    assert capsys.readouterr().err.count("round 1: ") == 2


def test_sources_that_change_meanwhile_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["git", "init", "--quiet"], cwd=tmp_path)
    with same_sources(tmp_path):
        pass
    assert capsys.readouterr().err == ""
    with same_sources(tmp_path):
        (tmp_path / "new.py").write_text("")
        git.git("add", "new.py", cwd=tmp_path)
        git.git(
            "-c",
            "user.name=A",
            "-c",
            "user.email=a@x",
            "commit",
            "--quiet",
            "-m",
            "New",
            cwd=tmp_path,
        )
    assert (
        f"{git.head(tmp_path)} now): what is broken may say no more; run it again"
        in capsys.readouterr().err
    )
