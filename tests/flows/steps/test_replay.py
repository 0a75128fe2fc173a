"""The replay of a release: on the holdout, on a real log, and by models that say something else.

What a replay finds in rows is tested in tests/flows/canary/test_replay.py.
"""

import datetime
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from support import releases
from support.prediction_logs import Change, write_days
from support.releases import Story, Told

from flows.adapters.git import git
from flows.canary.loaded import loaded
from flows.decision import baselines, replayed
from flows.engine.perform import Plainly, key_of
from flows.engine.phases import Case, Report
from flows.engine.request import Request, begin
from flows.evidence.identity import before
from flows.evidence.page import render
from flows.facts.replayed import Forecast
from flows.facts.step_files import FORECAST
from flows.orchestration import pipeline
from flows.orchestration.plan import plan
from flows.orchestration.real_tools import real_tools
from flows.project import settings
from flows.release import carry_out
from flows.steps import recheck
from flows.steps.replay import REPLAY
from models.attrition import sample
from sluice.canary.replay import Replayed
from sluice.errors import Refused
from sluice.gate.ledger import Counted
from sluice.gitops.evidence import read_evidence
from sluice.identity import folder_hash

TODAY = datetime.date(2026, 11, 20)
DAYS = [datetime.date(2026, 11, day) for day in (16, 17, 18)]
ROWS = 300  # a day
YEARS = "years_at_company"


@pytest.fixture
def here(promoted: tuple[Story, Told], tools: str, tmp_path: Path) -> Story:
    """A story of this test's own, in which the first release is committed."""
    own = releases.copy(promoted[0], tmp_path)
    releases.enter(own, tools)
    return own


def asked(today: datetime.date = TODAY) -> Request:
    """A release of other rows than those of the champion, on a day."""
    return begin(settings.load(), replace(real_tools(), today=lambda: today), "attrition")


def judged(request: Request) -> Report:
    runner = Plainly(request.settings.home, request.model)
    case = pipeline.oppose(pipeline.train(request, runner))
    baselines.fetch(case)
    return pipeline.judge(case, Counted(0), runner)


def other_rows(here: Story) -> None:
    """Let the next candidate be another model than the champion."""
    releases.point(here.project, sample.to_csv(sample.generate(releases.ROWS, 5)))


def log_of(
    request: Request, days: list[datetime.date], change: Change = lambda inputs: inputs
) -> Path:
    """What the champion was asked on these days, where the service would keep it."""
    champion = request.champion
    assert champion is not None
    made = (request.settings.home / "store" / "train").glob("[!.]*/model")
    folder = next(one for one in made if folder_hash(one) == champion.model)
    running = loaded(folder, champion.tag)
    write_days(Path(request.log), running.model, running.digest, days, ROWS, change=change)
    return Path(request.log)


def forecast_of(report: Report) -> Forecast:
    return report.decision.replayed.parsed(FORECAST, Forecast)


def test_a_first_release_has_nothing_to_be_replayed_beside(first: tuple[Story, Told]) -> None:
    evidence = json.loads((first[0].home / "evidence/attrition/evidence.json").read_text())
    assert "forecast" not in evidence
    assert evidence["seals"]["replay"] == "none"
    [record] = (first[0].home / "store" / "replay").glob("*/step.json")
    facts = json.loads(record.read_text())["facts"]
    assert (facts["origin"], facts["rows"], facts["within"]) == ("none", 0, True)


def test_without_a_log_the_holdout_is_replayed_and_the_evidence_says_so(here: Story) -> None:
    other_rows(here)
    report = judged(asked())
    forecast = forecast_of(report)
    assert (forecast.origin, forecast.day) == ("holdout", "")
    assert forecast.found.source.startswith("the holdout, without labels, because no log has")
    champion = report.decision.case.champion
    assert champion is not None
    assert forecast.running == champion.digest
    assert 300 < forecast.found.rows <= report.candidate.split.facts.holdout
    assert 0 < forecast.found.agreement.value < 1
    evidence = read_evidence(report.evidence.read("evidence.json"))
    assert msgspec.convert(evidence.forecast, Forecast) == forecast
    assert evidence.seals is not None
    assert evidence.seals["replay"] == report.decision.replayed.hash(FORECAST)
    page = render(evidence, {}, before("0" * 16))
    assert "The canary to come" in page
    assert "No request of production was replayed" in page
    assert f"{100 * forecast.found.agreement.value:.1f}" in page
    assert "**Replay**: The share of rows whose flag changes is" in (
        report.evidence.read("summary.md").decode()
    )
    recheck._replay_again(report.decision, here.home / "again")


def test_the_log_is_replayed_and_is_no_part_of_the_key(here: Story) -> None:
    other_rows(here)
    request = asked()
    report = judged(request)
    key = key_of(REPLAY, report.decision.case)
    log = log_of(request, DAYS)
    assert key_of(REPLAY, report.decision.case) == key
    again = judged(request)
    assert again.decision.replayed.facts == report.decision.replayed.facts  # it was done before
    facts = REPLAY.work(empty(here, "log"), report.decision.case)
    assert (facts.origin, facts.rows) == ("log", len(DAYS) * ROWS)
    # A day is taken once nothing is added to it any more; the newest rows are enough.
    yesterday = REPLAY.work(
        empty(here, "days"), on(report.decision.case, datetime.date(2026, 11, 19))
    )
    assert (yesterday.origin, yesterday.rows) == ("log", 2 * ROWS)
    early = REPLAY.work(empty(here, "none"), on(report.decision.case, DAYS[0]))
    assert early.origin == "holdout"
    assert log.is_dir()


def empty(here: Story, name: str) -> Path:
    folder = here.home / name
    folder.mkdir()
    return folder


def on(case: Case, day: datetime.date) -> Case:
    """The same case on another day."""
    tools = replace(case.request.tools, today=lambda: day)
    request = replace(case.request, tools=tools)
    return replace(case, candidate=replace(case.candidate, request=request))


def test_what_was_replayed_is_replayed_again_before_anything_is_built(here: Story) -> None:
    """On the day after, too; and what is not the same then is refused."""
    other_rows(here)
    request = asked()
    log = log_of(request, DAYS)
    report = judged(request)
    assert forecast_of(report).origin == "log"
    later = replace(
        report.decision, case=on(report.decision.case, TODAY + datetime.timedelta(days=1))
    )
    write_more(log, DAYS[-1] + datetime.timedelta(days=1))
    recheck._replay_again(later, here.home / "again")
    [file] = log.glob("predictions-20261117-*")
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[1:]))
    with pytest.raises(Refused, match=f"{FORECAST} of replay is not what it is"):
        recheck._replay_again(later, here.home / "changed")
    for file in log.iterdir():
        file.unlink()
    with pytest.raises(Refused, match="which rows were replayed is not what it is"):
        recheck._replay_again(later, here.home / "gone")


def write_more(log: Path, day: datetime.date) -> None:
    """A further day of the log: that of another one."""
    [file] = log.glob("predictions-20261118-*")
    copied = file.with_name(file.name.replace("20261118", f"{day:%Y%m%d}"))
    copied.write_bytes(file.read_bytes())


def edited(report: Report, change: Callable[[Replayed], Replayed]) -> Report:
    """The report with another forecast in the store, facts and hashes to match."""
    replayed = report.decision.replayed
    forecast = forecast_of(report)
    forged = msgspec.structs.replace(forecast, found=change(forecast.found))
    content = msgspec.json.encode(forged)
    (replayed.folder / FORECAST).write_bytes(content)
    other = replace(replayed, outputs={**replayed.outputs, FORECAST: recheck.sha256(content)})
    return replace(report, decision=replace(report.decision, replayed=other))


def test_a_forecast_that_somebody_wrote_is_not_believed(here: Story) -> None:
    """The judge would expect whatever it says."""
    other_rows(here)
    report = judged(asked())

    def fifteen_more(found: Replayed) -> Replayed:
        flagged = msgspec.structs.replace(found.expected.flagged, change=0.15)
        return msgspec.structs.replace(
            found, expected=msgspec.structs.replace(found.expected, flagged=flagged)
        )

    shown = read_evidence(report.evidence.read("evidence.json"))
    forecast = forecast_of(report)
    found = msgspec.structs.replace(forecast.found, within=False, sentence="It is too far away.")
    forecast = msgspec.structs.replace(forecast, found=found)
    shown = msgspec.structs.replace(shown, forecast=msgspec.to_builtins(forecast))
    assert "<b>The replay refuses it:</b> It is too far away." in render(shown, {}, before("0"))
    with pytest.raises(Refused, match=f"{FORECAST} of replay is not what it is"):
        recheck._replay_again(edited(report, fifteen_more).decision, here.home / "again")


def test_a_candidate_trained_on_months_where_years_are_served_is_refused(here: Story) -> None:
    """Its verdict lets it take the champion's place, and the replay does not. A log in which years
    are a twelfth of what they were says the same of it.
    """
    rows = releases.change(here.rows.read_bytes(), releases.row_in("train"), "Monthly Income", 5001)
    releases.point(here.project, rows)
    tip = git.tip(str(here.home / "manifests.git"), "main")
    later = datetime.date.today() + datetime.timedelta(days=99)
    request = asked(later)
    log_of(request, DAYS, lambda sent: sent | {YEARS: sent[YEARS] // 12})
    outcome = carry_out(request, Plainly(request.settings.home, request.model))
    assert (outcome.outcome, outcome.exit_code, outcome.verdict) == ("refused", 3, "HOLD")
    assert outcome.sentence.startswith("the replay refuses it. Years at Company is served 0.08333")
    assert "Train it on rows in the unit that is served." in outcome.sentence
    assert git.tip(str(here.home / "manifests.git"), "main") == tip
    # The next plan knows it, and a champion that runs already is not refused by it.
    known = plan(asked(later))
    assert known.outcome is not None
    assert (known.outcome.outcome, known.outcome.sentence) == ("refused", outcome.sentence)
    assert known.report is not None
    standing = baselines.standing_champion(known.report.candidate)
    assert standing is None and replayed.refused(known.report)
