"""What `init` proposes beside a tuned gradient boosting that knows no contract, on strange tables.

    PYTHONPATH=tests:. python -m benchmarks.tables.quality [NAME ...]

Each made-up table has 20,000 rows: a fifth of them teach, as of a table of 6,700, and three
quarters judge, so that chance moves a difference little. One side is contract and policy of `init
--yes`: its search, and its winner fitted. The other is scikit-learn's gradient boosting with 40
settings drawn by lot, each cross-validated on the same rows: it takes every column that is neither
protected nor said to be a leak, texts as categories and days as numbers. What counts is ROC-AUC on
the rows that judge, of several classes the mean over these; `init` may be below by 0.01. A table to
standard error, JSON to standard output; exit code 1 where it is further below.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import msgspec
import numpy as np
import pandas as pd
from msgspec import Struct
from support import checked_pumps, parcels  # type: ignore[import-not-found]  # below tests/

from benchmarks.tables.__main__ import TABLES
from sluice.draft.drafting import Draft, draft
from sluice.draft.proposals import Choices, numbers_of
from sluice.draft.sniffing import sniff
from sluice.model.classes.ranking import of_each_class, ranked
from sluice.model.data.split import deciding, parts, parts_by_time, row_hashes
from sluice.model.data.table import read_table, typed
from sluice.model.data.times import TIME
from sluice.model.fit.adaptive_search import searched
from sluice.model.fit.coding import coding_of
from sluice.model.fit.monotone import directions
from sluice.model.fit.training import Rows, fit_rows, folds_of, one_thread_each, row_weights
from sluice.model.quality.statistics import roc_auc
from sluice.policy import load_policy
from sluice.served.contract import Contract, load_contract
from sluice.served.encoding import Columns, encode, numeric_features

ROWS, TEACH, VALIDATE = 20_000, 0.2, 0.05
BELOW = 0.01  # of ROC-AUC, that `init` may be below the other
SETTINGS, FOLDS = 40, 3  # of the other
_MOST_CATEGORIES = 200
_READ = 0.95  # of the cells that have to be numbers or days, for the column to be these
_DRAWS = 200  # of the rows that judge
_LEFT_OUT = ("id", "group", "target", "protected", "weight")
_CLASSES: dict[str, Callable[[int], bytes]] = {
    "pumps": checked_pumps.table,
    "parcels": parcels.to_csv,
}


class Compared(Struct, frozen=True):
    """Both on one table: rows that teach and that judge, the family that won, ROC-AUC of each, and
    the standard error of their difference over draws of the rows that judge.
    """

    table: str
    teach: int
    judge: int
    family: str
    proposed: float
    reference: float
    error: float
    seconds: float

    @property
    def good(self) -> bool:
        """Whether what is proposed is as good, within the bound."""
        return self.proposed >= self.reference - BELOW


@dataclass(frozen=True)
class Given:
    """A table that was drafted: contract, typed columns, the cells as texts, and the places of the
    rows that teach and that judge.
    """

    drafted: Draft
    contract: Contract
    columns: Columns
    frame: pd.DataFrame
    teach: np.ndarray
    judge: np.ndarray

    @property
    def labels(self) -> np.ndarray:
        """What became of each row."""
        return self.columns[self.contract.target.column]

    @property
    def groups(self) -> np.ndarray | None:
        """The number of the group of each row that teaches."""
        if self.contract.group is None:
            return None
        named = self.columns[self.contract.group.key][self.teach]
        return np.unique(named.astype(str), return_inverse=True)[1]


def given(name: str, data: bytes) -> Given:
    """The table drafted and split, a fifth of its rows to teach."""
    drafted = draft(data, f"{name}.csv", name, Choices())
    contract = load_contract(drafted.contract)
    columns = typed(read_table(data, contract, name), contract)
    split = replace(
        load_policy(drafted.policy).split,
        train=TEACH,
        validation=VALIDATE,
        holdout=1 - TEACH - VALIDATE,
    )
    labels, outcomes = columns[contract.target.column], contract.target.outcomes
    hashes = row_hashes(split.salt, deciding(contract, columns))
    if split.by_time:
        owners = hashes if contract.group else None
        rows = parts_by_time(split, columns[TIME], owners, labels, outcomes)
    else:
        rows = parts(split, hashes, labels, outcomes)
    frame = sniff(data, name).frame
    if len(frame) != len(labels):
        raise ValueError(f"{name}: init reads {len(frame)} rows, the contract {len(labels)}")
    return Given(drafted, contract, columns, frame, rows["train"], rows["holdout"])


def proposed(of: Given) -> tuple[str, np.ndarray]:
    """The family that the drafted search chooses, and its scores of the rows that judge."""
    search = load_policy(of.drafted.policy).search
    columns = {key: values[of.teach] for key, values in of.columns.items()}
    rows = Rows(
        encode(of.contract, columns),
        of.labels[of.teach],
        numeric_features(of.contract),
        coding_of(of.contract),
        row_weights(of.contract, columns),
        directions(of.contract),
    )
    winner = searched(rows, search, lambda _: None, 2, of.groups).winner
    judged = {key: values[of.judge] for key, values in of.columns.items()}
    model = fit_rows(winner.family, winner.parameters, rows)
    return winner.family, scores(of, model.predict_proba(encode(of.contract, judged)))


def reference(of: Given) -> np.ndarray:
    """The scores of a gradient boosting that is tuned without contract and policy."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import RandomizedSearchCV

    features, categories = plain(of)
    labels = of.labels[of.teach]
    space = {
        "learning_rate": np.geomspace(0.02, 0.3, 30),
        "max_iter": [50, 100, 200, 300],
        "max_leaf_nodes": [3, 4, 6, 8, 12, 16, 24, 31, 48],
        "min_samples_leaf": [5, 10, 20, 40, 80, 160],
        "l2_regularization": np.geomspace(0.01, 30, 30),
        "max_features": [0.3, 0.5, 0.7, 1.0],
    }
    tuned = RandomizedSearchCV(
        HistGradientBoostingClassifier(categorical_features=categories, random_state=0),
        space,
        n_iter=SETTINGS,
        scoring="roc_auc_ovr" if of.contract.target.several else "roc_auc",
        cv=folds_of(labels, of.groups, FOLDS, 0),
        random_state=0,
    )
    with one_thread_each():
        tuned.fit(features[of.teach], labels)
    return scores(of, tuned.predict_proba(features[of.judge]))


def plain(of: Given) -> tuple[np.ndarray, list[int]]:
    """The columns as a person hands them to boosting without a contract, shape (rows, columns), and
    the places of those that are categories.
    """
    leaks = {look.name for look in of.drafted.looks if look.leak}
    roles = {column.name: column.role for column in of.contract.columns}
    kept: list[np.ndarray] = []
    categories: list[int] = []
    for name in map(str, of.frame.columns):
        if name in leaks or roles[name] in _LEFT_OUT:
            continue
        texts = of.frame[name]
        there = max(int((texts != "").sum()), 1)
        values = numbers_of(texts)
        if np.isfinite(values).sum() < _READ * there:
            values = days(texts)
        if np.isfinite(values).sum() < _READ * there:
            codes, different = pd.factorize(texts.astype(str))
            if len(different) > _MOST_CATEGORIES:
                continue
            categories.append(len(kept))
            values = np.where(texts == "", np.nan, codes)
        kept.append(values)
    return np.column_stack(kept), categories


def days(texts: "pd.Series[str]") -> np.ndarray:
    """Days since 1970 of what can be read as a date; NaN for all else."""
    plain_texts = texts.astype(str)
    years_first = bool(plain_texts.str.match(r"\d{4}").any())
    read = pd.to_datetime(plain_texts, errors="coerce", format="mixed", dayfirst=not years_first)
    since = (read - pd.Timestamp(0)) / pd.Timedelta(days=1)
    return since.to_numpy(dtype=np.float64)


def scores(of: Given, probabilities: np.ndarray) -> np.ndarray:
    """Those of the positives, shape (rows,), or of each class, shape (rows, classes)."""
    classes = len(of.contract.target.classes)
    if not classes:
        return probabilities[:, 1]
    return of_each_class(probabilities, np.arange(probabilities.shape[1]), classes)


def area(labels: np.ndarray, found: np.ndarray) -> float:
    """ROC-AUC; of several classes the mean over these."""
    return roc_auc(labels, found) if found.ndim == 1 else ranked(labels, found)[1]


def compared(name: str, make: Callable[[int], bytes], rows: int = ROWS) -> Compared:
    """Both on one table."""
    began = time.process_time()
    of = given(name, make(rows))
    family, mine = proposed(of)
    theirs, labels = reference(of), of.labels[of.judge]
    chance = np.random.default_rng(1)
    drawn = [chance.integers(0, len(labels), len(labels)) for _ in range(_DRAWS)]
    moved = [area(labels[at], mine[at]) - area(labels[at], theirs[at]) for at in drawn]
    return Compared(
        table=name,
        teach=len(of.teach),
        judge=len(of.judge),
        family=family,
        proposed=area(labels, mine),
        reference=area(labels, theirs),
        error=float(np.std(moved)),
        seconds=time.process_time() - began,
    )


def tables() -> dict[str, Callable[[int], bytes]]:
    """The tables that are drafted, those of several classes too."""
    drafted = {name: made.make for name, made in TABLES.items() if not made.told}
    del drafted["deliveries"]  # a number has no ROC-AUC
    return drafted | _CLASSES


def table(found: list[Compared]) -> str:
    """What was measured, in Markdown."""
    lines = [
        "| table | teach | judge | winner | `init` | boosting alone | difference |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {one.table} | {one.teach:,} | {one.judge:,} | {one.family.replace('_', ' ')} |"
        f" {one.proposed:.4f} | {one.reference:.4f} |"
        f" {one.proposed - one.reference:+.4f} ± {one.error:.4f} |"
        for one in found
    ]
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Measure and print; 1 where `init` is further below than it may be."""
    known = tables()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tables.quality")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    names = parser.parse_args(arguments).names or list(known)
    if unknown := set(names) - set(known):
        parser.error(f"there is no table {', '.join(sorted(unknown))}")
    found = []
    for name in names:
        found.append(compared(name, known[name]))
        print(table(found[-1:]), file=sys.stderr, flush=True)
    print(table(found), file=sys.stderr)
    print(json.dumps(msgspec.to_builtins(found), indent=1))
    return 0 if all(one.good for one in found) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
