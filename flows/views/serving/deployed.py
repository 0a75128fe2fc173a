"""What was registered at a Prefect server, in a terminal."""

from collections.abc import Mapping, Sequence

from flows.views.terminal import console, row


def show(runs: Mapping[str, str], paused: Sequence[str], told: Sequence[str], page: str) -> None:
    """A line for each deployment and when it runs, what was paused, who is told, and where to click
    last.
    """
    out = console(stderr=False)
    rows = {**runs, "Paused": ", ".join(paused), "Told": ", ".join(told), "Run one": page}
    width = max(len(name) for name in rows)
    for name, what in rows.items():
        if what:
            row(out, name, what, width=width)
