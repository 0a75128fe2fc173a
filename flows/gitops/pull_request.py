"""The text of a pull request: a title, the verdict as a table, where the evidence lies, and the
trailers.
"""

from pathlib import Path

from flows.adapters.failpoints import boundary
from flows.adapters.files import write_atomic
from flows.gitops.manifest_repo import apart, branch
from flows.gitops.promotion import Promotion
from flows.project.settings import Settings
from sluice.gitops import trailers


def place(settings: Settings, model: str, tag: str) -> Path:
    """Where the text lies: the title in its first line, the body from the third on."""
    return settings.home / "proposals" / model / apart(settings) / f"{tag}.md"


@boundary("proposal.write")
def write(settings: Settings, promotion: Promotion, verdict: str, evidence: str) -> Path:
    """Keep the text of a promotion that was proposed; `verdict` is Markdown, `evidence` a reference
    in the registry. Returns its file.
    """
    entry = promotion.entry
    proposed = branch(settings, "release", promotion.model, entry.tag)
    table = (
        "| | |\n|---|---|\n"
        f"| image | `{entry.reference}` |\n"
        f"| instead of | {promotion.against or 'nothing'} |\n"
        f"| evidence | `{evidence}` |"
    )
    advice = (
        f"Merge `{proposed}` to let Argo CD sync it. A newer release has a branch of its own: close"
        " this then."
    )
    # The trailers stand last, so that they are those of the commit where the merge takes this text
    # for its message.
    text = trailers.commit_message(
        promotion.subject,
        "\n\n".join([verdict.strip(), table, advice]),
        trailers.pairs(promotion.trailers),
    )
    path = place(settings, promotion.model, entry.tag)
    write_atomic(path, text.encode())
    return path
