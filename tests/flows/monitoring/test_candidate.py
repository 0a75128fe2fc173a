"""A trigger begins a candidate: one at a time, none lost where its process is killed, and the whole
loop from a release through a world that moved to the next one.
"""

import datetime
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from support import environment, releases
from support.asgi import client
from support.prediction_logs import label_csv
from support.releases import Story, Told

from bento import process
from bento.answers import load_served
from bento.ops.settings import Settings as ServiceSettings
from flows.adapters.git import git
from flows.audit.find_release import artifact, trace
from flows.cli.live.labels import run_add
from flows.cli.live.monitor import Wanted, run_monitor
from flows.gitops import canary_record, manifest_repo
from flows.gitops.ledger import LEDGER
from flows.monitoring import triggers
from flows.monitoring.candidate import run_due
from flows.project import settings
from models.attrition import sample
from sluice.gitops import state
from sluice.gitops.state import Canary
from sluice.model.data.table import read_table
from sluice.monitor.report import WATCH, Finding, Live, Promised, Report
from sluice.monitor.triggers import Triggers

ROOT = Path(__file__).parents[3]
AT_ONCE = {"window_days": 0, "canary_days": 0, "pause_days": 7}
WHAT = "Monthly Income has drifted."


@pytest.fixture
def here(promoted: tuple[Story, Told], tools: str, tmp_path: Path) -> Iterator[Story]:
    with environment.kept():
        own = releases.copy(promoted[0], tmp_path)
        releases.enter(own, tools)
        add_table(own, "triggers", AT_ONCE)
        yield own


def now(days: int = 0) -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)


def drifted(days: int = 0) -> Report:
    finding = Finding(kind="data", severity=WATCH, sentence=WHAT, response="")
    day = now(days).date().isoformat()
    return Report(
        model="attrition",
        release=1,
        since=day,
        day=day,
        verdict=WATCH,
        sentence="",
        level=0.05,
        findings=(finding,),
        promised=Promised(recall=0.7, precision=0.7, brier=0.2, flagged=0.4, prevalence=0.4),
        live=Live(labelled=0, positives=0, recall=None, precision=None, brier=None),
        weeks=(),
        rows=0,
        days=0,
    )


def held() -> Triggers:
    name = triggers.path("attrition")
    with git.clone(settings.load().remote, LEDGER) as repo:
        return state.decode((git.file(repo, name) or b"").decode(), Triggers, name)


def nothing() -> tuple[str, str]:
    return "nothing to do", "the data are those of what is live"


def test_a_start_is_committed_with_its_reasons_before_it_runs(here: Story) -> None:
    seen: list[Triggers] = []

    def release() -> tuple[str, str]:
        seen.append(held())
        return nothing()

    tried = run_due(settings.load(), "attrition", drifted(), now(), release)
    assert tried.ran is not None
    assert tried.ran.outcome == "nothing to do"
    [during] = seen
    assert during.open is not None
    assert [(found.kind, found.sentence) for found in during.open.reasons] == [("drift", WHAT)]
    assert during.reasons == ()
    [start] = held().starts
    assert (start.outcome, start.after, start.until) == ("nothing to do", 1, 1)


def test_while_a_canary_runs_it_waits_for_its_end_and_not_for_a_day(here: Story) -> None:
    """What `sluice reconcile` writes lets it begin."""
    releases.change_policy(here.project, triggers={"canary_days": 5})
    given = settings.load()
    held_back = run_due(given, "attrition", drifted(), now(), nothing)
    assert held_back.ran is None
    [brake] = held_back.decision.brakes
    assert "because its canary may still run" in brake
    live = manifest_repo.live(given, "attrition")
    assert live is not None and live.champion is not None
    passed = Canary(ended="healthy", when="2026-11-28T18:00:00Z", why="all passed", measured=())
    record = canary_record.record(given, "attrition", live.champion.digest, passed)
    assert record.outcome == "committed"
    assert run_due(given, "attrition", drifted(), now(), nothing).ran is not None


def test_the_next_one_waits_for_its_pause_although_nothing_was_judged(here: Story) -> None:
    assert run_due(settings.load(), "attrition", drifted(), now(), nothing).ran
    again = run_due(settings.load(), "attrition", drifted(), now(), nothing)
    assert (again.ran, again.decision.reasons) == (None, ())
    later = run_due(settings.load(), "attrition", drifted(1), now(1), nothing)
    assert later.ran is None
    assert later.decision.brakes[0].startswith("The last candidate was not promoted: the pause")
    assert run_due(settings.load(), "attrition", drifted(8), now(8), nothing).ran


def test_of_many_at_the_same_moment_one_begins(here: Story) -> None:
    """Other places, as two runners: each with a state folder of its own, one manifest repo."""
    ran: list[str] = []

    def at(place: int) -> bool:
        given = settings.load()
        begun = triggers.begin(given, "attrition", drifted(), now(), f"place {place}")
        return begun.start is not None

    with ThreadPoolExecutor(4) as pool:
        ran = [str(place) for place, began in enumerate(pool.map(at, range(4))) if began]
    assert len(ran) == 1
    assert len(held().starts) == 1


_KILLED = """
import os, signal
from test_candidate import drifted, now
from flows.monitoring.candidate import run_due
from flows.project import settings
def release():
    os.kill(os.getpid(), signal.SIGKILL)
run_due(settings.load(), "attrition", drifted(), now(), release)
"""


def killed() -> None:
    """Somebody begins a candidate in a process of its own, and is killed in the middle of it."""
    paths = (ROOT, ROOT / "tests", Path(__file__).parent)
    env = {**os.environ, "PYTHONPATH": ":".join(map(str, paths))}
    program = [sys.executable, "-c", _KILLED]
    done = subprocess.run(program, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


def test_who_is_killed_goes_on_with_the_same_candidate(here: Story) -> None:
    killed()
    [before] = held().starts
    assert before.outcome == ""
    assert not triggers.look(settings.load(), "attrition", drifted(), now().date()).due
    tried = run_due(settings.load(), "attrition", drifted(1), now(1), nothing)
    assert tried.ran is not None
    assert tried.ran.again
    [after] = held().starts
    assert (after.at, after.reasons) == (before.at, before.reasons)
    assert after.outcome == "nothing to do"


def test_another_place_waits_for_the_lease(here: Story) -> None:
    killed()
    given = settings.load()
    hour, day = datetime.timedelta(hours=1), datetime.timedelta(days=1)
    soon = triggers.begin(given, "attrition", drifted(), now() + hour, "elsewhere")
    assert soon.start is None
    late = triggers.begin(given, "attrition", drifted(1), now() + day, "elsewhere")
    assert late.again
    third = triggers.begin(given, "attrition", drifted(1), now() + day + hour, "a third")
    assert third.start is None


def test_the_whole_loop(tools: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is live answers; who works no overtime no longer leaves; labels come; precision has
    surely fallen; a candidate from the new rows passes the gate and goes live; the report tells it.
    """
    # Six of ten that are flagged leave: a model that flags most people ranks them by chance.
    project = releases.write(tmp_path / "project", gate={"precision_floor": 0.6})
    here = Story(project, tmp_path / "home")
    releases.enter(here, tools)
    add_table(here, "triggers", AT_ONCE)
    add_table(here, "monitor", {"maturity_days": 0})
    # The world has turned: whoever retrains in it has said that most flags may change.
    add_table(here, "canary", {"replay_changed": 0.99})
    assert released() == "promoted"
    log, page = tmp_path / "log", tmp_path / "monitor.html"
    world = moved(4_000, seed=77)
    known = asked(here, log, world[:2_500], tmp_path / "artifact")
    before = look(here, log, capsys)
    assert (before["verdict"], before["candidate"]["reasons"]) == ("fine", [])
    table = label_csv(tmp_path / "labels.csv", known, days=0)
    tomorrow = now(1)
    assert run_add(settings.load(), "attrition", table, tomorrow, as_json=False) == 0
    capsys.readouterr()

    def release() -> tuple[str, str]:
        releases.point(here.project, sample_csv(world))
        return released(), "the drills' builder made its image"

    wanted = Wanted(str(log), page, start=True)
    code = run_monitor(settings.load(), "attrition", tomorrow, wanted, release, as_json=True)
    report = json.loads(capsys.readouterr().out)
    assert (code, report["verdict"]) == (3, "act")
    assert [found["kind"] for found in report["ran"]["start"]["reasons"]] == ["performance"]
    assert report["ran"]["outcome"] == "promoted"
    with git.clone(settings.load().remote, settings.load().branch) as repo:
        champion = json.loads(git.file(repo, "state/attrition/champion.json") or b"")
    assert champion["release"] == 2
    known = asked(here, log, world[2_500:], tmp_path / "second")
    label = label_csv(tmp_path / "more.csv", known, days=0)
    assert run_add(settings.load(), "attrition", label, tomorrow, as_json=False) == 0
    capsys.readouterr()
    after = look(here, log, capsys)
    assert (after["release"], after["verdict"]) == (2, "fine")
    assert after["live"]["precision"] > report["live"]["precision"] + 0.1
    told = [happened["what"] for happened in after["story"]]
    assert told[0] == "Release 1: promoted."
    assert told[1].startswith("A candidate began by itself, for performance: Live precision is")
    assert told[2:] == ["Release 2: promoted."]
    assert all(what in page.read_text(encoding="utf-8") for what in told[::2])


def released() -> str:
    """How a release ends where the drills' builder makes the image once there is a verdict."""
    releases.release()
    releases.keep_image()
    return str(releases.release().outcome["outcome"])


def add_table(story: Story, name: str, values: Mapping[str, object]) -> None:
    policy = story.project / "models" / "attrition" / "policy.toml"
    lines = "\n".join(f"{key} = {value}" for key, value in values.items())
    text = policy.read_text(encoding="utf-8")
    policy.write_text(f"{text}\n[{name}]\n{lines}\n", encoding="utf-8")


def moved(rows: int, seed: int) -> list[dict[str, str]]:
    """People of whom those without overtime stay, and the others leave as ever."""
    header, *lines = sample.to_csv(sample.generate(rows, seed)).decode().splitlines()
    names = header.split(",")
    people = [dict(zip(names, line.split(","), strict=True)) for line in lines]
    for number, person in enumerate(people):
        person["Employee ID"] = str(5_000_000 + number)
        if person["Overtime"] == "No":
            person["Attrition"] = "Stayed"
    return people


def sample_csv(people: list[dict[str, str]]) -> bytes:
    lines = [",".join(people[0]), *(",".join(person.values()) for person in people)]
    return ("\n".join(lines) + "\n").encode()


def asked(
    story: Story, log: Path, people: list[dict[str, str]], folder: Path
) -> list[tuple[str, int, datetime.date]]:
    """Ask the service of what is live about people; id, outcome and day of each answer."""
    folder.mkdir()
    for name, content in artifact(trace(settings.load(), "live", "attrition")).items():
        (folder / name).write_bytes(content)
    served = load_served(folder, "attrition:live", "")
    contract = served.model.contract
    frame = read_table(sample_csv(people), contract, "people")
    records = [
        {
            column.key: float(frame[column.name][row])
            if column.numeric
            else str(frame[column.name][row])
            for column in contract.features
        }
        for row in range(len(people))
    ]
    app, ends = process.start(served, ServiceSettings(prediction_log=str(log)))
    answers: list[dict[str, Any]] = []
    with client(app) as service:
        for first in range(0, len(records), 500):
            reply = service.post("/predict_batch?reasons=0", json=records[first : first + 500])
            assert reply.status_code == 200, reply.text
            answers += reply.json()
    for end in ends:
        end()
    day = now(1).date()
    return [
        (answer["id"], int(person["Attrition"] == "Left"), day)
        for answer, person in zip(answers, people, strict=True)
    ]


def look(story: Story, log: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    wanted = Wanted(str(log), dry_run=True)
    run_monitor(settings.load(), "attrition", now(1), wanted, nothing, as_json=True)
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    return report
