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
from sluice.model.classes.one_column import best as best_of_classes
from sluice.model.data.split import PARTS
from sluice.model.data.table import from_parquet, to_parquet
from sluice.model.fit.conversion import scores_of
from sluice.model.number.one_column import best as best_of_number
from sluice.model.quality import one_column
from sluice.policy import load_policy
from sluice.served.encoding import encode, feature_names
from sluice.served.scoring import load_model

# A model is needed, and not a good one.
_QUICK = {"trials": 1, "folds": 3}
_LINE, _LINE_OF_NUMBER = "logistic_regression", "linear_regression"
_QUICKLY = {"learning_rate": 0.2, "iterations": 60, "leaves": 8, "smallest_leaf": 50, "l2": 1.0}
_ROWS = 12_000  # training rows that stand for all of them


@dataclass(frozen=True)
class Ground:
    """The real candidate; the home of its request is a scratch folder.

    Scores are probabilities of the positive class, shape (rows,); of several classes those of each,
    shape (rows, classes); of a number the answers in its unit. The candidate has fewer training
    rows than it was trained on; `split` has all of them.
    """

    candidate: Candidate
    split: Result[SplitRows]

    @property
    def unshortened(self) -> "Ground":
        """The same with all training rows: what is sealed is worked out anew from all of them."""
        return replace(self, candidate=replace(self.candidate, split=self.split))

    @property
    def request(self) -> Request:
        """The request; when it is drilled, its floors are ones that the real model clears."""
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
        """The labels of each part, 1 for a positive; of several classes the place of one, of a
        number the outcome in its unit. Shape (rows,).
        """
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

    @property
    def weights(self) -> tuple[float, ...]:
        """By what the probability of each class is taken, where there are several; else none."""
        return load_model(self.artifact).weights

    @cached_property
    def scores(self) -> np.ndarray:
        """The scores of the real model on the validation rows."""
        return self.score(self.model)

    @cached_property
    def holdout_scores(self) -> np.ndarray:
        """The scores of the real model on the holdout."""
        return self.score_features(self.model, self.matrices.holdout)

    @cached_property
    def best_column(self) -> str:
        """The key of the column that says most about the target by itself."""
        contract = self.request.contract
        best = best_of_classes if contract.target.several else one_column.best
        if contract.target.quantity:
            best = best_of_number
        name, _ = best(contract, self.rows.train, self.labels.train, self.rows.holdout)
        return next(column.key for column in contract.features if column.name == name)

    @cached_property
    def whole(self) -> np.ndarray:
        """A different whole number for each feature that holds whole numbers, 0 for the others."""
        matrix = self.matrices.validation
        weights = np.arange(3, 3 + 4 * matrix.shape[1], 4)
        return np.where((matrix % 1 == 0).all(axis=0), weights, 0)

    def score(self, model: bytes) -> np.ndarray:
        """The scores of a model on the validation rows."""
        return self.score_features(model, self.matrices.validation)

    def score_features(self, model: bytes, matrix: np.ndarray) -> np.ndarray:
        """The scores of a model on these features."""
        return scores_of(model, matrix, self.request.contract.target.quantity)

    def flagging(self, model: bytes, share: float) -> float:
        """The threshold at which a model flags this share of the validation rows."""
        return float(np.quantile(self.score(model), 1 - share))

    def fitted(self, features: np.ndarray, labels: np.ndarray, **parameters: int) -> bytes:
        """An ONNX model of these rows that trains in a second."""
        from sluice.model.fit.conversion import convert
        from sluice.model.fit.training import fit

        quantity = self.request.contract.target.quantity
        taught = quantity.shares(labels) if quantity else labels
        estimator = fit("gradient_boosting", {**_QUICKLY, **parameters}, features, taught, ())
        return convert(estimator, features.shape[1], quantity)

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


def real(request: Request, scratch: Path, say: Callable[[str], None] = lambda _: None) -> Ground:
    """Take what a release of these very data did, or do it quickly in the scratch folder.

    Its limits are those of the policy, which the model may not clear. Raises what a step raises.
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
    return Ground(candidate, split)


def _released(request: Request) -> Candidate | None:
    """The candidate of a release of these data; None where a step was never done."""
    try:
        return pipeline.train(request, LookUp(request))
    except Missing:
        return None


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
    family = _LINE_OF_NUMBER if request.contract.target.quantity else _LINE
    document["search"] |= {**_QUICK, "families": [family]}
    text = tomli_w.dumps(document)
    return replace(request, policy=load_policy(text), policy_text=text)
