"""The judge of a canary that answers with one of several classes: the counters of the service, as
Prometheus hands them on, become shares of classes.
"""

import numpy as np
from support import parcels

from bento.ops.metrics import Measures
from flows.adapters.prometheus import Series
from flows.canary.scrapes import HASH, ROWS, STARTED, Scraped, layout_of, pods
from sluice.canary import judge
from sluice.canary.counts import BINS, Grid, count
from sluice.policy import CanaryPolicy
from sluice.served.classes import chosen

MINUTES = 30
A_MINUTE = 400  # requests of each version


def scraped(version: str, shares: np.ndarray) -> tuple[Series, list[Series]]:
    """What a service of this version tells each minute, answering these rows again and again."""
    measures = Measures(parcels.contract(), {}, float("nan"), _LABELS, parcels.WEIGHTS)
    told: dict[tuple[tuple[str, str], ...], list[tuple[float, str]]] = {}
    for minute in range(MINUTES):
        if minute:
            for row in shares:
                measures.judged(row.tolist())
        measures.settle()
        text = measures.text().decode()
        for line in text.splitlines():
            if line.startswith(ROWS):
                labels = dict(
                    part.split("=", 1) for part in line[len(ROWS) + 1 : line.index("}")].split(",")
                )
                key = tuple((name, value.strip('"')) for name, value in sorted(labels.items()))
                told.setdefault(key, []).append((60.0 * minute, line.rpartition(" ")[2]))
    where = {HASH: version, "pod": version}
    started = Series({**where, "__name__": STARTED}, [(60.0 * m, "1.0") for m in range(MINUTES)])
    return started, [Series({**where, **dict(key)}, values) for key, values in told.items()]


_LABELS = {"service_name": "parcels", "service_version": "1", "runner_name": "sluice"}


def judged(canary: np.ndarray, stable: np.ndarray) -> dict[str, str]:
    """What the judge says of each measure."""
    parts = [scraped("new", canary), scraped("old", stable)]
    rows = [series for _, found in parts for series in found]
    layout = layout_of(rows)
    assert layout.tiers == tuple(sorted(parcels.CLASSES))
    found = pods(Scraped([one for one, _ in parts], rows, [], []), "new", layout)
    for pod, shares in zip(found, (canary, stable), strict=True):
        answered = np.bincount(chosen(shares, parcels.WEIGHTS), minlength=3)
        by_class = dict(zip(parcels.CLASSES, answered * (MINUTES - 1), strict=True))
        last = pod.counters[-1]
        assert last[BINS + 1 :][: len(layout.tiers)].tolist() == [
            by_class[name] for name in layout.tiers
        ]
        assert last[: BINS + 1].sum() == A_MINUTE * (MINUTES - 1)
    blocks = count(found, layout, Grid(0.0, 60.0 * MINUTES + 20, 60.0, 90.0))
    case = judge.Case(blocks, layout, 0.5, CanaryPolicy())
    return {measure.name: measure.verdict for measure in judge.judge(case).measures}


def drawn(late: float, seed: int) -> np.ndarray:
    """Probabilities of a minute, of which so large a share is late."""
    chance = np.random.default_rng(seed)
    places = chance.choice(3, A_MINUTE, p=[0.1, late, 0.9 - late])
    shares = np.full((A_MINUTE, 3), 0.05)
    shares[np.arange(A_MINUTE), places] = 0.9
    return shares


def test_a_canary_that_answers_alike_is_not_told_apart() -> None:
    found = judged(drawn(0.4, 1), drawn(0.4, 2))
    assert found["tiers"] == "pass"
    assert found["histogram"] == "pass"


def test_a_canary_that_answers_with_another_class_is_taken_back() -> None:
    assert judged(drawn(0.7, 1), drawn(0.4, 2))["tiers"] == "fail"
