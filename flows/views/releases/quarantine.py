"""The quarantine of a model, in a terminal."""

from collections.abc import Sequence

from flows.views.escape import escape
from flows.views.terminal import console
from flows.views.wording import when
from sluice.gitops.state import Barred

_DIGEST = 19  # characters: `sha256:` and twelve more


def show(entries: Sequence[Barred]) -> None:
    """A line for each entry, lifted or in force, and how many are in force."""
    out = console(stderr=False)
    for entry in entries:
        state = "[dim]lifted[/]  " if entry.lifted else "[red]in force[/]"
        out.print(f"{state}  {escape(_sentence(entry))}")
    count = sum(1 for entry in entries if not entry.lifted)
    out.print(f"[bold]{count} in quarantine.[/]")


def _sentence(entry: Barred) -> str:
    number = f"release {entry.release}" if entry.release else "never released"
    since = f"since {when(entry.when)} by {entry.who}: {entry.why}"
    sentence = f"{entry.digest[:_DIGEST]} ({number}) {since}"
    lifted = entry.lifted
    if lifted:
        sentence += f"; lifted {when(lifted.when)} by {lifted.who}: {lifted.why}"
    return sentence
