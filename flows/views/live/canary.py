"""A canary in a terminal: its steps, what the judge has found, and what it waits for."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

from flows.canary.following import Found
from flows.views.escape import escape
from flows.views.wording import when
from sluice.canary.looks import Look
from sluice.canary.progress import Progress, Stage
from sluice.canary.verdict import Measure, way

_MARKS = {"done": "[green]●[/]", "now": "[bold yellow]▶[/]", "ahead": "[dim]○[/]"}
_COLOURS = {"pass": "green", "fail": "red", "inconclusive": "yellow", "no answer": "yellow"}
_LOOKS = 3  # whose bounds are shown
_WORDS = {
    "healthy": "Passed",
    "unproven": "Not judged",
    "promoted": "Promoted by a person",
    "harmful": "Harmful",
    "unfit": "Not run, or not measured",
    "aborted": "Aborted by a person",
}


def show(out: Console, found: Found) -> None:
    """All of it, once."""
    for line in lines(found):
        out.print(line)


@contextmanager
def following(out: Console) -> Iterator[Callable[[Found], None]]:
    """What shows a canary in the place of the one before; nothing of it stays behind."""
    from rich.live import Live

    with Live(console=out, transient=True, auto_refresh=False) as screen:

        def shown(found: Found) -> None:
            text = "\n".join(lines(found))
            screen.update(Text.from_markup(text, emoji=False, overflow="fold"), refresh=True)

        yield shown


def lines(found: Found) -> list[str]:
    """The lines of it, in Rich's markup; the last one is the one that matters."""
    at = found.progress
    said = f"{at.rollout} in {at.namespace}, {at.phase or 'not seen yet'}, {at.weight} %"
    shown = [
        f"[bold]Canary of release {found.release} of {escape(found.model)}[/]  {escape(found.tag)}",
        f"[dim]{'Rollout':<10}[/] {escape(said)}",
    ]
    shown += [_stage(number, stage) for number, stage in enumerate(at.stages, 1)]
    shown += [_measure(measure) for measure in at.measures]
    shown += _closing_in(at.looks)
    shown += _look(at)
    if at.thin:
        shown.append(f"[yellow]{escape(at.thin)}[/]")
    shown.append(f"[bold]{escape(_last(found))}[/]")
    return shown


def _stage(number: int, stage: Stage) -> str:
    said = stage.verdict
    colour = _COLOURS.get(said.removeprefix("so far "), "dim")
    verdict = f"  [{colour}]{escape(said)}[/]" if said else ""
    return f"{_MARKS[stage.state]} {number:>2}  {escape(stage.what)}{verdict}"


def _measure(measure: Measure) -> str:
    """A measure, and how far the evidence against it is on the way to taking the canary back."""
    colour = _COLOURS.get(measure.verdict, "dim")
    far = f"{100 * way(measure):3.0f} % to fail" if measure.needed > 1.0 else ""
    both = ""
    if measure.canary is not None and measure.stable is not None:
        both = f"{measure.canary:.3f} beside {measure.stable:.3f}"
    name = f"{measure.name:<12}"
    return f"   [{colour}]{measure.verdict:<12}[/] {escape(name)}{far:<13}  {both}".rstrip()


def _closing_in(looks: Sequence[Look]) -> list[str]:
    """The bounds of the share that passes a step at the last looks, and what they must come to."""
    bounds = [look.flagged for look in looks if look.flagged]
    known = [one for one in bounds if one.low is not None or one.high is not None]
    if not known:
        return []
    now = known[-1]
    shown = [_bounds(one) for one in known[-_LOOKS:]]
    lines = [f"[dim]{'Bounds':<10}[/] {' → '.join(shown)}"]
    if now.expected is not None and now.tolerated is not None and now.alarming is not None:
        low, high = now.expected - now.alarming, now.expected + now.alarming
        fails = f"{now.expected - now.tolerated:+.3f} or {now.expected + now.tolerated:+.3f}"
        lines.append(f"{'':<10} passes inside {low:+.3f} to {high:+.3f}, fails beyond {fails}")
    return lines


def _bounds(measure: Measure) -> str:
    """The bounds of a difference; a side that is still open is not known."""
    low = "?" if measure.low is None else f"{measure.low:+.3f}"
    high = "?" if measure.high is None else f"{measure.high:+.3f}"
    return f"{low} to {high}"


def _look(at: Progress) -> list[str]:
    if not at.verdict:
        return []
    colour = _COLOURS.get(at.verdict, "dim")
    return [f"[dim]{'Last look':<10}[/] [{colour}]{at.verdict}[/]: {escape(at.sentence)}"]


def _last(found: Found) -> str:
    if found.is_over:
        recorded = ", recorded" if found.recorded else ", not recorded yet"
        kept = recorded if found.ending.word in ("healthy", "unproven", "promoted") else ""
        return f"{_WORDS[found.ending.word]}{kept}: {found.ending.why}."
    at = found.progress
    since = f" (since {when(at.since)})" if at.since else ""
    return f"Waits for {found.ending.why}{since}."
