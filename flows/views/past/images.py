"""The images in the registry, in a terminal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from flows.views.escape import escape
from flows.views.terminal import console
from flows.views.wording import count

if TYPE_CHECKING:
    from flows.gitops.image_inventory import Image


def show(images: "Sequence[Image]") -> None:
    """A line for each image: what it is kept for; and how many may be deleted."""
    out = console(stderr=False)
    table = Table(box=None, pad_edge=False)
    for head in ("tag", "release", "kept for", "digest"):
        table.add_column(head)
    for image in images:
        release = str(image.release or "never")
        digest = f"[dim]{escape(image.digest[:19])}[/]"
        table.add_row(escape(image.tag), release, _kept(image), digest)
    out.print(table)
    deletable = sum(image.deletable for image in images)
    out.print(f"[bold]{count(len(images), 'image')}, {deletable} of them may be deleted.[/]")


def _kept(image: "Image") -> str:
    kept = escape(", ".join(image.kept)) or "[yellow]may be deleted[/]"
    return f"{kept} [red](in quarantine)[/]" if image.quarantined else kept
