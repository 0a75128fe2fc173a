"""What the doctor found, in a terminal."""

from msgspec import Struct
from rich.console import Console

from flows.views.terminal import row
from flows.views.wording import count

_LABEL = 20  # characters of what was looked at
_ENDS = (".", "?", "!")


class Finding(Struct, frozen=True):
    """What was looked at, whether it is right, what was found, and what to do where it is not."""

    check: str
    right: bool
    found: str
    fix: str = ""


def show(out: Console, finding: Finding) -> None:
    """A line: what is right, or what is wrong and what to do."""
    if finding.right:
        row(out, f"  {finding.check}", finding.found, width=_LABEL)
        return
    end = "" if finding.found.endswith(_ENDS) else "."
    sentence = f"{finding.found}{end} {finding.fix}"
    row(out, f"✕ {finding.check}", sentence.strip(), "red", width=_LABEL)


def conclude(out: Console, wrong: int) -> None:
    """The last line."""
    if wrong:
        out.print(f"[bold red]{count(wrong, 'thing')} to put right.[/]")
    else:
        out.print("[bold green]Everything that a release needs is there.[/]")
