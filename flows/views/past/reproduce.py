"""What came of training a release again, in a terminal."""

from typing import TYPE_CHECKING

from rich.console import Console

from flows.views.escape import escape
from flows.views.wording import count, short

if TYPE_CHECKING:
    from flows.audit.reproduce import Reproduced
    from sluice.gitops.reproduction import Agreement

_SHOWN = 80  # characters of a value


def show(out: Console, reproduced: "Reproduced") -> None:
    """What it was trained with, how well it agrees, what differs, and the line that matters."""
    bytes_ = ", the same model byte for byte" if reproduced.same_bytes else ""
    rows = {
        "Sources": reproduced.sources,
        "Data": reproduced.data,
        "Environment": reproduced.environment,
        "Trained": f"in {reproduced.seconds:.0f} s{bytes_}",
        "Golden": _agreement(reproduced.golden),
        "Holdout": _agreement(reproduced.holdout),
    }
    for name, value in rows.items():
        out.print(f"[dim]{name:<12}[/] {escape(value)}")
    colour = "dim" if reproduced.equal else "red"
    for difference in reproduced.differs:
        name = f"[{colour}]{escape(difference.name):<16}[/]"
        recorded, now = escape(_cut(difference.recorded)), escape(_cut(difference.now))
        out.print(f"[dim]{'Differs':<12}[/] {name} {recorded} then, {now} now")
    out.print(f"[bold]{escape(last(reproduced))}[/]")


def _agreement(part: "Agreement") -> str:
    words = f"{count(part.rows, 'row')}, {part.differing:,} differ by more than 1e-6"
    if part.differing:
        words += f", at most by {part.largest:.3g}"
    if part.answers:
        words += f"; {part.answers:,} have another answer"
    return words


def _cut(text: str) -> str:
    return short(text) if len(text) < _SHOWN else f"{text[: _SHOWN - 3]}..."


def last(reproduced: "Reproduced") -> str:
    """Whether it was reproduced, and else what differs."""
    name = reproduced.tag
    if reproduced.release:
        name = f"release {reproduced.release} of {reproduced.model}"
    rows = reproduced.golden.rows + reproduced.holdout.rows
    if reproduced.equal:
        return f"Reproduced: {name}, all {rows:,} predictions agree to 1e-6."
    differing = reproduced.golden.differing + reproduced.holdout.differing
    return (
        f"Not reproduced: {name}, {differing:,} of {rows:,} predictions differ;"
        f" {_cause(reproduced)}."
    )


def _cause(reproduced: "Reproduced") -> str:
    if not reproduced.recorded:
        return "which inputs differ is unknown, because the evidence has no provenance"
    causes = ", ".join(difference.name for difference in reproduced.differs)
    return f"what differs is {causes}" if causes else "no recorded input differs"
