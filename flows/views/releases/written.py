"""How a change of the manifest repo ended, in a terminal."""

from typing import TYPE_CHECKING

from flows.views.escape import escape
from flows.views.terminal import console

if TYPE_CHECKING:
    from flows.gitops.writer import Written

_ENDINGS = {
    "proposed": "Proposed",
    "already there": "Nothing to do",
    "superseded": "Superseded",
    "held": "Held",
}


def show(written: "Written", committed: str) -> None:
    """The line that matters; `committed` is the word for a change that was committed."""
    endings = _ENDINGS | {"committed": committed}
    word = endings.get(written.outcome, written.outcome.capitalize())
    console(stderr=False).print(f"[bold]{escape(word)}: {escape(written.sentence)}.[/]")
