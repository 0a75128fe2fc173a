"""The text of a pull request: a title, the verdict as a table, where the evidence lies, and the
trailers.
"""

from pathlib import Path

from flows.adapters.failpoints import boundary
from flows.adapters.files import write_atomic
from flows.gitops.manifest_repo import apart, branch
from flows.gitops.promotion import Promotion
from flows.project.settings import Settings
from sluice.gitops.manifest import commit_message


def place(settings: Settings, model: str, tag: str) -> Path:
    """Where the text lies: the title in its first line, the body from the third on."""
    return settings.home / "proposals" / model / apart(settings) / f"{tag}.md"


@boundary("proposal.write")
def write(settings: Settings, wanted: Promotion, verdict: str, evidence: str) -> Path:
    """Keep the text of a promotion that was proposed; `verdict` is Markdown, `evidence` a reference
    in the registry.
    """
    entry = wanted.entry
    there = branch(settings, "release", wanted.model, entry.tag)
    body = "\n\n".join(
        [
            verdict.strip(),
            (
                f"| | |\n|---|---|\n| image | `{entry.reference}` |\n| instead of |"
                f" {wanted.against or 'nothing'} |\n| evidence | `{evidence}` |"
            ),
            (
                f"Merge `{there}` to let Argo CD sync it. A newer release has a branch of its own:"
                " close this then."
            ),
        ]
    )
    # The trailers stand last, so that they are those of the commit where the merge takes this text
    # for its message.
    path = place(settings, wanted.model, entry.tag)
    write_atomic(path, commit_message(wanted.subject, body, wanted.trailers).encode())
    return path
