"""What the policy changed since what was reviewed: the protected base, and the champion."""

from typing import TYPE_CHECKING

from flows.project import protected_branch
from flows.project.protected_branch import Protected
from flows.project.root import ROOT
from sluice.errors import SluiceError
from sluice.policy import changes, load_policy

if TYPE_CHECKING:
    from flows.engine.request import Request
    from sluice.gitops.state import Reference

UNKNOWN = "base unknown"


def require(request: "Request") -> None:
    """Raise UsageError where git does not read the project or the code of Sluice, or the protected
    branch that is named is none: a verdict would not know what it rests on.
    """
    protected_branch.require_readable(ROOT)
    protected_branch.find(request.settings.project, request.settings.protected_ref)


def policy_changes(request: "Request", champion: "Reference | None") -> dict[str, list[str]]:
    """The keys of the policy that changed, by what they are compared with.

    That is the protected base, and the policy that the champion was released with. Where the base
    of a project in git is unknown, that is said in its place. Raises what `protected_branch.find`
    raises.
    """
    settings = request.settings
    protected = protected_branch.find(settings.project, settings.protected_ref)
    texts = {"in this change set": _reviewed(request, protected)}
    if champion:
        shipped = request.model_of(champion.model) / "policy.toml"
        if shipped.is_file():
            texts["since the champion was released"] = shipped.read_text(encoding="utf-8")
    changed = {name: _changes(request, before) for name, before in texts.items() if before}
    if protected and protected.unknown:
        changed[f"because {protected.unknown}"] = [UNKNOWN]
    return {name: keys for name, keys in changed.items() if keys}


def _reviewed(request: "Request", protected: Protected | None) -> str:
    """The policy of the protected base; empty where there is none."""
    if protected is None:
        return ""
    path = f"models/{request.model}/policy.toml"
    return protected_branch.text(request.settings.project, protected.base, path)


def _changes(request: "Request", before: str) -> list[str]:
    try:
        return changes(load_policy(before), request.policy)
    except SluiceError as error:
        return [f"all of it: the older policy cannot be read ({error.what})"]
