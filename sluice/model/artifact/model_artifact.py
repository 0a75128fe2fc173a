"""The model artifact: a folder that stands alone, without rows and without a verdict."""

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import tomli_w
from msgspec import UNSET, Struct, UnsetType

from sluice.errors import Refused, SluiceError
from sluice.model.artifact.reference import Reference
from sluice.model.classes.metrics_file import TrainedClassMetrics
from sluice.model.fit.conversion import TOLERANCE
from sluice.model.json_file import read_json
from sluice.model.number.metrics_file import TrainedNumberMetrics
from sluice.model.quality.metrics_file import TrainedMetrics
from sluice.number_policy import BINS
from sluice.number_policy import TABLE as NUMBER
from sluice.served.classes import chosen
from sluice.served.contract import Column, Contract
from sluice.served.days import written
from sluice.served.encoding import read_records
from sluice.served.scoring import Model, load_model
from sluice.toml_text import read_toml

FILES = (
    "model.onnx",
    "contract.toml",
    "policy.toml",
    "reference.json",
    "metrics.json",
    "card.md",
    "golden.json",
)
GOLDEN = "golden.json"
_GOLDEN_ROWS = 50
_MISSING = "missing"  # the group of the rows whose value is missing
# Golden scores keep this distance from the threshold, so that their answers cannot differ.
_CLEAR = 1e-4
_LEFT_OUT = 0.125  # of the values of a column that may be missing


@dataclass(frozen=True)
class Parts:
    """What an artifact is made of: the ONNX model, the texts of contract and policy, the threshold
    that it ships with, what its training rows looked like, what was measured, and its card. A model
    of several classes ships no threshold; one of a number has none either, and ships `bins`, the
    inner limits of the histogram of its answers.
    """

    model: bytes
    contract: str
    policy: str
    threshold: float | None
    reference: Reference
    metrics: TrainedMetrics | TrainedClassMetrics | TrainedNumberMetrics
    card: str
    bins: tuple[float, ...] = ()


class Golden(Struct, frozen=True, kw_only=True):
    """golden.json: records of no real person, with the scores they must get, in the same order.

    Of a model of several classes a score is the probability of each; it has `weights` in place of a
    threshold. Of a number a score is the answer, and `tolerance`, in its unit, is how far two of
    one model to one row may lie apart.
    """

    schema: int = 1
    threshold: float | None
    records: tuple[dict[str, float | int | str | None], ...]
    scores: tuple[float | tuple[float, ...], ...]
    weights: tuple[float, ...] | UnsetType = UNSET
    tolerance: float | UnsetType = UNSET

    @property
    def allowed(self) -> float:
        """How far two scores of one row may lie apart."""
        return TOLERANCE if isinstance(self.tolerance, UnsetType) else self.tolerance

    def answers(self, scores: np.ndarray) -> np.ndarray:
        """What is answered at these scores, of shape (rows,) or (rows, classes); of a number
        nothing is decided there.
        """
        if not isinstance(self.tolerance, UnsetType):
            return np.zeros(len(scores))
        if isinstance(self.weights, UnsetType):
            return np.asarray(scores >= self.threshold)
        return chosen(scores, self.weights)


def write(folder: Path, parts: Parts) -> Model:
    """Write the artifact into an existing empty folder and load it back.

    Equal parts give equal bytes. Raises Refused where no golden records can be made.
    """
    (folder / "model.onnx").write_bytes(parts.model)
    (folder / "contract.toml").write_text(parts.contract, encoding="utf-8")
    policy = shipped_policy(parts.policy, parts.threshold, parts.bins)
    (folder / "policy.toml").write_text(policy, encoding="utf-8")
    (folder / "reference.json").write_text(_json(parts.reference), encoding="utf-8")
    (folder / "metrics.json").write_text(_json(parts.metrics), encoding="utf-8")
    (folder / "card.md").write_text(parts.card, encoding="utf-8")
    model = load_model(folder)
    (folder / GOLDEN).write_text(_json(golden(model)), encoding="utf-8")
    return model


def shipped_policy(text: str, threshold: float | None, bins: tuple[float, ...] = ()) -> str:
    """The text of a policy as it travels with a model: with the threshold, or with the bins of
    its answers, where it has them.
    """
    policy = read_toml(text, "policy.toml")
    if bins:
        policy[NUMBER][BINS] = list(bins)
    if threshold is not None:
        policy["operating_point"]["threshold"] = threshold
    return tomli_w.dumps(policy)


def golden(model: Model, count: int = _GOLDEN_ROWS, seed: int = 7) -> Golden:
    """Records made from the contract, of no real person, with their scores.

    Raises Refused where too few scores keep clear of the threshold, or of a tie of two classes.
    """
    random = np.random.PCG64(seed)
    records: list[dict[str, float | int | str | None]] = []
    scores: list[float | tuple[float, ...]] = []
    for _ in range(100 * count):
        record = {column.key: _draw(column, random) for column in model.contract.features}
        score = model.score_records([record])[0]
        if _is_clear(model, score):
            records.append(record)
            scores.append(tuple(score.tolist()) if model.weights else float(score))
        if len(records) == count:
            return _golden(model, records, scores)
    if model.weights:
        raise Refused(
            "two classes are as probable as each other in every golden record; one that is more so"
            " is required",
            "The model is too weak: look at the data.",
        )
    if model.contract.target.quantity:
        raise Refused(
            "the model answers no golden record with a number; at least one answer is required",
            "The model is broken: look at the data.",
        )
    raise Refused(
        f"every golden score is at the threshold, {model.threshold:.6g}; a distance of"
        f" {_CLEAR:g} is required",
        "The model is too weak: look at the data.",
    )


def _golden(
    model: Model,
    records: Sequence[dict[str, float | int | str | None]],
    scores: Sequence[float | tuple[float, ...]],
) -> Golden:
    quantity = model.contract.target.quantity
    if quantity:
        return Golden(
            threshold=None,
            records=tuple(records),
            scores=tuple(scores),
            tolerance=quantity.tolerance,
        )
    if model.weights:
        return Golden(
            threshold=None, records=tuple(records), scores=tuple(scores), weights=model.weights
        )
    return Golden(threshold=model.threshold, records=tuple(records), scores=tuple(scores))


def _is_clear(model: Model, score: np.ndarray) -> bool:
    """Whether the answer at this score cannot be another one by rounding; a number may be, and has
    to be one.
    """
    if model.contract.target.quantity:
        return bool(np.isfinite(score))
    if not model.weights:
        return bool(abs(score - model.threshold) > _CLEAR)
    second, first = np.sort(score * np.asarray(model.weights))[-2:]
    return bool(first - second > _CLEAR)


def _draw(column: Column, random: np.random.PCG64) -> float | int | str | None:
    """A value that the contract allows, drawn from the bits of the generator.

    The bits are the same with every version of numpy; what numpy makes of them need not be.
    """
    share = int(random.random_raw()) / 2.0**64
    if column.kept:
        if share < _LEFT_OUT:
            return None
        share = (share - _LEFT_OUT) / (1.0 - _LEFT_OUT)
    if not column.numeric:
        return column.values[int(share * len(column.values))]
    low, high = float(column.minimum or 0), float(column.maximum or 0)
    # Squared: small values are the common ones in counts, years and incomes.
    value = low + share * share * (high - low)
    if column.kind == "date":
        return written(value)
    if column.kind == "integer":
        return int(value)
    return min(max(round(value, 3), low), high)


def check_golden(folder: Path) -> float:
    """Score the golden records of an artifact anew; the largest difference.

    Raises SluiceError beyond 1e-6.
    """
    model = load_model(folder)
    expected = load_golden(folder)
    return compare_golden(expected, model.score(read_records(model.contract, expected.records)))


def load_golden(folder: Path) -> Golden:
    """The golden records of an artifact. Raises Unreadable where they do not follow the schema."""
    return read_json((folder / GOLDEN).read_bytes(), Golden, GOLDEN)


def read_golden(folder: Path) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The golden records of an artifact as columns, and their scores as they were written, shape
    (rows,).
    """
    expected = load_golden(folder)
    columns = read_records(load_model(folder).contract, expected.records)
    return columns, np.asarray(expected.scores)


def compare_golden(golden: Golden, scores: np.ndarray) -> float:
    """The largest difference of these scores, shape (rows,) or (rows, classes), from the golden
    ones.

    Raises SluiceError where one differs by more than 1e-6, or of a number by more than its
    tolerance, or an answer at the threshold differs.
    """
    expected = np.asarray(golden.scores)
    worst = float("inf")
    if scores.shape == expected.shape and len(expected) > 0:
        worst = float(np.abs(scores - expected).max())
    allowed = golden.allowed
    if not worst <= allowed or (golden.answers(scores) != golden.answers(expected)).any():
        raise SluiceError(
            f"golden records: the scores differ by {worst:.3g}; at most {allowed:g} is allowed",
            "What answered is not the model that was trained; build the image anew from this"
            " artifact.",
        )
    return worst


def segment_groups(contract: Contract, columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """For each segment of the contract the group of every row, as texts, shape (rows,)."""
    groups: dict[str, np.ndarray] = {}
    for segment in contract.segments:
        values = columns[segment.column]
        if segment.edges:
            groups[segment.name] = _banded(segment.edges, values)
        else:
            texts = [_MISSING if value is None else value for value in values]
            groups[segment.name] = np.array(texts, dtype=object)
    return groups


def _banded(edges: Sequence[float], values: np.ndarray) -> np.ndarray:
    """The name of the band that each number lies in."""
    names = np.array([*_bands(edges), _MISSING], dtype=object)
    bands = np.searchsorted(edges, values, side="right")
    return np.asarray(names[np.where(np.isnan(values), len(names) - 1, bands)])


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
    """The names of the bands between these edges, from the lowest up; none without edges."""
    if not edges:
        return []
    shown = [f"{edge:g}" for edge in edges]
    inner = [f"{low} to under {high}" for low, high in itertools.pairwise(shown)]
    return [f"under {shown[0]}", *inner, f"{shown[-1]} and over"]


def _json(document: Struct | Reference) -> str:
    """The text of a file of the artifact: equal documents give equal bytes."""
    values = msgspec.to_builtins(document)
    text = json.dumps(values, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return f"{text}\n"
