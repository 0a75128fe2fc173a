"""Floors and limits of a first policy where the target is a number.

As in `limits`: a quick model is cross-validated on training and validation rows, the holdout is
neither scored nor looked at, and the floor is one that nine in ten releases of it clear.
"""

import json
import math
from collections import Counter
from dataclasses import dataclass

import numpy as np

from sluice.draft.beyond import Beyond, Guessed, beyond_in_skill
from sluice.draft.leaks import Look
from sluice.draft.limits import FOLDS, LEVEL, QUICK, TRAIN, VALIDATION, Table, repeats
from sluice.draft.sampling import Seen
from sluice.model.data.split import PARTS
from sluice.model.fit.coding import coding_of
from sluice.model.fit.training import Rows, fit_rows, folds_of
from sluice.model.number.one_column import best
from sluice.model.number.skill import skill_of
from sluice.model.quality.clusters import numbered
from sluice.percent import four_digits
from sluice.served.encoding import encode, numeric_features
from sluice.served.quantity import Quantity

_SEED = 20_260_101
_TRIALS = 16
_DRAWS = 200  # releases that are tried out
_MISSED = 0.05  # of them that fall below the floor
_SIDE = 1.645  # standard errors of a limit at the level of 0.05
_LEAST = 0.02  # no floor is lower: chance alone would clear it


@dataclass(frozen=True)
class NumberLimits:
    """What a first policy says of this table, and what it rests on.

    `skill`, `mae` and `naive_mae` are of the quick model and of the median, these in the unit of
    the target. `skill_floor` is 0 where no floor can be told from chance. `spread` is the distance
    of the limits of a skill in a holdout of this size; `holdout` is how many rows that has,
    estimated where `sampled`. `beyond` is how surely a release knows more than its best column,
    None where there is no floor.
    """

    skill: float
    mae: float
    naive_mae: float
    skill_floor: float
    spread: float
    band: float
    bias_ceiling: float
    holdout: int
    one_column_ceiling: float
    duplicate_ceiling: float
    stability_ceiling: float
    minimum_rows: int
    least_rows: int
    sampled: bool = False
    beyond: Beyond | None = None


def limits_of_number(table: Table, looks: tuple[Look, ...], seen: Seen) -> NumberLimits:
    """The limits for a table of these columns. Raises ValueError where the target is no number."""
    quantity = table.contract.target.quantity
    if quantity is None:
        raise ValueError("the target is no number")
    known = np.sort(np.concatenate([table.rows[PARTS[0]], table.rows[PARTS[1]]]))
    labels = table.labels[known]
    answers, column, alone = _answers(table, quantity, known, seen)
    middle = float(np.median(labels))
    off, nothing = answers - labels, np.abs(labels - middle)
    skills, lows, biases = _tried(off, nothing, len(table.rows["holdout"]))
    floor = min(_down(float(np.quantile(lows, _MISSED))), 0.95)
    every, holdout = sum(table.count(part) for part in PARTS), table.count("holdout")
    alone_best = max((one.roc_auc for one in looks), default=0.0)
    clusters = None if table.groups is None else numbered(table.groups[known])
    guessed = Guessed(nothing, np.abs(off), column, np.abs(alone - labels), clusters)
    return NumberLimits(
        skill=skill_of(labels, answers, middle),
        mae=float(np.abs(off).mean()),
        naive_mae=float(nothing.mean()),
        skill_floor=floor if floor >= _LEAST else 0.0,
        spread=float(2 * np.mean(skills - lows)),
        band=_rounded(float(np.median(np.abs(off)))),
        bias_ceiling=min(max(0.05, _up(1.5 * float(np.quantile(biases, 1 - _MISSED)))), 0.5),
        holdout=holdout,
        one_column_ceiling=min(max(0.8, _up(alone_best + 0.05)), 0.99),
        duplicate_ceiling=repeats(table),
        stability_ceiling=min(max(0.05, _up(2 * 1.96 * float(np.std(skills)))), 0.5),
        minimum_rows=max(every // 2, 1),
        least_rows=max(holdout // 2, 1),
        sampled=table.times > 1,
        beyond=beyond_in_skill(guessed, holdout, LEVEL) if floor >= _LEAST else None,
    )


def _answers(
    table: Table, quantity: Quantity, known: np.ndarray, seen: Seen
) -> tuple[np.ndarray, str, np.ndarray]:
    """Answers of a quick model to the rows `known`, which it has not seen, shape (known rows,); the
    best single column, and what it answers.
    """
    labels, names = table.labels[known], Counter[str]()
    alone = np.zeros(len(known))
    shares = quantity.shares(table.labels[known])
    found = np.zeros(len(known))
    rows = {key: values[known] for key, values in table.columns.items()}
    features, numeric = encode(table.contract, rows), numeric_features(table.contract)
    coding = coding_of(table.contract)
    groups = None if table.groups is None else table.groups[known]
    for done, (learnt, left_out) in enumerate(folds_of(shares, groups, FOLDS, _SEED)):
        seen("a quick model", done / FOLDS)
        taught = Rows(features[learnt], shares[learnt], numeric, coding)
        model = fit_rows("gradient_boosting", QUICK, taught)
        found[left_out] = np.clip(model.predict(features[left_out]), 0.0, 1.0)
        mine, theirs = (
            {key: values[part] for key, values in rows.items()} for part in (learnt, left_out)
        )
        name, alone[left_out] = best(table.contract, mine, labels[learnt], theirs)
        names[name] += 1
    [(name, _)] = names.most_common(1)
    return np.asarray(quantity.low + quantity.spread * found), name, alone


def _tried(
    off: np.ndarray, nothing: np.ndarray, judging: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The skills, their lower limits and the biases, as shares, of holdouts of so many rows; each
    of shape (draws,).
    """
    chance = np.random.default_rng(_SEED)
    rows = chance.integers(0, len(off), (_DRAWS, judging))
    wholes = np.maximum(nothing[rows].sum(axis=1), 1e-300)
    gains = nothing - np.abs(off)
    skills = gains[rows].sum(axis=1) / wholes
    apart = gains[rows] - skills[:, None] * nothing[rows]
    errors = np.sqrt((apart**2).sum(axis=1)) / wholes
    return skills, skills - _SIDE * errors, np.abs(off[rows].sum(axis=1)) / wholes


def policy_text(model: str, limits: NumberLimits) -> str:
    """policy.toml with these limits; the floor is the lowest where the table allows none."""
    wide = f"{limits.spread:.2f}"
    margin = min(max(0.01, round(0.5 * limits.spread, 2)), 0.5)
    told = (
        "# On rows outside of the holdout a quick model is"
        f" {four_digits(limits.mae)} off on average; who"
        f" always says the\n# median is {four_digits(limits.naive_mae)} off, so its skill is"
        f" {limits.skill:.3f}. What it reaches, not what is needed."
    )
    if not limits.skill_floor:
        told = "# No floor of this table can be told from chance: more labelled rows are needed."
    return f"""\
# Drafted from the table. A release warns until a person has read the limits and writes true.
schema = 1
reviewed = false

[data]
minimum_rows = {limits.minimum_rows}         # half of what there was

[split]
salt = {json.dumps(f"{model}-1")}
train = {TRAIN}
validation = {VALIDATION}

[search]
method = "adaptive"     # begins with what fits the table; half as many fits as trials times folds
trials = {_TRIALS}
families = ["linear_regression", "gradient_boosting"]
folds = {FOLDS}
seed = {_SEED}

{told}
[number]
skill_floor = {limits.skill_floor or _LEAST:g}
bias_ceiling = {limits.bias_ceiling:g}      # of what the median is off
band = {limits.band:g}              # near enough: half of the answers of the quick model are

[gate]
stability_ceiling = {limits.stability_ceiling:g}    # twice what chance makes of parts of this size
one_column_ceiling = {limits.one_column_ceiling:g}    # above the best honest column
duplicate_ceiling = {limits.duplicate_ceiling:g}    # above what repeats by chance
comparable_share = 0.95
least_positives = {limits.least_rows}         # rows of the holdout
level = {LEVEL}
# A loss of skill below the margin is put up with. Its 90 % interval is about {wide} wide.
margin = {margin:g}
segment_margin = {max(0.05, margin):g}
segment_positives = 50     # rows of a group
segments_required = []
refresh_days = 14
told = "promoted"        # of the holdout only what goes live is measured; "figures" tells all
"""


def _rounded(value: float) -> float:
    """Two digits of a number above 0; 1 where all is right."""
    return float(f"{value:.2g}") if value > 0 else 1.0


def _down(value: float) -> float:
    return math.floor(value * 100 + 1e-9) / 100


def _up(value: float) -> float:
    return math.ceil(value * 100 - 1e-9) / 100
