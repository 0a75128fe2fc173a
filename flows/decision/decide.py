"""The verdict on a folder: metrics.json, scores.parquet and case.json, as a release wrote them."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.gate.decide import Facts, Holdout, Model, Verdict, decide
from sluice.model.table import from_parquet
from sluice.policy import GatePolicy
from sluice.served.words import Words

if TYPE_CHECKING:
    from sluice.gitops.state import Standing

_SEGMENT = "segment "


def decide_folder(
    folder: Path,
    policy: GatePolicy,
    standing: "Standing",
    *,
    words: Words,
    without: Collection[str] = (),
) -> Verdict:
    """Decide on the scores in a folder.

    `words` are the contract's, for the sentences; `without` names rules that a test leaves out.
    Raises OSError, KeyError, TypeError or ValueError where the folder is incomplete.
    """
    case = json.loads((folder / "case.json").read_text(encoding="utf-8"))
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    table = from_parquet((folder / "scores.parquet").read_bytes())
    facts = Facts(
        **case["facts"],
        uses=standing.uses,
        fresh=standing.fresh,
        champion_days=standing.champion_days,
        waived=standing.override.rule,
    )
    return decide(metrics, _holdout(case, table), facts, policy, words=words, without=without)


def _holdout(case: Mapping[str, Any], table: Mapping[str, np.ndarray]) -> Holdout:
    segments = {
        name.removeprefix(_SEGMENT): values
        for name, values in table.items()
        if name.startswith(_SEGMENT)
    }
    return Holdout(
        table["label"],
        table["row_hash"],
        Model("candidate", case["candidate"]["threshold"], table["candidate"]),
        _model(case, table, "champion"),
        _model(case, table, "anchor"),
        Model(case["one_column"], 0.5, table["alone"]),
        segments,
    )


def _model(case: Mapping[str, Any], table: Mapping[str, np.ndarray], name: str) -> Model | None:
    if name not in case:
        return None
    return Model(case[name]["tag"], case[name]["threshold"], table[name])
