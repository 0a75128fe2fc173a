"""The models of a project: the folders under models/ that hold a contract."""

from pathlib import Path

from sluice.errors import UsageError


def models(project: Path) -> list[str]:
    """The names of all models of a project, sorted."""
    return sorted(path.parent.name for path in (project / "models").glob("*/contract.toml"))


def model_folder(model: str, project: Path) -> Path:
    """The folder of a model. Raises UsageError, which names the models that exist."""
    known = models(project)
    if model not in known:
        raise UsageError(
            f"there is no model {model!r}",
            f"{project / 'models'} holds: {', '.join(known) or 'none'}.",
        )
    return project / "models" / model


def project_text(path: Path, project: Path) -> str:
    """A file that a model needs. Raises UsageError, which names it relative to the project."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        name = path.relative_to(project)
        raise UsageError(f"{name} cannot be read: {error}", "A model needs this file.") from None
