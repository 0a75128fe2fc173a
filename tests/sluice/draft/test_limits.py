"""The first limits of a table whose rows belong together: those that its groups allow, not its
rows.
"""

import numpy as np
import pytest

from sluice.draft.beyond import Column
from sluice.draft.limits import Judged, floors_at
from sluice.model.quality.clusters import numbered
from sluice.model.quality.floor_proposal import Proposal

TIMES = 8


def scored(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels, two fifths of them positive, and the scores of a model of use."""
    chance = np.random.default_rng(3)
    scores = chance.beta(0.5, 0.75, rows)
    return (chance.random(rows) < scores).astype(np.int64), scores


def judged(
    labels: np.ndarray, scores: np.ndarray, part: int = 600, clusters: np.ndarray | None = None
) -> Judged:
    """Such rows, beside a column that says nothing."""
    return Judged(labels, scores, Column("Age", np.zeros(len(labels))), part, part, clusters)


def floors(judged: Judged) -> Proposal:
    shares: list[float] = []
    found = floors_at(judged, 0.0, lambda _, share: shares.append(share))
    assert shares == sorted(shares) and len(shares) > 100  # who waits sees how far it is
    assert found is not None
    return found


@pytest.fixture(scope="module")
def alone() -> Proposal:
    """Of 1,500 rows, each for itself."""
    labels, scores = scored(1_500)
    return floors(judged(labels, scores))


def repeated(clusters: bool) -> Judged:
    """Each row eight times, as a patient who comes eight times."""
    labels, scores = (np.repeat(values, TIMES) for values in scored(1_500))
    together = np.repeat(np.arange(1_500), TIMES) if clusters else None
    return judged(labels, scores, 600 * TIMES, together)


def test_rows_that_repeat_each_other_allow_the_floors_of_one_of_them(alone: Proposal) -> None:
    found = floors(repeated(clusters=True))
    assert found.recall_floor == pytest.approx(alone.recall_floor, abs=0.04)
    assert found.precision_floor == pytest.approx(alone.precision_floor, abs=0.04)


def test_counted_as_rows_they_would_promise_what_no_release_keeps(alone: Proposal) -> None:
    found = floors(repeated(clusters=False))
    assert found.recall_floor > alone.recall_floor + 0.04
    assert found.precision_floor > alone.precision_floor + 0.04


def test_groups_of_one_row_change_nothing(alone: Proposal) -> None:
    labels, scores = scored(1_500)
    assert floors(judged(labels, scores, clusters=numbered(np.arange(1_500)))) == alone
