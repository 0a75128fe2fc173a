"""What was checked of a release, part by part, and which file is wrong, in a terminal."""

from typing import TYPE_CHECKING

from rich.console import Console

from flows.views.escape import escape
from flows.views.wording import count

if TYPE_CHECKING:
    from flows.audit.verify import Verified

_PARTS = {
    "image": "Image",
    "service code": "Service code",
    "base and packages": "Base",
    "model": "Artifact",
    "evidence": "Evidence",
    "statements": "Statements",
    "manifest repo": "Manifest repo",
}


_NOT_COMPARED = {
    "service code": "the image names other code than is here",
    "base and packages": "no image of these and this code was built here",
    "statements": "no commit names the key that signed them",
}


def show(out: Console, verified: "Verified") -> None:
    """Each part with its files and their size, each problem, and the line that matters."""
    for part, title in _PARTS.items():
        if part in verified.checked:
            out.print(f"[dim]{title:<14}[/] {_files(verified.checked[part])}")
    for part, why in _NOT_COMPARED.items():
        if part not in verified.checked:
            out.print(f"[dim]{'Not compared':<14} {part}: {why}[/]")
    for problem in verified.problems:
        file, what = escape(problem.file), escape(problem.what)
        out.print(f"[red]{'Wrong':<14}[/] [bold]{file}[/]  {what}")
    out.print(f"[bold]{escape(_last(verified))}[/]")


def _files(sizes: dict[str, int]) -> str:
    names = escape(", ".join(sizes))
    total = sum(sizes.values())
    return f"{names}  [dim]{_size(total)}[/]" if total else names


def _last(verified: "Verified") -> str:
    name = f"{verified.model}:{verified.tag}"
    if verified.release:
        name = f"release {verified.release} of {verified.model}"
    if verified.problems:
        files = ", ".join(dict.fromkeys(problem.file for problem in verified.problems))
        return f"Refused: {name} is not what was promoted: {files}."
    files = count(sum(len(sizes) for sizes in verified.checked.values()), "file")
    return f"Verified: {name}, {files}, every hash agrees."


def _size(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 1e5 else f"{size / 1e3:,.1f} kB"
