"""What a person reads while a release runs and after it: results on standard output, progress on
standard error.
"""

import re
import textwrap

from rich.cells import cell_len
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
from rich.text import Text

from flows.adapters.plain_text import visible
from flows.adapters.typed_command import as_typed
from flows.engine.outcome import Outcome
from flows.facts.decided import NOT_PROMOTED
from flows.views.escape import escape
from flows.views.wording import short, upper_first

_MARKS = {"done": "[green]●[/]", "hit": "[dim]○[/]", "refused": "[red]✕[/]"}
_COLOURS = {
    "PROMOTE": "bold green",
    "HOLD": "bold yellow",
    "REJECT": "bold red",
    "INSUFFICIENT": "bold yellow",
}

_DIFF_COLOURS = {"-": "red", "+": "green"}
_LABEL = 9  # characters of a label of the summary
_BESIDE_STEP = 32  # characters before what a step found
_NARROWEST = 24  # characters that a line of text has at least, however narrow the terminal is
_LOUD = dict.fromkeys(("Override", "Policy", "Champion"), "bold yellow")


class _Visible:
    """What is printed, every character that is not seen written out, wherever it came from."""

    def __init__(self, printed: RenderableType) -> None:
        self.printed = printed

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The segments of what is printed; those that steer are Rich's own.

        On a terminal text is broken between words; a word that is longer than the line stays whole,
        so that it can be copied.
        """
        printed = self.printed
        if console.is_terminal and isinstance(printed, Text):
            printed = _broken(printed, options.max_width)
        for segment in console.render(printed, options):
            if segment.control:
                yield segment
            else:
                yield Segment(visible(as_typed(segment.text)), segment.style)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """As wide as what it holds."""
        return Measurement.get(console, options, self.printed)


def _broken(text: Text, width: int) -> Text:
    """The text in lines of at most so many characters, each as it was styled; what stands in
    columns goes on below its column.
    """
    lines: list[Text] = []
    for line in text.split("\n", allow_blank=True):
        if line.cell_len <= width:
            lines.append(line)
            continue
        column = _column(line.plain, width)
        first, *others = line.divide(_breaks(line.plain, width, column))
        first.rstrip()
        lines.append(first)
        for other in others:
            other.rstrip()
            lines.append(Text(" " * column) + other)
    return Text("\n", end=text.end).join(lines)


def _column(line: str, width: int) -> int:
    """Where the text beside a label begins; else where the line does."""
    label = re.match(r" *\S+(?: \S+)* {2,}(?=\S)", line)
    if label and label.end() <= width // 2:
        return label.end()
    return len(line) - len(line.lstrip(" "))


def _breaks(line: str, width: int, column: int) -> list[int]:
    """Where a line is broken: before a word that does not fit behind those before it. All lines but
    the first begin at `column`.
    """
    breaks: list[int] = []
    begin, room = 0, width
    for word in re.finditer(r"\S+", line):
        before = line[begin if breaks else column : word.start()]
        if before.strip() and cell_len(line[begin : word.end()]) > room:
            begin, room = word.start(), max(width - column, 1)
            breaks.append(begin)
    return breaks


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


def step(title: str, state: str, seconds: float, sentence: str) -> None:
    """A line for a step: whether it was done or a HIT, the seconds that it took, what it found."""
    out = console()
    took = "HIT" if state == "hit" else f"{seconds:.1f}s"
    lead = f"{escape(title):<20} {took:>7}"
    lines = wrapped(out, sentence, _BESIDE_STEP)
    out.print(f"{_MARKS[state]} {lead}  [dim]{lines}[/]" if sentence else f"{_MARKS[state]} {lead}")


def wrapped(out: Console, text: str, indent: int) -> str:
    """Text beside a label that is `indent` characters wide, escaped for markup.

    On a terminal it is broken between words, and goes on below its own beginning; a word that is
    longer than the line stays whole, so that it can be copied. Elsewhere it is one line.
    """
    text = as_typed(text)
    if not out.is_terminal:
        return escape(text)
    room = max(out.width - indent, _NARROWEST)
    lines = textwrap.wrap(visible(text), room, break_long_words=False, break_on_hyphens=False)
    return ("\n" + " " * indent).join(escape(line) for line in lines)


def row(out: Console, label: str, text: str, colour: str = "none", *, width: int = _LABEL) -> None:
    """A label of so many characters and its text, broken between words on a terminal."""
    out.print(f"[dim]{label:<{width}}[/] [{colour}]{wrapped(out, text, width + 1)}[/]")


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
        "Why": upper_first(outcome.sentence),
        "Champion": upper_first(outcome.compared),
        "Image": identity(out, outcome.reference),
        "Commit": identity(out, outcome.commit),
        "Branch": outcome.branch,
        "Proposal": outcome.proposal,
        "Evidence": outcome.evidence,
        "Next": _next(outcome),
    }
    colours = {**_LOUD, "Verdict": _COLOURS.get(outcome.verdict, "bold")}
    for name, value in rows.items():
        if value:
            colour = colours.get(name, "none")
            row(out, name, value, colour)
    out.print(f"[bold]{wrapped(out, _last(outcome), 0)}[/]")


def identity(out: Console, text: str) -> str:
    """A commit or an image by digest: short for a person at a terminal, whole elsewhere."""
    if not out.is_terminal:
        return text
    name, at, digest = text.rpartition("@")
    return f"{name}{at}{short(digest)}"


def _next(outcome: Outcome) -> str:
    if outcome.outcome in ("promoted", "nothing to do"):
        named = outcome.model
        return f"`sluice serve {named}` to ask it, `sluice status {named}` to see what is live"
    if outcome.outcome == "proposed":
        return "open a pull request: its title is the first line of the proposal, its text the rest"
    if outcome.outcome == "held for approval":
        return f"`sluice approvals {outcome.model}` to see what waits, and who approved it"
    if outcome.verdict == NOT_PROMOTED:
        return "open the evidence: it says what the validation rows show, which decide nothing"
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
        "held for approval": f"Held: {number}{to} waits for approvals; nothing was committed.",
        "parked": (
            "Parked: the cluster could not take it; it is tried again later. Nothing was committed."
        ),
        "waiting": "Waiting: the best of those that wait has the next look. Nothing was committed.",
        "no builder": (
            "Decided, not delivered: the Bento was started and answered; no image, no commit."
        ),
        "refused": f"Refused: nothing of {outcome.model} was built or committed.",
        "quarantined": f"Refused: {outcome.sentence}",
    }
    return endings[outcome.outcome]
