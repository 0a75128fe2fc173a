"""What is live, in a terminal."""

from dataclasses import dataclass

from flows.engine.outcome import Outcome
from flows.views.escape import escape
from flows.views.terminal import console
from flows.views.wording import when
from sluice.gitops.state import Champion


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


def show(status: Status) -> None:
    """What was refused last, the image that is live, and since when."""
    out = console(stderr=False)
    refused, champion = status.refused, status.champion
    if refused:
        out.print(f"[dim]Last refused[/]  {escape(refused.summary or refused.sentence)}")
    if not champion:
        begin = f"Nothing of {status.model} is live yet{status.place}"
        out.print(f"[bold]{escape(begin)}: sluice release {escape(status.model)}[/]")
        return
    image = f"{champion.image}:{champion.tag}@{champion.digest}"
    out.print(f"[dim]Image[/]         {escape(image)}")
    recall, precision = champion.recall, champion.precision
    out.print(f"[dim]Measured[/]      recall {recall:.4f}, precision {precision:.4f}")
    begin = f"Live{status.place}: release {champion.release} of {status.model}"
    since = f", since {when(status.since)}" if status.since else ""
    out.print(f"[bold]{escape(begin + since)}[/]")
