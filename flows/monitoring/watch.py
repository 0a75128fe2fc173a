"""What is live, looked at: its promise from the evidence, its days from the log, one report.

Each day is counted once and kept in counts, so it is still known when the service has removed its
rows for their age. It is counted again where its log or the labels have changed.
"""

import datetime
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from flows.adapters import label_files
from flows.adapters.files import write_atomic
from flows.adapters.prediction_days import LogDay, Passed, PredictionLog, blocks, open_log
from flows.audit.find_release import artifact, trace
from flows.gitops import manifest_repo
from flows.monitoring.labels import folder_of, settled
from flows.project.models import model_folder, project_text
from flows.project.settings import Settings
from sluice.errors import SluiceError, UsageError
from sluice.gitops.evidence import Evidence
from sluice.gitops.state import Anchor, Champion
from sluice.identity import sha256
from sluice.model.artifact.reference import read_reference
from sluice.model.classes.metrics_file import ClassMetrics
from sluice.model.number.metrics_file import NumberMetrics
from sluice.model.quality.metrics_file import Metrics
from sluice.monitor.classes import ClassPromise, WatchedClasses, judge_classes
from sluice.monitor.day import Day, Tally
from sluice.monitor.estimate import calibration_error
from sluice.monitor.judge import Standing, Watched, judge
from sluice.monitor.labels import Settled
from sluice.monitor.number_day import Measure
from sluice.monitor.numbers import Bounded, NumberPromise, WatchedNumber, judge_number
from sluice.monitor.quality import Measured, Promise
from sluice.monitor.report import Figures, Report
from sluice.policy import PROMOTED, WORDS, load_policy
from sluice.served.contract import load_contract
from sluice.served.quantity import bins_in
from sluice.toml_text import read_toml

_FORM = "3"  # of what is kept of a day; another one is counted anew
_DIGEST = 16  # digits of a model's digest in the name of its folder


@dataclass(frozen=True)
class Source:
    """Where the days of a model come from: log, labels with their hash, and the folder in which
    what was counted is kept.
    """

    log: PredictionLog
    labels: Settled
    labels_identity: str
    kept: Path
    digest: str


@dataclass(frozen=True)
class Look:
    """What is live of a model, its days since the release in their order, and the report on it."""

    watched: Standing
    days: list[Day]
    report: Report


def watch(settings: Settings, model: str, place: str, today: datetime.date) -> Report:
    """The report on what is live of a model, from the log at `place`. Raises as `look`."""
    return look(settings, model, place, today).report


def look(settings: Settings, model: str, place: str, today: datetime.date) -> Look:
    """What is live of a model with its days, from the log at `place`.

    Raises UsageError where nothing is live or there is no log, SluiceError where the registry does
    not have the evidence.
    """
    folder = model_folder(model, settings.project)
    text = project_text(folder / "policy.toml", settings.project)
    policy = load_policy(text, f"models/{model}/policy.toml")
    live = manifest_repo.live(settings, model)
    if live is None or live.champion is None:
        raise UsageError(f"nothing of {model} is live", f"Release it: sluice release {model}")
    log = open_log(place)
    traced = trace(settings, live.champion.digest, model)
    if traced.evidence is None:
        why = "; ".join(traced.missing)
        raise SluiceError(
            f"the evidence of what is live cannot be read: {why}",
            "See what the registry has: sluice verify live",
        )
    files = artifact(traced)
    since = manifest_repo.since(settings, live.champion)[:10]
    digest = f"sha256:{sha256(files['model.onnx'])}"
    source = Source(
        log,
        settled(settings, model),
        label_files.identity(folder_of(settings, model)),
        settings.home / "monitor" / model / digest.removeprefix("sha256:")[:_DIGEST],
        digest,
    )
    first = _first_day(source)
    begun = datetime.date.fromisoformat(since) if since else first or today
    standing = Standing(
        model,
        live.champion.release,
        begun,
        load_contract(files["contract.toml"].decode()),
        read_reference(files["reference.json"]),
        policy,
    )
    carried = files["policy.toml"].decode()
    watched = _watched(standing, live.champion, live.anchor, traced.evidence, carried)
    days = days_of(source, watched)
    if isinstance(watched, WatchedNumber):
        return Look(watched, days, judge_number(watched, days, source.labels, today))
    if isinstance(watched, WatchedClasses):
        return Look(watched, days, judge_classes(watched, days, source.labels, today))
    return Look(watched, days, judge(watched, days, source.labels, today))


def days_of(source: Source, watched: Standing) -> list[Day]:
    """Every day since the release, in order: counted, or as it was kept."""
    logged = {day.day: day for day in source.log.days()}
    names = {path.stem for path in source.kept.glob("*.json")} | set(logged)
    found = []
    for name in sorted(name for name in names if name >= watched.since.isoformat()):
        kept = _kept(source.kept / f"{name}.json")
        day = logged.get(name)
        if day is None:
            if kept:
                found.append(kept)
            continue
        control = watched.policy.monitor.control_share
        read = sha256(f"{_FORM} {control} {day.identity} {source.labels_identity}".encode())
        if kept is None or kept.read != read:
            kept = count(source, watched, day, read)
            write_atomic(source.kept / f"{name}.json", msgspec.json.encode(kept))
        found.append(kept)
    return found


def count(source: Source, watched: Standing, day: LogDay, read: str) -> Day:
    """A day of the log in counts."""
    measure = watched.measure if isinstance(watched, WatchedNumber) else None
    tally, passed = Tally(watched.contract, watched.reference, measure), Passed()
    contract, control = watched.contract, watched.policy.monitor.control_share
    for block in blocks(source.log, day, contract, source.digest, source.labels, passed, control):
        tally.add(block)
    counted = tally.done(day.day, read, passed.others, passed.broken)
    fields = dict(sorted(passed.fields.items()))
    return msgspec.structs.replace(counted, refused=passed.refused, refused_fields=fields)


def promise_of(metrics: Metrics, anchor: Anchor | None) -> Promise:
    """What a release was measured at; `anchor` is None where it is the anchor itself, and where the
    policy tells verdicts in words: its record has no figure then.
    """
    seen, positives = metrics.confusion, metrics.confusion.positives
    recall = anchor.recall if anchor else None
    groups = {
        (segment, name): Measured(group.recall, group.positives)
        for segment, named in metrics.segments.items()
        for name, group in named.items()
    }
    return Promise(
        recall=Measured(metrics.holdout.recall, positives),
        precision=Measured(metrics.holdout.precision, seen.flagged),
        brier=Measured(metrics.holdout.brier, seen.rows),
        groups=groups,
        anchor=Measured(recall, positives) if isinstance(recall, float) else None,
    )


def promise_of_classes(metrics: ClassMetrics, anchor: Anchor | None) -> ClassPromise:
    """The same of several classes, in the order of the metrics, which is that of the contract."""
    every = metrics.rows.holdout
    recall = anchor.recall if anchor else None
    classes = metrics.classes.items()
    return ClassPromise(
        recall=metrics.holdout.recall,
        precision=metrics.holdout.precision,
        brier=metrics.holdout.brier,
        classes={name: Measured(one.recall, one.rows) for name, one in classes},
        of={name: Measured(one.rows / every, every) for name, one in classes},
        answered={name: Measured(one.answered / every, every) for name, one in classes},
        anchor=recall if isinstance(recall, float) else None,
    )


def promise_of_number(
    metrics: NumberMetrics, anchor: Anchor | None, beside: NumberMetrics | None = None
) -> NumberPromise:
    """The same of a number; its groups are those of `beside`, the validation rows, where no group
    of the holdout is told.
    """
    measured, intervals = metrics.holdout, metrics.intervals
    level = (1 - intervals.level) / 2
    skill = anchor.skill if anchor else None
    segments = (beside or metrics).segments
    return NumberPromise(
        figures=Figures(
            mae=measured.mae, bias=measured.bias, skill=measured.skill, within=measured.within
        ),
        nothing=measured.naive_mae,
        skill=Bounded(measured.skill, intervals.skill[0], level),
        rows=metrics.rows.holdout,
        validation=metrics.rows.validation,
        groups={
            (segment, name): Bounded(one.mae, one.mae_interval[1], level)
            for segment, named in segments.items()
            for name, one in named.items()
        },
        anchor=skill if isinstance(skill, float) else None,
    )


def _watched(
    standing: Standing,
    champion: Champion,
    anchor: Anchor | None,
    evidence: Evidence,
    carried: str,
) -> Watched | WatchedClasses | WatchedNumber:
    """What is live, from its evidence and the policy that it carries. Raises SluiceError where the
    evidence has no metrics.
    """
    quantity = standing.contract.target.quantity
    if evidence.measured is None and evidence.told == WORDS:
        what = "the policy of what is live tells no figure, so nothing was promised of it"
        fix = f'Write told = "{PROMOTED}" in [gate] of its policy, and release it anew.'
        raise SluiceError(what, fix)
    other = anchor if anchor and anchor.digest != champion.digest else None
    number = evidence.number_metrics
    if quantity and number:
        source = "the policy of what is live"
        return WatchedNumber(
            **vars(standing),
            measure=Measure(quantity, number.middle, number.band),
            promise=promise_of_number(number, other, evidence.number_validation),
            bins=len(bins_in(read_toml(carried, source), source)) + 1,
        )
    if evidence.class_metrics is not None:
        promise = promise_of_classes(evidence.class_metrics, other)
        return WatchedClasses(**vars(standing), promise=promise)
    beside = evidence.class_validation
    if beside is not None and evidence.mean_recall is not None:
        # The mean is that of the holdout, which is told; what each class promised is not, so it is
        # what the validation rows say of it.
        promise = replace(promise_of_classes(beside, other), recall=evidence.mean_recall)
        return WatchedClasses(**vars(standing), promise=promise)
    metrics = evidence.metrics
    if metrics is None:
        raise SluiceError("the evidence of what is live holds no metrics", "Release it anew.")
    seen = metrics.confusion
    curves = evidence.diagnostics.candidate.calibration if evidence.diagnostics else ()
    return Watched(
        **vars(standing),
        promise=promise_of(metrics, other),
        flagged=Measured(metrics.holdout.share_flagged, seen.rows),
        prevalence=Measured(seen.positives / seen.rows, seen.rows),
        threshold=metrics.threshold,
        calibration=calibration_error(curves),
    )


def _first_day(source: Source) -> datetime.date | None:
    """The first day that has a log, for a release whose commit lies too far back."""
    names = [day.day for day in source.log.days()]
    names += [path.stem for path in source.kept.glob("*.json")]
    return datetime.date.fromisoformat(min(names)) if names else None


def _kept(path: Path) -> Day | None:
    """A day that was counted before; None where it was not, or cannot be read and is counted
    anew.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Day)
    except (OSError, ValueError, RecursionError):
        return None
