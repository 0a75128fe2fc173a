"""The history of a model in a terminal: a line for each thing that happened, the newest last."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from flows.views.escape import escape
from flows.views.lineage import short, when

Json = Mapping[str, Any]
# kind or verdict -> mark, colour
MARKS = {
    "release": ("▲", "green"),
    "rollback": ("↩", "magenta"),
    "quarantine": ("⊘", "red"),
    "lift": ("○", "cyan"),
    "anchor": ("◆", "cyan"),
    "edit": ("✎", "cyan"),
    "start": ("·", "dim"),
    "reserved": ("?", "yellow"),
    "HOLD": ("⏸", "yellow"),
    "REJECT": ("✕", "red"),
    "INSUFFICIENT": ("?", "yellow"),
    "PROMOTE": ("△", "yellow"),
}
_SAID = 90


def history(out: Console, told: Json, limit: int) -> None:
    """The newest `limit` lines, and the line that matters."""
    rows = told["events"][-limit:] if limit else []
    left = len(told["events"]) - len(rows)
    if left and limit:
        out.print(f"[dim]{left:,} earlier: sluice history --limit {len(told['events'])}[/]")
    for row in rows:
        mark, colour = MARKS[
            row["verdict"] if row["kind"] == "verdict" and row["verdict"] in MARKS else row["kind"]
        ]
        where = f"  [dim]in {escape(row['overlay'])}[/]" if row["overlay"] else ""
        out.print(f"[dim]{when(row['date'])}[/]  [{colour}]{mark}[/] {_what(row)}{where}")
    if "page" in told:
        out.print(f"[dim]Page[/]  {escape(told['page'])}")
    out.print(f"[bold]{escape(last(told))}[/]")


def _what(row: Json) -> str:
    name, tag, said = (
        f"release {row['release']}",
        row["tag"] or short(row["digest"]),
        _said(row["sentence"]),
    )
    live = "  [green]live[/]" if row["live"] else ""
    if row["kind"] == "release":
        merged = (
            f"  merged by {escape(row['approved'].partition(' <')[0])}" if row["approved"] else ""
        )
        return f"{name:<12} {tag}  {row['verdict']}{_measured(row)}{merged}{live}"
    if row["kind"] == "verdict":
        return f"{name:<12} {tag}  {row['verdict']}{_measured(row)}  [dim]{escape(said)}[/]"
    if row["kind"] == "reserved":
        return f"{name:<12} [dim]{escape(said)}[/]"
    if row["kind"] == "rollback":
        left = f" from release {row['before']['release']}" if row["before"] else ""
        return (
            f"{'rollback':<12} {tag}  to {name}{left}, by {escape(_person(row))}{live} "
            f" [dim]{escape(said)}[/]"
        )
    if row["kind"] == "edit":
        made = f" set {tag}" if row["moves"] else ""
        return f"{'by hand':<12} {escape(_person(row))}{made}{live}  [dim]{escape(said)}[/]"
    return f"{row['kind']:<12} {tag}  {escape(_person(row))}  [dim]{escape(said)}[/]"


def _measured(row: Json) -> str:
    found = row["measured"].get("recall")
    return f"  recall {found[0]:.4f} [dim]{found[1]:.4f} to {found[2]:.4f}[/]" if found else ""


def _said(text: str) -> str:
    return text if len(text) <= _SAID else f"{text[:_SAID].rstrip()}..."


def _person(row: Json) -> str:
    return str(row["who"]).partition(" <")[0] or "somebody"


def last(told: Json) -> str:
    """What is live, since when, and how often what happened."""
    counts = told["counts"]
    words = [
        _count(counts["release"], "release"),
        _count(counts["verdict"], "candidate", "not released"),
        _count(counts["rollback"], "rollback"),
    ]
    done = ", ".join(word for word in words if word)
    if not told["digest"]:
        return f"Nothing of {told['model']} is live yet" + (
            f": {done}." if done else f": sluice release {told['model']}"
        )
    name = (
        f"release {told['live']['release']} of {told['model']}"
        if told["live"]
        else f"{short(told['digest'])}, by hand"
    )
    return f"Live: {name}, since {when(told['since'])}; {done}."


def _count(number: int, word: str, after: str = "") -> str:
    return f"{number:,} {word}{'s' * (number != 1)}{' ' * bool(after)}{after}" if number else ""
