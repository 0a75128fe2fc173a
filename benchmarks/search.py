"""The adaptive search beside the sampled one, and both beside a boosting tuned by itself.

On each table the two searches have the policy that `sluice init` writes. The reference knows
neither contract nor policy: scikit-learn's gradient boosting, ten settings from a wide space, each
on three folds with early stopping. What counts: the adaptive search takes at most half of the fits,
the score of its winner is not lower than that of the other by more than the standard error over the
folds, and its ROC-AUC on rows that nobody has seen is at most 0.01 below the reference. A table to
standard error, JSON to standard output; exit code 1 where one of these is missed.

With `--rare`, something else: of made-up tables of 600,000 rows with 0.15 % positives, a search
looks at 100,000 rows, drawn by chance or with all of the rare class. The winners of both are fitted
to all rows and held against rows that nobody has seen. Exit code 1 where, in the mean, the latter
does not find more.

The first table is `employee_attrition.csv` of the folder that SLUICE_REAL_DATA names; it is left
out where that is not set. The others are made up here, with `--rows` times as many rows.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct

from flows.project.root import ROOT
from sluice.model.data.split import parts, row_hashes
from sluice.model.data.table import read_table, typed
from sluice.model.fit.adaptive_search import most_fits, rows_looked_at, searched
from sluice.model.fit.training import Rows, fit, fit_rows, one_thread_each
from sluice.model.fit.tuning_file import Trial, Tuning
from sluice.model.quality.statistics import average_precision, roc_auc
from sluice.policy import ADAPTIVE, FAMILIES, SAMPLED, SearchPolicy, SplitPolicy
from sluice.served.contract import load_contract
from sluice.served.encoding import encode, numeric_features

WORKERS = 2
_FORESTS = 20_000  # as `sluice init` has it
_SETTINGS, _FOLDS = 10, 3  # of the reference
_BELOW = 0.01  # of ROC-AUC, below the reference
_MANY, _FEW, _SEEDS = 600_000, 0.0015, (1, 2, 3)


@dataclass(frozen=True)
class Given:
    """A table: what is learnt from, and features and labels of rows that judge."""

    name: str
    learnt: Rows
    features: np.ndarray
    labels: np.ndarray


class Found(Struct, frozen=True):
    """What a search found: fits, seconds, the winner with its score, the standard error of that,
    and the ROC-AUC on rows that it has not seen.
    """

    fits: int
    seconds: float
    family: str
    score: float
    error: float
    roc_auc: float


class Drawing(Struct, frozen=True):
    """What a search found on rows drawn from a table with few positives: how many of these it saw,
    the standard error of its best score, and the average precision of its winner elsewhere.
    """

    seed: int
    drawn: str
    positives: int
    error: float
    average_precision: float


class Compared(Struct, frozen=True):
    """The searches on one table, and the ROC-AUC of the reference."""

    table: str
    rows: int
    positives: float
    sampled: Found
    adaptive: Found
    most: int
    reference: float

    @property
    def good(self) -> bool:
        """Whether the adaptive search keeps what it promises here."""
        worse = self.sampled.score - self.adaptive.score
        enough = worse <= max(self.sampled.error, self.adaptive.error)
        half = self.adaptive.fits <= self.most
        return enough and half and self.adaptive.roc_auc >= self.reference - _BELOW


def tables(folder: str, times: float) -> Iterator[Given]:
    """The tables, one after the other; that of real rows is in `folder`, where one is named."""
    if folder:
        yield _attrition(Path(folder) / "employee_attrition.csv")
    yield _made("1,500 rows, nearly linear", round(1_500 * times), 0.30, 0.2, 1)
    yield _made("6,000 rows, rare", round(6_000 * times), 0.05, 1.0, 2)
    yield _made("3,000 rows, columns act together", round(3_000 * times), 0.15, 2.0, 3)


def _attrition(path: Path) -> Given:
    folder = ROOT / "models" / "attrition"
    contract = load_contract((folder / "contract.toml").read_text())
    columns = typed(read_table(path.read_bytes(), contract, path.name), contract)
    labels, features = columns[contract.target.column], encode(contract, columns)
    split = SplitPolicy("attrition-2026", 0.6, 0.2, 0.2)
    rows = parts(split, row_hashes(split.salt, columns[contract.id.key]), labels)
    learnt, judged = rows["train"], rows["holdout"]
    train = Rows(features[learnt], labels[learnt], numeric_features(contract))
    return Given("attrition, real", train, features[judged], labels[judged])


def _made(name: str, rows: int, positives: float, together: float, seed: int) -> Given:
    """Ten quantities of several shapes and twelve flags; `together` is how much of the log-odds
    comes from columns that act together. As many rows judge as teach, and at least 10,000.
    """
    chance = np.random.default_rng(seed)
    every = rows + max(rows, 10_000)
    normal = chance.normal(size=(every, 6))
    skewed = chance.gamma(1.5, 1.0, size=(every, 4))
    flags = (chance.random((every, 12)) < chance.uniform(0.05, 0.6, 12)).astype(float)
    alone = normal[:, :3] @ [0.8, -0.5, 0.3] + np.log(skewed[:, 0] + 0.1) + flags[:, :4].sum(axis=1)
    joint = normal[:, 0] * normal[:, 3] + (skewed[:, 1] > 1) * (2 * flags[:, 5] - 1)
    logits = alone + together * joint
    cut = np.quantile(logits + chance.logistic(size=every), 1 - positives)
    labels = (logits + chance.logistic(size=every) > cut).astype(np.int8)
    features = np.hstack([normal, skewed, flags]).astype(np.float32)
    numeric = (True,) * 10 + (False,) * 12
    learnt = Rows(features[:rows], labels[:rows], numeric)
    return Given(name, learnt, features[rows:], labels[rows:])


def compared(given: Given, say: Callable[[str], None]) -> Compared:
    """Both searches and the reference on one table."""
    rows = len(given.learnt.labels)
    families = FAMILIES if rows <= _FORESTS else FAMILIES[:2]
    policy = SearchPolicy(16, families, 5, 20_260_101, ADAPTIVE)

    def told(trial: Trial) -> None:
        say(f"{given.name}: {trial.family} {trial.score:.4f} on {len(trial.folds)} folds")

    learnt = given.learnt
    sampled = replace(policy, method=SAMPLED)
    return Compared(
        table=given.name,
        rows=rows,
        positives=float(learnt.labels.mean()),
        adaptive=_found(given, lambda: searched(learnt, policy, told, WORKERS)),
        sampled=_found(given, lambda: searched(learnt, sampled, told, WORKERS)),
        most=most_fits(policy),
        reference=_reference(given),
    )


def _found(given: Given, work: Callable[[], Tuning]) -> Found:
    began = time.process_time()
    tuning = work()
    spent = time.process_time() - began
    winner, learnt = tuning.winner, given.learnt
    model = fit(winner.family, winner.parameters, learnt.features, learnt.labels, learnt.numeric)
    return Found(
        fits=tuning.fits,
        seconds=spent,
        family=winner.family,
        score=winner.score,
        error=float(winner.std / (len(winner.folds) - 1) ** 0.5),
        roc_auc=roc_auc(given.labels, model.predict_proba(given.features)[:, 1]),
    )


def _reference(given: Given) -> float:
    """The ROC-AUC of a gradient boosting that is tuned without Sluice."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import RandomizedSearchCV

    space = {
        "learning_rate": np.geomspace(0.02, 0.3, 30),
        "max_leaf_nodes": [3, 4, 6, 8, 12, 16, 24, 31, 48, 63],
        "min_samples_leaf": [5, 10, 20, 40, 80, 160],
        "l2_regularization": np.geomspace(0.01, 30, 30),
        "max_features": [0.3, 0.5, 0.7, 1.0],
    }
    model = HistGradientBoostingClassifier(max_iter=300, early_stopping=True, random_state=0)
    tuned = RandomizedSearchCV(
        model, space, n_iter=_SETTINGS, scoring="roc_auc", cv=_FOLDS, random_state=0, n_jobs=1
    )
    with one_thread_each():
        tuned.fit(given.learnt.features, given.learnt.labels)
    return roc_auc(given.labels, tuned.predict_proba(given.features)[:, 1])


def drawings(seed: int) -> Iterator[Drawing]:
    """Both ways to draw the rows of a search, on one table."""
    given = _made("600,000 rows, few positives", _MANY, _FEW, 1.0, seed)
    learnt = given.learnt
    policy = SearchPolicy(16, FAMILIES[:2], 5, seed, ADAPTIVE)
    for name, positive in (("by chance", None), ("rare class kept", learnt.labels == 1)):
        drawn = rows_looked_at(_MANY, seed, positive)
        assert drawn is not None
        seen = replace(
            learnt,
            features=learnt.features[drawn.places],
            labels=learnt.labels[drawn.places],
            drawn_from=drawn.counted,
        )
        winner = searched(seen, policy, lambda _: None, WORKERS).winner
        with one_thread_each():
            model = fit_rows(winner.family, winner.parameters, learnt)
        scores = model.predict_proba(given.features)[:, 1]
        yield Drawing(
            seed=seed,
            drawn=name,
            positives=int(seen.labels.sum()),
            error=float(winner.std / (len(winner.folds) - 1) ** 0.5),
            average_precision=average_precision(given.labels, scores),
        )


def table_of_drawings(found: list[Drawing]) -> str:
    """What was measured, in Markdown."""
    lines = [
        "| table | rows drawn | positives seen | standard error | average precision |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {one.seed} | {one.drawn} | {one.positives:,} | {one.error:.4f} |"
        f" {one.average_precision:.4f} |"
        for one in found
    ]
    return "\n".join(lines)


def rare() -> int:
    """Measure and print; 1 where keeping the rare class does not find more, in the mean."""
    found: list[Drawing] = []
    for seed in _SEEDS:
        for one in drawings(seed):
            found.append(one)
            print(table_of_drawings([one]), file=sys.stderr, flush=True)
    print(table_of_drawings(found), file=sys.stderr)
    print(json.dumps(msgspec.to_builtins(found), indent=1))
    by_chance = sum(one.average_precision for one in found[::2])
    kept = sum(one.average_precision for one in found[1::2])
    return 0 if kept > by_chance else 1


def table(found: list[Compared]) -> str:
    """What was measured, in Markdown."""
    lines = [
        "| table | positives | search | fits | processor time | winner | score | ROC-AUC |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in found:
        for name, of in (("sampled", one.sampled), ("adaptive", one.adaptive)):
            lines.append(
                f"| {one.table} | {one.positives:.0%} | {name} | {of.fits} | {of.seconds:.0f} s |"
                f" {of.family.replace('_', ' ')} | {of.score:.4f} ± {of.error:.4f} |"
                f" {of.roc_auc:.4f} |"
            )
        lines.append(f"| {one.table} | | reference | | | | | {one.reference:.4f} |")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Measure and print; 1 where a promise is missed on a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search")
    parser.add_argument("--rows", type=float, default=1.0, help="times the rows of made-up tables")
    parser.add_argument("--rare", action="store_true", help="how rows with few positives are drawn")
    given = parser.parse_args(arguments)
    if given.rare:
        return rare()
    found: list[Compared] = []
    for one in tables(os.environ.get("SLUICE_REAL_DATA", ""), given.rows):
        found.append(compared(one, lambda text: print(f"  {text}", file=sys.stderr)))
        print(table(found[-1:]), file=sys.stderr, flush=True)
    print(table(found), file=sys.stderr)
    print(json.dumps(msgspec.to_builtins(found), indent=1))
    return 0 if all(one.good for one in found) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
