"""The anchor of a model, in a terminal."""

from flows.views.escape import escape
from flows.views.terminal import console, identity, row
from flows.views.wording import measured
from sluice.gitops.approvals import Count
from sluice.gitops.state import Anchor


def show(model: str, anchor: Anchor | None) -> None:
    """What the anchor is and why, or that there is none yet."""
    out = console(stderr=False)
    if anchor is None:
        out.print(f"[bold]{escape(model)} has no anchor yet: its first release becomes it.[/]")
        return
    rows = {
        "Image": identity(out, f"{anchor.image}:{anchor.tag}@{anchor.digest}"),
        "Because": anchor.reason,
        "Measured": measured(anchor.recall, anchor.precision, anchor.skill),
    }
    for name, value in rows.items():
        row(out, name, value)
    out.print(f"[bold]Release {anchor.release} is the anchor of {escape(model)}.[/]")


def show_count(tag: str, count: Count) -> None:
    """Who stands behind a move, and what to type where they are enough."""
    ending = f": `sluice anchor set {escape(tag)}` moves it" if count.enough else ""
    console(stderr=False).print(f"[bold]Approved. {escape(count.sentence)}{ending}.[/]")


def say(sentence: str) -> None:
    """A sentence about a move of the anchor, before it is carried out."""
    console(stderr=True).print(f"  {escape(sentence)}")
