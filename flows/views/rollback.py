"""What a rollback changes, in a terminal."""

from typing import TYPE_CHECKING

from flows.views.escape import escape
from flows.views.terminal import console, diff_line

if TYPE_CHECKING:
    from flows.gitops.rollback import Plan


def show(plan: "Plan") -> None:
    """The diff, the release that goes into quarantine, and the one that becomes live."""
    out = console(stderr=False)
    for line in plan.diff.splitlines():
        out.print(diff_line(line))
    bad, target = escape(plan.bad.tag), escape(plan.target.tag)
    out.print(f"[dim]From[/]  release {plan.bad.release}, {bad}, which goes into quarantine")
    out.print(f"[dim]To[/]    release {plan.target.release}, {target}")
