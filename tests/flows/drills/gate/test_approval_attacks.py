"""Each attack on the approvals leaves the release waiting, for its own reason; and two honest ones
are enough.
"""

import datetime
from pathlib import Path

import pytest

from flows.drills.gate.approval_attacks import (
    ApprovalAttack,
    World,
    approval_attacks,
    begun,
    copied,
    unapproved,
)

TODAY = datetime.datetime.now(datetime.UTC).date()
NOBODY = "its commit is signed by nobody who may approve"
WHY = {
    "one approval where two are asked": "1 of 2 approvals (anna@example.com)",
    "one person who approves twice": "anna@example.com approved it already, in commit",
    "one person with two keys": "anna@example.com approved it already, in commit",
    "an approval of other evidence": "it is stale: the evidence is 999999999999 by now",
    "an approval under another policy": "it is stale: the policy is 999999999999 by now",
    "an approval beside another champion": "it is stale: the champion is 888888888888 by now",
    "an approval for another overlay": "it is about another overlay, staging",
    "an approver who made the release": "berta@example.com made this release, and the policy lets",
    "a change that asks for one person in itself": "1 of 2 approvals (anna@example.com)",
    "approvals after a rejection": (
        "Carl <carl@example.com> (not signed by anybody who may approve) rejected the evidence"
        " 222222222222: the data are of another year"
    ),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return begun(tmp_path_factory.mktemp("approvals") / "begun", TODAY)


@pytest.mark.parametrize("attack", list(approval_attacks()), ids=lambda attack: attack.name)
def test_it_is_not_enough(attack: ApprovalAttack, world: World, tmp_path: Path) -> None:
    said = unapproved(attack, copied(world, tmp_path / "attacked"), TODAY)
    assert WHY.get(attack.name, NOBODY) in said


def test_an_honest_approval_is_none_that_was_refused(world: World, tmp_path: Path) -> None:
    def honest(there: World) -> World:
        there.approve(there.author("berta"))
        return there

    attack = ApprovalAttack("honest", honest)
    assert unapproved(attack, copied(world, tmp_path / "attacked"), TODAY) == ""
