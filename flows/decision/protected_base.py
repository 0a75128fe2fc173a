"""What stood before the change that is judged: the protected base commit of the project, and what
it says.
"""

from pathlib import Path

from flows.adapters.git import git
from flows.engine.run import Run
from sluice.errors import SluiceError
from sluice.policy import changes, load_policy


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


def policy_changes(run: Run) -> dict[str, list[str]]:
    """What the policy says that it did not say on the protected base, nor when the champion was
    released.
    """
    commit = base(run.settings.project, run.settings.protected_ref)
    texts = {
        "in this change set": text(run.settings.project, commit, f"models/{run.model}/policy.toml")
    }
    shipped = run.folder_of("champion") / "policy.toml"
    if run.against and shipped.is_file():
        texts["since the champion was released"] = shipped.read_text(encoding="utf-8")
    found = {name: _changes(run, said) for name, said in texts.items() if said}
    return {name: changed for name, changed in found.items() if changed}


def _changes(run: Run, before: str) -> list[str]:
    try:
        return changes(load_policy(before), run.policy)
    except SluiceError as error:
        return [f"all of it: the older policy cannot be read ({error.what})"]
