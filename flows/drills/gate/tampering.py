"""What may be done to a good verdict afterwards; the check before the image has to see each edit.

Who edits one file leaves its hash behind. Who knows more edits the seals to match, and the record
of the step too, with its own hash; and lets the gate decide on what was edited. What no edit can do
is let another model give these scores, other rows be those of the data, or another case have this
verdict.
"""

import math
import shutil
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
import tomli_w
from msgspec import structs

from flows.decision.scores_file import read_scores
from flows.decision.seals import sealed
from flows.drills.gate.baseline import Ground
from flows.drills.gate.case import Document, MadeCase, edit_json, threshold_of
from flows.drills.gate.fault import NotHere
from flows.drills.gate.kinds import kind_of
from flows.drills.gate.mutants import bent
from flows.drills.gate.parts import Columns
from flows.engine import store
from flows.engine.phases import Candidate, Decision, Report
from flows.engine.store import Record, Result
from flows.facts.step_files import (
    CASE,
    HOLDOUT_ROWS,
    METRICS,
    MODEL,
    RECORD,
    SCORES,
    STANDING,
    TABLE,
    TRAIN_ROWS,
    VERDICT,
)
from flows.steps.gate import GATE
from flows.steps.score import SCORE, measured
from flows.steps.split import SPLIT
from sluice.errors import Refused
from sluice.gitops.state import Reference
from sluice.identity import file_sha256, folder_hash
from sluice.model.artifact import model_artifact
from sluice.model.data.split import GROUP
from sluice.model.data.table import from_parquet, to_parquet
from sluice.model.json_file import write_json
from sluice.policy import Policy, load_policy
from sluice.served.scoring import load_model

F = TypeVar("F", bound=msgspec.Struct)

SEALS = "seals"
Edit = Callable[[Report], Report]
_INCONVENIENT = 17  # rows that are left out


def untouched(_: Ground) -> MadeCase:
    """The real model, alone."""
    return MadeCase()


def refused(ground: Ground) -> MadeCase:
    """The real model under a floor that it does not clear."""
    return kind_of(ground.request.contract.target).refused


def held(ground: Ground) -> MadeCase:
    """The real model beside itself: no better, no worse."""
    return kind_of(ground.request.contract.target).held(ground)


def better(ground: Ground) -> MadeCase:
    """A truly better model than the champion."""
    return kind_of(ground.request.contract.target).better(ground)


@dataclass(frozen=True)
class Tampering:
    """An edit after the verdict: it changes the files of a report, or gives another report."""

    name: str
    edit: Edit
    case: Callable[[Ground], MadeCase] = untouched


@dataclass(frozen=True)
class State:
    """What an edit can change: the files of steps and opponents by hash, policy and champion."""

    folders: tuple[str, ...]
    policy: Policy
    policy_text: str
    champion: Reference | None


def tampering() -> Iterator[Tampering]:
    """All edits after a verdict."""
    yield from _files()
    yield from _remembered()
    yield from _compared()
    yield from _rows()


def _files() -> Iterator[Tampering]:
    yield Tampering("metrics.json edited after the verdict", _metrics)
    yield Tampering("metrics.json edited, evidence.json to match", _then(_metrics, _seal))
    yield Tampering(
        "metrics.json edited, all records to match", _then(_metrics, _decide, _seal, _record)
    )
    yield Tampering("threshold lowered after the verdict", _threshold)
    yield Tampering(
        "threshold lowered, scored and decided anew, all records to match",
        _then(_threshold, _golden, _record, _judge, _seal, _record),
    )
    yield Tampering(
        "another model under the same scores, all records to match", _then(_model, _seal, _record)
    )
    yield Tampering("scores edited, all records to match", _then(_scores, _decide, _seal, _record))
    yield Tampering("a verdict under an older policy", _policy)
    yield Tampering(
        "REJECT turned into PROMOTE, all records to match",
        _then(_verdict, _promote, _seal, _record),
        refused,
    )
    yield Tampering("uses of the holdout taken out of the record", _standing)
    yield Tampering("another champion than it was decided against", _champion)


def _remembered() -> Iterator[Tampering]:
    """What a later run remembers of a step: the facts in its record."""
    word = _recorded("gate", lambda record: record["facts"].update(verdict="PROMOTE"))
    yield Tampering("one word in the record of the gate: REJECT to PROMOTE", word, refused)
    yield Tampering(
        "one word in the record of the gate, its hash to match", _then(_promote, _record), refused
    )
    yield Tampering(
        "a HOLD that is remembered as one that may replace its champion",
        _then(_refresh, _record),
        held,
    )
    old = _recorded("gate", lambda record: record.pop("hash"))
    yield Tampering(
        "the record of an older version, without a hash of its facts", _then(word, old), refused
    )
    yield Tampering("another figure remembered than was measured", _remember)


def _compared() -> Iterator[Tampering]:
    """What the candidate is compared with."""
    for name in ("champion", "anchor", "alone"):
        noise = _in_scores(_shuffled(name))
        model = {"alone": "the best single column"}.get(name, f"the {name}")
        yield Tampering(
            f"scores of {model} replaced by noise, all records to match",
            _then(noise, _decide, _seal, _record),
            held,
        )
    yield Tampering(
        "rows left out that the champion finds alone, all records to match",
        _then(_leave_out, _measure, _decide, _seal, _record),
        better,
    )
    yield Tampering(
        "threshold of the champion moved in case.json, all records to match",
        _then(_strict_champion, _decide, _seal, _record),
        better,
    )
    yield Tampering(
        "weights of the champion moved in case.json, all records to match",
        _then(_other_weights, _decide, _seal, _record),
        better,
    )
    yield Tampering(
        "counts of rows changed in case.json, all records to match",
        _then(_duplicates, _decide, _seal, _record),
    )
    yield Tampering(
        "groups of rows exchanged, all records to match",
        _then(_in_scores(_exchange_groups), _measure, _decide, _seal, _record),
    )
    yield Tampering(
        "rows that belong together counted each for itself, all records to match",
        _then(_in_scores(_take_apart), _measure, _decide, _seal, _record),
    )
    yield Tampering("the champion on this machine replaced by another", _other_champion, better)


def _rows() -> Iterator[Tampering]:
    """Which rows there are, before anything is scored."""
    yield Tampering(
        "holdout rows taken out of the split, scored and decided anew, all records to match",
        _then(_shorten(HOLDOUT_ROWS), _record, _judge, _seal, _record),
    )
    yield Tampering(
        "training rows taken out of the split, scored and decided anew, all records to match",
        _then(_shorten(TRAIN_ROWS), _record, _judge, _seal, _record),
    )
    yield Tampering(
        "labels changed in the table, split and decided anew, all records to match",
        _then(_relabel, _record, _split, _record, _judge, _seal, _record),
    )


def copied(report: Report, home: Path) -> Report:
    """The same report in a state folder of its own, to be edited there."""
    decision, candidate = report.decision, report.candidate
    settings = report.request.settings.model_copy(update={"home": home})
    request = replace(report.request, settings=settings)
    for reference in decision.case.opponents.values():
        artifact = request.model_of(reference.model)
        if not artifact.is_dir():
            shutil.copytree(report.request.model_of(reference.model), artifact)
    candidate = Candidate(
        request,
        _copied(candidate.validated, home),
        _copied(candidate.split, home),
        _copied(candidate.tuned, home),
        _copied(candidate.trained, home),
    )
    own = Decision(
        replace(decision.case, candidate=candidate),
        _copied(decision.scored, home),
        decision.standing,
        _copied(decision.decided, home),
        _copied(decision.replayed, home),
    )
    return Report(own, _copied(report.evidence, home))


def _copied(result: Result[F], home: Path) -> Result[F]:
    folder = home / "store" / result.step / result.key
    shutil.copytree(result.folder, folder)
    return replace(result, folder=folder)


def found(report: Report) -> Report:
    """The report as the next run finds it in the store.

    Raises Refused where something was altered, or is not believed and done again.
    """
    decision, candidate = report.decision, report.candidate
    home = report.request.settings.home
    candidate = replace(
        candidate,
        validated=_found(home, candidate.validated),
        split=_found(home, candidate.split),
        tuned=_found(home, candidate.tuned),
        trained=_found(home, candidate.trained),
    )
    decision = replace(
        decision,
        case=replace(decision.case, candidate=candidate),
        scored=_found(home, decision.scored),
        decided=_found(home, decision.decided),
        replayed=_found(home, decision.replayed),
    )
    return Report(decision, _found(home, report.evidence))


def _found(home: Path, result: Result[F]) -> Result[F]:
    there = store.find(home, result.step, result.key, type(result.facts))
    if there is None:
        raise Refused(f"what an older version kept of {result.step} is not believed: done again")
    return there


def state(report: Report) -> State:
    """What an edit can change, as it is now."""
    folders = [result.folder for result in report.results]
    opponents = report.decision.case.opponents.values()
    folders += [report.request.model_of(reference.model) for reference in opponents]
    return State(
        tuple(folder_hash(folder) for folder in folders if folder.is_dir()),
        report.request.policy,
        report.request.policy_text,
        report.decision.case.champion,
    )


def _then(*edits: Edit) -> Edit:
    def edit_all(report: Report) -> Report:
        for edit in edits:
            report = edit(report)
        return report

    return edit_all


def _metrics(report: Report) -> Report:
    path = report.decision.scored.folder / METRICS
    edit_json(path, lambda metrics: metrics["holdout"].update({_figure(report): 0.99}))
    return report


def _figure(report: Report) -> str:
    """What the gate asks of the holdout first."""
    return "skill" if report.request.contract.target.quantity else "recall"


def _remember(report: Report) -> Report:
    path = report.decision.scored.folder / RECORD
    edit_json(path, lambda record: record["facts"].update({_figure(report): 0.99}))
    return report


def _threshold(report: Report) -> Report:
    path = report.candidate.trained.folder / MODEL / "policy.toml"
    threshold = _require_threshold(report)
    text = path.read_text(encoding="utf-8")
    lowered = text.replace(f"threshold = {threshold!r}", f"threshold = {threshold - 0.01!r}")
    path.write_text(lowered, encoding="utf-8")
    return report


def _require_threshold(report: Report) -> float:
    """The threshold of the candidate. Raises NotHere where its target has none."""
    threshold = threshold_of(report.decision, "candidate")
    if math.isnan(threshold):
        raise NotHere("there is no threshold")
    return threshold


def _golden(report: Report) -> Report:
    """Golden records and metrics of the artifact, made anew for the threshold that it has now."""
    artifact = report.candidate.trained.folder / MODEL
    model = load_model(artifact)
    golden = structs.replace(model_artifact.load_golden(artifact), threshold=model.threshold)
    (artifact / model_artifact.GOLDEN).write_bytes(msgspec.json.encode(golden))
    edit_json(artifact / METRICS, lambda metrics: metrics.update(threshold=model.threshold))
    return report


def _model(report: Report) -> Report:
    path = report.candidate.trained.folder / MODEL / "model.onnx"
    path.write_bytes(bent(path.read_bytes(), [(0.0, 0.0), (1.0, 0.9)]))
    return report


def _policy(report: Report) -> Report:
    """The floor was raised since, and nobody decided anew."""
    document = tomllib.loads(report.request.policy_text)
    # What is told stays as it was decided, so that the floor is all that differs.
    document["gate"]["told"] = report.request.policy.gate.told
    if report.request.contract.target.quantity:
        document["number"]["skill_floor"] = 0.999
    else:
        document["gate"]["recall_floor"] = 0.999
    text = tomli_w.dumps(document)
    request = replace(report.request, policy_text=text, policy=load_policy(text))
    return _with_candidate(report, replace(report.candidate, request=request))


def _verdict(report: Report) -> Report:
    path = report.decision.decided.folder / VERDICT
    edit_json(path, lambda verdict: verdict.update(verdict="PROMOTE", rules=[]))
    return report


def _promote(report: Report) -> Report:
    """The gate is remembered to have said PROMOTE."""
    return _with_decided(report, verdict="PROMOTE")


def _refresh(report: Report) -> Report:
    return _with_decided(report, refresh=True)


def _with_decided(report: Report, **facts: str | bool) -> Report:
    decided = report.decision.decided
    decided = replace(decided, facts=structs.replace(decided.facts, **facts))
    return replace(report, decision=replace(report.decision, decided=decided))


def _standing(report: Report) -> Report:
    path = report.decision.decided.folder / STANDING
    edit_json(path, lambda standing: standing.update(uses=7))
    return report


def _champion(report: Report) -> Report:
    other = Reference("other", "", "0" * 64)
    decision = report.decision
    case = replace(decision.case, champion=other)
    return replace(report, decision=replace(decision, case=case))


def _other_champion(report: Report) -> Report:
    """Its folder holds a sound artifact, and not the one that was promoted."""
    champion = report.decision.case.champion
    if champion is None:
        raise ValueError("a case with a champion is required")
    shutil.rmtree(report.request.model_of(champion.model))
    shutil.copytree(
        report.candidate.trained.folder / MODEL, report.request.model_of(champion.model)
    )
    return report


def _recorded(step: str, change: Callable[[Document], object]) -> Edit:
    """Change the record of a step, and nothing to match."""

    def edit(report: Report) -> Report:
        [result] = [one for one in report.results if one.step == step]
        edit_json(result.folder / RECORD, lambda record: _ignore(change(record)))
        return report

    return edit


def _ignore(_: object) -> None:
    """What a change returns is of no use."""


def _in_scores(change: Callable[[Columns, Report], Columns]) -> Edit:
    """Change scores.parquet."""

    def edit(report: Report) -> Report:
        path = report.decision.scored.folder / SCORES
        path.write_bytes(to_parquet(change(from_parquet(path.read_bytes()), report)))
        return report

    return edit


def _nearer_the_labels(table: Columns, report: Report) -> Columns:
    """Every positive is found, or every answer is right: what the gate would love to see."""
    labels = table["label"]
    if not report.request.contract.target.several:
        return {**table, "candidate": 0.5 * table["candidate"] + 0.5 * labels}
    moved = {
        name: 0.5 * table[name] + 0.5 * (labels == int(name.split()[1]))
        for name in _columns(table, "candidate")
    }
    return {**table, **moved}


def _columns(table: Columns, model: str) -> list[str]:
    """The columns of a model: one, or one for each class."""
    return [name for name in table if name == model or name.startswith(f"{model} ")]


_scores = _in_scores(_nearer_the_labels)


def _shuffled(model: str) -> Callable[[Columns, Report], Columns]:
    def shuffle(table: Columns, _: Report) -> Columns:
        order = np.random.default_rng(7).permutation(len(table["label"]))
        return {**table, **{name: table[name][order] for name in _columns(table, model)}}

    return shuffle


def _exchange_groups(table: Columns, _: Report) -> Columns:
    """Every row gets the groups of its neighbour."""
    groups = {name: np.roll(table[name], 1) for name in table if name.startswith("segment ")}
    if not groups:
        raise NotHere("the contract has no segments")
    return {**table, **groups}


def _take_apart(table: Columns, _: Report) -> Columns:
    """Every row is a group of its own, as if nobody were there twice."""
    if GROUP not in table:
        raise NotHere("no rows belong together")
    return {**table, GROUP: table["row_hash"]}


def _without_inconvenient(table: Columns, report: Report) -> Columns:
    left_out = np.flatnonzero(_inconvenient(table, report))[:_INCONVENIENT]
    return {name: np.delete(values, left_out) for name, values in table.items()}


def _inconvenient(table: Columns, report: Report) -> np.ndarray:
    """The rows that the champion answers rightly, or more nearly, and the candidate does not;
    boolean, shape (rows,).
    """
    labels, target = table["label"], report.request.contract.target
    if target.quantity:
        mine, theirs = (np.abs(table[name] - labels) for name in ("candidate", "champion"))
        return np.asarray(theirs < mine)
    if target.several:
        mine, theirs = (
            np.column_stack([table[column] for column in _columns(table, name)]).argmax(axis=1)
            for name in ("candidate", "champion")
        )
        return np.asarray((theirs == labels) & (mine != labels))
    missed = table["candidate"] < threshold_of(report.decision, "candidate")
    found = table["champion"] >= threshold_of(report.decision, "champion")
    return np.asarray(found & missed & (labels == 1))


_leave_out = _in_scores(_without_inconvenient)


def _strict_champion(report: Report) -> Report:
    _require_threshold(report)
    edit_json(
        report.decision.scored.folder / CASE, lambda case: case["champion"].update(threshold=0.99)
    )
    return report


def _other_weights(report: Report) -> Report:
    """The champion is judged as if it answered one class alone."""
    if not report.request.contract.target.several:
        raise NotHere("there are no weights of several classes")

    def move(case: Document) -> None:
        case["champion"]["weights"] = [9.0, *case["champion"]["weights"][1:]]

    edit_json(report.decision.scored.folder / CASE, move)
    return report


def _duplicates(report: Report) -> Report:
    def count(case: Document) -> None:
        case["facts"]["duplicates"] += 1

    edit_json(report.decision.scored.folder / CASE, count)
    return report


def _shorten(part: str) -> Edit:
    """Take rows out of a part of the split."""

    def edit(report: Report) -> Report:
        path = report.candidate.split.folder / part
        rows = from_parquet(path.read_bytes())
        short = {name: values[_INCONVENIENT:] for name, values in rows.items()}
        path.write_bytes(to_parquet(short))
        return report

    return edit


def _relabel(report: Report) -> Report:
    """The first rows of the table get the other label."""
    path = report.candidate.validated.folder / TABLE
    target = report.request.contract.target
    table = from_parquet(path.read_bytes())
    labels = table[target.column].copy()
    first = labels[:_INCONVENIENT]
    if target.quantity:
        labels[:_INCONVENIENT] = target.quantity.low + target.quantity.high - first
    else:
        labels[:_INCONVENIENT] = (first + 1) % len(target.outcomes)
    path.write_bytes(to_parquet({**table, target.column: labels}))
    return report


def _split(report: Report) -> Report:
    """Split anew what the table says now."""
    candidate = report.candidate
    split = candidate.split
    facts = SPLIT.work(split.folder, report.request, candidate.validated)
    return _with_candidate(report, replace(candidate, split=replace(split, facts=facts)))


def _judge(report: Report) -> Report:
    """Score and decide anew, as a release does with what lies there."""
    decision = report.decision
    facts = SCORE.work(decision.scored.folder, decision.case)
    scored = replace(decision.scored, facts=facts)
    return _decide(replace(report, decision=replace(decision, scored=scored)))


def _measure(report: Report) -> Report:
    """Let metrics.json say what follows from the scores that lie there."""
    decision = report.decision
    scored = decision.scored
    outputs = {**scored.outputs, SCORES: file_sha256(scored.folder / SCORES)}
    edited = replace(decision, scored=replace(scored, outputs=outputs))
    scores = read_scores(edited.scored.read(SCORES))
    candidate = load_model(edited.candidate.trained.folder / MODEL)
    metrics = measured(edited.case, candidate, scores)
    (scored.folder / METRICS).write_text(write_json(metrics), encoding="utf-8")
    return report


def _decide(report: Report) -> Report:
    """Decide anew on the scores that lie there."""
    decision = report.decision
    decided = decision.decided
    facts = GATE.work(decided.folder, decision.case, decision.scored, decision.standing)
    decision = replace(decision, decided=replace(decided, facts=facts))
    return replace(report, decision=decision)


def _seal(report: Report) -> Report:
    """The seals in evidence.json, made anew over what lies there now."""
    path = report.evidence.folder / "evidence.json"
    edit_json(path, lambda evidence: evidence.update(seals=sealed(report.decision)))
    return report


def _record(report: Report) -> Report:
    """What each step is remembered to have put out, made anew, with the hash of the record."""
    decision, candidate = report.decision, report.candidate
    trained = candidate.trained
    threshold = load_model(trained.folder / MODEL).threshold
    facts = structs.replace(
        trained.facts,
        model=folder_hash(trained.folder / MODEL),
        threshold=None if trained.facts.threshold is None else threshold,
    )
    candidate = replace(
        candidate,
        validated=_rewritten(candidate.validated),
        split=_rewritten(candidate.split),
        tuned=_rewritten(candidate.tuned),
        trained=_rewritten(replace(trained, facts=facts)),
    )
    decision = replace(
        decision,
        case=replace(decision.case, candidate=candidate),
        scored=_rewritten(decision.scored),
        decided=_rewritten(decision.decided),
        replayed=_rewritten(decision.replayed),
    )
    return Report(decision, _rewritten(report.evidence))


def _rewritten(result: Result[F]) -> Result[F]:
    """The result with a record that agrees with its files and facts."""
    folder = result.folder
    names = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.name != RECORD
    }
    outputs = {name: file_sha256(folder / name) for name in sorted(names)}
    facts = msgspec.to_builtins(result.facts)
    record = msgspec.json.decode((folder / RECORD).read_bytes(), type=Record)
    store.write_record(folder, structs.replace(record, outputs=outputs, facts=facts))
    return replace(result, outputs=outputs)


def _with_candidate(report: Report, candidate: Candidate) -> Report:
    case = replace(report.decision.case, candidate=candidate)
    return replace(report, decision=replace(report.decision, case=case))
