"""A canary as a person follows it, and as `sluice status` has it in a line."""

import datetime
import json
import os
from pathlib import Path

import pytest
from support import rollouts
from support.git_repos import ONE, TWO, digest, promotion, seeded
from support.rollouts import Document
from support.terminal import shown

from flows.adapters.kubernetes import Place
from flows.canary.following import in_short
from flows.cli.live.canary import run_canary
from flows.cli.past.history import run_history
from flows.cli.releases.status import run_status
from flows.gitops import manifest_repo
from flows.gitops.promotion import promote
from flows.project.settings import Settings
from sluice.canary.rollout import Seen
from sluice.errors import Retryable, UsageError

NOW = datetime.datetime(2026, 11, 28, 18, 0, tzinfo=datetime.UTC)


@pytest.fixture
def given(tmp_path: Path) -> Settings:
    given = seeded(tmp_path, cluster="test")
    assert promote(given, promotion(ONE, 1)).outcome == "committed"
    return given


def says(status: Document, *runs: Document) -> Seen:
    versions = rollouts.both(digest(TWO), digest(ONE))
    return rollouts.seen(rollouts.rollout(digest(ONE), status), versions, runs)


def in_the_middle() -> Seen:
    looked = rollouts.metric("judge", "Running", rollouts.answer("inconclusive", "40 more"), 2)
    looked["measurements"][0]["phase"] = "Inconclusive"
    runs = [rollouts.all_passed()[0], rollouts.run(5, "Running", [looked])]
    return says(rollouts.going_on(5, 25), *runs)


def look(_place: Place, _name: str) -> Seen:
    return in_the_middle()


def away(_place: Place, _name: str) -> Seen:
    raise Retryable("the API of cluster test does not answer", "Look whether it runs.")


def test_elsewhere_than_on_a_terminal_it_looks_once(
    given: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_canary(given, "attrition", look, 1, as_json=False) == 0
    lines = shown(capsys)
    assert lines[0] == f"Canary of release 1 of attrition {ONE}"
    assert lines[1] == "Rollout attrition in attrition, Progressing, 25 %"
    assert lines[2:5] == ["● 1 5 % of the traffic", "● 2 pause of 60 s", "● 3 analysis pass"]
    assert lines[7] == "▶ 6 analysis so far inconclusive"
    assert lines[8] == "○ 7 50 % of the traffic"
    assert "inconclusive flagged 0.400 beside 0.200" in lines
    assert "Bounds +0.110 to +0.290" in lines
    assert "Last look inconclusive: 40 more" in lines
    assert lines[-1] == "Waits for its analysis (since 2026-11-28 17:13 UTC)."


def test_as_json_it_has_all_of_it(given: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_canary(given, "attrition", look, 1, as_json=True) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["release"], said["digest"], said["recorded"]) == (1, digest(ONE), "")
    assert said["progress"]["weight"] == 25
    assert said["progress"]["measures"][0]["low"] == 0.11
    assert said["ending"]["word"] == "waits"


def test_on_a_terminal_it_is_followed_to_its_end(
    given: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each look takes the place of the one before, and the last one stays."""
    os.environ |= {"FORCE_COLOR": "1", "TERM": "xterm"}
    looks = [in_the_middle(), in_the_middle(), says(rollouts.healthy(), *rollouts.all_passed())]
    left = iter(looks)
    assert run_canary(given, "attrition", lambda *_: next(left), 0.01, as_json=False) == 0
    assert next(left, None) is None
    out = capsys.readouterr().out
    assert "\x1b[2K" in out  # the lines of the one before are taken away
    assert out.rindex("\x1b[2K") < out.rindex("Canary of release 1")
    assert "Passed, not recorded yet" in out.splitlines()[-1]


def test_what_it_says_of_others_cannot_steer_a_terminal(
    given: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = says(rollouts.going_on(0, phase="Progressing\x1b[2J", message="[red]\x1b]0;x\x07"))
    assert run_canary(given, "attrition", lambda *_: bad, 1, as_json=False) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out and "\x07" not in out
    assert "[red]" in out


def test_it_ends_with_the_canary(given: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    through = says(rollouts.healthy(), *rollouts.all_passed())
    assert run_canary(given, "attrition", lambda *_: through, 1, as_json=False) == 0
    last = "Passed, not recorded yet: all 4 of its analyses passed."
    assert shown(capsys)[-1] == last


def test_where_nothing_is_live_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing of attrition is live yet"):
        run_canary(seeded(tmp_path, cluster="test"), "attrition", look, 1, as_json=False)


def test_a_line_about_it(given: Settings) -> None:
    live = manifest_repo.live(given, "attrition")
    line, found = in_short(given, "attrition", live, look, NOW)
    assert line == (
        "step 6 of 12, 25 %, inconclusive, since 2026-11-28T17:13:15Z; waits for its analysis"
    )
    assert found is not None
    line, found = in_short(given, "attrition", live, away, NOW)
    assert (line, found) == ("not known: the API of cluster test does not answer", None)
    nowhere = given.model_copy(update={"cluster": ""})
    assert in_short(nowhere, "attrition", live, away, NOW) == ("", None)


def test_status_has_it_where_a_cluster_is_named_and_asks_none_otherwise(
    given: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    os.environ["KUBECONFIG"] = "/nowhere/at/all"
    assert run_status(given, "attrition", as_json=False) == 0
    assert any(line.startswith("Canary not known: SLUICE_CLUSTER is") for line in shown(capsys))
    assert run_history(given, "attrition", None, 5, as_json=False) == 0
    assert any(line.startswith("Canary not known: SLUICE_CLUSTER is") for line in shown(capsys))
    nowhere = given.model_copy(update={"cluster": ""})
    assert run_history(nowhere, "attrition", None, 5, as_json=True) == 0
    assert "canary" not in json.loads(capsys.readouterr().out)
    assert run_status(nowhere, "attrition", as_json=False) == 0
    assert not any(line.startswith("Canary") for line in shown(capsys))
    assert run_status(nowhere, "attrition", as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["canary"] == {}
