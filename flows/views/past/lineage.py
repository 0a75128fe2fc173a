"""A lineage in a terminal: four questions with their answers, and the line that matters."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console

from flows.views.escape import escape
from flows.views.terminal import identity
from flows.views.wording import count, short, when
from sluice.gitops.evidence import read_verdict

if TYPE_CHECKING:
    from flows.audit.lineage import Brief, Candidate, Deployment, Judged, Lineage, Metric, Touched

_WIDTH = 17  # columns of a name
_SHOWN = 100  # characters of a sentence
_METRICS = {
    "mae": "Mean absolute error",
    "skill": "Skill",
    "bias": "Bias",
    "recall": "Recall",
    "precision": "Precision",
    "share_flagged": "Share flagged",
    "roc_auc": "ROC-AUC",
    "average_precision": "Average precision",
    "brier": "Brier score",
}
_COLOURS = {"PROMOTE": "green", "HOLD": "yellow", "REJECT": "red", "INSUFFICIENT": "yellow"}
Rows = list[
    tuple[str, str]
]  # a name, and a value in Rich's markup; a row without value is not shown


def lineage(out: Console, lineage: "Lineage") -> None:
    """The whole lineage of one release."""
    title = f"Release {lineage.release}" if lineage.release else "An image"
    out.print(f"[bold]{escape(f'{title} of {lineage.model}')}[/]")
    out.print(f"[dim]{escape(identity(out, lineage.image))}[/]")
    _section(out, "What it is made of", _made_of(lineage))
    _section(out, "How good it was", _measured(lineage))
    _section(out, "Who approved it", _approved(lineage))
    _section(out, "What came before and after", _around(lineage))
    for line in lineage.missing:
        out.print(f"[yellow]Not found[/]  {escape(line)}")
    for line in lineage.contradictions:
        out.print(f"[red]Disagrees[/]  {escape(line)}")
    if lineage.written:
        out.print(f"[dim]Written to[/] {escape(lineage.written)}")
    out.print(f"\n[bold]{escape(_last(lineage))}[/]")


def _section(out: Console, title: str, rows: Sequence[tuple[str, str]]) -> None:
    shown = [(name, value) for name, value in rows if value]
    if not shown:
        return
    out.print(f"\n[bold]{title}[/]")
    for name, value in shown:
        out.print(f"  [dim]{name:<{_WIDTH}}[/] {value}")


def _made_of(lineage: "Lineage") -> Rows:
    data, made_of = lineage.data, lineage.made_of
    rows = count(data.rows, "row") if data.rows else ""
    parts = [f"{name} {number:,}" for name, number in data.split.items()]
    training = _named("training rows", made_of.get("training-data", ""))
    served = _named("served part", made_of.get("lock", ""))
    seeds = [f"{name} {seed}" for name, seed in lineage.seeds.items()]
    return [
        ("Data", _words(short(data.sha256), rows, data.source)),
        ("Split", _words(*parts, training)),
        ("Policy", escape(short(made_of.get("policy", "")))),
        ("Source", _words(short(lineage.code.source_commit), _code(lineage))),
        ("Lock", _words(short(lineage.lock), served)),
        ("Model", escape(short(made_of.get("model", "")))),
        ("Trained on", _words(lineage.interpreter, lineage.platform)),
        *(("", escape(library)) for library in lineage.blas),
        ("Hardware", escape(lineage.hardware)),
        ("Seeds", _words(*seeds)),
    ]


def _named(name: str, sha256: str) -> str:
    return f"{name} {short(sha256)}" if sha256 else ""


def _code(lineage: "Lineage") -> str:
    """The commit of Sluice, where it is another than that of the project."""
    code = lineage.code
    if code.code_commit in ("", "none", code.source_commit):
        return ""
    return f"code {short(code.code_commit)}"


def _measured(lineage: "Lineage") -> Rows:
    verdict = read_verdict(lineage.verdict)
    broken = [rule for rule in verdict.rules if rule.passed is False]
    met = len(verdict.rules) - len(broken)
    metrics = [
        (label, _metric(lineage.metrics[name]))
        for name, label in _METRICS.items()
        if name in lineage.metrics
    ]
    return [
        ("Verdict", _verdict(verdict.verdict, verdict.sentence)),
        ("Rules", f"{met} of {len(verdict.rules)} met" if verdict.rules else ""),
        *(("", f"[red]{escape(rule.sentence)}[/]") for rule in broken),
        *metrics,
    ]


def _verdict(word: str, sentence: str) -> str:
    if not word:
        return ""
    colour = _COLOURS.get(word, "none")
    return f"[{colour}]{escape(word)}[/]: {escape(sentence)}"


def _metric(metric: "Metric") -> str:
    if metric.value is None:
        return ""
    if not isinstance(metric.interval, tuple):
        return f"{metric.value:.4f}"
    low, high = metric.interval
    return f"{metric.value:.4f}  [dim]{low:.4f} to {high:.4f}[/]"


def _approved(lineage: "Lineage") -> Rows:
    approved, runs = lineage.approved, lineage.runs
    by = f"by {approved.by}" if approved.by else ""
    prefect = "" if runs.prefect == "none" else runs.prefect
    mlflow = f"the one tagged sluice.key = {short(runs.mlflow)}" if runs.mlflow else ""
    return [
        ("Committed", _words(when(approved.date), by)),
        ("Commit", escape(short(lineage.commit))),
        *((escape(name), escape(value)) for name, value in approved.people.items()),
        ("Override", _loud(approved.override) or "none"),
        ("Policy", _loud(approved.policy_changed)),
        ("Evidence", escape(short(lineage.evidence))),
        ("Prefect run", escape(prefect)),
        ("MLflow run", escape(mlflow)),
    ]


def _loud(text: str | None) -> str:
    return f"[yellow]{escape(text)}[/]" if text else ""


def _around(lineage: "Lineage") -> Rows:
    spells = [_span(spell.began, spell.until) for spell in lineage.spells]
    before = neighbour(lineage.previous) if lineage.previous else "nothing: it is the first release"
    after = neighbour(lineage.next) if lineage.next else "nothing yet"
    return [("Before it", before), ("After it", after), ("Live", ", ".join(spells))]


def _span(began: str, until: str) -> str:
    return escape(f"{when(began)} to {when(until) or 'now'}")


def neighbour(event: "Brief") -> str:
    """A release in half a line."""
    number = f"release {event.release}"
    return _words(number, event.tag, short(event.digest), when(event.date))


def _last(lineage: "Lineage") -> str:
    name = lineage.tag
    if lineage.release:
        name = f"release {lineage.release} of {lineage.model}"
    if lineage.contradictions:
        points = count(len(lineage.contradictions), "point")
        return f"Disagreement: commit, image and evidence of {name} differ in {points}."
    if lineage.missing:
        return f"Incomplete: of {name} only the commit is known; the registry lacks the rest."
    if not lineage.commit:
        return f"Never released: the registry has {name}, and no commit names it."
    if lineage.live:
        return f"Live: {name}, since {when(lineage.spells[-1].began)}."
    if lineage.spells:
        return f"Not live: {name}, since {when(lineage.spells[-1].until)}."
    return f"Not live: {name}."


def touched(out: Console, touched: "Touched") -> None:
    """What a data set led to."""
    out.print(f"[bold]Data[/]  {escape(touched.data)}")
    rows = [(f"release {event.release}", _deployment(event)) for event in touched.deployments]
    _section(out, "Deployments", rows)
    rows = [(f"release {event.release}", _candidate(event)) for event in touched.candidates]
    _section(out, "Candidates that were not released", rows)
    rows = [(escape(judged.verdict), _judged(judged)) for judged in touched.here]
    _section(out, "Judged on this machine", rows)
    if touched.unknown:
        numbers = ", ".join(f"{event.release} of {event.model}" for event in touched.unknown)
        out.print(
            "\n[yellow]Cannot be known[/]  releases that took a number and left no verdict:"
            f" {escape(numbers)}"
        )
    out.print(f"\n[bold]{escape(_last_touched(touched))}[/]{_in_all(touched)}")


def _last_touched(touched: "Touched") -> str:
    live = [event for event in touched.deployments if event.live]
    if not live:
        return "Nothing that is live was trained or judged on these data."
    names = ", ".join(f"release {event.release} of {event.model}" for event in live)
    return f"Live from these data: {names}."


def _in_all(touched: "Touched") -> str:
    number = len(touched.deployments)
    return f" [dim]{count(number, 'deployment')} in all.[/]" if number else ""


def _deployment(event: "Deployment") -> str:
    spells = ", ".join(_span(spell.began, spell.until) for spell in event.spells)
    live = "[green]live[/]" if event.live else ""
    return _spaced(escape(event.model), escape(event.tag), f"[dim]{escape(spells)}[/]", live)


def _candidate(event: "Candidate") -> str:
    colour = _COLOURS.get(event.verdict, "none")
    verdict = f"[{colour}]{escape(event.verdict)}[/], {escape(event.outcome)}"
    # the first line of the body has the numbers
    sentence = _first(event.sentence.partition("\n")[2] or event.sentence)
    return _spaced(
        escape(event.model),
        escape(event.tag),
        verdict,
        f"[dim]{escape(when(event.date))}  {escape(sentence)}[/]",
    )


def _judged(judged: "Judged") -> str:
    sentence = f"[dim]{escape(_first(judged.sentence))}[/]"
    return _spaced(escape(judged.model), escape(short(judged.artifact)), sentence)


def _first(sentence: str) -> str:
    """The first of several reasons; how many there are is in the JSON."""
    first = " ".join(sentence.split()).partition(". ")[0]
    return first if len(first) <= _SHOWN else f"{first[:_SHOWN]}..."


def _words(*parts: str) -> str:
    return ", ".join(escape(part) for part in parts if part)


def _spaced(*parts: str) -> str:
    return "  ".join(part for part in parts if part)
