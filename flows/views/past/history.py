"""The history of a model in a terminal: a line for each thing that happened, the newest last."""

from typing import TYPE_CHECKING

from rich.console import Console

from flows.facts.decided import NOT_PROMOTED
from flows.views.escape import escape
from flows.views.wording import count, person, short, when

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flows.audit.history import History, Row
    from flows.engine.runs import Run

# kind or verdict -> mark, colour
MARKS = {
    "release": ("▲", "green"),
    "rollback": ("↩", "magenta"),
    "quarantine": ("⊘", "red"),
    "lift": ("○", "cyan"),
    "anchor": ("◆", "cyan"),
    "canary": ("●", "green"),
    "edit": ("✎", "cyan"),
    "start": ("·", "dim"),
    "reserved": ("?", "yellow"),
    "verdict": ("?", "yellow"),
    "HOLD": ("⏸", "yellow"),
    "REJECT": ("✕", "red"),
    "INSUFFICIENT": ("?", "yellow"),
    "PROMOTE": ("△", "yellow"),
    NOT_PROMOTED: ("–", "yellow"),
}
# how a run ended -> mark, colour
RUN_MARKS = {
    "promoted": ("▲", "green"),
    "nothing to do": ("·", "dim"),
    "refused": ("✕", "red"),
    "quarantined": ("✕", "red"),
}
_SLOWEST = 3
_SHOWN = 90  # characters of a sentence


def history(out: Console, history: "History", limit: int) -> None:
    """The newest `limit` lines, none for 0, and the line that matters."""
    rows = history.events[-limit:] if limit else []
    earlier = len(history.events) - len(rows)
    if limit and earlier:
        everything = f"sluice history --limit {len(history.events)}"
        out.print(f"[dim]{earlier:,} earlier: {everything}[/]")
    for row in rows:
        out.print(_line(row))
    if history.page:
        out.print(f"[dim]Page[/]  {escape(history.page)}")
    if history.canary:
        out.print(f"[dim]Canary[/]  {escape(history.canary)}")
    out.print(f"[bold]{escape(last(history))}[/]")


def runs(out: Console, found: "Sequence[Run]", model: str) -> None:
    """Two lines for each run of this machine, the newest last: how it ended, and its steps."""
    if not found:
        out.print(f"No run of {escape(model)} is known on this machine.")
        return
    for run in found:
        mark, colour = RUN_MARKS.get(run.outcome, ("–", "yellow"))
        name = f"{run.outcome}, {run.verdict}" if run.verdict else run.outcome
        took = f"{run.seconds:,.1f} s"
        out.print(
            f"[dim]{escape(when(run.began))}[/]  [{colour}]{mark}[/] {escape(name)} in {took}: "
            f"{escape(run.sentence[:_SHOWN])}"
        )
        out.print(f"[dim]  {escape(_steps(run))}[/]")


def _steps(run: "Run") -> str:
    """The steps of a run in a line, the slowest by name."""
    worked = [step for step in run.steps if step.state != "hit"]
    text = f"{len(run.steps) - len(worked)} of {count(len(run.steps), 'step')} taken from before"
    if worked:
        slowest = sorted(worked, key=lambda step: -step.seconds)[:_SLOWEST]
        text += "; " + ", ".join(f"{step.title} {step.seconds:.1f} s" for step in slowest)
    return f"{text}; {run.page}" if run.page else text


def _line(row: "Row") -> str:
    mark, colour = _mark(row)
    where = f"  [dim]in {escape(row.overlay)}[/]" if row.overlay else ""
    return f"[dim]{escape(when(row.date))}[/]  [{colour}]{mark}[/] {_what(row)}{where}"


def _mark(row: "Row") -> tuple[str, str]:
    if row.kind == "verdict":
        return MARKS.get(row.verdict, MARKS["verdict"])
    return MARKS[row.kind]


def _what(row: "Row") -> str:
    """What happened, in Rich's markup."""
    name = f"release {row.release}"
    tag = escape(row.tag or short(row.digest))
    verdict = escape(row.verdict)
    by = escape(person(row.who))
    why = f"  [dim]{escape(_sentence(row))}[/]"
    live = "  [green]live[/]" if row.live else ""
    if row.kind == "release":
        return f"{name:<12} {tag}  {verdict}{_recall(row)}{_merged(row)}{live}"
    if row.kind == "verdict":
        return f"{name:<12} {tag}  {verdict}{_recall(row)}{why}"
    if row.kind == "reserved":
        return f"{name:<12}{why}"
    if row.kind == "rollback":
        left = f" from release {row.before.release}" if row.before else ""
        return f"{'rollback':<12} {tag}  to {name}{left}, by {by}{live}{why}"
    if row.kind == "canary":
        return f"{'canary':<12} {tag}  {name} {escape(row.outcome)}{why}"
    if row.kind == "edit":
        set_to = f" set {tag}" if row.moves else ""
        return f"{'by hand':<12} {by}{set_to}{live}{why}"
    return f"{escape(row.kind):<12} {_spaced(tag, by)}{why}"


def _spaced(tag: str, by: str) -> str:
    return f"{tag}  {by}" if tag else by


def _merged(row: "Row") -> str:
    return f"  merged by {escape(person(row.approved))}" if row.approved else ""


def _recall(row: "Row") -> str:
    if row.recall is None:
        return ""
    value, low, high = row.recall
    return f"  {row.measure} {value:.4f} [dim]{low:.4f} to {high:.4f}[/]"


def _sentence(row: "Row") -> str:
    text = row.sentence
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN].rstrip()}..."


def last(history: "History") -> str:
    """What is live, since when, and how often what happened."""
    counts = _counts(history)
    if history.digest:
        return f"Live: {_live(history)}, since {when(history.since)}; {counts}."
    if counts:
        return f"Nothing of {history.model} is live yet: {counts}."
    return f"Nothing of {history.model} is live yet: sluice release {history.model}"


def _live(history: "History") -> str:
    if history.live:
        return f"release {history.live.release} of {history.model}"
    return f"{short(history.digest)}, by hand"


def _counts(history: "History") -> str:
    counts = history.counts
    parts = []
    if counts.release:
        parts.append(count(counts.release, "release"))
    if counts.verdict:
        parts.append(f"{count(counts.verdict, 'candidate')} not released")
    if counts.rollback:
        parts.append(count(counts.rollback, "rollback"))
    return ", ".join(parts)
