"""What a person reads while a release runs and after it: results on standard output, progress on
standard error.
"""

from collections.abc import Mapping
from typing import Any

from rich.console import (
    Console,
    ConsoleOptions,
    ConsoleRenderable,
    RenderableType,
    RenderHook,
    RenderResult,
)
from rich.measure import Measurement
from rich.segment import Segment

from flows.adapters.plain_text import visible
from flows.engine.outcome import Outcome
from flows.views.escape import escape

_MARKS = {"done": "[green]●[/]", "hit": "[dim]○[/]", "refused": "[red]✕[/]"}
_COLOURS = {
    "PROMOTE": "bold green",
    "HOLD": "bold yellow",
    "REJECT": "bold red",
    "INSUFFICIENT": "bold yellow",
}

_DIFF_COLOURS = {"-": "red", "+": "green"}
_HASH = 64  # characters of a SHA-256
_SHOWN = 60  # characters of a value
_LOUD = {"Override": "bold yellow", "Policy": "bold yellow"}


class _Visible:
    """What is printed, every character that is not seen written out, wherever it came from."""

    def __init__(self, printed: RenderableType) -> None:
        self.printed = printed

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The segments of what is printed; those that steer are Rich's own."""
        for segment in console.render(self.printed, options):
            if segment.control:
                yield segment
            else:
                yield Segment(visible(segment.text), segment.style)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """As wide as what it holds."""
        return Measurement.get(console, options, self.printed)


class _Door(RenderHook):
    """Through here goes everything that a console prints."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Each of them, visible."""
        return [_Visible(renderable) for renderable in renderables]


def console(stderr: bool = True) -> Console:
    """A console that honours NO_COLOR, is plain off-TTY, makes no picture of `:a:`, and lets no
    character of others steer the terminal.
    """
    terminal = Console(stderr=stderr, highlight=False, emoji=False, soft_wrap=True)
    if not terminal.is_terminal:
        terminal = Console(stderr=stderr, highlight=False, emoji=False, soft_wrap=True, width=100)
    terminal.push_render_hook(_Door())
    return terminal


def begun(model: str, data: str) -> None:
    """The first line: what is released, and from which data."""
    console().print(f"[dim]{'Release':<9}[/] {escape(model)} from {escape(data)}")


def link(name: str, address: str) -> None:
    """Where to watch; nothing where there is nothing to see."""
    if address:
        console().print(f"[dim]{name:<9}[/] {escape(address)}")


def note(sentence: str) -> None:
    """A sentence about the release that goes on, on standard error."""
    console().print(escape(sentence))


def step(title: str, state: str, seconds: float, facts: Mapping[str, Any]) -> None:
    """A line for a step: whether it was done or a HIT, the seconds that it took, its facts."""
    took = "  HIT" if state == "hit" else f"{seconds:4.1f}s"
    console().print(f"{_MARKS[state]} {escape(title):<24} {took}  [dim]{escape(told(facts))}[/]")


def told(facts: Mapping[str, Any]) -> str:
    """The facts of a step in words."""
    parts = [_fact(_word(name), value) for name, value in facts.items()]
    return ", ".join(part for part in parts if part)


def _fact(word: str, value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{_word(key)} {_short(item)}" for key, item in value.items())
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,} {word}"
    return f"{word} {_short(value)}"


def _word(name: object) -> str:
    """A name of ours as people write it; values stay as they are."""
    return str(name).replace("_", " ")


def _short(value: object) -> str:
    """A value in at most sixty characters; twelve of a hash."""
    if isinstance(value, float):
        return f"{value:.4g}"
    text = str(value)
    if len(text) == _HASH:
        return text[:12]
    return text if len(text) < _SHOWN else f"{text[: _SHOWN - 3]}..."


def diff_line(line: str) -> str:
    """A line of a diff, in its colour."""
    return f"[{_DIFF_COLOURS.get(line[:1], 'dim')}]{escape(line)}[/]"


def summary(outcome: Outcome) -> None:
    """The end of a release: verdict with numbers, image, commit, evidence, what to type next, and
    the line that matters.
    """
    out = console(stderr=False)
    out.print()
    rows = {
        "Verdict": outcome.summary,
        "Override": outcome.override,
        "Policy": f"changes: {outcome.policy_changed}" if outcome.policy_changed else "",
        "Why": outcome.sentence,
        "Image": outcome.reference,
        "Commit": outcome.commit,
        "Branch": outcome.branch,
        "Proposal": outcome.proposal,
        "Evidence": outcome.evidence,
        "Next": _next(outcome),
    }
    colours = {**_LOUD, "Verdict": _COLOURS.get(outcome.verdict, "bold")}
    for name, value in rows.items():
        if value:
            colour = colours.get(name, "none")
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
    to = f" to {outcome.overlay}" if outcome.overlay else ""
    here = f" in {outcome.overlay}" if outcome.overlay else ""
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
