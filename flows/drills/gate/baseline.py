"""What every drill starts from: the real data, the steps done on it, and one real model, all left
untouched.
"""

import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from flows.engine import step as engine
from flows.engine import store
from flows.engine.run import Run
from flows.engine.store import Result
from flows.steps import split, train, tune, validate
from sluice.model import one_column
from sluice.model.metrics import confusion
from sluice.model.statistics import wilson_low
from sluice.model.table import from_parquet, to_parquet
from sluice.policy import load_policy
from sluice.served.encoding import encode, feature_names
from sluice.served.scoring import open_session, score_matrix

Columns = dict[str, np.ndarray]
_STEPS = (validate, split, tune, train)
# it has to be a model, and no good one
_QUICK = {"trials": 1, "families": ["logistic_regression"], "folds": 3}
_QUICKLY = {"learning_rate": 0.2, "iterations": 60, "leaves": 8, "smallest_leaf": 50, "l2": 1.0}
# how far a floor lies below what the model reaches, so that a fault of the rows does not cross it
_ROOM = 0.005
_ROWS = 12_000  # training rows that stand for all of them


@dataclass(frozen=True)
class Ground:
    """A run whose home is a scratch folder, and what its first four steps put out."""

    run: Run
    done: Mapping[str, Result]

    @cached_property
    def rows(self) -> dict[str, Columns]:
        """The columns of each part of the split."""
        folder = self.done["split"].folder
        return {
            part: from_parquet((folder / f"{part}.parquet").read_bytes())
            for part in ("train", "validation", "holdout")
        }

    @cached_property
    def matrices(self) -> dict[str, np.ndarray]:
        """The features of each part."""
        return {part: encode(self.run.contract, columns) for part, columns in self.rows.items()}

    @cached_property
    def labels(self) -> dict[str, np.ndarray]:
        """The labels of each part."""
        return {
            part: columns[self.run.contract.target.column] for part, columns in self.rows.items()
        }

    @cached_property
    def artifact(self) -> Path:
        """The real model."""
        return self.done["train"].folder / "model"

    @cached_property
    def model(self) -> bytes:
        """Its ONNX bytes."""
        return (self.artifact / "model.onnx").read_bytes()

    @cached_property
    def threshold(self) -> float:
        """Where it is cut."""
        return float(self.done["train"].facts["threshold"])

    @cached_property
    def scores(self) -> np.ndarray:
        """Its scores on the validation rows."""
        return self.score(self.model)

    @cached_property
    def tuning(self) -> dict[str, Any]:
        """How its parameters were found."""
        found: dict[str, Any] = json.loads(
            (self.done["tune"].folder / "tuning.json").read_text(encoding="utf-8")
        )
        return found

    @cached_property
    def best_column(self) -> str:
        """The key of the column that says most by itself."""
        name, _ = one_column.best(
            self.run.contract, self.rows["train"], self.labels["train"], self.rows["holdout"]
        )
        return next(column.key for column in self.run.contract.features if column.name == name)

    @cached_property
    def whole(self) -> np.ndarray:
        """A different whole number for each place of the matrix that holds whole numbers, 0 for the
        others.
        """
        weights = np.arange(3, 3 + 4 * self.matrices["validation"].shape[1], 4)
        return np.where((self.matrices["validation"] % 1 == 0).all(axis=0), weights, 0)

    def score(
        self, model: bytes, part: str = "validation", matrix: np.ndarray | None = None
    ) -> np.ndarray:
        """The scores of a model on a part of the rows."""
        return score_matrix(open_session(model), self.matrices[part] if matrix is None else matrix)

    def flagging(self, model: bytes, share: float) -> float:
        """The threshold at which a model flags this share of the validation rows."""
        return float(np.quantile(self.score(model), 1 - share))

    def fitted(self, features: np.ndarray, labels: np.ndarray, **parameters: int) -> bytes:
        """A model of these rows, quickly made."""
        from sluice.model.conversion import convert
        from sluice.model.training import fit

        estimator = fit("gradient_boosting", {**_QUICKLY, **parameters}, features, labels, ())
        return convert(estimator, features.shape[1])

    def columns_of(self, key: str) -> list[int]:
        """The places of a column in the matrix."""
        names = feature_names(self.run.contract)
        return [
            place for place, name in enumerate(names) if name == key or name.startswith(f"{key}=")
        ]


def prepare(run: Run, scratch: Path, say: Callable[[str], None] = lambda _: None) -> Ground:
    """Take what a release of these very data did, or do it quickly in the scratch folder. Raises
    what a step raises.
    """
    done: dict[str, Result] = {}
    found = [result for step in _STEPS if (result := _lookup(step, run, done))]
    away = replace(run, settings=run.settings.model_copy(update={"home": scratch}), live=None)
    if len(found) < len(_STEPS):
        say("no release of these data yet: training a small model first")
        away, done = _quick(away), {}
        for step in _STEPS:
            engine.perform(step, away, done)
    ground = Ground(away, {**done, "split": _shortened(away, done["split"])})
    return replace(ground, run=_cleared(ground, say))


def _cleared(ground: Ground, say: Callable[[str], None]) -> Run:
    """The run with floors that its model clears as a first release must: behind a broken one
    nothing else shows.
    """
    run, labels = ground.run, ground.labels["holdout"]
    counts = confusion(labels, ground.score(ground.model, "holdout") >= ground.threshold)
    hit, gate = counts["true_positive"], run.policy.gate
    of = {
        "recall_floor": hit + counts["false_negative"],
        "precision_floor": hit + counts["false_positive"],
    }
    reached = {name: wilson_low(hit, rows, gate.level) - _ROOM for name, rows in of.items()}
    missed: dict[str, Any] = {
        name: max(low, _ROOM) for name, low in reached.items() if low < getattr(gate, name)
    }
    if missed:
        say(f"the model does not clear {' and '.join(missed)} well enough: lowered for the drill")
    return replace(run, policy=replace(run.policy, gate=replace(gate, **missed)))


def _shortened(run: Run, result: Result) -> Result:
    """The split with fewer training rows: they are looked at in every drill, and learnt from in
    few.
    """

    def work(folder: Path) -> Mapping[str, Any]:
        for part in ("train", "validation", "holdout"):
            content = (result.folder / f"{part}.parquet").read_bytes()
            if part == "train":
                content = to_parquet(
                    {name: values[:_ROWS] for name, values in from_parquet(content).items()}
                )
            (folder / f"{part}.parquet").write_bytes(content)
        return result.facts

    return store.keep(run.settings.home, "split", {}, "shortened", work)


def _lookup(step: Any, run: Run, done: dict[str, Result]) -> Result | None:
    """What a step put out, if all before it were found."""
    if len(done) != _STEPS.index(step):
        return None
    result = engine.lookup(step, run, done)
    if result:
        done[step.NAME] = result
    return result


def _quick(run: Run) -> Run:
    """The run with a search that takes seconds."""
    document = tomllib.loads(run.policy_text)
    document["search"] |= _QUICK
    text = tomli_w.dumps(document)
    return replace(run, policy=load_policy(text), policy_text=text)
