"""What a replay found, in a terminal: tables, what it foretells, and the line that matters."""

from rich.table import Table

from flows.views.escape import escape
from flows.views.terminal import console, row
from flows.views.wording import count
from sluice.canary.replay import SHARES, Latency, Moved, Replayed, Share
from sluice.canary.verdict import NO_CHANGE, Change
from sluice.percent import percent

_LABEL = 10
_EVERY = 10  # limits of a number is one that is shown
_SOME = (0.1, 0.25, 0.5, 0.75, 0.9)  # probabilities of a class that are shown of 19


def show(found: Replayed) -> None:
    """Both models, agreement, tiers, columns, latency and forecast; the verdict last."""
    out = console(stderr=False)
    row(out, "Rows", f"{count(found.rows, 'row')} of {found.source}", width=_LABEL)
    for number, what in _left_out(found):
        row(out, "", f"{count(number, 'row')} {what}", width=_LABEL)
    row(out, "Candidate", found.candidate, width=_LABEL)
    row(out, "Live", found.running, width=_LABEL)
    agreed = f"{_shown(found.agreement)} of the rows {_agree(found)}"
    mean = f"probabilities are {found.change:.4f} apart on average"
    if of_numbers(found):
        mean = f"answers are {_number(found, found.change)} apart on average"
    row(out, "Agreement", f"{agreed}; {mean}", width=_LABEL)
    latency = f"{_latency(found.latency_candidate)}; live {_latency(found.latency_running)}"
    row(out, "One row", f"{latency}; the models alone", width=_LABEL)
    tables = [_migration(found), _columns(found), _foretold(found), _histogram(found)]
    if of_classes(found):
        tables.append(_classes(found))
    for table in tables:
        if table.row_count:
            out.print()
            out.print(table)
    out.print()
    colour, word = ("bold green", "Replayed") if found.within else ("bold red", "Refused")
    out.print(f"[{colour}]{word}:[/] {escape(found.sentence)}")


def of_classes(found: Replayed) -> bool:
    """Whether the models answer with one of several classes."""
    return found.said_running.flagged is None and not of_numbers(found)


def of_numbers(found: Replayed) -> bool:
    """Whether the models answer with a number."""
    return found.kind == "number"


def _number(found: Replayed, value: float) -> str:
    """A number with its unit."""
    return escape(f"{value:,.4g} {found.unit}".rstrip())


def _agree(found: Replayed) -> str:
    if of_numbers(found):
        return "stay within two tenths of all answers"
    return f"have the same {'class' if of_classes(found) else 'flag'}"


def _left_out(found: Replayed) -> list[tuple[int, str]]:
    parts = [
        (found.refused, "more, refused by the candidate alone"),
        (found.unfit, "left out, which what is live does not take"),
        (found.repeated, "more of the same requests, which count once"),
        (found.others, "of the log passed over, answered by other models"),
        (found.broken, "of the log passed over, which cannot be read"),
    ]
    return [(number, what) for number, what in parts if number]


def _migration(found: Replayed) -> Table:
    """Rows by tier or class: what is live down, the candidate across."""
    what = "Classes" if of_classes(found) else "Tiers"
    if of_numbers(found):
        what = "Tenths of all answers"
    table = _table(f"{what}: live down, candidate across", "live")
    after = list(next(iter(found.tiers.values())))
    for name in after:
        table.add_column(escape(name), justify="right")
    for name, counts in found.tiers.items():
        table.add_row(escape(name), *(f"{counts[one]:,}" for one in after))
    return table


def _columns(found: Replayed) -> Table:
    """The columns whose values changed most."""
    table = _table("Largest changes by column", "column")
    table.add_column("value")
    classes = of_classes(found)
    answers = ("other class",) if classes else ("newly flagged", "no longer")
    if of_numbers(found):
        answers = ("moved up", "moved down")
    for heading in ("rows", *answers, "mean change"):
        table.add_column(heading, justify="right")
    for one in found.columns:
        for at, moved in enumerate(one.values):
            cells = _moved_class(moved) if classes else _moved(found, moved)
            table.add_row("" if at else escape(one.column), *cells)
    return table


def _moved_class(moved: Moved) -> tuple[str, ...]:
    counts = f"{moved.rows:,}", f"{moved.answered:,}"
    return (escape(moved.value), *counts, f"{moved.change:.4f}")


def _moved(found: Replayed, moved: Moved) -> tuple[str, ...]:
    counts = (f"{number:,}" for number in (moved.rows, moved.flagged, moved.unflagged))
    change = f"{moved.change:+.4f}"
    if of_numbers(found):
        change = f"{'-' if moved.change < 0 else '+'}{_number(found, abs(moved.change))}"
    return (escape(moved.value), *counts, change)


def _foretold(found: Replayed) -> Table:
    """Share flagged and tiers of both, or classes, and the change that the judge is to expect."""
    table = _table("Foretold, with 99 % intervals", "share of rows")
    for heading in ("live", "candidate", "change"):
        table.add_column(heading, justify="right")
    live, candidate, expected = found.said_running, found.said_candidate, found.expected
    if live.flagged is not None:
        table.add_row("flagged", *_beside(live.flagged, candidate.flagged, expected.flagged))
    for name in dict.fromkeys((*live.tiers, *candidate.tiers)):
        shares = live.tiers.get(name), candidate.tiers.get(name)
        table.add_row(escape(name), *_beside(*shares, expected.tiers.get(name, NO_CHANGE)))
    return table


def _histogram(found: Replayed) -> Table:
    """The shares of rows up to each probability."""
    what = "Probabilities of what is answered" if of_classes(found) else "Probabilities"
    table = _table(f"{what}, with 99 % intervals", "at most")
    for heading in ("live", "candidate", "change"):
        table.add_column(heading, justify="right")
    sides = found.said_running.at_most, found.said_candidate.at_most
    if of_numbers(found):
        table.title = "Answers, with 99 % intervals"
        names = [_number(found, limit) for limit in found.limits]
    else:
        names = [f"{share:.2f}" for share in SHARES]
    lines = list(zip(names, *sides, found.expected.at_most, strict=False))
    for name, live, candidate, change in lines[:: _EVERY if of_numbers(found) else 1]:
        table.add_row(name, *_beside(live, candidate, change))
    return table


def _classes(found: Replayed) -> Table:
    """The shares of rows up to some probabilities of each class."""
    table = _table("Probability of each class: share of rows at most", "class")
    table.add_column("model")
    places = [SHARES.index(limit) for limit in _SOME]
    for limit in _SOME:
        table.add_column(f"{limit:.2f}", justify="right")
    live, candidate = found.said_running.classes, found.said_candidate.classes
    for name in dict.fromkeys((*live, *candidate)):
        for at, (who, classes) in enumerate((("live", live), ("candidate", candidate))):
            upto = classes.get(name)
            shares = [percent(upto[place], 1) if upto else "-" for place in places]
            table.add_row("" if at else escape(name), who, *shares)
    return table


def _beside(live: Share | None, candidate: Share | None, change: Change) -> tuple[str, str, str]:
    moved = f"{100 * change.change:+.1f} ± {100 * change.margin:.1f} points"
    return _shown(live), _shown(candidate), moved


def _shown(share: Share | None) -> str:
    if share is None:
        return "-"
    return f"{percent(share.value, 1)} ({100 * share.low:.1f} to {100 * share.high:.1f})"


def _latency(latency: Latency) -> str:
    return f"median {latency.median:.2f} ms, p99 {latency.p99:.2f} ms"


def _table(title: str, first: str) -> Table:
    table = Table(title=title, box=None, pad_edge=False, title_justify="left", header_style="dim")
    table.add_column(first)
    return table
