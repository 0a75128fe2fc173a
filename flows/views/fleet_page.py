"""What a release changes in a fleet, as a self-contained page and a few lines of a terminal."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec import UNSET

from flows.views.wording import count, upper_first
from sluice.fleet.changes import KEPT, NEW, NONE, REPLACED, Change, Changes
from sluice.percent import percent
from sluice.served.page_text import on_page

_ORDER = (REPLACED, NEW, KEPT, NONE)
_WORDS = {
    REPLACED: "replaced",
    NEW: "new",
    KEPT: "champion kept",
    NONE: "not served",
}
_LISTED = 8  # models on the terminal


@dataclass(frozen=True)
class Headline:
    """What stands above the table: the model, what came of the release, what was compared."""

    model: str
    column: str
    outcome: str
    release: int
    day: str


@dataclass(frozen=True)
class Line:
    """A model in the table, in words."""

    key: str
    change: str
    word: str
    rows: str
    positives: str
    recall: str
    champion: str
    found: str
    p_value: str
    sentence: str


def lines(changes: Changes) -> list[Line]:
    """A line for each model: what changed first, then by key."""
    ordered = sorted(changes.models, key=lambda one: (_ORDER.index(one.change), one.key))
    return [_line(one) for one in ordered]


def _line(one: Change) -> Line:
    compared = one.gained is not UNSET
    return Line(
        key=one.key,
        change=one.change,
        word=_WORDS[one.change],
        rows=f"{one.rows:,}" if one.rows else "",
        positives=f"{one.positives:,}" if one.rows else "",
        recall="" if one.recall is UNSET else percent(one.recall, 1),
        champion="" if one.champion_recall is UNSET else percent(one.champion_recall, 1),
        found=f"+{one.gained:,} -{one.lost:,}" if compared else "",
        p_value="" if one.p_value is UNSET else f"{one.p_value:.2g}",
        sentence=upper_first(one.sentence),
    )


def render(headline: Headline, changes: Changes) -> str:
    """The page: no script, nothing fetched from anywhere."""
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        finalize=on_page,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    counts = {_WORDS[name]: f"{changes.count(name):,}" for name in _ORDER}
    page: str = environment.get_template("fleet.html").render(
        h=headline,
        facts=counts,
        about=about(changes),
        lines=lines(changes),
        state="" if changes.changed else " none",
    )
    return page


def about(changes: Changes) -> str:
    """How the models that were compared share the level."""
    if not changes.compared:
        return "No model had a champion to be compared with: each meets the rules by itself."
    return (
        f"{count(changes.compared, 'model')} compared with champions; of those called better, at"
        f" most {percent(changes.level, 2)} are expected to be so by chance. A model is better at"
        f" p = {changes.at:.3g} or less."
    )


def on_terminal(changes: Changes) -> Sequence[str]:
    """What changed, the first models of each kind by name."""
    told = []
    for name in (REPLACED, NEW):
        keys = sorted(one.key for one in changes.models if one.change == name)
        if keys:
            more = f" and {len(keys) - _LISTED:,} more" if len(keys) > _LISTED else ""
            told.append(f"{_WORDS[name].capitalize()}: {', '.join(keys[:_LISTED])}{more}")
    return told
