"""What is live, in a terminal."""

from dataclasses import dataclass
from shlex import quote

from rich.console import Console

from flows.adapters.typed_command import line
from flows.audit.standing import Standing
from flows.engine.outcome import Outcome
from flows.views.escape import escape
from flows.views.terminal import console, identity, row
from flows.views.wording import count, measured, short, when
from sluice.gitops.state import Champion

_LABEL = 14
_SHOWN = 5  # proposals that are named


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
    `refused` are None where nothing is live and nothing was refused. `ago` says how long it
    has been live, and `canary` how far its canary is, empty where no cluster is named.
    """

    model: str
    place: str
    champion: Champion | None
    since: str
    refused: Outcome | None
    home: Home
    standing: Standing | None = None
    ago: str = ""
    canary: str = ""


def show(status: Status) -> None:
    """What surrounds the release that is live, what was refused last, the image, since when it is
    live, and what to type next.
    """
    out = console(stderr=False)
    _show_home(out, status.home)
    if status.standing:
        _show_standing(out, status.standing)
    refused, champion = status.refused, status.champion
    if refused:
        out.print(f"[dim]Last refused[/]  {escape(refused.summary or refused.sentence)}")
    if not champion:
        begin = f"Nothing of {status.model} is live yet{status.place}"
        file = " --data FILE" if status.home.of_a_file else ""
        out.print(f"[bold]{escape(begin)}: sluice release {escape(status.model)}{file}[/]")
        return
    image = identity(out, f"{champion.image}:{champion.tag}@{champion.digest}")
    out.print(f"[dim]Image[/]         {escape(image)}")
    out.print(
        f"[dim]Measured[/]      {measured(champion.recall, champion.precision, champion.skill)}"
    )
    if status.canary:
        row(out, "Canary", status.canary, width=_LABEL - 1)
    begin = f"Live{status.place}: release {champion.release} of {status.model}"
    since = f", since {when(status.since)}{_in_brackets(status.ago)}" if status.since else ""
    out.print(f"[bold]{escape(begin + since)}[/]")


def _show_home(out: Console, home: Home) -> None:
    """The folder, and how the other one is looked at."""
    what = ", the demo of generated rows" if home.demo else ""
    row(out, "Home", f"{home.folder}{what}", width=_LABEL - 1)
    if home.other:
        name = "Your own data" if home.demo else "The demo"
        row(out, name, f"SLUICE_HOME={quote(home.other)} {line(['status'])}", width=_LABEL - 1)
    elif home.demo:
        begin = line(["release", "--data", "FILE"])
        row(out, "Your own data", f"begin anew: {begin}", width=_LABEL - 1)


def _show_standing(out: Console, standing: Standing) -> None:
    """A line for each thing that surrounds the release that is live."""
    tip = f", tip {short(standing.tip)}" if standing.tip else ", not made yet"
    rows = {
        "Data": _data(standing),
        "Repo": f"{standing.repo}, branch {standing.branch}{tip}",
        "Registry": standing.registry,
        "Quarantine": _quarantine(standing.quarantined),
        "Proposals": _proposals(standing.proposals),
        "Anchor": standing.anchor,
        "Approvals": standing.approvals,
        "Next": f"`{standing.help}`",
    }
    for name, text in rows.items():
        if text or name not in ("Anchor", "Approvals"):
            row(out, name, text, width=_LABEL - 1)


def _data(standing: Standing) -> str:
    """Which file, its rows, how old it is, and whether a release was made from it."""
    data = standing.data
    if data.missing:
        return f"{data.name} is not there"
    parts = [data.name]
    if data.rows is not None:
        parts.append(count(data.rows, "row"))
    if data.changed:
        parts.append(f"written {when(data.changed)}{_in_brackets(data.ago)}")
    parts.append("as released" if data.released else "not released")
    return ", ".join(parts)


def _quarantine(number: int) -> str:
    if not number:
        return "nothing"
    return f"{count(number, 'image')}: `sluice quarantine` lists them"


def _proposals(names: tuple[str, ...]) -> str:
    if not names:
        return "none open"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}: merge or delete each"


def _in_brackets(text: str) -> str:
    return f" ({text})" if text else ""
