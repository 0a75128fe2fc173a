"""What came of training a release again, in a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from flows.views.escape import escape
from flows.views.lineage import short

Json = Mapping[str, Any]


def show(out: Console, told: Json) -> None:
    """Where from, how well it agrees, what differs, and the line that matters."""
    rows = {
        "Sources": told["sources"],
        "Data": told["data"],
        "Environment": told["environment"],
        "Trained": (
            f"in {told['seconds']:.0f} s" + (", to the same bytes" if told["same_bytes"] else "")
        ),
        "Golden": _agreement(told["golden"]),
        "Holdout": _agreement(told["holdout"]),
    }
    for name, value in rows.items():
        out.print(f"[dim]{name:<12}[/] {escape(value)}")
    for one in told["differs"]:
        colour = "dim" if told["equal"] else "red"
        name = f"[{colour}]{escape(one['name']):<16}[/]"
        out.print(
            f"[dim]Differs[/]      {name} {escape(_cut(one['recorded']))} then,"
            f" {escape(_cut(one['now']))} now"
        )
    out.print(f"[bold]{escape(last(told))}[/]")


def _agreement(part: Json) -> str:
    said = (
        f"{part['rows']:,} rows, {part['differing']:,} apart by more than 1e-6, at most by"
        f" {part['largest']:.3g}"
    )
    return said + (f"; {part['answers']:,} answered otherwise" if part["answers"] else "")


def _cut(text: str) -> str:
    return short(text) if len(text) < 80 else f"{text[:77]}..."


def last(told: Json) -> str:
    """Whether it was reproduced, and else what differs."""
    name = f"release {told['release']} of {told['model']}" if told["release"] else told["tag"]
    rows = told["golden"]["rows"] + told["holdout"]["rows"]
    if told["equal"]:
        return f"Reproduced: {name}, all {rows:,} predictions agree to 1e-6."
    apart = told["golden"]["differing"] + told["holdout"]["differing"]
    causes = ", ".join(one["name"] for one in told["differs"])
    why = f"what differs is {causes}" if causes else "no recorded input differs"
    if not told["recorded"]:
        why = "which inputs differ cannot be said: the evidence has no provenance"
    return f"Not reproduced: {name}, {apart:,} of {rows:,} predictions differ; {why}."
