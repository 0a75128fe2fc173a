"""The judge of a canary that answers with a number: the counters of the service, as Prometheus
hands them on, become one histogram of both versions.
"""

from dataclasses import replace

import numpy as np
import pytest
from support import deliveries

from bento.ops.metrics import Measures
from flows.adapters.prometheus import Series
from flows.canary.scrapes import HASH, ROWS, STARTED, Scraped, layout_of, pods
from sluice.canary import judge
from sluice.canary.counts import Grid, Layout, count
from sluice.canary.verdict import Verdict
from sluice.policy import CanaryPolicy
from sluice.served.contract import Contract
from sluice.served.quantity_cells import limits_of

MINUTES = 30
A_MINUTE = 200  # requests of each version
CONTRACT = deliveries.contract()
_LABELS = {"service_name": "deliveries", "service_version": "1", "runner_name": "sluice"}


def of_range(high: float) -> Contract:
    """The same contract, of which another highest answer is plausible."""
    target = replace(CONTRACT.target, quantity=replace(deliveries.QUANTITY, high=high))
    return replace(CONTRACT, target=target)


def scraped(
    version: str, answers: np.ndarray, bins: tuple[float, ...], contract: Contract
) -> tuple[Series, list[Series]]:
    """What a service of this version tells each minute, answering these rows again and again."""
    measures = Measures(contract, {}, float("nan"), _LABELS, (), bins)
    told: dict[tuple[tuple[str, str], ...], list[tuple[float, str]]] = {}
    for minute in range(MINUTES):
        if minute:
            for answer in answers.tolist():
                measures.judged(answer)
        measures.settle()
        for line in measures.text().decode().splitlines():
            if line.startswith(ROWS):
                parts = line[len(ROWS) + 1 : line.index("}")].split(",")
                labels = dict(part.split("=", 1) for part in parts)
                key = tuple((name, value.strip('"')) for name, value in sorted(labels.items()))
                told.setdefault(key, []).append((60.0 * minute, line.rpartition(" ")[2]))
    where = {HASH: version, "pod": version}
    started = Series({**where, "__name__": STARTED}, [(60.0 * m, "1.0") for m in range(MINUTES)])
    return started, [Series({**where, **dict(key)}, values) for key, values in told.items()]


def judged(
    canary: np.ndarray, stable: np.ndarray, other: Contract = CONTRACT
) -> tuple[Layout, Verdict]:
    """What the judge says; the canary is of the contract `other`, and each has bins of its own."""
    parts = [
        scraped("new", canary, tuple(np.quantile(canary, [0.2, 0.5, 0.8]).tolist()), other),
        scraped("old", stable, tuple(np.quantile(stable, [0.1, 0.5]).tolist()), CONTRACT),
    ]
    rows = [series for _, found in parts for series in found]
    layout = layout_of(rows)
    found = pods(Scraped([one for one, _ in parts], rows, [], []), "new", layout)
    for pod, answers in zip(found, (canary, stable), strict=True):
        upto = np.cumsum(pod.counters[-1][: layout.bins + 1])
        assert upto[-1] == A_MINUTE * (MINUTES - 1)
        for at, limit in enumerate(layout.limits):
            assert upto[at] == (MINUTES - 1) * int((answers <= limit).sum())
    blocks = count(found, layout, Grid(0.0, 60.0 * MINUTES + 20, 60.0, 90.0))
    return layout, judge.judge(judge.Case(blocks, layout, 0.5, CanaryPolicy()))


def said(verdict: Verdict) -> dict[str, str]:
    return {measure.name: measure.verdict for measure in verdict.measures}


def drawn(middle: float, seed: int) -> np.ndarray:
    return np.clip(np.random.default_rng(seed).normal(middle, 12.0, A_MINUTE), 0.0, 240.0)


def test_a_canary_that_answers_alike_is_not_told_apart() -> None:
    layout, verdict = judged(drawn(50, 1), drawn(50, 2))
    assert layout.kind == "number"
    assert layout.tiers == ("inside",)
    assert layout.limits == limits_of(deliveries.QUANTITY)
    found = said(verdict)
    assert (found["tiers"], found["histogram"], found["numbers"]) == ("pass", "pass", "pass")


def test_a_canary_whose_answers_are_higher_is_taken_back() -> None:
    _, verdict = judged(drawn(62, 1), drawn(50, 2))
    assert said(verdict)["flagged"] == "fail"
    assert said(verdict)["histogram"] == "fail"
    assert "The canary answers at most 50.4 to" in verdict.sentence


def test_a_canary_that_answers_beyond_the_range_is_taken_back() -> None:
    beyond = drawn(50, 1)
    beyond[:40] = 240.0
    layout, verdict = judged(beyond, drawn(50, 2))
    assert layout.tiers == ("inside", "outside")
    assert said(verdict)["tiers"] == "fail"


def test_what_is_no_number_takes_it_back() -> None:
    measures = Measures(CONTRACT, {}, float("nan"), _LABELS, (), (50.0,))
    measures.judged(float("nan"))
    measures.settle()
    assert 'bin="none",prediction="outside",tier="outside"} 1.0' in measures.text().decode()


@pytest.mark.parametrize(("high", "common"), [(480.0, 51), (120.0, 51), (241.0, 1)])
def test_versions_of_two_ranges_are_compared_at_the_limits_that_both_have(
    high: float, common: int
) -> None:
    layout, verdict = judged(drawn(50, 1), drawn(50, 2), of_range(high))
    assert len(layout.limits) == common
    assert said(verdict)["histogram"] == "pass"
