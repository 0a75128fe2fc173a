"""What a pointer names, and what is where of it, in a terminal."""

from collections.abc import Sequence

from rich.console import Console

from flows.project.data_merge import Told
from flows.project.data_pointer import Added, Standing, State
from flows.views.escape import escape
from flows.views.terminal import row
from flows.views.wording import count

_STATES: dict[State, str] = {
    "here": "kept on this machine",
    "there": "the file is there, and has this hash",
    "generated": "made by a program, when a release asks for it",
    "elsewhere": "not here yet: a release brings it",
    "missing": "missing",
    "changed": "changed",
    "wrong": "wrong",
}
_SHORT = 12  # characters of a hash


def added(out: Console, pointer: Added) -> None:
    """What was written, and what to do with it."""
    row(out, "Data", f"{pointer.reference}, {pointer.size:,} bytes")
    row(out, "SHA-256", pointer.sha256)
    if not pointer.changed:
        out.print(f"[bold]Nothing to do: {escape(pointer.file)} names them already.[/]")
        return
    if pointer.before:
        row(out, "Before", pointer.before)
    kind, _, path = pointer.reference.partition(":")
    of_project = kind in ("file", "dvc") or path.endswith(".toml")
    files = [pointer.file, *([path] if of_project else [])]
    row(out, "Next", f"git add {' '.join(files)}; a push of them to main releases {pointer.model}")
    out.print(f"[bold]Written: {escape(pointer.file)}.[/]")


def standing(out: Console, found: Sequence[Standing]) -> None:
    """A line for each model, and one more for what is wrong."""
    width = max((len(one.model) for one in found), default=0)
    for one in found:
        what = f"{one.reference} ({one.sha256[:_SHORT]}): " if one.reference else ""
        row(out, one.model, what + (one.said or _STATES[one.state]), width=width)
    if not found:
        out.print("The project has no model.")


def merged(out: Console, told: Told) -> None:
    """What came of new rows, and what to do with it."""
    row(out, "Added", count(told.added, "row") + _positives(told.positives))
    if told.holdout is not None and told.added:
        row(out, "Holdout", f"{told.holdout:,} of them{_positives(told.holdout_positives)}")
    for name, number, why in (
        ("Corrected", told.corrected, "the outcome is another one now"),
        ("Repeated", told.repeated, "there already, and left as they were"),
        ("Unlabelled", told.unlabelled, "no outcome yet, so left out"),
        ("Unjoined", told.unjoined, "no record that was known by their day"),
    ):
        if number:
            row(out, name, f"{count(number, 'row')}: {why}")
    if not told.file:
        out.print("[bold]Nothing to do: the table has all of these rows.[/]")
        return
    if told.pointer:
        files = f"git add {told.pointer} {told.file}"
        row(out, "Next", f"{files}; a push of them to main releases {told.model}")
    else:
        row(out, "Next", "put it where the pointer names it, then: sluice data add ADDRESS")
    out.print(f"[bold]Written: {escape(told.file)}, {count(told.rows, 'row')}.[/]")


def _positives(number: int | None) -> str:
    """How many of them are positive; nothing where the target has several classes."""
    return "" if number is None else f", {count(number, 'positive')}"
