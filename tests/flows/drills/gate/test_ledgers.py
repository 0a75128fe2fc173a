"""Each attack on a ledger is remembered, for its own reason; and one that makes it forget is not
called remembered.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support import releases

from flows.drills.gate.floors import prepare
from flows.drills.gate.ledgers import (
    LedgerAttack,
    Spent,
    copied,
    least,
    ledger_attacks,
    look,
    remembered,
    spent,
)
from flows.engine.request import begin
from flows.orchestration.real_tools import real_tools
from flows.project import settings
from sluice.gate.ledger import Use

CHANGED = "attrition.json of branch sluice-ledger was changed by somebody else than Sluice"
LOST = "attrition.json of branch sluice-ledger was lost or reset"
WHY = {
    "what the holdout spent taken out of the ledger": CHANGED,
    "what the holdout spent halved in the ledger": CHANGED,
    "the newest candidates taken out of the ledger": CHANGED,
    "the ledger begun anew by a push": LOST,
    "an empty ledger under a secret of one's own": "does not have it",
    "the branch of the ledger deleted before the first release": LOST,
    "the branch of the ledger set back to its first candidate": LOST,
    "a split of 0.5999 in the place of 0.6, with the same holdout": "decided 3 times; 3 are",
    "another salt of the split": "decided 1 times; 1 are",
    "512 made-up people, chosen for the hashes of their ids": "are required",
}


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spent]:
    """The ledger of a small project whose holdout decided three times."""
    place = tmp_path_factory.mktemp("ledgers")
    given = settings.Settings(
        home=place / "home", project=releases.write(place / "project"), workers=1
    )
    ground = prepare(begin(given, real_tools(), "attrition"), place / "scratch")
    yield spent(ground, place / "spent")


@pytest.mark.parametrize("attack", list(ledger_attacks()), ids=lambda attack: attack.name)
def test_it_is_remembered(attack: LedgerAttack, begun: Spent, tmp_path: Path) -> None:
    assert WHY[attack.name] in remembered(copied(begun, tmp_path / "attacked"), attack)


def _strangers(there: Spent) -> Use:
    ids = tuple(f"somebody else {number}" for number in range(500))
    return replace(there.use, candidate="fourth", ids=ids)


def test_a_holdout_of_nobody_that_decided_is_not_remembered(begun: Spent, tmp_path: Path) -> None:
    there = copied(begun, tmp_path / "attacked")
    assert remembered(there, LedgerAttack("strangers", _strangers)) == ""


def test_an_attack_that_changes_nothing_proves_nothing(begun: Spent, tmp_path: Path) -> None:
    def nothing(there: Spent) -> Use:
        return look(there.use, "fourth")

    with pytest.raises(ValueError, match="neither the ledger nor the holdout was changed"):
        remembered(copied(begun, tmp_path / "attacked"), LedgerAttack("nothing", nothing))


def test_a_ledger_that_counts_less_proves_nothing(begun: Spent, tmp_path: Path) -> None:
    """Three looks are what the attacks take away."""
    there = copied(begun, tmp_path / "attacked")
    with pytest.raises(ValueError, match="decided 0 times; 3 are required"):
        remembered(replace(there, use=_strangers(there)), next(ledger_attacks()))


@pytest.mark.parametrize(
    ("kept", "new", "wanted"), [(1_000, 0, 3), (1_000, 1_000, 1), (500, 4_500, 1), (0, 1_000, 0)]
)
def test_part_of_the_rows_is_part_of_the_uses(
    kept: int, new: int, wanted: int, begun: Spent
) -> None:
    old = replace(begun.use, ids=tuple(f"old {number}" for number in range(1_000)))
    ids = (*old.ids[:kept], *(f"new {number}" for number in range(new)))
    assert least(old, replace(old, ids=ids)) == wanted
