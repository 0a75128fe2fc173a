"""A bad candidate laid out in folders as the steps leave them, and judged by the steps."""

import copy
import json
import math
import shutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
from msgspec import UnsetType, structs

from flows.decision.case_file import CaseFile, RowFacts
from flows.decision.decide import decide_folder
from flows.decision.seals import sealed
from flows.drills.gate.baseline import Ground
from flows.drills.gate.kept import kept
from flows.drills.gate.measured import (
    FOLDS,
    AnyMeasures,
    AnyTrainedMetrics,
    judged_by,
    measured,
    real_metrics,
    remeasured,
)
from flows.drills.gate.parts import Columns, Parts, count
from flows.engine.phases import Candidate, Case, Decision, Report
from flows.facts.evidenced import Evidenced
from flows.facts.scored import Scored
from flows.facts.split_rows import SplitRows
from flows.facts.step_files import (
    CASE,
    HOLDOUT_ROWS,
    METRICS,
    MODEL,
    SCORES,
    TRAIN_ROWS,
    TUNING,
    VALIDATION_ROWS,
)
from flows.facts.trained import Trained
from flows.facts.tuned import Tuned
from flows.steps.evidence import EVIDENCE, summarised
from flows.steps.gate import GATE, named
from flows.steps.replay import REPLAY
from flows.steps.score import SCORE
from flows.steps.split import SPLIT
from flows.steps.train import TRAIN
from flows.steps.tune import TUNE
from sluice.class_policy import ClassFloor
from sluice.gate.decide import Verdict
from sluice.gitops.evidence import NAME as EVIDENCE_FILE
from sluice.gitops.evidence import Evidence, write_evidence
from sluice.gitops.state import Reference, Standing
from sluice.identity import folder_hash, value_hash
from sluice.model.artifact import model_artifact
from sluice.model.data.table import from_parquet, to_parquet
from sluice.model.number.metrics_file import NumberMeasures
from sluice.policy import GroupFloor, Policy
from sluice.served.encoding import encode
from sluice.served.quantity import bins_of

F = TypeVar("F", bound=msgspec.Struct)

Document = dict[str, Any]
Limits = Mapping[
    str, float | str | tuple[str, ...] | tuple[GroupFloor, ...] | tuple[ClassFloor, ...]
]


@dataclass(frozen=True)
class MadeModel:
    """A model that was made for a drill; an empty text is that of the real one. The threshold is no
    number where the target has several classes or is a number.
    """

    model: bytes
    threshold: float = math.nan
    contract: str = ""
    policy: str = ""


_FIRST = Standing()


def _unchanged(_: object) -> None:
    """Change nothing."""


@dataclass(frozen=True)
class MadeCase:
    """What is handed to the gate; whatever is not named is real.

    `rows` are the parts of the split, where one of them is not the real one; `limits` are fields of
    the gate's policy with other values, `own` those of the table of several classes or of a number.
    The others edit what was written before it is read:
    `tuning` edits tuning.json, `trained` the metrics that training left, `written` the folder of
    the scores, `altered` the artifact of the candidate.
    """

    candidate: MadeModel | None = None
    champion: MadeModel | None = None
    anchor: MadeModel | None = None
    rows: Parts[Columns] | None = None
    standing: Standing = _FIRST
    limits: Limits = field(default_factory=dict)
    own: Limits = field(default_factory=dict)
    tuning: Callable[[Document], None] = _unchanged
    trained: Callable[[Document], None] = _unchanged
    written: Callable[[Path], None] = _unchanged
    altered: Callable[[Path], None] = _unchanged


def lay_out(ground: Ground, name: str, made: MadeCase) -> Case:
    """The case before it is scored, in the scratch folder; `name` is that of the drill."""
    request = ground.request
    home = request.settings.home
    request = replace(request, policy=_limited(request.policy, made))
    split = ground.candidate.split
    rows = made.rows
    if rows is not None:
        split = kept(home, SPLIT, name, lambda folder: _split(rows, folder))
    validation = real_metrics(ground).validation
    if made.candidate:
        validation = _validation(ground, made, made.candidate)
    trained = kept(home, TRAIN, name, lambda folder: _train(ground, made, validation, folder))
    tuned = kept(home, TUNE, name, lambda folder: _tune(ground, made, validation, folder))
    candidate = Candidate(request, ground.candidate.validated, split, tuned, trained)
    champion = _opponent(ground, "champion", made.champion)
    return Case(candidate, champion, _opponent(ground, "anchor", made.anchor))


def judge(case: Case, name: str, made: MadeCase) -> Decision:
    """Score and decide, as a release does."""
    home = case.request.settings.home

    def score(folder: Path) -> Scored:
        facts = SCORE.work(folder, case)
        made.written(folder)
        return facts

    scored = kept(home, SCORE, name, score)
    standing = made.standing
    decided = kept(home, GATE, name, lambda folder: GATE.work(folder, case, scored, standing))
    replayed = kept(home, REPLAY, name, lambda folder: REPLAY.work(folder, case))
    return Decision(case, scored, standing, decided, replayed)


def verdict(decision: Decision, without: Collection[str] = ()) -> Verdict:
    """The verdict of the gate; `without` is for the tests that prove each rule necessary."""
    request = decision.request
    return decide_folder(
        decision.scored.folder,
        request.policy.gate,
        decision.standing,
        named(decision.case),
        without=without,
    )


def seal(decision: Decision, name: str) -> Report:
    """The decision with its seals. The pictures are left out: nothing reads them."""

    def work(folder: Path) -> Evidenced:
        evidence = Evidence(seals=sealed(decision))
        (folder / EVIDENCE_FILE).write_text(write_evidence(evidence), encoding="utf-8")
        return summarised(evidence)

    return Report(decision, kept(decision.request.settings.home, EVIDENCE, name, work))


def scores_of(decision: Decision) -> dict[str, np.ndarray]:
    """The table that was judged, by column; each of shape (rows,)."""
    return from_parquet(decision.scored.read(SCORES))


def without_some(model: str) -> Callable[[Path], None]:
    """Leave no number in the first of every ten rows of what a model says, in the folder of the
    scores.
    """

    def edit(folder: Path) -> None:
        path = folder / SCORES
        table = from_parquet(path.read_bytes())
        for name in [name for name in table if name == model or name.startswith(f"{model} ")]:
            table[name] = np.where(np.arange(len(table[name])) % 10 == 0, np.nan, table[name])
        path.write_bytes(to_parquet(table))

    return edit


def threshold_of(decision: Decision, name: str) -> float:
    """The threshold at which `candidate`, `champion` or `anchor` was judged."""
    case = _case_file(decision)
    models = {"candidate": case.candidate, "champion": case.champion, "anchor": case.anchor}
    model = models[name]
    if model is None:
        raise KeyError(name)
    return math.nan if isinstance(model.threshold, UnsetType) else model.threshold


def case_facts(decision: Decision) -> RowFacts:
    """The counts of rows that the step which scores left in case.json."""
    return _case_file(decision).facts


def _case_file(decision: Decision) -> CaseFile:
    return decision.scored.parsed(CASE, CaseFile)


def edit_json(path: Path, change: Callable[[Document], None]) -> None:
    """Change a JSON document on the disk."""
    document = json.loads(path.read_text(encoding="utf-8"))
    change(document)
    path.write_text(json.dumps(document, indent=1, sort_keys=True), encoding="utf-8")


def _limited(policy: Policy, made: MadeCase) -> Policy:
    own = _fields(made.own)
    policy = replace(policy, gate=replace(policy.gate, **_fields(made.limits)))
    if policy.number:
        return replace(policy, number=replace(policy.number, **own))
    if policy.classes:
        return replace(policy, classes=replace(policy.classes, **own))
    return policy


def _fields(limits: Limits) -> dict[str, Any]:
    """The limits as keyword arguments: their types are checked by the drills that they make."""
    return dict(limits)


def _split(rows: Parts[Columns], folder: Path) -> SplitRows:
    (folder / TRAIN_ROWS).write_bytes(to_parquet(rows.train))
    (folder / VALIDATION_ROWS).write_bytes(to_parquet(rows.validation))
    (folder / HOLDOUT_ROWS).write_bytes(to_parquet(rows.holdout))
    return SplitRows(count(rows.train), count(rows.validation), count(rows.holdout))


def _train(ground: Ground, made: MadeCase, validation: AnyMeasures, folder: Path) -> Trained:
    """The artifact of the candidate, as training writes one."""
    artifact = folder / MODEL
    threshold = ground.candidate.trained.facts.threshold
    if made.candidate:
        if threshold is not None:
            threshold = made.candidate.threshold
        _write(
            ground,
            made.candidate,
            remeasured(ground, made.candidate.threshold, validation),
            artifact,
        )
    else:
        shutil.copytree(ground.artifact, artifact)
    edit_json(artifact / METRICS, made.trained)
    made.altered(artifact)
    facts = ground.candidate.trained.facts
    return structs.replace(facts, model=folder_hash(artifact), threshold=threshold)


def _tune(ground: Ground, made: MadeCase, validation: AnyMeasures, folder: Path) -> Tuned:
    """A search that found what this candidate shows on the validation rows.

    Cross-validation then agrees with it, so that no rule on stability sees another fault.
    """
    tuning = copy.deepcopy(ground.candidate.tuned.document(TUNING))
    moved = judged_by(validation) - judged_by(real_metrics(ground).validation)
    winner = tuning["winner"]
    for name in FOLDS if isinstance(validation, NumberMeasures) else FOLDS[:1]:
        winner[name] = [value + moved for value in winner[name]]
    made.tuning(tuning)
    (folder / TUNING).write_text(json.dumps(tuning), encoding="utf-8")
    return ground.candidate.tuned.facts


def _validation(ground: Ground, made: MadeCase, model: MadeModel) -> AnyMeasures:
    """What training would have measured, on the validation rows that get a number at all."""
    labels, matrix = ground.labels.validation, ground.matrices.validation
    if made.rows is not None:
        contract, rows = ground.request.contract, made.rows.validation
        labels, matrix = rows[contract.target.column], encode(contract, rows)
    scores = ground.score_features(model.model, matrix)
    known = np.isfinite(scores).reshape(len(scores), -1).all(axis=1)
    return measured(ground, labels[known], scores[known], model.threshold)


def _opponent(ground: Ground, name: str, made: MadeModel | None) -> Reference | None:
    """An artifact among those that this machine keeps, as a release refers to it."""
    if made is None:
        return None
    key = value_hash([made.model.hex(), repr(made.threshold), made.contract, made.policy])
    written = ground.request.settings.home / "opponents" / key
    if not written.is_dir():
        _write(ground, made, real_metrics(ground), written)
    model = folder_hash(written)
    if not ground.request.model_of(model).is_dir():
        shutil.copytree(written, ground.request.model_of(model))
    return Reference(f"{name}-{key[:8]}", f"sha256:{key}", model)


def _write(ground: Ground, made: MadeModel, metrics: AnyTrainedMetrics, artifact: Path) -> None:
    """An artifact as training writes one."""
    artifact.mkdir(parents=True)
    bins: tuple[float, ...] = ()
    if ground.request.contract.target.quantity:
        answers = ground.score(made.model)
        bins = bins_of(answers[np.isfinite(answers)])
    model_artifact.write(
        artifact,
        model_artifact.Parts(
            made.model,
            made.contract or ground.request.contract_text,
            made.policy or ground.request.policy_text,
            None if math.isnan(made.threshold) else made.threshold,
            {},
            metrics,
            "# Made for a drill\n",
            bins,
        ),
    )
