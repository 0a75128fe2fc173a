"""What a contract lacks for a newer table: a diff for `git apply`, and what a person decides."""

import difflib
import sys

from flows.adapters.plain_text import say
from sluice.draft.updating import Update


def show(found: Update, before: str, name: str, table: str) -> None:
    """The diff on standard output, all else on standard error."""
    for remark in found.remarks:
        say(f"Decide: {remark}")
    for change in found.changes:
        say(f"{change.column}: {change.key}, {change.why}.")
    if found.changes:
        say(diff(found, before, name), sys.stdout)
        say(f"Nothing is written: `git apply` takes the diff, then {name} needs a review.")
    elif found.remarks:
        say("Nothing else is proposed.")
    else:
        say(f"Nothing to propose: {name} fits {table}.")


def diff(found: Update, before: str, name: str) -> str:
    """The changes of the text as a unified diff; empty for none."""
    lines = difflib.unified_diff(
        before.splitlines(), found.text.splitlines(), f"a/{name}", f"b/{name}", lineterm=""
    )
    return "\n".join(lines)


def document(found: Update, before: str, name: str) -> dict[str, object]:
    """The same for a program."""
    return {
        "schema": 1,
        "contract": name,
        "changes": [
            {"column": one.column, "key": one.key, "value": one.value, "why": one.why}
            for one in found.changes
        ],
        "decide": list(found.remarks),
        "diff": diff(found, before, name),
    }
