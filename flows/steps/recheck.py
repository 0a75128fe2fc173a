"""Before anything is built: everything that a verdict rests on, worked out anew.

This is no step. The store is a cache, and whoever can write there can write records that agree
with each other. So nothing in it is believed here: the rows come from the data again, the scores of
every model from its artifact and these rows, and the verdict from both. Believed are the data,
contract and policy of the request, the artifacts that the manifest repo names by hash, that the
data were validated, and that the model was trained as it says: `sluice reproduce` looks at that.
"""

import datetime
import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec.structs import astuple

from flows.decision.case_file import CaseFile
from flows.decision.scores_file import Scores, read_scores
from flows.decision.seals import AGAIN, compare, sealed
from flows.engine.phases import Case, Decision, Report
from flows.engine.store import Altered
from flows.facts.decided import Decided
from flows.facts.replayed import Forecast
from flows.facts.step_files import (
    CASE,
    FORECAST,
    METRICS,
    MODEL,
    ON_VALIDATION,
    REPORT,
    SCORES,
    STANDING,
    TABLE,
    TUNING,
    VALIDATION_RULES,
    VERDICT,
)
from flows.facts.validated import ReportFile
from flows.steps.evidence import summarised
from flows.steps.gate import GATE
from flows.steps.replay import work_as_of
from flows.steps.score import SCORE
from flows.steps.split import SPLIT
from flows.steps.train import measured_again, remembered
from flows.steps.tune import told
from flows.steps.validate import reported, table
from sluice.errors import Refused
from sluice.gitops.evidence import Evidence, read_evidence
from sluice.identity import canonical, file_sha256, folder_hash, sha256
from sluice.model.artifact.model_artifact import shipped_policy
from sluice.model.classes.metrics_file import ClassMetrics
from sluice.model.fit.conversion import TOLERANCE
from sluice.model.fit.tuning_file import Tuning
from sluice.model.json_file import parse_json, read_json
from sluice.model.number.metrics_file import NumberMetrics
from sluice.model.quality.metrics_file import Metrics
from sluice.served.contract import Contract, Target
from sluice.served.quantity import bins_in
from sluice.toml_text import read_toml


def check(report: Report) -> Decided:
    """Work out anew what the verdict of a report rests on; the verdict that this gives.

    It needs a few seconds and no network. Raises Refused, which names what changed.
    """
    decision = report.decision
    _require_untouched(report)
    evidence = read_evidence(report.evidence.read("evidence.json"))
    compare(evidence.seals or {}, sealed(decision))
    _require_same_evidence(report, evidence)
    with tempfile.TemporaryDirectory(prefix="sluice-recheck-") as scratch:
        folder = Path(scratch)
        _rows_again(decision.case, folder / "rows")
        _model_again(decision.case)
        _opponents_again(decision.case)
        _scores_again(decision, folder / "scores")
        _replay_again(decision, folder / "replay")
        return _verdict_again(decision, folder / "verdict")


def _other(what: str) -> Refused:
    return Refused(f"{what} is not what it is when it is worked out anew", AGAIN)


def _require_untouched(report: Report) -> None:
    """Every file is as its step wrote it. First of all: what was changed may not even be read."""
    for result in report.results:
        changed = result.changed()
        if changed:
            raise Altered(result.step, changed)


def _require_same_evidence(report: Report, evidence: Evidence) -> None:
    """What nobody may overlook stands on the page, and nothing is remembered of it otherwise."""
    facts = report.decided
    if (evidence.override or "", evidence.policy_changed or "") != (
        facts.override,
        facts.policy_changed,
    ):
        raise _other("what evidence.json says of override and policy")
    if report.evidence.facts != summarised(evidence):
        raise _other("what is remembered of the evidence")


def _rows_again(case: Case, folder: Path) -> None:
    """The table is that of the data, and each part of the split has the rows that belong to it."""
    request, candidate = case.request, case.candidate
    if sha256(table(request)) != candidate.validated.hash(TABLE):
        raise _other(f"{TABLE} of validate")
    folder.mkdir()
    facts = SPLIT.work(folder, request, candidate.validated)
    for name in SPLIT.files:
        if file_sha256(folder / name) != candidate.split.hash(name):
            raise _other(f"{name} of split")
    if facts != candidate.split.facts:
        raise _other("what is remembered of the split")
    report = candidate.validated.parsed(REPORT, ReportFile)
    if candidate.validated.facts != reported(report) or report.rows != sum(astuple(facts)):
        raise _other("what is remembered of the data")


def _model_again(case: Case) -> None:
    """Threshold and metrics are those of the model, contract and policy those of the request."""
    request, candidate = case.request, case.candidate
    trained, tuned = candidate.trained, candidate.tuned
    tuning = tuned.parsed(TUNING, Tuning)
    if not _equal(tuned.facts, told(request, tuning)):
        raise _other("what is remembered of the search")
    measured = measured_again(request, candidate.split, tuned, trained)
    shipped = trained.read(f"{MODEL}/policy.toml").decode()
    threshold = _threshold(shipped, measured.threshold)
    bins = _bins(request.contract, shipped, measured.bins)
    if shipped != shipped_policy(request.policy_text, threshold, bins):
        raise _other("the policy of the artifact")
    if trained.read(f"{MODEL}/contract.toml") != request.contract_text.encode():
        raise _other("the contract of the artifact")
    told_by_artifact = trained.parsed(f"{MODEL}/metrics.json", type(measured.metrics))
    quantity = request.contract.target.quantity
    allowed = quantity.tolerance if quantity else TOLERANCE
    if not _equal(told_by_artifact, measured.metrics, allowed):
        raise _other("the metrics of the artifact")
    model = folder_hash(trained.folder / MODEL)
    facts = remembered(request.contract, model, threshold, tuning.winner.family)
    if trained.facts != facts:
        raise _other("what is remembered of the training")


def _threshold(shipped: str, measured: float | None) -> float | None:
    """The threshold in the policy of the artifact, which is the measured one; None of both where
    there are several classes.
    """
    if measured is None:
        return None
    policy = read_toml(shipped, "the policy of the artifact")
    threshold: float = policy["operating_point"]["threshold"]
    if not math.isclose(threshold, measured, abs_tol=TOLERANCE):
        raise _other("the threshold")
    return threshold


def _bins(contract: Contract, shipped: str, measured: tuple[float, ...]) -> tuple[float, ...]:
    """The bins in the policy of the artifact, which are the measured ones; none of both where the
    target is no number.
    """
    quantity = contract.target.quantity
    if quantity is None:
        return ()
    name = "the policy of the artifact"
    bins = bins_in(read_toml(shipped, name), name)
    if len(bins) != len(measured) or not np.allclose(
        bins, measured, rtol=0.0, atol=quantity.tolerance
    ):
        raise _other("the bins of the answers")
    return bins


def _opponents_again(case: Case) -> None:
    """Champion and anchor on this machine are those that the manifest repo names."""
    for name, reference in case.opponents.items():
        if folder_hash(case.request.model_of(reference.model)) != reference.model:
            raise Refused(
                f"the artifact of {name} {reference.tag} on this machine is not the one that was"
                " promoted",
                "Run the release again: it is fetched from the registry.",
            )


def _scores_again(decision: Decision, folder: Path) -> None:
    """Every model scored anew on the rows that all of them can be compared on."""
    folder.mkdir()
    scored = decision.scored
    facts = SCORE.work(folder, decision.case)
    target = decision.request.contract.target
    allowed = target.quantity.tolerance if target.quantity else TOLERANCE
    _same_files(decision, folder, "", allowed)
    if decision.request.policy.gate.worded:
        _same_files(decision, folder, f"{ON_VALIDATION}/", allowed)
    if not _equal(scored.facts, facts, allowed):
        raise _other("what is remembered of the scores")


def _same_files(decision: Decision, folder: Path, part: str, allowed: float) -> None:
    """Raise Refused where a file of the score is not what it is now, numbers within what is
    `allowed`; `part` is where it lies.
    """
    scored, target = decision.scored, decision.request.contract.target
    name = f"{part}{SCORES}"
    _same_scores(read_scores(scored.read(name)), read_scores((folder / name).read_bytes()), allowed)
    schemas: dict[str, type[msgspec.Struct]] = {CASE: CaseFile, METRICS: _metrics_of(target)}
    for file, schema in schemas.items():
        name = f"{part}{file}"
        now = read_json((folder / name).read_bytes(), schema, name)
        if not _equal(scored.parsed(name, schema), now, allowed):
            raise _other(f"{name} of score")


def _metrics_of(target: Target) -> type[Metrics | ClassMetrics | NumberMetrics]:
    """The schema of what is measured of a target."""
    if target.quantity:
        return NumberMetrics
    return ClassMetrics if target.several else Metrics


def _same_scores(judged: Scores, now: Scores, allowed: float) -> None:
    """Raise Refused, naming what differs: rows, labels, groups, segments, or a model's scores by
    more than what is `allowed`.
    """
    if not np.array_equal(judged.row_hash, now.row_hash):
        raise _other("the choice of rows in scores.parquet")
    if not np.array_equal(judged.labels, now.labels):
        raise _other("the column of labels in scores.parquet")
    if not _same_groups(judged.group_hash, now.group_hash):
        raise _other("the column of groups in scores.parquet")
    if judged.segments.keys() != now.segments.keys():
        raise _other("the segments in scores.parquet")
    for name, groups in now.segments.items():
        if not np.array_equal(judged.segments[name], groups):
            raise _other(f"the segment {name} in scores.parquet")
    models = {
        "the candidate": (judged.candidate, now.candidate),
        "the best single column": (judged.alone, now.alone),
        "the champion": (judged.champion, now.champion),
        "the anchor": (judged.anchor, now.anchor),
    }
    for model, (before, after) in models.items():
        if not _agree(before, after, allowed):
            raise _other(f"the column of scores of {model}")


def _same_groups(judged: np.ndarray | None, now: np.ndarray | None) -> bool:
    if judged is None or now is None:
        return judged is now
    return np.array_equal(judged, now)


def _agree(judged: np.ndarray | None, now: np.ndarray | None, allowed: float) -> bool:
    """Whether two columns of scores are equal within a tolerance."""
    if judged is None or now is None:
        return judged is now
    return bool(np.allclose(judged, now, rtol=0.0, atol=allowed, equal_nan=True))


def _replay_again(decision: Decision, folder: Path) -> None:
    """Both models replayed anew, on the days of the log that were over then."""
    folder.mkdir()
    replayed, today = decision.replayed, decision.request.tools.today()
    known = FORECAST in replayed.outputs
    if known and (day := replayed.parsed(FORECAST, Forecast).day):
        today = min(today, datetime.date.fromisoformat(day))
    facts = work_as_of(folder, decision.case, today)
    if facts.origin != replayed.facts.origin:
        raise _other("which rows were replayed")
    if known != (folder / FORECAST).is_file():
        raise _other(f"{FORECAST} of replay")
    if known:
        now = read_json((folder / FORECAST).read_bytes(), Forecast, FORECAST)
        if not _equal(replayed.parsed(FORECAST, Forecast), now):
            raise _other(f"{FORECAST} of replay")
    if not _equal(replayed.facts, facts):
        raise _other("what is remembered of the replay")


def _verdict_again(decision: Decision, folder: Path) -> Decided:
    """The verdict on these scores, under what is known of ledger, override and policy now."""
    folder.mkdir()
    decided = decision.decided
    facts = GATE.work(folder, decision.case, decision.scored, decision.standing)
    beside = (VALIDATION_RULES,) if decision.request.policy.gate.worded else ()
    for name in (VERDICT, STANDING, *beside):
        now = canonical(_json(folder / name))
        if now != canonical(decided.document(name)):
            raise Refused(f"decided anew it is {facts.verdict}: {facts.sentence}", AGAIN)
    if decided.facts != facts:
        raise Refused(
            f"the verdict is remembered as {_words(decided.facts)}; decided anew it is"
            f" {_words(facts)}: {facts.sentence}",
            AGAIN,
        )
    return facts


def _words(decided: Decided) -> str:
    if decided.verdict == "HOLD" and decided.refresh:
        return "a HOLD that may replace its champion"
    return decided.verdict


def _json(path: Path) -> Any:
    return parse_json(path.read_bytes(), path.name)


def _equal(before: msgspec.Struct, now: msgspec.Struct, allowed: float = TOLERANCE) -> bool:
    """Whether two documents are equal, numbers within what is `allowed`: the tolerance of the
    conversion, or of a number its own where that is more.
    """
    return _close(msgspec.to_builtins(before), msgspec.to_builtins(now), max(allowed, TOLERANCE))


def _close(before: object, now: object, allowed: float) -> bool:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        same = before.keys() == now.keys()
        return same and all(_close(before[name], now[name], allowed) for name in now)
    if isinstance(before, list | tuple) and isinstance(now, list | tuple):
        pairs = zip(before, now, strict=False)
        return len(before) == len(now) and all(_close(*pair, allowed) for pair in pairs)
    if isinstance(before, float) and isinstance(now, int | float):
        return math.isclose(before, now, rel_tol=0.0, abs_tol=allowed)
    return before == now
