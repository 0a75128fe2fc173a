"""The models of a project: the folders under models/ that hold a contract."""

import shlex
from pathlib import Path

from sluice.errors import UsageError, cause

_TABLES = (".csv", ".parquet", ".tsv", ".txt", ".xls", ".xlsx")


def models(project: Path) -> list[str]:
    """The names of all models of a project, sorted."""
    return sorted(path.parent.name for path in (project / "models").glob("*/contract.toml"))


def model_folder(model: str, project: Path) -> Path:
    """The folder of a model. Raises UsageError, which names the models that exist."""
    known = models(project)
    if model not in known:
        holds = f"{project / 'models'} holds: {', '.join(known) or 'none'}."
        raise UsageError(f"there is no model {model!r}", _meant(model) + holds)
    return project / "models" / model


def only(project: Path) -> str:
    """The model of a project that has one. Raises UsageError, which names them, where it has none
    or several.
    """
    known = models(project)
    if len(known) == 1:
        return known[0]
    if not known:
        raise UsageError(
            f"{project / 'models'} holds no model",
            "Add a folder with contract.toml and policy.toml.",
        )
    raise UsageError(
        f"no model is named, and {project / 'models'} holds: {', '.join(known)}",
        f"Name one, such as {known[0]}.",
    )


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
