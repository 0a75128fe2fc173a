"""What was checked of a release, part by part, and which file is wrong, in a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from flows.views.escape import escape

_PARTS = {
    "image": "Image",
    "model": "Artifact",
    "evidence": "Evidence",
    "manifest repo": "Manifest repo",
}


def show(out: Console, told: Mapping[str, Any]) -> None:
    """Each part with its files and their size, each problem, and the line that matters."""
    for part, title in _PARTS.items():
        files = told["checked"].get(part)
        if files is not None:
            size = sum(files.values())
            out.print(
                f"[dim]{title:<14}[/] {escape(', '.join(files))}"
                + (f"  [dim]{_size(size)}[/]" if size else "")
            )
    for problem in told["problems"]:
        out.print(
            f"[red]Wrong[/]          [bold]{escape(problem['file'])}[/]  {escape(problem['what'])}"
        )
    out.print(f"[bold]{escape(_last(told))}[/]")


def _last(told: Mapping[str, Any]) -> str:
    name = (
        f"release {told['release']} of {told['model']}"
        if told["release"]
        else f"{told['model']}:{told['tag']}"
    )
    if told["problems"]:
        files = dict.fromkeys(problem["file"] for problem in told["problems"])
        return f"Refused: {name} is not what was promoted: {', '.join(files)}."
    count = sum(len(files) for files in told["checked"].values())
    return f"Verified: {name}, {count} files, every hash agrees."


def _size(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 1e5 else f"{size / 1e3:,.1f} kB"
