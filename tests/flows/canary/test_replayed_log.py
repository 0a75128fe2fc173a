"""Replays of what a service has really logged, where it answers with a class or with a number."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import deliveries, parcels
from support.asgi import client as connected
from support.terminal import shown

from bento import process
from bento.answers import load_served
from bento.ops.settings import load
from flows.canary.loaded import Both, Loaded, loaded
from flows.canary.replay import replay
from flows.canary.replayed_rows import from_log
from flows.evidence.page import _environment
from flows.facts.replayed import Forecast
from flows.views.live.replay import show
from sluice.canary.number_replay import apart, common_limits
from sluice.canary.replay import Replayed, Tally, judged
from sluice.policy import CanaryPolicy
from sluice.served.contract import Contract
from sluice.served.quantity_cells import limits_of

ROWS = 300


def logged(artifact: Path, log: Path, contract: Contract, columns: dict[str, np.ndarray]) -> None:
    """Ask a service of this model these rows, one by one, and let it write its log."""
    app, ends = process.start(
        load_served(artifact, "it:0", ""), load({"SLUICE_PREDICTION_LOG": str(log)})
    )
    with connected(app) as client:
        for row in range(ROWS):
            record: dict[str, Any] = {}
            for column in contract.features:
                value = columns[column.key][row]
                whole = column.kind == "integer"
                record[column.key] = value if column.values else (int if whole else float)(value)
            assert client.post("/predict?reasons=0", json=record).status_code == 200
    for end in ends:
        end()


def both(running: Loaded, candidate: Loaded, **policy: float) -> Both:
    return Both("it", running, candidate, CanaryPolicy(**policy))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Loaded, Loaded, Path]:
    """Two models of deliveries, and the log of the first."""
    place = tmp_path_factory.mktemp("numbers")
    running = deliveries.artifact(place / "running")
    candidate = deliveries.artifact(place / "candidate", 700)
    logged(running, place / "log", deliveries.contract(), deliveries.columns(ROWS, 9))
    return loaded(running, "running"), loaded(candidate, "candidate"), place / "log"


def test_the_same_number_model_changes_nothing(numbers: tuple[Loaded, Loaded, Path]) -> None:
    running, _, log = numbers
    pair = both(running, running)
    found = replay(pair, from_log(pair, str(log)))
    assert (found.rows, found.broken, found.change) == (ROWS, 0, 0.0)
    assert found.agreement.value == 1.0
    assert found.within
    assert all(change.change == 0.0 for change in found.expected.at_most)


def test_what_another_number_model_says_is_foretold(
    numbers: tuple[Loaded, Loaded, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    running, candidate, log = numbers
    pair = both(running, candidate)
    found = replay(pair, from_log(pair, str(log)))
    columns = deliveries.columns(ROWS, 9)
    before, after = (one.model.score(columns) for one in (running, candidate))
    assert found.kind == "number"
    assert found.unit == "min"
    assert found.change == pytest.approx(np.abs(after - before).mean())
    assert found.limits == limits_of(deliveries.QUANTITY)
    for limit, live, change in zip(
        found.limits, found.said_running.at_most, found.expected.at_most, strict=True
    ):
        assert live.value == pytest.approx(np.mean(before <= limit))
        moved = np.mean(after <= limit) - np.mean(before <= limit)
        assert change.change == pytest.approx(moved, abs=1e-5)
    bins = np.array(running.model.bins)
    tenths = [np.searchsorted(bins, scores, side="right") for scores in (before, after)]
    far = np.abs(tenths[0] - tenths[1]) >= 2
    assert found.agreement.value == pytest.approx(1.0 - far.mean())
    assert found.tiers["3"]["4"] == np.sum((tenths[0] == 2) & (tenths[1] == 3))
    assert found.said_running.flagged is None
    show(found)
    told = " ".join(shown(capsys))
    assert "stay within two tenths of all answers" in told
    assert "min apart on average" in told
    assert "moved up" in told
    assert "probabilit" not in told


def test_the_evidence_tells_of_numbers_in_their_unit(
    numbers: tuple[Loaded, Loaded, Path],
) -> None:
    running, candidate, log = numbers
    pair = both(running, candidate)
    found = replay(pair, from_log(pair, str(log)))
    forecast = Forecast(origin="log", running="sha256:1", day="2026-11-30", found=found)
    page = _environment().get_template("forecast.html").render(forecast=forecast)
    assert "stay within two tenths of all answers" in page
    assert "Moved up" in page
    assert re.search(r'<td class="n">[+-][0-9.]+ min</td>', page)
    for word in ("flagged", "probabilities", "class changes"):
        assert word not in page.lower(), word


def test_a_number_that_moves_by_two_tenths_is_a_change() -> None:
    def said(moved: float, **policy: float) -> tuple[bool, str]:
        from sluice.canary.number_replay import NumberOpinion

        bins = tuple(float(limit) for limit in range(10, 100, 10))
        known = deliveries.contract()
        tally = Tally(known, {}, known, bins)
        before = np.repeat(np.arange(5.0, 100.0, 10.0), 20)
        opinions = [
            NumberOpinion(scores, bins, deliveries.QUANTITY)
            for scores in (before, np.where(np.arange(len(before)) < 50, before + moved, before))
        ]
        tally.add(deliveries.columns(len(before)), *opinions)
        return judged(tally, CanaryPolicy(**policy))  # type: ignore[arg-type]

    assert "is 0.0 % (0 of 200)" in said(10.0)[1]
    within, sentence = said(20.0)
    assert not within
    assert (
        "whose answer moves by two tenths of all answers or more is 25.0 % (50 of 200)" in sentence
    )
    assert said(20.0, replay_changed=0.3)[0]


def test_two_bins_alone_can_be_one_apart() -> None:
    assert apart((5.0,)).tolist() == [[False, True], [True, False]]
    assert apart((5.0, 6.0)).tolist() == [
        [False, False, True],
        [False, False, False],
        [True, False, False],
    ]


def test_ranges_have_in_common_what_both_are_divided_at() -> None:
    wide = limits_of(deliveries.QUANTITY)
    assert common_limits(deliveries.QUANTITY, deliveries.QUANTITY) == wide
    assert len(wide) == 101


def test_classes_are_replayed_from_the_log_of_their_service(tmp_path: Path) -> None:
    artifact = parcels.artifact(tmp_path / "running")
    logged(artifact, tmp_path / "log", parcels.contract(), parcels.columns(ROWS, 9))
    [file] = (tmp_path / "log").glob("*.jsonl")
    assert json.loads(file.read_text().splitlines()[0])["prediction"] in parcels.CLASSES
    running = loaded(artifact, "running")
    pair = both(running, running)
    found: Replayed = replay(pair, from_log(pair, str(tmp_path / "log")))
    assert (found.rows, found.broken) == (ROWS, 0)


def test_a_number_and_a_class_are_of_two_kinds(
    numbers: tuple[Loaded, Loaded, Path], tmp_path: Path
) -> None:
    running, candidate, _ = numbers
    assert both(running, candidate).of_one_kind
    other = loaded(parcels.artifact(tmp_path / "other"), "other")
    assert not both(running, other).of_one_kind
