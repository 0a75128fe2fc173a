"""A promotion from one overlay to another, in a terminal, as JSON and on the page of a job."""

from typing import TYPE_CHECKING

from flows.adapters.plain_text import in_markdown
from flows.views.terminal import console, identity, row, wrapped
from flows.views.wording import upper_first
from sluice.errors import SluiceError

if TYPE_CHECKING:
    from flows.decision.carried_over import Carried, Places

_WORDS = {
    "committed": "Promoted",
    "already there": "Nothing to do",
    "held for approval": "Held",
}


def show(places: "Places", model: str, carried: "Carried") -> None:
    """What was promoted on which evidence, who calls it healthy, and the line that matters."""
    out = console(stderr=False)
    for name, text in _rows(places, model, carried).items():
        row(out, name, identity(out, text) if name == "Image" else text)
    out.print(f"[bold]{wrapped(out, _last(carried), 0)}[/]")


def document(carried: "Carried") -> dict[str, object]:
    """The same as JSON."""
    champion, written = carried.champion, carried.written
    return {
        "outcome": written.outcome,
        "sentence": written.sentence,
        "commit": written.commit,
        "branch": written.branch,
        "release": champion.release,
        "tag": champion.tag,
        "digest": champion.digest,
        "evidence": champion.evidence,
        "healthy": carried.healthy,
    }


def markdown(places: "Places", model: str, carried: "Carried") -> str:
    """The same for the summary of a job."""
    rows = "\n".join(
        f"| {name} | {in_markdown(text)} |" for name, text in _rows(places, model, carried).items()
    )
    return f"# {in_markdown(_last(carried))}\n\n| | |\n|---|---|\n{rows}\n"


def refusal(error: SluiceError) -> str:
    """Why nothing was promoted, for the summary of a job: its first line says it."""
    return f"# Refused: {in_markdown(error.what)}\n\n{in_markdown(error.fix)}\n"


def _rows(places: "Places", model: str, carried: "Carried") -> dict[str, str]:
    champion = carried.champion
    way = f"from {places.source.overlay} to {places.target.overlay}"
    rows = {
        "Release": f"{champion.release} of {model}, {way}",
        "Image": f"{champion.image}:{champion.tag}@{champion.digest}",
        "Evidence": champion.evidence,
        "Healthy": carried.healthy,
        "Commit": carried.written.commit,
        "Branch": carried.written.branch,
    }
    return {name: text for name, text in rows.items() if text}


def _last(carried: "Carried") -> str:
    written = carried.written
    word = _WORDS.get(written.outcome, upper_first(written.outcome))
    return f"{word}: {written.sentence}."
