"""A contract that changed after training: the model is fed other numbers than it learnt, and scores
on all the same.

The tutorial ranks an Associate above a Master; here the two change places between training and
serving.
"""

import json
import tomllib
from pathlib import Path

import tomli_w

from flows.drills.gate.baseline import Ground
from flows.drills.gate.case import Case, Stage
from sluice.model import model_artifact
from sluice.served.contract import Column, Contract
from sluice.served.scoring import load_model

GOLDEN = "golden"


def ordered(contract: Contract) -> Column | None:
    """The ordered feature whose second and fourth value can change places."""
    found = [
        column
        for column in contract.features
        if column.kind == "ordinal" and len(column.values) > 3
    ]
    return next(
        (column for column in found if column.name == "Education Level"),
        found[0] if found else None,
    )


def swapped(ground: Ground) -> Case:
    """The second and the fourth value of an ordered column change places in the artifact."""
    return Case(altered=lambda place: _swap(ground.run.contract, place))


def unnoticed(ground: Ground) -> Case:
    """The same where the golden records say nothing: their scores are made anew."""

    def alter(place: Path) -> None:
        _swap(ground.run.contract, place)
        document = model_artifact.golden(load_model(place))
        (place / "golden.json").write_text(json.dumps(document), encoding="utf-8")

    return Case(altered=alter)


def is_swapped(ground: Ground, stage: Stage) -> bool:
    """Whether the artifact has another order than the contract of the run."""
    text = (stage.done["train"].folder / "model" / "contract.toml").read_text(encoding="utf-8")
    column = ordered(ground.run.contract)
    return (
        column is not None
        and tuple(tomllib.loads(text)["columns"][column.name]["values"]) != column.values
    )


def _swap(contract: Contract, place: Path) -> None:
    column = ordered(contract)
    if column is None:
        return
    values = list(column.values)
    values[1], values[3] = values[3], values[1]
    document = tomllib.loads((place / "contract.toml").read_text(encoding="utf-8"))
    document["columns"][column.name]["values"] = values
    (place / "contract.toml").write_text(tomli_w.dumps(document), encoding="utf-8")
