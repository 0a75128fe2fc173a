"""What became of a canary, and what was written, in a terminal."""

from flows.adapters.plain_text import in_markdown
from flows.canary.reconcile import Report
from flows.views.escape import escape
from flows.views.terminal import console, diff_line, row
from flows.views.wording import upper_first

_LABEL = 10
_WORDS = {
    "healthy": "passed",
    "unproven": "not judged",
    "promoted": "promoted by a person",
    "harmful": "harmful",
    "unfit": "could not be run or measured",
    "aborted": "aborted by a person",
    "waits": "waits for",
}


def show(report: Report) -> None:
    """How far the canary is, what was found, what a dry run would change, and what matters last."""
    out = console(stderr=False)
    at = report.progress
    if at is not None:
        where = f"{at.rollout} in {at.namespace}, {at.phase or 'not seen yet'}"
        row(out, "Rollout", f"{where}, step {at.step} of {at.steps}, {at.weight} %", width=_LABEL)
    colon = "" if report.ending.word == "waits" else ":"
    said = f"{_WORDS[report.ending.word]}{colon} {report.ending.why}"
    row(out, "Canary", said, width=_LABEL)
    for one in report.ending.figures:
        row(out, "", f"{one.metric}: {one.value or 'no value'} ({one.phase})", width=_LABEL)
    if report.written.outcome == "dry run":
        for line in report.diff.splitlines():
            out.print(diff_line(line))
    out.print(f"[bold]{escape(sentence(report))}[/]")


def markdown(report: Report) -> str:
    """The same for the page of a run."""
    head = f"{report.model}, release {report.release}" if report.release else report.model
    figures = [
        f"- {in_markdown(one.metric)}: {in_markdown(one.value or 'no value')}"
        f" ({in_markdown(one.phase)})\n"
        for one in report.ending.figures
    ]
    told = "".join(["\n## What the canary showed\n\n", *figures]) if figures else ""
    return f"# {in_markdown(head)}\n\n{in_markdown(sentence(report))}\n{told}"


def sentence(report: Report) -> str:
    """What was written, or what is waited for, in a line."""
    written, ending = report.written, report.ending
    if written.outcome == "waits":
        return f"Waits for {ending.why}."
    if written.outcome == "committed":
        did = "Taken back" if report.diff else f"Recorded as {ending.word}"
        return f"{did}: {ending.why}; {written.sentence}."
    endings = {"already there": "Nothing to do", "nothing": "Nothing to do"}
    word = endings.get(written.outcome, upper_first(written.outcome))
    return f"{word}: {written.sentence}."
