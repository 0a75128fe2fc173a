"""The models of a project: the folders under models/ that hold a contract."""

import shlex
from pathlib import Path

from sluice.errors import UsageError, cause

_TABLES = (".csv", ".parquet", ".tsv", ".txt", ".xls", ".xlsx")


def models(project: Path) -> list[str]:
    """The names of all models of a project, sorted."""
    return sorted(path.parent.name for path in (project / "models").glob("*/contract.toml"))


def only_model(project: Path, wanted: str) -> str:
    """The model that is meant where none is named: the `wanted` one, or the only one.

    Raises UsageError where there are several, or none.
    """
    known = models(project)
    if wanted:
        return wanted
    if len(known) == 1:
        return known[0]
    if not known:
        what = f"{project / 'models'} holds 0 models; at least 1 is required"
        raise UsageError(what, "`sluice init FILE` makes one from a table.")
    what = f"{len(known)} models are there and none is named: {', '.join(known)}"
    raise UsageError(what, "Name one of them, or set SLUICE_MODEL.")


def model_folder(model: str, project: Path) -> Path:
    """The folder of a model. Raises UsageError, which names the models that exist."""
    known = models(project)
    if model not in known:
        holds = f"{project / 'models'} holds: {', '.join(known) or 'none'}."
        raise UsageError(f"there is no model {model!r}", _meant(model) + holds)
    return project / "models" / model


def unreviewed(project: Path, model: str) -> str:
    """What is said of a policy that was drafted and that no person answers for; empty where one
    does, or where the policy cannot be read: whoever needs it says so.
    """
    from sluice.policy import load_policy

    name = f"models/{model}/policy.toml"
    try:
        policy = load_policy((project / name).read_text(encoding="utf-8"), name)
    except (OSError, UnicodeDecodeError, UsageError):
        return ""
    if policy.reviewed:
        return ""
    return f"{name} is a draft: read its limits, then write reviewed = true."


def _meant(given: str) -> str:
    """What somebody meant who gave a file for a model; empty where it is none."""
    if Path(given).suffix.lower() in _TABLES or Path(given).is_file():
        return f"Did you mean --data {shlex.quote(given)}? "
    return ""


def project_text(path: Path, project: Path) -> str:
    """A file that a model needs. Raises UsageError, which names it relative to the project."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        name = path.relative_to(project)
        raise UsageError(
            f"{name} cannot be read: {cause(error)}", "A model needs this file."
        ) from None
