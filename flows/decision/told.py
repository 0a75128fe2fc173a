"""What is told of a look at the holdout: the only door through which an outcome leaves.

Behind the door are the files of two steps in the store of this machine: scores.parquet,
metrics.json and case.json of the score, verdict.json of the gate. Whoever can read them has the
labels too. Whatever is shown, logged, sent or committed is made from what is given here: the facts
of both steps, which Prefect and the terminal show; `Told`, which everything after the verdict
shows; and the seals, because the hash of a file that holds few figures tells them to whoever tries.

With `told = "words"` in the policy one of two words is told. As long as it is not PROMOTE it is the
same for every candidate, so nothing can be learnt from it: docs/statistics.md has the proof. With
`told = "promoted"` the same is told, and beside a PROMOTE what was measured on the whole holdout:
no group, curve, comparison or rule, because these would say where the champion was unlucky. Of
several classes that is the mean recall: with a few other means, that of each class could be worked
out, and a class is a part. What does not depend on who is positive there is told with both: rules
that look at no label, and all other rules on the validation rows, which decide nothing.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from msgspec import structs

from flows.facts.decided import NOT_PROMOTED, Decided
from flows.facts.scored import Scored
from flows.facts.step_files import CASE, METRICS, SCORES, STANDING, VALIDATION_RULES, VERDICT
from sluice.gate.case import Rule
from sluice.gate.elsewhere import (
    WITHOUT_LABELS,
    found_on_validation,
    unmet_of_the_holdout,
    without_labels,
)
from sluice.identity import file_sha256, sha256
from sluice.model.classes.summary import class_summary, mean_recall
from sluice.model.json_file import write_json
from sluice.model.number.metrics_file import NumberMeasures
from sluice.model.number.summary import number_summary
from sluice.model.quality.metrics import summary

if TYPE_CHECKING:
    from flows.engine.phases import Decision
    from sluice.gate.decide import Verdict
    from sluice.model.classes.metrics_file import ClassMetrics
    from sluice.model.number.metrics_file import NumberMetrics
    from sluice.model.quality.metrics_file import Metrics
    from sluice.policy import GatePolicy

_NOT_PROMOTED = (
    "It does not meet every rule of its policy, which tells no figure of the holdout, and not which"
    " rule"
)
_FIRST = "This is the first model, and it clears every floor of its policy"
_LATER = "It meets every rule of its policy"
_NOTHING = "which tells no figure of the holdout"
_MEASURED = "which tells figures of the whole holdout, and none of a group, a rule or a comparison"
_MEAN = "which tells the mean recall on the holdout, and no other figure of it"
# The part of a document of the verdict that has the rules on the validation rows.
_VALIDATION = "validation"
_SHOWN = 4  # digits of a recall in the line of a verdict
# What is laid out for people beside the evidence where figures are told.
_LAID_OUT = (VERDICT, STANDING, SCORES, METRICS, CASE)


@dataclass(frozen=True)
class Told:
    """What is told of a decision.

    `verdict` is what verdict.json says, `metrics` is None where no figure is told, `line` is the
    verdict with what was measured. `files` are kept beside the image and lie beside the evidence.
    Where the target has several classes, `of_classes` stands in the place of `metrics`, and where
    it is a number `of_number`. `validation` is what was measured on the validation rows, where no
    part of the holdout is told. `mean_recall` is that of several classes where it is all that is
    told, with the digits that people see: more of them would tell the classes.
    """

    verdict: Mapping[str, object]
    metrics: "Metrics | None"
    line: str
    files: Mapping[str, bytes]
    of_classes: "ClassMetrics | None" = None
    of_number: "NumberMetrics | None" = None
    validation: "Metrics | None" = None
    validation_of_classes: "ClassMetrics | None" = None
    validation_of_number: "NumberMetrics | None" = None
    mean_recall: float | None = None


def scored(metrics: "Metrics | ClassMetrics | NumberMetrics", policy: "GatePolicy") -> Scored:
    """The facts of the score. How many rows there are does not depend on a label."""
    rows = metrics.rows.holdout
    if policy.worded:
        return Scored(rows)
    if isinstance(metrics.holdout, NumberMeasures):
        skill = metrics.holdout.skill
        return Scored(rows, skill=skill if math.isfinite(skill) else None)
    return Scored(rows, metrics.holdout.recall, metrics.holdout.precision)


def decided(
    verdict: "Verdict",
    policy: "GatePolicy",
    validation: Sequence[Rule] = (),
    *,
    first: bool = False,
    several: bool = False,
    override: str,
    policy_changed: str,
) -> Decided:
    """The facts of the gate; `validation` are the rules on the validation rows, `first` says that
    there is no champion, `several` that the target has several classes.
    """
    word, sentence, refresh = verdict.verdict, verdict.sentence, verdict.refresh
    if policy.worded:
        word, refresh = _word(word), False
        parts = (
            _sentence(word, policy, first=first, several=several),
            unmet_of_the_holdout(without_labels(verdict.rules)),
            found_on_validation(validation),
        )
        sentence = ". ".join(part for part in parts if part)
    return Decided(word, sentence, refresh, override=override, policy_changed=policy_changed)


def of(decision: "Decision") -> Told:
    """What is told of a decision. Raises Unreadable where a file of it is damaged."""
    if decision.request.policy.gate.worded:
        return _in_words(decision)
    files = {METRICS: decision.scored.read(METRICS), VERDICT: decision.decided.read(VERDICT)}
    verdict = decision.decided.document(VERDICT)
    if decision.request.contract.target.several:
        found = decision.class_metrics
        line = class_summary(decision.decided.facts.verdict, found)
        return Told(verdict, None, line, files, found)
    if decision.request.contract.target.quantity:
        of_number = decision.number_metrics
        line = number_summary(decision.decided.facts.verdict, of_number)
        return Told(verdict, None, line, files, of_number=of_number)
    metrics = decision.metrics
    return Told(
        verdict=verdict,
        metrics=metrics,
        line=summary(decision.decided.facts.verdict, metrics.confusion, metrics.intervals),
        files=files,
    )


def laid_out(decision: "Decision") -> tuple[dict[str, bytes], tuple[str, ...]]:
    """What lies beside the evidence on this machine, and which files of a release before may not
    lie there any more.
    """
    if decision.request.policy.gate.worded:
        told = dict(of(decision).files)
        return told, tuple(name for name in _LAID_OUT if name not in told)
    folders = (decision.decided.folder, decision.scored.folder)
    found = (folder / name for folder in folders for name in _LAID_OUT)
    return {path.name: path.read_bytes() for path in found if path.is_file()}, ()


def seals(decision: "Decision") -> dict[str, str]:
    """The seals of the files that a look wrote, as they lie there now.

    With words, only what is told is sealed: of a file with few figures, somebody could try which
    ones give its hash. What lies in the store is worked out anew before anything is built.
    """
    if decision.request.policy.gate.worded:
        files = of(decision).files
        return {name.removesuffix(".json"): sha256(content) for name, content in files.items()}
    score, gate = decision.scored.folder, decision.decided.folder
    return {
        "scores": file_sha256(score / SCORES),
        "case": file_sha256(score / CASE),
        "metrics": file_sha256(score / METRICS),
        "verdict": file_sha256(gate / VERDICT),
    }


def lineage(decision: "Decision") -> dict[str, str]:
    """The hashes of these files as the page of evidence lists them."""
    if decision.request.policy.gate.worded:
        return {}
    return {
        "scores": decision.scored.hash(SCORES),
        "metrics": decision.scored.hash(METRICS),
        "verdict": decision.decided.hash(VERDICT),
    }


def _sentence(word: str, policy: "GatePolicy", *, first: bool, several: bool) -> str:
    if word == NOT_PROMOTED:
        return _NOT_PROMOTED
    measured = _MEAN if several else _MEASURED
    told = measured if _is_measured(word, policy) else _NOTHING
    return f"{_FIRST if first else _LATER}, {told}"


def _is_measured(verdict: str, policy: "GatePolicy") -> bool:
    return verdict == "PROMOTE" and policy.promoted_figures


def _word(verdict: str) -> str:
    return verdict if verdict == "PROMOTE" else NOT_PROMOTED


def _has_validation(decision: "Decision") -> bool:
    """Whether the validation rows were judged too: they are not in a case that a drill makes up."""
    return VALIDATION_RULES in decision.decided.outputs


def _rules_on_validation(decision: "Decision") -> list[object]:
    if not _has_validation(decision):
        return []
    found: list[object] = decision.decided.document(VALIDATION_RULES)
    return found


def _in_words(decision: "Decision") -> Told:
    facts, champion = decision.decided.facts, decision.case.champion
    found = decision.decided.document(VERDICT)
    document: dict[str, object] = {
        "schema": found["schema"],
        "verdict": facts.verdict,
        "sentence": facts.sentence,
        "refresh": facts.refresh,
        "rules": [rule for rule in found["rules"] if rule["rule"] in WITHOUT_LABELS],
        "champion": champion.tag if champion else None,
        "comparison": None,
        "anchor": None,
        _VALIDATION: _rules_on_validation(decision),
    }
    files = {VERDICT: json.dumps(document, indent=1).encode()}
    target = decision.request.contract.target
    told = _beside_words(decision, Told(document, None, facts.verdict, files))
    if not _is_measured(facts.verdict, decision.request.policy.gate):
        return told
    if target.quantity:
        of_number = structs.replace(decision.number_metrics, segments={})
        line = number_summary(facts.verdict, of_number)
        measured = {METRICS: write_json(of_number).encode()}
        return replace(told, line=line, files={**files, **measured}, of_number=of_number)
    if target.several:
        found = decision.class_metrics
        line = mean_recall(facts.verdict, found)
        return replace(told, line=line, mean_recall=round(found.holdout.recall, _SHOWN))
    metrics = structs.replace(decision.metrics, segments={})
    line = summary(facts.verdict, metrics.confusion, metrics.intervals)
    measured = {METRICS: write_json(metrics).encode()}
    return replace(told, line=line, files={**files, **measured}, metrics=metrics)


def _beside_words(decision: "Decision", told: Told) -> Told:
    """The same with what was measured on the validation rows, where those were judged too."""
    if not _has_validation(decision):
        return told
    target = decision.request.contract.target
    if target.quantity:
        return replace(told, validation_of_number=decision.number_validation)
    if target.several:
        return replace(told, validation_of_classes=decision.class_validation)
    return replace(told, validation=decision.validation)
