"""What a person reads while and after something runs: results on standard output, the way there on
standard error.
"""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from flows.engine.outcome import Outcome
from flows.engine.planned import Planned
from flows.views.escape import escape

_MARKS = {"done": "[green]●[/]", "hit": "[dim]○[/]", "refused": "[red]✕[/]"}
_COLOURS = {
    "PROMOTE": "bold green",
    "HOLD": "bold yellow",
    "REJECT": "bold red",
    "INSUFFICIENT": "bold yellow",
}

DIFF_COLOURS = {"-": "red", "+": "green"}
_LOUD = {"Override": "bold yellow", "Policy": "bold yellow"}


def console(stderr: bool = True) -> Console:
    """A console that honours NO_COLOR and is plain off-TTY."""
    plain = Console(stderr=stderr, highlight=False, soft_wrap=True)
    return (
        plain
        if plain.is_terminal
        else Console(stderr=stderr, highlight=False, soft_wrap=True, width=100)
    )


def link(name: str, address: str) -> None:
    """Where to watch, as the first line; nothing where there is nothing to see."""
    if address:
        console().print(f"[dim]{name:<9}[/] {escape(address)}")


def step(title: str, state: str, seconds: float, facts: Mapping[str, Any]) -> None:
    """One line a step: whether it was done or a HIT, how long it took, what it found."""
    took = "  HIT" if state == "hit" else f"{seconds:4.1f}s"
    console().print(f"{_MARKS[state]} {title:<24} {took}  [dim]{escape(told(facts))}[/]")


def told(facts: Mapping[str, Any]) -> str:
    """The facts of a step in words."""
    parts = []
    for name, value in facts.items():
        word = _word(name)
        if isinstance(value, float):
            parts.append(f"{word} {value:.4g}")
        elif isinstance(value, Mapping):
            parts.append(", ".join(f"{_word(key)} {_short(item)}" for key, item in value.items()))
        elif isinstance(value, int) and not isinstance(value, bool):
            parts.append(f"{value:,} {word}")
        else:
            parts.append(f"{word} {_short(value)}")
    return ", ".join(part for part in parts if part)


def _word(name: object) -> str:
    """A name of ours as people write it; values stay as they are."""
    return str(name).replace("_", " ")


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    text = str(value)
    return text[:12] if len(text) == 64 else text if len(text) < 60 else f"{text[:57]}..."


def plan(steps: tuple[Planned, ...], diff: str) -> Table:
    """The plan as a table; the change to the manifest repo below it, where it is known."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for planned in steps:
        table.add_row(
            "[green]HIT[/] " if planned.hit else "[yellow]MISS[/]",
            planned.title,
            f"[dim]{escape(planned.cause)}[/]",
        )
    for line in diff.splitlines():
        table.add_row(
            "",
            f"[{DIFF_COLOURS.get(line[0], 'dim')}]{escape(line)}[/]",
        )
    return table


def summary(outcome: Outcome) -> None:
    """The end of a release: verdict with numbers, image, commit, evidence, what to type next. The
    last line matters.
    """
    out = console(stderr=False)
    out.print()
    rows = {
        "Verdict": outcome.summary,
        "Override": outcome.override,
        "Policy": f"changed: {outcome.policy_changed}" if outcome.policy_changed else "",
        "Why": outcome.sentence,
        "Image": outcome.reference,
        "Commit": outcome.commit,
        "Branch": outcome.branch,
        "Proposal": outcome.proposal,
        "Evidence": outcome.evidence,
        "Next": _next(outcome),
    }
    for name, value in rows.items():
        if value:
            colour = (
                _COLOURS.get(outcome.verdict, "bold")
                if name == "Verdict"
                else _LOUD.get(name, "none")
            )
            out.print(f"[dim]{name:<9}[/] [{colour}]{escape(value)}[/]")
    out.print(f"[bold]{escape(_last(outcome))}[/]")


def _next(outcome: Outcome) -> str:
    if outcome.outcome in ("promoted", "nothing to do"):
        return "make serve   to ask the model;   sluice status   to see what is live"
    if outcome.outcome == "proposed":
        return "open a pull request: its title is the first line of the proposal, its text the rest"
    if outcome.outcome == "refused" and outcome.evidence:
        return "open the evidence: it says which rule was broken, and by how much"
    return ""


def _last(outcome: Outcome) -> str:
    number = f"release {outcome.release} of {outcome.model}" if outcome.release else outcome.model
    to, here = (f" {word} {outcome.overlay}" if outcome.overlay else "" for word in ("to", "in"))
    endings = {
        "promoted": f"Promoted: {number}{to} is committed, Argo CD can sync it.",
        "nothing to do": f"Nothing to do: {number} is live{here} already.",
        "hold": f"Hold: the champion of {outcome.model}{here} stays; nothing was committed.",
        "superseded": f"Superseded: a newer release is live{here}; nothing was committed.",
        "held": "Held: a person changed the manifest repo; nothing was committed.",
        "proposed": f"Proposed: {number}{to} is on a branch of its own; open a pull request.",
        "parked": (
            "Parked: the cluster could not take it; it is tried again later. Nothing was committed."
        ),
        "no builder": (
            "Decided, not delivered: the Bento was started and answered; no image, no commit."
        ),
        "refused": f"Refused: nothing of {outcome.model} was built or committed.",
        "quarantined": f"Refused: {outcome.sentence}",
    }
    return endings[outcome.outcome]
