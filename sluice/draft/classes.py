"""Floors and limits of a first policy where the target has several classes.

As in `limits`: a quick model is cross-validated on training and validation rows, the holdout is
neither scored nor looked at, and the floors are those that nine in ten releases of it clear.
"""

import json
import math
from collections import Counter
from dataclasses import dataclass

import numpy as np

from sluice.draft.beyond import Answered, Beyond, beyond_in_classes
from sluice.draft.leaks import Look
from sluice.draft.limits import FOLDS, LEVEL, QUICK, TRAIN, VALIDATION, Table, repeats
from sluice.draft.sampling import Seen
from sluice.draft.search import search_text
from sluice.model.classes.one_column import best
from sluice.model.classes.ranking import of_each_class, ranked
from sluice.model.classes.recall import mean_recall
from sluice.model.data.split import PARTS
from sluice.model.fit.coding import coding_of
from sluice.model.fit.training import Rows, fit_rows, folds_of
from sluice.model.quality.clusters import numbered
from sluice.model.quality.statistics import calibration_gap, wilson_high, wilson_low
from sluice.percent import percent
from sluice.served.classes import chosen
from sluice.served.encoding import encode, numeric_features

_SEED = 20_260_101
_DRAWS = 200  # releases that are tried out
_MISSED = 0.05  # of them that fall below the floor of the mean, and below any of those of classes
_LEAST = 0.02  # no floor is lower: it would refuse no model
_ABOVE = 1.05  # times what answers by lot reach, that the floor of the mean has to be
_HEAVIEST = 20.0  # weight of a class


@dataclass(frozen=True)
class ClassShown:
    """A class: its rows in the whole table and in the holdout, the recall of the quick model and
    the limits that a holdout of this size gives it, as (low, high), the floor and the weight.
    """

    name: str
    rows: int
    holdout: int
    recall: float
    limits: tuple[float, float]
    floor: float
    weight: float


@dataclass(frozen=True)
class ClassLimits:
    """What a first policy says of this table, and what it rests on.

    `recall_floor` is 0 where no floor can be told from chance. `recall` is the mean recall of the
    quick model, `plain` that of its most probable classes, without weights; `spread` is the
    distance of its limits in a holdout of this size. `holdout` is how many rows that has, estimated
    where `sampled`. `beyond` is how surely a release knows more than its best column, None where
    there is no floor.
    """

    classes: tuple[ClassShown, ...]
    recall: float
    plain: float
    recall_floor: float
    spread: float
    roc_auc: float
    holdout: int
    one_column_ceiling: float
    duplicate_ceiling: float
    calibration_ceiling: float
    stability_ceiling: float
    minimum_rows: int
    least_positives: int
    sampled: bool = False
    beyond: Beyond | None = None

    @property
    def weighed(self) -> bool:
        """Whether a class has another weight than 1."""
        return any(one.weight != 1.0 for one in self.classes)


def limits_of_classes(table: Table, looks: tuple[Look, ...], seen: Seen) -> ClassLimits:
    """The limits for a table of these columns."""
    known = np.sort(np.concatenate([table.rows[PARTS[0]], table.rows[PARTS[1]]]))
    labels, names = table.labels[known], table.contract.target.classes
    shares, column, alone = _scores(table, known, len(names), seen)
    weights = _weights(labels, shares)
    answered = chosen(shares, weights)
    recall = mean_recall(labels, answered, LEVEL).value
    plain = mean_recall(labels, chosen(shares, (1.0,) * len(names)), LEVEL).value
    judging = len(table.rows["holdout"])
    floor, floors, spread, gap, areas = _tried(labels, answered, shares, judging)
    floor = floor if floor > _ABOVE / len(names) else 0.0
    clusters = None if table.groups is None else numbered(table.groups[known])
    rows = Answered(labels, answered, column, chosen(alone, weights), clusters)
    _, area = ranked(labels, shares)
    alone_best = max((one.roc_auc for one in looks), default=0.5)
    every = sum(table.count(part) for part in PARTS)
    of_holdout = np.bincount(table.labels[table.rows["holdout"]], minlength=len(names))
    whole = np.bincount(np.concatenate([table.labels[rows] for rows in table.rows.values()]))
    classes = tuple(
        _shown(labels, answered, place, name, (whole, of_holdout), floors, weights)
        for place, name in enumerate(names)
    )
    return ClassLimits(
        classes=classes,
        recall=recall,
        plain=plain,
        recall_floor=floor,
        spread=spread,
        roc_auc=area,
        holdout=table.count("holdout"),
        one_column_ceiling=min(max(0.8, _up(alone_best + 0.05)), 0.99),
        duplicate_ceiling=repeats(table),
        calibration_ceiling=min(max(0.05, _up(1.5 * gap)), 0.15),
        stability_ceiling=min(max(0.03, _up(2 * 1.96 * areas)), 0.3),
        minimum_rows=max(every // 2, 1),
        least_positives=max(int(of_holdout.min() * table.times) // 2, 1),
        sampled=table.times > 1,
        beyond=beyond_in_classes(rows, table.count(PARTS[2]), LEVEL) if floor else None,
    )


def _scores(
    table: Table, known: np.ndarray, classes: int, seen: Seen
) -> tuple[np.ndarray, str, np.ndarray]:
    """Probabilities of a quick model for the rows `known`, which it has not seen, shape (known
    rows, classes); the best single column, and what it gives them.
    """
    labels, shares = table.labels[known], np.zeros((len(known), classes))
    alone, names = np.zeros_like(shares), Counter[str]()
    rows = {key: values[known] for key, values in table.columns.items()}
    features, numeric = encode(table.contract, rows), numeric_features(table.contract)
    coding = coding_of(table.contract)
    groups = None if table.groups is None else table.groups[known]
    for done, (learnt, left_out) in enumerate(folds_of(labels, groups, FOLDS, _SEED)):
        seen("a quick model", done / FOLDS)
        taught = Rows(features[learnt], labels[learnt], numeric, coding)
        model = fit_rows("gradient_boosting", QUICK, taught)
        found = model.predict_proba(features[left_out])
        shares[left_out] = of_each_class(found, model.classes_, classes)
        mine, theirs = (
            {key: values[part] for key, values in rows.items()} for part in (learnt, left_out)
        )
        name, alone[left_out] = best(table.contract, mine, labels[learnt], theirs)
        names[name] += 1
    [(name, _)] = names.most_common(1)
    return shares, name, alone


def _weights(labels: np.ndarray, shares: np.ndarray) -> tuple[float, ...]:
    """A weight for each class: 1, unless the most probable class leaves one of them found less
    often than by lot; then rarer classes weigh more.
    """
    classes = shares.shape[1]
    even = (1.0,) * classes
    answered = chosen(shares, even)
    recalls = [float((answered[labels == place] == place).mean()) for place in range(classes)]
    if min(recalls) >= 1 / classes:
        return even
    counts = np.bincount(labels, minlength=classes)
    heavier = np.minimum(np.sqrt(counts.max() / counts), _HEAVIEST)
    if min(recalls) < 0.5 / classes:
        heavier = np.minimum(counts.max() / counts, _HEAVIEST)
    return tuple(round(float(one), 1) for one in heavier)


def _tried(
    labels: np.ndarray, answered: np.ndarray, shares: np.ndarray, judging: int
) -> tuple[float, tuple[float, ...], float, float, float]:
    """The floor of the mean recall and those of the classes, which nine in ten holdouts of so many
    rows clear with their lower limits; the mean distance of the limits of the mean, the largest
    calibration error of a class in 19 of 20 of these, and the spread of the mean ROC-AUC.
    """
    chance, classes = np.random.default_rng(_SEED), shares.shape[1]
    means, lows, widths, gaps, areas = [], [], [], [], []
    for _ in range(_DRAWS):
        rows = chance.integers(0, len(labels), judging)
        found, given = labels[rows], answered[rows]
        mean = mean_recall(found, given, LEVEL)
        means.append(mean.low)
        widths.append(mean.high - mean.low)
        areas.append(ranked(found, shares[rows])[1])
        of = [found == place for place in range(classes)]
        lows.append(
            [wilson_low(int((given[o] == k).sum()), int(o.sum()), LEVEL) for k, o in enumerate(of)]
        )
        gaps.append(
            max(
                calibration_gap(o.astype(np.int8), shares[rows, k], LEVEL).value
                for k, o in enumerate(of)
            )
        )
    each = np.quantile(np.array(lows), _MISSED / classes, axis=0)
    return (
        min(_down(float(np.quantile(means, _MISSED))), 0.95),
        tuple(min(_down(float(low)), 0.95) for low in each),
        float(np.mean(widths)),
        float(np.quantile(gaps, 1 - _MISSED)),
        float(np.std(areas)),
    )


def _shown(
    labels: np.ndarray,
    answered: np.ndarray,
    place: int,
    name: str,
    rows: tuple[np.ndarray, np.ndarray],
    floors: tuple[float, ...],
    weights: tuple[float, ...],
) -> ClassShown:
    whole, holdout = int(rows[0][place]), int(rows[1][place])
    recall = float((answered[labels == place] == place).mean())
    found = round(recall * holdout)
    limits = wilson_low(found, holdout, LEVEL), wilson_high(found, holdout, LEVEL)
    floor = floors[place] if floors[place] >= _LEAST else 0.0
    return ClassShown(name, whole, holdout, recall, limits, floor, weights[place])


def policy_text(model: str, limits: ClassLimits) -> str:
    """policy.toml with these limits; the floor is the lowest where the table allows none."""
    margin = max(0.01, round(0.5 * limits.spread, 2))
    floor, chance = limits.recall_floor, 1 / len(limits.classes)
    told = (
        f"# On rows outside of the holdout a quick model has a mean recall of {limits.recall:.3f};"
        f" answers by lot\n# have {chance:.3f}. What it reaches, not what is needed."
    )
    if not floor:
        floor = math.ceil(100 * _ABOVE * chance) / 100
        told = "# No floor of this table can be told from chance: more labelled rows are needed."
    return f"""\
# Drafted from the table. A release warns until a person has read the limits and writes true.
schema = 1
reviewed = false

[data]
minimum_rows = {limits.minimum_rows}         # half of what there was

[split]
salt = {_text(f"{model}-1")}
train = {TRAIN}
validation = {VALIDATION}

{search_text(limits.minimum_rows)}

{told}
[classes]

[classes.floors]             # the recall that a class must have
{_floors(limits)}
{_weights_told(limits)}
[gate]
recall_floor = {floor:g}          # the mean recall over the classes
calibration_ceiling = {limits.calibration_ceiling:g}    # above that of a quick model
stability_ceiling = {limits.stability_ceiling:g}    # twice what chance makes of parts of this size
one_column_ceiling = {limits.one_column_ceiling:g}    # above the best honest column
duplicate_ceiling = {limits.duplicate_ceiling:g}    # above what repeats by chance
comparable_share = 0.95
least_positives = {limits.least_positives}         # rows of the rarest class
level = {LEVEL}
# A loss of mean recall below the margin is put up with. {_seen(limits)}
margin = {margin:g}
brier_margin = 0.02
segment_margin = {max(0.05, margin):g}
segment_positives = 50
segments_required = []
refresh_days = 14
told = "promoted"        # of the holdout only what goes live is measured; "figures" tells all
"""


def _floors(limits: ClassLimits) -> str:
    stated = [f"{_text(one.name)} = {one.floor:g}" for one in limits.classes if one.floor]
    return "\n".join(stated) + "\n" if stated else ""


def _weights_told(limits: ClassLimits) -> str:
    if not limits.weighed:
        return ""
    head = (
        "# The probability of a class is multiplied by its weight before the largest is answered."
        f"\n# Without weights the mean recall is {limits.plain:.3f}.\n[classes.weights]\n"
    )
    return head + "\n".join(f"{_text(one.name)} = {one.weight:g}" for one in limits.classes) + "\n"


def _seen(limits: ClassLimits) -> str:
    return f"Its 90 % interval is about {percent(limits.spread, 1)} wide here."


def _down(value: float) -> float:
    return math.floor(value * 100 + 1e-9) / 100


def _up(value: float) -> float:
    return math.ceil(value * 100 - 1e-9) / 100


def _text(value: str) -> str:
    """A text of TOML: its basic strings are those of JSON."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
