"""Each attack on the anchor leaves it where it is, for its own reason; and a move that is honest is
not called refused.
"""

from pathlib import Path

import pytest
from support import deliveries, parcels
from support.releases import MODEL

from flows.drills.gate.anchor_moves import (
    AnchorMove,
    World,
    anchor_moves,
    begun,
    copied,
    target_of,
    unmoved,
)

NOBODY = "is signed by nobody whom overrides/allowed_signers or overrides/keys.asc of main at"
WHY = {
    "the anchor moved without a signed file": "there is no overrides/attrition/anchor.toml",
    "the anchor moved, and the own branch as the protected one": "is the commit that is judged",
    "the anchor moved, and the commit before one's own as the protected one": (
        "HEAD~1 allows no signers"
    ),
    "the anchor moved to a recall beyond the bound": "recall 0.9000 to 0.8300, 0.0700 worse",
    "the anchor moved to a precision beyond the bound": "precision 0.9000 to 0.8300, 0.0700 worse",
    "the anchor moved to a calibration beyond the bound": "0.0100 to 0.0800, 0.0700 worse",
    "the anchor moved to a group beyond the bound": "Site: north 0.9000 to 0.8000, 0.1000 worse",
    "the bound of a fall widened by the own branch": "at most 0.02 may be",
    "a fall hidden by an edited record of the anchor": (
        "recall in state/attrition/anchor.json is 0.83; 0.9 is required"
    ),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    policy = (MODEL / "policy.toml").read_text(encoding="utf-8")
    return begun(policy, tmp_path_factory.mktemp("anchors") / "begun")


@pytest.mark.parametrize("move", list(anchor_moves()), ids=lambda move: move.name)
def test_it_does_not_move(move: AnchorMove, world: World, tmp_path: Path) -> None:
    assert WHY.get(move.name, NOBODY) in unmoved(move, copied(world, tmp_path / "attacked"))


def test_an_honest_move_is_none_that_was_refused(world: World, tmp_path: Path) -> None:
    honest = AnchorMove("honest", "as good", lambda there: there)
    assert unmoved(honest, copied(world, tmp_path / "attacked")) == ""


def test_every_way_to_forge_an_override_is_tried_on_the_anchor_too() -> None:
    names = [move.name for move in anchor_moves()]
    assert len(set(names)) == len(names)
    assert sum(name.startswith("the anchor moved, and ") for name in names) == 9


@pytest.mark.parametrize(
    ("policy", "falls"),
    [
        (deliveries.POLICY, "skill 0.9000 to 0.8300, 0.0700 worse"),
        (parcels.POLICY, "recall 0.9000 to 0.8300, 0.0700 worse"),
    ],
    ids=["number", "classes"],
)
def test_so_it_is_for_other_kinds_of_target(policy: str, falls: str, tmp_path: Path) -> None:
    there = begun(policy, tmp_path / "begun")
    moves = list(anchor_moves(target_of(there.policy)))
    said = {move.name: unmoved(move, copied(there, tmp_path / "attacked")) for move in moves}
    assert all(said.values())
    first = next(name for name in said if name.startswith("the anchor moved to a "))
    assert falls in said[first]
    assert not [name for name in said if "calibration" in name]
    honest = AnchorMove("honest", "as good", lambda attacked: attacked)
    assert unmoved(honest, copied(there, tmp_path / "attacked")) == ""
