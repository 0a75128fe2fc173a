"""Which models a push touches, in a terminal and on the page of a job."""

from rich.console import Console

from flows.project.changed import Changes, sentences
from flows.views.terminal import row


def show(out: Console, found: Changes) -> None:
    """A line for each model, and why it is touched."""
    width = max((len(touched.model) for touched in found.models), default=0)
    for touched in found.models:
        row(out, touched.model, sentences(touched.causes), width=width)
    if not found.models:
        out.print("No model is touched.")


def markdown(found: Changes) -> str:
    """The same for the summary of a job."""
    if not found.models:
        return "No model is touched: nothing is released.\n"
    return "".join(
        f"- `{touched.model}`: {sentences(touched.causes)}\n" for touched in found.models
    )
