"""What every drill starts from: the real data and one real model, both left untouched."""

import math
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import tomli_w

from flows.drills.gate.kept import kept
from flows.drills.gate.parts import Columns, Parts
from flows.engine.perform import Plainly
from flows.engine.phases import Candidate
from flows.engine.request import Request
from flows.engine.store import Result
from flows.facts.split_rows import SplitRows
from flows.facts.step_files import MODEL
from flows.orchestration import pipeline
from flows.orchestration.plan import LookUp, Missing
from flows.steps.split import SPLIT
from sluice.gate.travelling import brier_skill
from sluice.model.data.split import GROUP, PARTS
from sluice.model.data.table import from_parquet, to_parquet
from sluice.model.quality import one_column
from sluice.model.quality.clusters import numbered, of_share
from sluice.model.quality.metrics import confusion
from sluice.model.quality.statistics import wilson_low
from sluice.policy import FIGURES, GatePolicy, load_policy
from sluice.served.encoding import encode, feature_names
from sluice.served.scoring import open_session, score_matrix

# A model is needed, and not a good one.
_QUICK = {"trials": 1, "families": ["logistic_regression"], "folds": 3}
_QUICKLY = {"learning_rate": 0.2, "iterations": 60, "leaves": 8, "smallest_leaf": 50, "l2": 1.0}
# How far a floor lies below what the model reaches, so that a fault of the rows does not cross it.
_ROOM = 0.005
_BEYOND = 0.999  # a floor that no model clears
_ROWS = 12_000  # training rows that stand for all of them


@dataclass(frozen=True)
class Ground:
    """The real candidate; the home of its request is a scratch folder.

    The candidate has fewer training rows than it was trained on; `split` has all of them.
    """

    candidate: Candidate
    split: Result[SplitRows]

    @property
    def unshortened(self) -> "Ground":
        """The same with all training rows: what is sealed is worked out anew from all of them."""
        return replace(self, candidate=replace(self.candidate, split=self.split))

    @property
    def request(self) -> Request:
        """The request, with floors that the real model clears."""
        return self.candidate.request

    @cached_property
    def rows(self) -> Parts[Columns]:
        """The columns of each part of the split."""
        split = self.candidate.split
        return Parts(*(from_parquet(split.read(f"{part}.parquet")) for part in PARTS))

    @cached_property
    def matrices(self) -> Parts[np.ndarray]:
        """The features of each part; shape (rows, features)."""
        return self.rows.each(lambda columns: encode(self.request.contract, columns))

    @cached_property
    def labels(self) -> Parts[np.ndarray]:
        """The labels of each part, 1 for a positive; shape (rows,)."""
        target = self.request.contract.target.column
        return self.rows.each(lambda columns: columns[target])

    @property
    def artifact(self) -> Path:
        """The folder of the real model's artifact."""
        return self.candidate.trained.folder / MODEL

    @cached_property
    def model(self) -> bytes:
        """The ONNX bytes of the real model."""
        return (self.artifact / "model.onnx").read_bytes()

    @property
    def threshold(self) -> float:
        """The score from which the real model flags a row."""
        threshold = self.candidate.trained.facts.threshold
        return math.nan if threshold is None else threshold

    @cached_property
    def scores(self) -> np.ndarray:
        """The scores of the real model on the validation rows; shape (rows,)."""
        return self.score(self.model)

    @cached_property
    def holdout_scores(self) -> np.ndarray:
        """The scores of the real model on the holdout; shape (rows,)."""
        return self.score_features(self.model, self.matrices.holdout)

    @cached_property
    def best_column(self) -> str:
        """The key of the column that says most about the target by itself."""
        contract = self.request.contract
        name, _ = one_column.best(contract, self.rows.train, self.labels.train, self.rows.holdout)
        return next(column.key for column in contract.features if column.name == name)

    @cached_property
    def whole(self) -> np.ndarray:
        """A different whole number for each feature that holds whole numbers, 0 for the others."""
        matrix = self.matrices.validation
        weights = np.arange(3, 3 + 4 * matrix.shape[1], 4)
        return np.where((matrix % 1 == 0).all(axis=0), weights, 0)

    def score(self, model: bytes) -> np.ndarray:
        """The scores of a model on the validation rows; shape (rows,)."""
        return self.score_features(model, self.matrices.validation)

    def score_features(self, model: bytes, matrix: np.ndarray) -> np.ndarray:
        """The scores of a model on these features; shape (rows,)."""
        return score_matrix(open_session(model), matrix)

    def flagging(self, model: bytes, share: float) -> float:
        """The threshold at which a model flags this share of the validation rows."""
        return float(np.quantile(self.score(model), 1 - share))

    def fitted(self, features: np.ndarray, labels: np.ndarray, **parameters: int) -> bytes:
        """An ONNX model of these rows that trains in a second."""
        from sluice.model.fit.conversion import convert
        from sluice.model.fit.training import fit

        estimator = fit("gradient_boosting", {**_QUICKLY, **parameters}, features, labels, ())
        return convert(estimator, features.shape[1])

    def columns_of(self, key: str) -> list[int]:
        """The places of a column in the matrix of features; of a date what is made of it alone."""
        contract = self.request.contract
        own = {key, f"{key} is missing"}
        column = contract.find(key)
        if column is not None and column.kind == "date":
            own |= {one.name for one in contract.derived if one.expression.keys == (key,)}
        return [
            place
            for place, name in enumerate(feature_names(contract))
            if name in own or name.startswith(f"{key}=")
        ]


def prepare(request: Request, scratch: Path, say: Callable[[str], None] = lambda _: None) -> Ground:
    """Take what a release of these very data did, or do it quickly in the scratch folder.

    Raises what a step raises.
    """
    settings = request.settings.model_copy(update={"home": scratch})
    away = replace(request, settings=settings, live=None)
    candidate = _released(request)
    if candidate is None:
        say("no release of these data yet: training a small model first")
        away = _with_quick_search(away)
        candidate = pipeline.train(away, Plainly(scratch, away.model))
    split = candidate.split
    candidate = replace(candidate, request=away, split=_shortened(away, split))
    return _cleared(Ground(candidate, split), say)


def _released(request: Request) -> Candidate | None:
    """The candidate of a release of these data; None where a step was never done."""
    try:
        return pipeline.train(request, LookUp(request))
    except Missing:
        return None


def _cleared(ground: Ground, say: Callable[[str], None]) -> Ground:
    """The ground with floors that its model clears as a first release must.

    Behind a floor that is missed already no other fault shows.
    """
    request = ground.request
    gate = _in_floors(request.policy.gate)
    floors: dict[str, float] = {}
    for name, reached in _reached(ground).items():
        floors[name] = min(getattr(gate, name), max(reached - _ROOM, _ROOM))
    lowered = [name for name, floor in floors.items() if floor < getattr(gate, name)]
    if lowered:
        say(f"the model does not clear {' and '.join(lowered)} well enough: lowered for the drill")
    within_reach = replace(
        gate,
        recall_floor=floors["recall_floor"],
        precision_floor=floors["precision_floor"],
        lift_floor=floors["lift_floor"],
        brier_skill_floor=floors["brier_skill_floor"],
    )
    policy = replace(request.policy, gate=within_reach)
    candidate = replace(ground.candidate, request=replace(request, policy=policy))
    return replace(ground, candidate=candidate)


def _in_floors(gate: GatePolicy) -> GatePolicy:
    """The gate with floors alone, out of any model's reach where it states costs in their place:
    they are lowered to what the model clears. Drills of the costs state theirs themselves.
    """
    gate = replace(gate, told=FIGURES)  # a HOLD may then replace a champion, which is drilled too
    if not gate.costed:
        return gate
    return replace(
        gate,
        cost_of_a_miss=0.0,
        cost_of_a_false_alarm=0.0,
        recall_floor=gate.recall_floor or _BEYOND,
        precision_floor=gate.precision_floor or _BEYOND,
    )


def _reached(ground: Ground) -> dict[str, float]:
    """What the real model is sure to reach on the holdout, for each floor of the policy."""
    labels, level = ground.labels.holdout, ground.request.policy.gate.level
    counts = confusion(labels, ground.holdout_scores >= ground.threshold)
    clusters = numbered(ground.rows.holdout.get(GROUP))
    flagged, positive = ground.holdout_scores >= ground.threshold, labels == 1
    designs = of_share(positive, flagged, clusters), of_share(flagged, positive, clusters)
    precision = wilson_low(counts.true_positive, counts.flagged, level, designs[0])
    return {
        "recall_floor": wilson_low(counts.true_positive, counts.positives, level, designs[1]),
        "precision_floor": precision,
        # A tenth of room, because the prevalence has a chance of its own.
        "lift_floor": 0.9 * precision / float(labels.mean()),
        "brier_skill_floor": brier_skill(labels, ground.holdout_scores, level, clusters).low,
    }


def _shortened(request: Request, split: Result[SplitRows]) -> Result[SplitRows]:
    """The split with fewer training rows: every drill reads them, and few learn from them."""

    def work(folder: Path) -> SplitRows:
        for part in PARTS:
            content = split.read(f"{part}.parquet")
            if part == "train":
                rows = from_parquet(content)
                content = to_parquet({name: values[:_ROWS] for name, values in rows.items()})
            (folder / f"{part}.parquet").write_bytes(content)
        return split.facts

    return kept(request.settings.home, SPLIT, "shortened", work)


def _with_quick_search(request: Request) -> Request:
    """The request with a search that takes seconds."""
    document = tomllib.loads(request.policy_text)
    document["search"] |= _QUICK
    text = tomli_w.dumps(document)
    return replace(request, policy=load_policy(text), policy_text=text)
