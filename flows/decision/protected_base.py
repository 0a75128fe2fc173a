"""What stood before the change that is judged: the protected base commit of the project, and what
it says.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from flows.adapters.git import git
from sluice.errors import SluiceError
from sluice.policy import changes, load_policy

if TYPE_CHECKING:
    from flows.engine.request import Request
    from sluice.gitops.state import Reference


def base(project: Path, ref: str) -> str:
    """The merge base with `ref`, or with the default branch of origin; empty where there is
    none.
    """
    return git.git(
        "merge-base", "HEAD", ref or "refs/remotes/origin/HEAD", cwd=project, check=False
    ).strip()


def text(project: Path, commit: str, path: str) -> str:
    """A file of the project as it is in a commit; empty where it is not there."""
    return git.git("show", f"{commit}:./{path}", cwd=project, check=False) if commit else ""


def policy_changes(request: "Request", champion: "Reference | None") -> dict[str, list[str]]:
    """The keys of the policy that changed, by what they are compared with.

    That is the protected base, and the policy that the champion was released with.
    """
    commit = base(request.settings.project, request.settings.protected_ref)
    reviewed = text(request.settings.project, commit, f"models/{request.model}/policy.toml")
    texts = {"in this change set": reviewed}
    if champion:
        shipped = request.model_of(champion.model) / "policy.toml"
        if shipped.is_file():
            texts["since the champion was released"] = shipped.read_text(encoding="utf-8")
    changed = {name: _changes(request, before) for name, before in texts.items() if before}
    return {name: keys for name, keys in changed.items() if keys}


def _changes(request: "Request", before: str) -> list[str]:
    try:
        return changes(load_policy(before), request.policy)
    except SluiceError as error:
        return [f"all of it: the older policy cannot be read ({error.what})"]
