"""A contract that changed after training: the model is fed other numbers than it learnt from.

Two values of an ordered column change places between training and serving, and the model scores
on all the same.
"""

import json
import tomllib
from pathlib import Path

import msgspec
import tomli_w

from flows.drills.gate.baseline import Ground
from flows.drills.gate.case import MadeCase
from flows.engine.phases import Decision
from sluice.model.artifact import model_artifact
from sluice.served.contract import Column, Contract
from sluice.served.scoring import load_model

GOLDEN = "golden"


def ordered(contract: Contract) -> Column | None:
    """The ordered feature whose second and fourth value can change places; None for none."""
    columns = [
        column
        for column in contract.features
        if column.kind == "ordinal" and len(column.values) > 3
    ]
    for column in columns:
        if column.name == "Education Level":
            return column
    return columns[0] if columns else None


def swapped(ground: Ground) -> MadeCase:
    """The second and the fourth value of an ordered column change places in the artifact."""
    return MadeCase(altered=lambda artifact: _swap(ground.request.contract, artifact))


def unnoticed(ground: Ground) -> MadeCase:
    """The same where the golden records say nothing: their scores are made anew."""

    def alter(artifact: Path) -> None:
        _swap(ground.request.contract, artifact)
        golden = model_artifact.golden(load_model(artifact))
        text = json.dumps(msgspec.to_builtins(golden))
        (artifact / model_artifact.GOLDEN).write_text(text, encoding="utf-8")

    return MadeCase(altered=alter)


def is_swapped(ground: Ground, decision: Decision) -> bool:
    """Whether the artifact has another order than the contract of the request."""
    column = ordered(ground.request.contract)
    if column is None:
        return False
    text = decision.candidate.trained.read("model/contract.toml").decode()
    return tuple(tomllib.loads(text)["columns"][column.name]["values"]) != column.values


def _swap(contract: Contract, artifact: Path) -> None:
    column = ordered(contract)
    if column is None:
        return
    values = list(column.values)
    values[1], values[3] = values[3], values[1]
    document = tomllib.loads((artifact / "contract.toml").read_text(encoding="utf-8"))
    document["columns"][column.name]["values"] = values
    (artifact / "contract.toml").write_text(tomli_w.dumps(document), encoding="utf-8")
