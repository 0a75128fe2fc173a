"""What a rollback changes, in a terminal."""

from typing import TYPE_CHECKING

from flows.adapters.plain_text import in_markdown, visible
from flows.views.escape import escape
from flows.views.terminal import console, diff_line
from sluice.gitops import way_back

if TYPE_CHECKING:
    from flows.gitops.rollback import Plan
    from flows.gitops.writer import Written


def show(plan: "Plan") -> None:
    """The diff, the release that goes into quarantine, and the one that becomes live."""
    out = console(stderr=False)
    for line in plan.diff.splitlines():
        out.print(diff_line(line))
    bad, target = escape(plan.bad.tag), escape(plan.target.tag)
    out.print(f"[dim]From[/]  release {plan.bad.release}, {bad}, which goes into quarantine")
    out.print(f"[dim]To[/]    release {plan.target.release}, {target}")
    style = "dim" if way_back.is_proven(plan.target) else "bold yellow"
    out.print(f"[{style}]Proof[/] {plan.proof}")


def markdown(written: "Written", plan: "Plan | None") -> str:
    """The same for the page of a run, with how it ended."""
    text = f"# {in_markdown(written.outcome.capitalize())}\n\n{in_markdown(written.sentence)}.\n"
    if plan is None:
        return text
    bad, target = plan.bad, plan.target
    rows = {
        "from": f"release {bad.release}, {bad.tag}, which goes into quarantine",
        "to": f"release {target.release}, {target.tag}",
        "proof": plan.proof,
        "why": plan.why,
        "commit": written.commit,
    }
    told = "".join(f"- **{name}**: {in_markdown(what)}\n" for name, what in rows.items() if what)
    changes = "".join(f"    {visible(line)}\n" for line in plan.diff.splitlines())
    return f"{text}\n{changes}\n{told}"
