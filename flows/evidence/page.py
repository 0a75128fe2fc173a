"""The evidence of a decision as pages for people: one self-contained HTML file, and a summary in
Markdown.

A part that the evidence does not have is left out of both.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

from msgspec import structs

from flows.adapters.plain_text import in_markdown
from flows.evidence.identity import Identity
from flows.facts.decided import NOT_PROMOTED
from flows.facts.replayed import Forecast
from sluice.gate.order import place
from sluice.gitops.evidence import Data, Evidence, GroupRow, Rule, Verdict
from sluice.model.classes.metrics_file import ClassMetrics
from sluice.model.fit.search_words import remarks
from sluice.model.fit.tuning_file import Trial, Tuning, whole
from sluice.model.json_file import convert
from sluice.model.number.metrics_file import NumberMetrics
from sluice.model.quality.diagnostics_file import Curves
from sluice.model.quality.metrics import worst_group
from sluice.model.quality.metrics_file import Group, Metrics
from sluice.percent import percent
from sluice.served.page_text import on_page

if TYPE_CHECKING:
    from jinja2 import Environment

PAGE = "evidence.html"
# Each verdict with its sign and what it means.
MEANING = {
    "PROMOTE": (
        "▲",
        "This candidate may go live. It meets every rule and may take the champion's place.",
    ),
    "HOLD": (
        "⏸",
        "The champion stays. No rule is broken, and none lets the candidate take its place.",
    ),
    "REJECT": ("✕", "This candidate must not go live. At least one rule is broken."),
    "INSUFFICIENT": (
        "?",
        "Nothing is decided. There is too little data to tell better from worse.",
    ),
    NOT_PROMOTED: (
        "–",
        "It does not go live. What was found on the holdout is told to nobody, so that nobody can"
        " steer by it. What the validation rows say is told, and decides nothing.",
    ),
}
# Each metric with its name and its meaning, in the order in which they are shown.
METRICS = {
    "recall": ("Recall", "share of the positives that is found"),
    "precision": ("Precision", "share of the flagged that is positive"),
    "share_flagged": ("Share flagged", "how much the model asks people to look at"),
    "accuracy": ("Accuracy", "share of all rows judged rightly"),
    "f1": ("F1", "harmonic mean of recall and precision"),
    "roc_auc": ("ROC-AUC", "how often a positive is ranked above a negative"),
    "average_precision": ("Average precision", "area under the precision-recall curve"),
    "brier": ("Brier score", "mean squared error of the probability; lower is better"),
}
MARKS = {True: "✓ met", False: "✕ broken", None: "– not judged"}
_STANDING = {True: "met", False: "broken", None: "not judged"}
_STATE_MARKS = {"waived": "! waived", "open": "– not shown"}
_FIRST = ("broken", "waived", "open", "not judged", "met")  # what a reader looks for stands first
_OPEN = ("HOLD", "INSUFFICIENT")
_SHARES = ("recall", "precision", "share_flagged", "accuracy")
_TENTHS = range(1, 9)  # of the rows that could be flagged, for the table of choices
_NOTHING = "–"


@dataclass(frozen=True)
class MetricRow:
    """A metric as people read it: name, meaning, and the values of holdout and validation."""

    name: str
    meaning: str
    holdout: str
    interval: str
    validation: str


@dataclass
class FamilyBudget:
    """How many trials a family had, and its best score."""

    trials: int = 0
    best: float = -math.inf


@dataclass(frozen=True)
class Budget:
    """What was searched: trials by family, the number of the winning trial, the trials of all folds
    from the best score down, and what else is to be said.
    """

    trials: int
    families: Mapping[str, FamilyBudget]
    winner: int
    ranked: Sequence[Trial]
    remarks: Sequence[str] = ()


@dataclass(frozen=True)
class Choice:
    """Recall and precision where this share of the rows is flagged."""

    flagged: float
    recall: float
    precision: float


def render(evidence: Evidence, pictures: Mapping[str, str], identity: Identity) -> str:
    """The whole of `evidence.html`: inline style, no script, nothing fetched from anywhere.

    `pictures` are SVG by name; one that is missing is left out. `identity` is what head and foot
    say.
    """
    environment = _environment()
    judged = evidence.judged
    ordered = in_order(judged.rules)
    _, meaning = MEANING.get(judged.verdict, ("", ""))
    number = evidence.number_metrics or evidence.number_validation
    sentence, waits = judged.sentence, ""
    if judged.verdict in ("HOLD", NOT_PROMOTED):
        sentence, _, waits = judged.sentence.partition(". ")
    return environment.get_template("evidence.html").render(
        e=evidence,
        judged=judged,
        verdict=judged.verdict,
        meaning=meaning,
        metrics=METRICS,
        met=len([rule for rule in judged.rules if standing(rule) == "met"]),
        ordered=ordered,
        unmet=[rule for rule in ordered if standing(rule) != "met"],
        validation=in_order(judged.validation),
        validated=len([rule for rule in judged.validation if standing(rule) == "met"]),
        named={rule.rule: rule for rule in judged.rules},
        at_equal=at_equal(evidence),
        worst=worst(evidence.in_parts),
        sentence=sentence,
        waits=waits,
        title=title_of(evidence, identity),
        head=identity_block(evidence, identity, whole=False),
        foot=identity_block(evidence, identity, whole=True),
        blocks=blocks(evidence.groups),
        listed=by_segment(evidence.groups),
        ratios=selection_ratios(evidence.in_parts),
        budget=budget(evidence.tuning),
        number_lines=number_rows(number) if number else (),
        forecast=forecast_of(evidence),
        choices=choices(evidence.diagnostics.candidate) if evidence.diagnostics else (),
        pictures=pictures,
    )


def forecast_of(evidence: Evidence) -> Forecast | None:
    """What the canary is expected to say; None where nothing is known. Raises Unreadable."""
    if evidence.forecast is None:
        return None
    return convert(evidence.forecast, Forecast, "the forecast")


def title_of(evidence: Evidence, identity: Identity) -> str:
    """What a window with the page is called."""
    number = f", release {identity.release}" if identity.release else ""
    return f"{evidence.judged.verdict}: {evidence.model}{number}"


def _title(evidence: Evidence, identity: Identity) -> str:
    """The element of the head that says so."""
    template = _environment().from_string("<title>{{ title }}</title>")
    return template.render(title=title_of(evidence, identity))


def identity_block(evidence: Evidence, identity: Identity, *, whole: bool) -> str:
    """The part of head or foot that says which release this is; `whole` writes hashes out."""
    return (
        _environment()
        .get_template("identity.html")
        .render(
            id=identity,
            data=evidence.data or Data(),
            source=evidence.provenance.source_commit if evidence.provenance else "",
            full=whole,
        )
    )


def with_identity(page: str, evidence: Evidence, known: Identity, now: Identity) -> str:
    """A page that was rendered with `known`, as it is with `now`.

    Nothing else is touched, so that what stands between head and foot is what the step wrote.
    Raises ValueError where the page is not one that says `known`.
    """
    changes = [
        (_title(evidence, known), _title(evidence, now)),
        *(
            (
                identity_block(evidence, known, whole=whole),
                identity_block(evidence, now, whole=whole),
            )
            for whole in (False, True)
        ),
    ]
    for old, new in changes:
        if old not in page:
            raise ValueError(f"the page does not say: {old}")
        page = page.replace(old, new, 1)
    return page


def _environment() -> "Environment":
    """Where templates are found, and what they call to put a value into words."""
    from jinja2 import ChainableUndefined, Environment, FileSystemLoader

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent.parent / "views" / "templates"),
        autoescape=True,
        finalize=on_page,
        undefined=ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "share": share,
        "number": number,
        "figure": figure,
        "count": count,
        "words": words,
        "value": value,
        "short": short,
        "points": points,
        "plain": "{:.6g}".format,
        "in_unit": in_unit,
        "digest": short_digest,
        "commit": short_commit,
    }
    return environment


def standing(rule: Rule) -> str:
    """Met, broken, open, waived or not judged."""
    return rule.state or _STANDING[rule.passed]


def in_order(rules: Iterable[Rule]) -> list[Rule]:
    """What is not met first, and in each of these: how good it is, before whether the numbers are
    sound.
    """
    return sorted(rules, key=lambda rule: (_FIRST.index(standing(rule)), place(rule.rule)))


@dataclass(frozen=True)
class AtEqual:
    """Candidate and champion where both flag as many rows as the champion does: positives found,
    recall and precision of each.
    """

    flagged: int
    positives: int
    candidate_found: int
    champion_found: int

    @property
    def rows(self) -> tuple[tuple[str, int, float, float], ...]:
        """Who, positives found, recall, precision."""
        return tuple(
            (name, found, found / max(self.positives, 1), found / max(self.flagged, 1))
            for name, found in (
                ("Candidate", self.candidate_found),
                ("Champion", self.champion_found),
            )
        )


def at_equal(evidence: Evidence) -> AtEqual | None:
    """What is compared with the champion; None where that is not known."""
    compared, own = evidence.judged.comparison, evidence.champion_metrics
    if compared is None or own is None or not compared.positives:
        return None
    found = round(own.recall * compared.positives)
    more = compared.gained - compared.lost
    return AtEqual(compared.flagged, compared.positives, found + more, found)


@dataclass(frozen=True)
class Block:
    """Columns of the table of groups: a title, the model that the candidate is beside, and the
    rules that look at it, by the model that each is about, with the loss that it allows.
    """

    title: str
    other: str
    allowed: Mapping[str, float]


def blocks(groups: Sequence[GroupRow]) -> tuple[Block, ...]:
    """The columns of the table of groups; none without champion and anchor.

    Where the anchor is the champion they are one block, which both rules look at.
    """
    allowed = {
        name: beside.margin
        for row in groups
        for name, beside in (("champion", row.champion), ("anchor", row.anchor))
        if beside
    }
    if len(allowed) > 1 and all(_is_alike(row) for row in groups):
        return (Block("Champion, which is the anchor", "champion", allowed),)
    return tuple(
        Block(name.capitalize(), name, {name: allowed[name]})
        for name in ("champion", "anchor")
        if name in allowed
    )


def by_segment(groups: Sequence[GroupRow]) -> dict[str, list[GroupRow]]:
    """The groups by segment, both in the order given."""
    listed: dict[str, list[GroupRow]] = {}
    for row in groups:
        listed.setdefault(row.segment, []).append(row)
    return listed


def _is_alike(row: GroupRow) -> bool:
    """Whether champion and anchor find this group alike."""
    if row.champion is None or row.anchor is None:
        return row.champion is row.anchor
    return (row.champion.other, row.champion.recall) == (row.anchor.other, row.anchor.recall)


def worst(metrics: Metrics | None) -> tuple[str, str, Group] | None:
    """The group that is found least often; None where none is shown to be."""
    if metrics is None:
        return None
    return worst_group(metrics.segments, metrics.holdout.recall)


def selection_ratios(metrics: Metrics | None) -> dict[str, float]:
    """The share flagged of the group flagged least over that of the group flagged most, by
    segment.
    """
    if metrics is None:
        return {}
    ratios = {}
    for segment, groups in metrics.segments.items():
        shares = [group.share_flagged for group in groups.values()]
        if shares and max(shares) > 0:
            ratios[segment] = min(shares) / max(shares)
    return ratios


def budget(tuning: Tuning | None) -> Budget | None:
    """What was searched; None where nothing was."""
    if tuning is None or not tuning.trials:
        return None
    families: dict[str, FamilyBudget] = {}
    for trial in tuning.trials:
        family = families.setdefault(trial.family, FamilyBudget())
        family.trials += 1
    judged = whole(tuning.trials)
    for trial in judged:
        families[trial.family].best = max(families[trial.family].best, trial.score)
    ranked = sorted(judged, key=lambda trial: -trial.score)
    number, said = tuning.winner.number, remarks(tuning)
    return Budget(len(tuning.trials), families, number, ranked, said)


def choices(candidate: Curves) -> tuple[Choice, ...]:
    """What flagging more or fewer would bring, where a tenth, two tenths, ... are flagged."""
    curve, base = candidate.precision_recall, candidate.positives / candidate.rows
    points = [
        Choice(base * recall / precision, recall, precision)
        for recall, precision in zip(curve.recall, curve.precision, strict=True)
        if precision > 0
    ]
    return tuple(_nearest(points, tenths / 10) for tenths in _TENTHS)


def _nearest(points: Sequence[Choice], flagged: float) -> Choice:
    return min(points, key=lambda point: abs(point.flagged - flagged))


def summary_markdown(evidence: Evidence) -> str:
    """The verdict, its rules and the main numbers as Markdown, for a job summary or an artifact."""
    judged = evidence.judged
    sign, meaning = MEANING.get(judged.verdict, ("", ""))
    parts = [
        f"## {sign} {in_markdown(judged.verdict)}: {in_markdown(evidence.model)}",
        f"**{in_markdown(judged.sentence)}**",
        meaning,
        _loud("Override", evidence.override),
        _loud("Changes of the policy", evidence.policy_changed),
        _rules_table(judged, judged.rules),
        _validation_table(judged),
    ]
    if evidence.metrics:
        parts.append(_metrics_table(evidence.metrics))
    if evidence.class_metrics:
        parts.append(_classes_table(evidence.class_metrics))
    if evidence.class_validation:
        parts.append("**Each class on the validation rows, which decide nothing**")
        parts.append(_classes_table(evidence.class_validation))
    if evidence.number_metrics:
        head = ("Metric", "Holdout", "Interval", "Validation")
        rows = [tuple(row.values()) for row in number_rows(evidence.number_metrics)]
        parts.append(_markdown_table(head, rows))
    elif evidence.number_validation:
        parts.append("**On the validation rows, which decide nothing**")
        # They are what is called the holdout there.
        lines = number_rows(evidence.number_validation)
        rows = [(row["metric"], row["holdout"], row["interval"]) for row in lines]
        parts.append(_markdown_table(("Metric", "Validation", "Interval"), rows))
    if evidence.drift:
        parts.append(_loud("Drift", evidence.drift.sentence))
    forecast = forecast_of(evidence)
    if forecast:
        title = "Replay" if forecast.found.within else "The replay refuses it"
        parts.append(_loud(title, forecast.found.sentence))
    return "\n\n".join(part for part in parts if part) + "\n"


def _loud(title: str, sentence: str | None) -> str:
    if not sentence:
        return ""
    return f"**{title}**: {in_markdown(sentence)}"


def _validation_table(judged: Verdict) -> str:
    table = _rules_table(judged, judged.validation)
    return f"**On the validation rows, which decide nothing**\n\n{table}" if table else ""


def _rules_table(judged: Verdict, rules: Sequence[Rule]) -> str:
    if not rules:
        return ""
    rows = [(_mark(rule, judged), words(rule.rule), rule.sentence) for rule in rules]
    return _markdown_table(("", "Rule", "What was found"), rows)


def _metrics_table(metrics: Metrics) -> str:
    rows = [(row.name, row.holdout, row.interval, row.validation) for row in metric_rows(metrics)]
    return _markdown_table(("Metric", "Holdout", "Interval", "Validation"), rows)


def _classes_table(metrics: ClassMetrics) -> str:
    head = ("Class", "Rows", "Recall", "Interval", "Precision")
    return _markdown_table(head, [tuple(row.values()) for row in class_rows(metrics)])


def class_rows(metrics: ClassMetrics) -> list[dict[str, str]]:
    """Each class as people read it, and the mean over all of them."""
    rows = [
        {
            "class": name,
            "rows": count(one.rows),
            "recall": value(one.recall, "recall"),
            "interval": _interval(one.recall_interval, "recall"),
            "precision": value(one.precision, "precision"),
        }
        for name, one in metrics.classes.items()
    ]
    mean = {
        "class": "Mean over the classes",
        "rows": count(metrics.rows.holdout),
        "recall": value(metrics.holdout.recall, "recall"),
        "interval": _interval(metrics.intervals.recall, "recall"),
        "precision": value(metrics.holdout.precision, "precision"),
    }
    return [*rows, mean]


def number_rows(metrics: NumberMetrics) -> list[dict[str, str]]:
    """How far answers are off, as people read it."""
    span = metrics.intervals
    lines = (
        ("Mean absolute error", "mae", span.mae),
        ("Root mean squared error", "rmse", None),
        ("Bias (answer less outcome)", "bias", span.bias),
        (f"Within {in_unit(metrics.band, metrics.unit)}", "within", span.within),
        ("Error of the training median", "naive_mae", None),
        ("Skill beside the training median", "skill", span.skill),
    )
    return [
        {
            "metric": name,
            "holdout": off(getattr(metrics.holdout, key), key, metrics.unit),
            "interval": _off_span(limits, key, metrics.unit),
            "validation": off(getattr(metrics.validation, key), key, metrics.unit),
        }
        for name, key, limits in lines
    ]


def off(number: float, key: str, unit: str) -> str:
    """A measure of a number as people read it: a share, a skill, or an error in its unit."""
    if key == "within":
        return share(number)
    if key == "skill":
        return f"{number:.4f}"
    return in_unit(number, unit)


def in_unit(number: float, unit: str) -> str:
    """An error to four digits with its unit."""
    return f"{number:,.4g} {unit}" if unit else f"{number:,.4g}"


def _off_span(limits: tuple[float, float] | None, key: str, unit: str) -> str:
    if limits is None:
        return ""
    return f"{off(limits[0], key, unit)} to {off(limits[1], key, unit)}"


def _mark(rule: Rule, judged: Verdict) -> str:
    """The mark of a rule; with a verdict that is open, a rule is not broken but only not shown."""
    mark = _STATE_MARKS.get(standing(rule))
    if mark:
        return mark
    if rule.passed is False and judged.verdict in _OPEN:
        return _STATE_MARKS["open"]
    return MARKS[rule.passed]


def metric_rows(metrics: Metrics) -> list[MetricRow]:
    """Each metric as people read it, in the order of `METRICS`."""
    holdout = structs.asdict(metrics.holdout)
    validation = structs.asdict(metrics.validation)
    intervals = structs.asdict(metrics.intervals)
    return [
        MetricRow(
            name=name,
            meaning=meaning,
            holdout=value(holdout[metric], metric),
            interval=_interval(intervals.get(metric), metric),
            validation=value(validation[metric], metric),
        )
        for metric, (name, meaning) in METRICS.items()
    ]


def _interval(interval: tuple[float, float] | None, metric: str) -> str:
    if interval is None:
        return ""
    low, high = interval
    return f"{value(low, metric)} to {value(high, metric)}"


def _markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(in_markdown(cell) for cell in row)} |" for row in rows]
    return "\n".join([f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *lines])


def share(number: object, digits: int = 1) -> str:
    """0.7631 -> `76.3 %`."""
    if not _is_finite(number):
        return _NOTHING
    return percent(number, digits)


def number(number: object, digits: int = 4) -> str:
    """A float with so many digits after the point; whole numbers and texts as they are."""
    if isinstance(number, float):
        if not math.isfinite(number):
            return _NOTHING
        return f"{number:.{digits}f}"
    if number or number == 0:
        return str(number)
    return _NOTHING


def figure(quantity: object) -> str:
    """A count as a count, anything else with four digits: 7092.0 -> `7,092`, 0.0161 -> `0.0161`."""
    if _is_finite(quantity) and float(quantity).is_integer():
        return count(quantity)
    return number(quantity)


def count(number: object) -> str:
    """44699 -> `44,699`."""
    if not _is_finite(number):
        return _NOTHING
    return f"{number:,.0f}"


def points(number: object, digits: int = 1) -> str:
    """A difference of shares in points: 0.0123 -> `+1.2`."""
    if not _is_finite(number):
        return _NOTHING
    return signed(100 * number, digits)


def short_commit(commit: str) -> str:
    """The first twelve characters of a commit, and whether its tree was dirty."""
    bare, dirty, _ = commit.partition("-dirty")
    return bare[:12] + dirty


def short_digest(image: str) -> str:
    """An image by digest, with the first twelve characters of it."""
    name, at, digest = image.rpartition("@")
    return f"{name}{at}{digest[: len('sha256:') + 12]}"


def signed(number: float, digits: int) -> str:
    """A number with its sign, a true minus; none where it rounds to nothing."""
    text = f"{number:+.{digits}f}"
    if not float(text):
        return f"{0:.{digits}f}"
    return text.replace("-", "\N{MINUS SIGN}")


def value(number: object, metric: str) -> str:
    """A metric as it is read best: a percentage where it is a share of rows, else three digits."""
    if not _is_finite(number):
        return _NOTHING
    if metric in _SHARES:
        return share(number)
    return f"{number:.3f}"


def short(number: object) -> str:
    """A parameter: a float with four digits that count, anything else as it is."""
    if isinstance(number, float):
        return f"{number:.4g}"
    return str(number)


def words(name: object) -> str:
    """`recall_floor` -> `Recall floor`."""
    text = str(name).replace("_", " ")
    return text[:1].upper() + text[1:]


def _is_finite(number: object) -> TypeGuard[int | float]:
    return isinstance(number, int | float) and math.isfinite(number)
