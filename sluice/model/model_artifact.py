"""The model artifact: a folder that stands alone, without rows and without a verdict."""

import itertools
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from sluice.errors import Refused, SluiceError
from sluice.model.conversion import TOLERANCE
from sluice.served.contract import Column, Contract
from sluice.served.encoding import read_records
from sluice.served.scoring import Model, load_model

FILES = (
    "model.onnx",
    "contract.toml",
    "policy.toml",
    "reference.json",
    "metrics.json",
    "card.md",
    "golden.json",
)
_GOLDEN = 50
_MISSING = "missing"  # the group of the rows whose value is missing
# golden scores keep this distance from the threshold, so that their answers cannot differ
_CLEAR = 1e-4


@dataclass(frozen=True)
class Parts:
    """What an artifact is made of, as bytes or JSON-able values."""

    model: bytes
    contract: str
    policy: str
    threshold: float
    reference: Mapping[str, Any]
    metrics: Mapping[str, Any]
    card: str


def write(folder: Path, parts: Parts) -> Model:
    """Write the artifact into an existing empty folder and load it back; equal parts give equal
    bytes.
    """
    policy = tomllib.loads(parts.policy)
    policy["operating_point"]["threshold"] = parts.threshold
    (folder / "model.onnx").write_bytes(parts.model)
    (folder / "contract.toml").write_text(parts.contract, encoding="utf-8")
    (folder / "policy.toml").write_text(tomli_w.dumps(policy), encoding="utf-8")
    (folder / "reference.json").write_text(_json(parts.reference), encoding="utf-8")
    (folder / "metrics.json").write_text(_json(parts.metrics), encoding="utf-8")
    (folder / "card.md").write_text(parts.card, encoding="utf-8")
    model = load_model(folder)
    (folder / "golden.json").write_text(_json(golden(model)), encoding="utf-8")
    return model


def golden(model: Model, count: int = _GOLDEN, seed: int = 7) -> dict[str, Any]:
    """Records made from the contract, of no real person, with their scores."""
    words = np.random.PCG64(seed)
    records: list[dict[str, Any]] = []
    scores: list[float] = []
    for _ in range(100 * count):
        if len(records) == count:
            break
        record = {column.key: _draw(column, words) for column in model.contract.features}
        score = float(model.score_records([record])[0])
        if abs(score - model.threshold) > _CLEAR:
            records.append(record)
            scores.append(score)
    else:
        raise Refused(
            f"every golden score is at the threshold, {model.threshold:.6g}; a distance of"
            f" {_CLEAR:g} is required",
            "The model is too weak: look at the data.",
        )
    return {"schema": 1, "threshold": model.threshold, "records": records, "scores": scores}


def _draw(column: Column, words: np.random.PCG64) -> float | int | str:
    share = int(words.random_raw()) / 2.0**64
    if not column.numeric:
        return column.values[int(share * len(column.values))]
    low, high = float(column.minimum or 0), float(column.maximum or 0)
    # Squared: small values are the common ones in counts, years and incomes.
    value = low + share * share * (high - low)
    return int(value) if column.kind == "integer" else min(max(round(value, 3), low), high)


def check_golden(folder: Path) -> float:
    """Score the golden records of an artifact anew; the largest difference. Raises SluiceError
    beyond 1e-6.
    """
    model = load_model(folder)
    document = json.loads((folder / "golden.json").read_text(encoding="utf-8"))
    return compare_golden(document, model.score(read_records(model.contract, document["records"])))


def read_golden(folder: Path) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The golden records of an artifact as columns, and their scores as they were written, shape
    (rows,).
    """
    document = json.loads((folder / "golden.json").read_text(encoding="utf-8"))
    return read_records(load_model(folder).contract, document["records"]), np.asarray(
        document["scores"]
    )


def compare_golden(document: Mapping[str, Any], scores: np.ndarray) -> float:
    """The largest difference of these scores, shape (rows,), from the golden ones.

    Raises SluiceError where one differs by more than 1e-6, or an answer at the threshold differs.
    """
    expected = np.asarray(document["scores"])
    worst = float("inf")
    if len(scores) == len(expected) > 0:
        worst = float(np.abs(scores - expected).max())
    flagged, expected_flagged = scores >= document["threshold"], expected >= document["threshold"]
    if not worst <= TOLERANCE or not np.array_equal(flagged, expected_flagged):
        raise SluiceError(
            f"golden records: the scores differ by {worst:.3g}; at most {TOLERANCE:g} is allowed",
            "What answered is not the model that was trained; build the image anew from this"
            " artifact.",
        )
    return worst


def segment_groups(contract: Contract, columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """For each segment of the contract the group of every row, as texts, shape (rows,)."""
    groups: dict[str, np.ndarray] = {}
    for segment in contract.segments:
        values = columns[segment.column]
        if not segment.edges:
            groups[segment.name] = np.array(
                [_MISSING if value is None else value for value in values], dtype=object
            )
            continue
        names = [*_bands(segment.edges), _MISSING]
        bands = np.searchsorted(segment.edges, values, side="right")
        groups[segment.name] = np.array(names, dtype=object)[
            np.where(np.isnan(values), len(names) - 1, bands)
        ]
    return groups


def group_order(contract: Contract) -> dict[str, list[str]]:
    """For each segment its groups as people list them: values as the contract has them, bands from
    the lowest up.
    """
    columns = {column.key: column for column in contract.columns}
    return {
        segment.name: [*(_bands(segment.edges) or columns[segment.column].values), _MISSING]
        for segment in contract.segments
    }


def _bands(edges: Sequence[float]) -> list[str]:
    shown = [f"{edge:g}" for edge in edges]
    inner = [f"{low} to under {high}" for low, high in itertools.pairwise(shown)]
    return [f"under {shown[0]}", *inner, f"{shown[-1]} and over"] if shown else []


def _json(value: object) -> str:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
