"""Score the holdout with the candidate, and with champion and anchor on the same rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from msgspec import UNSET, Struct, UnsetType

from flows.decision import told
from flows.decision.case_file import CaseFile, Judged, Opponent, RowFacts
from flows.decision.scores_file import Scores, write_scores
from flows.engine.step import Step
from flows.facts.scored import Scored
from flows.facts.step_files import (
    CASE,
    HOLDOUT_ROWS,
    METRICS,
    MODEL,
    ON_VALIDATION,
    SCORES,
    TABLE,
    TRAIN_ROWS,
    TUNING,
    VALIDATION_ROWS,
)
from sluice.errors import Refused
from sluice.model.artifact.model_artifact import check_golden, segment_groups
from sluice.model.classes.metrics_file import ClassMetrics, TrainedClassMetrics
from sluice.model.classes.one_column import best as best_of_classes
from sluice.model.classes.trained import Part, Ships, released_metrics
from sluice.model.data.duplicates import near_duplicates
from sluice.model.data.split import GROUP, HASH, later_than, row_hashes, unseen
from sluice.model.data.table import from_parquet
from sluice.model.data.times import TIME
from sluice.model.fit.tuning_file import Tuning
from sluice.model.json_file import read_json, write_json
from sluice.model.number.metrics_file import NumberMetrics, TrainedNumberMetrics
from sluice.model.number.one_column import best as best_of_number
from sluice.model.number.trained import NumberPart, number_ships
from sluice.model.number.trained import released_metrics as released_number_metrics
from sluice.model.quality import one_column
from sluice.model.quality.clusters import numbered
from sluice.model.quality.metrics import (
    by_segment,
    confusion,
    cross_validation,
    intervals,
    measure,
    two_sided,
)
from sluice.model.quality.metrics_file import SCHEMA, Metrics, ScoredRows, TrainedMetrics
from sluice.policy import Policy, changes, load_policy
from sluice.served.contract import Column, Contract, Target
from sluice.served.encoding import accepted, encode
from sluice.served.scoring import Model, load_model

if TYPE_CHECKING:
    from flows.engine.phases import Case

Columns = dict[str, np.ndarray]
_EACH = 2  # rows, of several classes of each, without which nothing can be measured
# What a threshold is chosen by, as `changes` names it.
_AIMED_BY = (
    "classes.weights ",
    "gate.precision_floor ",
    "gate.lift_floor ",
    "gate.cost_of_a_",
    "operating_point.",
)


@dataclass(frozen=True)
class _Comparable:
    """The rows on which all models can be compared, and what was left out for that.

    `left_out` counts rows that a compared model has seen, `accepted` is the smallest share of the
    rows that a contract takes, `blind` names the models that take too few to be compared.
    """

    rows: Columns
    left_out: int
    accepted: float
    blind: frozenset[str]


class _Made(Struct, frozen=True):
    """Of the metrics that travel with a model of any target, until when it was made."""

    schema: int = SCHEMA
    made_until: str | UnsetType = UNSET


@dataclass(frozen=True)
class _Judged:
    """The scores of every model, and what case.json says besides them."""

    scores: Scores
    case: CaseFile


def _inputs(case: "Case") -> dict[str, str]:
    split = case.candidate.split
    others = {
        "champion": case.champion.model if case.champion else "none",
        "anchor": case.anchor.model if case.anchor else "none",
    }
    band = case.request.policy.number
    return {
        **({"band": str(band.band)} if band else {}),
        "holdout": split.hash(HOLDOUT_ROWS),
        "train": split.hash(TRAIN_ROWS),
        "candidate": case.candidate.trained.facts.model,
        "level": str(case.request.policy.gate.level),
        "told": case.request.policy.gate.told,
        **({"validation": split.hash(VALIDATION_ROWS)} if case.request.policy.gate.worded else {}),
        **others,
    }


def _work(folder: Path, case: "Case") -> Scored:
    """Write scores.parquet (it never leaves this machine), metrics.json and case.json.

    Where nothing of the holdout may be told of a candidate, the same of the validation rows is in a
    folder beside them. Raises SluiceError where a model no longer gives its golden records their
    scores, Refused where the compared models have seen all rows of a class.
    """
    split = case.candidate.split
    train = from_parquet(split.read(TRAIN_ROWS))
    opponents = {name: _load(_folder(case, name)) for name in case.opponents}
    compared = _comparable(case, from_parquet(split.read(HOLDOUT_ROWS)), opponents)
    _require_both_classes(case, compared)
    candidate = _load(case.candidate.trained.folder / MODEL)
    facts = _row_facts(case.request.contract, train, compared)
    judged = _judge(case, candidate, opponents, train, compared, facts)
    metrics = measured(case, candidate, judged.scores)
    _write(folder, judged, metrics)
    if case.request.policy.gate.worded:
        (folder / ON_VALIDATION).mkdir(exist_ok=True)
        beside = _judge_validation(case, candidate, opponents, train)
        _write(folder / ON_VALIDATION, beside, measured(case, candidate, beside.scores))
    return told.scored(metrics, case.request.policy.gate)


def measured(
    case: "Case", candidate: Model, scores: Scores
) -> Metrics | ClassMetrics | NumberMetrics:
    """What the candidate is worth on the rows that these scores are of."""
    if case.request.contract.target.quantity:
        return number_metrics_of(case, scores)
    if candidate.weights:
        return class_metrics_of(case, scores, candidate.weights)
    return metrics_of(case, scores, candidate.threshold)


def _write(folder: Path, judged: _Judged, metrics: Metrics | ClassMetrics | NumberMetrics) -> None:
    (folder / SCORES).write_bytes(write_scores(judged.scores))
    (folder / CASE).write_text(write_json(judged.case), encoding="utf-8")
    (folder / METRICS).write_text(write_json(metrics), encoding="utf-8")


def _judge_validation(
    case: "Case", candidate: Model, opponents: Mapping[str, Model], train: Columns
) -> _Judged:
    """The models on the validation rows: nothing was learnt on them, and the threshold was chosen
    there.

    Where too few of them are left that champion and anchor have not seen, the candidate is alone.
    Rules on what the rows repeat say no more here than on the holdout, so they have nothing to ask.
    """
    rows = from_parquet(case.candidate.split.read(VALIDATION_ROWS))
    beside = opponents
    compared = _comparable(case, rows, opponents)
    if _too_few(compared, case.request.contract.target):
        beside = {}
        compared = _comparable(case, rows, beside)
    facts = RowFacts(compared.left_out, compared.accepted, duplicates=0)
    return _judge(case, candidate, beside, train, compared, facts)


def _too_few(compared: _Comparable, target: Target) -> bool:
    """Whether the rows that are left are too few for any rule to say something."""
    labels = compared.rows[target.column]
    if target.quantity:
        return len(labels) < _EACH
    return bool(np.bincount(labels, minlength=len(target.outcomes)).min() < _EACH)


def _require_both_classes(case: "Case", compared: _Comparable) -> None:
    """Raise Refused where nothing can be measured on the rows that are left."""
    target = case.request.contract.target
    labels = compared.rows[target.column]
    if target.quantity and compared.left_out and len(labels) < 2:
        what = (
            f"{compared.left_out:,} rows of the holdout were seen by a model that it is compared"
            f" with, and {len(labels):,} are left"
        )
        raise Refused(what, "Bring rows that neither champion nor anchor was made with.")
    if compared.left_out and len(np.unique(labels)) < len(target.outcomes):
        every = "every class" if target.several else "both classes"
        what = (
            f"{compared.left_out:,} rows of the holdout were seen by a model that it is compared"
            f" with, and the {len(labels):,} that are left are not of {every}"
        )
        raise Refused(what, "Bring rows that neither champion nor anchor was made with.")


def _judge(
    case: "Case",
    candidate: Model,
    opponents: Mapping[str, Model],
    train: Columns,
    compared: _Comparable,
    facts: RowFacts,
) -> _Judged:
    """Every model on the rows that all of them can be compared on, and what is known of these."""
    contract, rows = case.request.contract, compared.rows
    target = contract.target.column
    best = best_of_classes if contract.target.several else one_column.best
    if contract.target.quantity:
        best = best_of_number
    column, alone = best(contract, train, train[target], rows)
    scores = Scores(
        row_hash=rows[HASH],
        labels=rows[target],
        candidate=candidate.score(rows),
        alone=alone,
        champion=_scores_of(case, "champion", opponents, compared),
        anchor=_scores_of(case, "anchor", opponents, compared),
        segments=segment_groups(contract, rows),
        group_hash=rows.get(GROUP),
    )
    document = CaseFile(
        candidate=_judged(candidate, train[target]),
        one_column=column,
        facts=facts,
        champion=_opponent(case, "champion", opponents),
        anchor=_opponent(case, "anchor", opponents),
    )
    return _Judged(scores, document)


def _judged(model: Model, labels: np.ndarray) -> Judged:
    """What is known of the candidate; `labels` are those of the training rows."""
    if model.contract.target.quantity:
        return Judged(middle=float(np.median(labels)))
    if model.weights:
        return Judged(weights=model.weights)
    return Judged(model.threshold)


def _scores_of(
    case: "Case", name: str, opponents: Mapping[str, Model], compared: _Comparable
) -> np.ndarray | None:
    """The scores of champion or anchor; NaN where it cannot be compared, None where there is
    none.
    """
    if name not in opponents:
        return None
    if name in compared.blind:
        classes = case.request.contract.target.classes
        rows = len(compared.rows[HASH])
        return np.full((rows, len(classes)) if classes else rows, np.nan)
    return opponents[name].score(compared.rows)


def _opponent(case: "Case", name: str, opponents: Mapping[str, Model]) -> Opponent | None:
    if name not in opponents:
        return None
    moved = moved_aim(_policy(case, name), case.request.policy)
    tag, model = case.opponents[name].tag, opponents[name]
    if model.contract.target.quantity:
        return Opponent(tag, moved=moved)
    if model.weights:
        return Opponent(tag, moved=moved, weights=model.weights)
    return Opponent(tag, model.threshold, moved)


def moved_aim(theirs: Policy, ours: Policy) -> str:
    """How the point that a threshold is chosen for was changed since, in reviewed policy."""
    return ", ".join(change for change in changes(theirs, ours) if change.startswith(_AIMED_BY))


def _folder(case: "Case", name: str) -> Path:
    return case.request.model_of(case.opponents[name].model)


def _load(folder: Path) -> Model:
    """A model whose golden records still have their scores. Raises SluiceError."""
    check_golden(folder)
    return load_model(folder)


def _comparable(case: "Case", holdout: Columns, opponents: Mapping[str, Model]) -> _Comparable:
    """The rows that no compared model has seen and that every contract takes.

    A model whose contract takes too few of the rows narrows nothing down: it cannot be compared.
    """
    required = case.request.policy.gate.comparable_share
    rows = np.ones(len(holdout[HASH]), dtype=bool)
    left_out, smallest = 0, 1.0
    blind: set[str] = set()
    for name, model in opponents.items():
        unseen_rows = _unseen(case, name, model.contract, holdout)
        left_out = max(left_out, int((~unseen_rows).sum()))
        rows &= unseen_rows
        taken = accepted(model.contract, holdout)
        if not _same_question(model.contract.target, case.request.contract.target):
            taken[:] = False  # it answers another question
        share = float(taken.mean())
        smallest = min(smallest, share)
        if share >= required:
            rows &= taken
        else:
            blind.add(name)
    return _Comparable(
        rows={name: values[rows] for name, values in holdout.items()},
        left_out=left_out,
        accepted=smallest,
        blind=frozenset(blind),
    )


def _same_question(theirs: Target, ours: Target) -> bool:
    """Whether two models answer with one of the same classes, or both with a number of one unit."""
    if theirs.quantity and ours.quantity:
        return theirs.quantity.unit == ours.quantity.unit
    return theirs.classes == ours.classes and not (theirs.quantity or ours.quantity)


def _unseen(case: "Case", name: str, contract: Contract, holdout: Columns) -> np.ndarray:
    """Which holdout rows this model, of this contract, was not made with; boolean, shape (rows,).

    Where it was split by time, it has seen no row that is later than its own. Else, where it was
    split by the same policy and groups, its holdout is ours, and it has seen none of the rows.
    Where times or groups are no column of the table any more, nobody knows: it may have seen all of
    them.
    """
    policy = _policy(case, name)
    if policy.split.by_time:
        return _later(case, name, holdout[HASH])
    decided, now = contract.group or contract.id, case.request.contract
    same = decided.name == (now.group or now.id).name
    if same and policy.split == case.request.policy.split:
        return np.ones(len(holdout[HASH]), dtype=bool)
    column = now.find(decided.name)
    if column is None or column.role not in ("id", "group"):
        return np.zeros(len(holdout[HASH]), dtype=bool)
    return unseen(policy.split, _values(case, column, holdout[HASH]))


def _later(case: "Case", name: str, hashes: np.ndarray) -> np.ndarray:
    """Which of these rows are later than all that this model was made with."""
    content = (_folder(case, name) / "metrics.json").read_bytes()
    until = read_json(content, _Made, f"metrics.json of the {name}").made_until
    times = from_parquet(case.candidate.validated.read(TABLE)).get(TIME)
    if until is UNSET or times is None:
        return np.zeros(len(hashes), dtype=bool)
    return later_than(until, _in_order(case, times, hashes))


def _policy(case: "Case", name: str) -> Policy:
    """The policy that travels with champion or anchor."""
    text = (_folder(case, name) / "policy.toml").read_text(encoding="utf-8")
    return load_policy(text, f"the {name}'s policy")


def _values(case: "Case", column: Column, hashes: np.ndarray) -> np.ndarray:
    """The values of a column, of ids or groups, in the rows of these hashes, in their order."""
    table = from_parquet(case.candidate.validated.read(TABLE))
    return _in_order(case, table[column.key], hashes)


def _in_order(case: "Case", values: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    """Of a value for each row of the whole table those of these rows, in their order."""
    request = case.request
    table = from_parquet(case.candidate.validated.read(TABLE))
    known = row_hashes(request.policy.split.salt, table[request.contract.id.key])
    order = np.argsort(known)
    return np.asarray(values[order][np.searchsorted(known[order], hashes)])


def _row_facts(contract: Contract, train: Columns, compared: _Comparable) -> RowFacts:
    """What is known of the rows; two rows are equal where all their features are."""
    holdout = compared.rows
    learnt = np.ascontiguousarray(encode(contract, train))
    judged = np.ascontiguousarray(encode(contract, holdout))
    row = np.dtype((np.void, learnt.dtype.itemsize * learnt.shape[1]))  # the bytes of a whole row
    repeated = np.isin(judged.view(row).ravel(), learnt.view(row).ravel())
    return RowFacts(
        left_out=compared.left_out,
        accepted=compared.accepted,
        duplicates=int(repeated.sum()),
        near_duplicates=near_duplicates(_features(contract, train), _features(contract, holdout)),
    )


def _features(contract: Contract, rows: Columns) -> list[np.ndarray]:
    """The columns that the model is fed, as they are in the table; each of shape (rows,)."""
    return [rows[column.key] for column in contract.features]


def metrics_of(case: "Case", scores: Scores, threshold: float) -> Metrics:
    """What the candidate is worth on the holdout, beside what training measured."""
    trained = case.candidate.trained.parsed(f"{MODEL}/metrics.json", TrainedMetrics)
    tuning = case.candidate.tuned.parsed(TUNING, Tuning)
    labels, candidate = scores.labels, scores.candidate
    level = two_sided(case.request.policy.gate.level)
    clusters = numbered(scores.group_hash)
    return Metrics(
        model=case.request.model,
        threshold=threshold,
        rows=ScoredRows(
            train=trained.rows.train,
            validation=trained.rows.validation,
            holdout=len(labels),
            holdout_positives=int((labels == 1).sum()),
        ),
        holdout=measure(labels, candidate, threshold),
        intervals=intervals(labels, candidate, threshold, level, clusters),
        confusion=confusion(labels, candidate >= threshold),
        validation=trained.validation,
        cross_validation=cross_validation(tuning.winner),
        segments=by_segment(labels, candidate >= threshold, scores.segments, level, clusters),
        grouped_precision=trained.grouped_precision,
        weighted_by=trained.weighted_by,
    )


def class_metrics_of(case: "Case", scores: Scores, weights: tuple[float, ...]) -> ClassMetrics:
    """The same of several classes."""
    request = case.request
    ships = Ships(
        request.model,
        request.contract.target.classes,
        weights,
        two_sided(request.policy.gate.level),
    )
    return released_metrics(
        ships,
        Part(scores.labels, scores.candidate),
        dict(scores.segments),
        case.candidate.trained.parsed(f"{MODEL}/metrics.json", TrainedClassMetrics),
        case.candidate.tuned.parsed(TUNING, Tuning).winner,
        numbered(scores.group_hash),
    )


def number_metrics_of(case: "Case", scores: Scores) -> NumberMetrics:
    """The same of a number."""
    request = case.request
    return released_number_metrics(
        number_ships(request.model, request.contract.target, request.policy),
        NumberPart(scores.labels, scores.candidate),
        dict(scores.segments),
        case.candidate.trained.parsed(f"{MODEL}/metrics.json", TrainedNumberMetrics),
        case.candidate.tuned.parsed(TUNING, Tuning).winner,
        numbered(scores.group_hash),
    )


SCORE = Step(
    "score",
    "Score holdout",
    Scored,
    (SCORES, METRICS, CASE, f"{ON_VALIDATION}/"),
    _inputs,
    _work,
)
