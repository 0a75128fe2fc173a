"""What is live, in a terminal."""

from dataclasses import dataclass
from shlex import quote

from rich.console import Console

from flows.engine.outcome import Outcome
from flows.views.escape import escape
from flows.views.terminal import console
from flows.views.wording import when
from sluice.gitops.state import Champion


@dataclass(frozen=True)
class Home:
    """The state folder that is looked at, and the other one, empty where there is none; `demo` says
    that the first is the one of generated rows, so that the other is not. `of_a_file` says that a
    release is only made here of a file that is named.
    """

    folder: str
    other: str = ""
    demo: bool = False
    of_a_file: bool = False


@dataclass(frozen=True)
class Status:
    """What is live of a model. `place` names an overlay other than production; `champion` and
    `refused` are None where nothing is live and nothing was refused.
    """

    model: str
    place: str
    champion: Champion | None
    since: str
    refused: Outcome | None
    home: Home


def show(status: Status) -> None:
    """Where that is, what was refused last, the image that is live, and since when."""
    out = console(stderr=False)
    _show_home(out, status.home)
    refused, champion = status.refused, status.champion
    if refused:
        out.print(f"[dim]Last refused[/]  {escape(refused.summary or refused.sentence)}")
    if not champion:
        begin = f"Nothing of {status.model} is live yet{status.place}"
        file = " --data FILE" if status.home.of_a_file else ""
        out.print(f"[bold]{escape(begin)}: sluice release {escape(status.model)}{file}[/]")
        return
    image = f"{champion.image}:{champion.tag}@{champion.digest}"
    out.print(f"[dim]Image[/]         {escape(image)}")
    recall, precision = champion.recall, champion.precision
    out.print(f"[dim]Measured[/]      recall {recall:.4f}, precision {precision:.4f}")
    begin = f"Live{status.place}: release {champion.release} of {status.model}"
    since = f", since {when(status.since)}" if status.since else ""
    out.print(f"[bold]{escape(begin + since)}[/]")


def _show_home(out: Console, home: Home) -> None:
    """The folder, and how the other one is looked at."""
    what = ", the demo of generated rows" if home.demo else ""
    out.print(f"[dim]Home[/]          {escape(home.folder)}{what}")
    if home.other:
        name = "Your own data" if home.demo else "The demo"
        out.print(f"[dim]{name:<13}[/] SLUICE_HOME={escape(quote(home.other))} sluice status")
    elif home.demo:
        out.print("[dim]Your own data[/] begin anew: sluice release --data FILE")
