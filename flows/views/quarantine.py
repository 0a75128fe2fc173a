"""The quarantine of a model, in a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from flows.views.escape import escape
from flows.views.terminal import console


def show(entries: Sequence[Mapping[str, Any]]) -> None:
    """A line for each entry, lifted or in force, and how many are in force."""
    out = console(stderr=False)
    for entry in entries:
        state = "[dim]lifted[/]  " if entry["lifted"] else "[red]in force[/]"
        out.print(f"{state}  {escape(_sentence(entry))}")
    count = sum(not entry["lifted"] for entry in entries)
    out.print(f"[bold]{count} in quarantine.[/]")


def _sentence(entry: Mapping[str, Any]) -> str:
    lifted = entry["lifted"]
    end = f"; lifted {lifted['when']} by {lifted['who']}: {lifted['why']}" if lifted else ""
    number = f"release {entry['release']}" if entry["release"] else "never released"
    begin = f"{entry['digest']} ({number}) since {entry['when']} by {entry['who']}"
    return f"{begin}: {entry['why']}{end}"
