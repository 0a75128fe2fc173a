"""Where we run: `SLUICE_*` in the environment, each with an embedded default that needs no server."""

import os
from pathlib import Path

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from sluice.errors import UsageError

ROOT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """Read once, at the start of a command, and handed down."""

    model_config = SettingsConfigDict(env_prefix="SLUICE_", frozen=True, extra="ignore")

    home: Path = Field(
        default=ROOT / ".sluice", description="folder of everything embedded: store, registry, databases"
    )
    project: Path = Field(
        default=ROOT, description="folder with models/ and data/, where they are kept apart from the code"
    )
    registry: str = Field(
        default="", description="host[:port][/path] of an OCI registry; empty: a layout folder under home"
    )
    manifests: str = Field(default="", description="git URL of the manifest repo; empty: a bare repository under home")
    branch: str = Field(default="main", description="branch of the manifest repo that Argo CD watches")
    overlay: str = Field(default="production", description="overlay that a release writes")
    tracking_uri: str | None = Field(default=None, description="MLflow server; unset: SQLite under home; empty: off")
    author: str = Field(
        default="Sluice <sluice@localhost>", description="author and committer of commits, `Name <address>`"
    )
    protected_ref: str = Field(
        default="", description="branch that is reviewed: signers and the policy before are read from the merge base"
    )
    workers: int = Field(default=2, ge=1, le=64, description="folds fitted side by side")

    @property
    def manifest_url(self) -> str:
        """The manifest repo, embedded or not."""
        return self.manifests or str(self.home / "manifests.git")

    @property
    def shared(self) -> Path:
        """What every clone on this machine shares: base images and tools that were built."""
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sluice"

    @property
    def tracking(self) -> str:
        """The tracking URI; empty when tracking is off."""
        return f"sqlite:///{self.home / 'mlflow.db'}" if self.tracking_uri is None else self.tracking_uri


def load() -> Settings:
    """The settings of this process; raises UsageError naming the variable that is wrong."""
    try:
        settings = Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = f"SLUICE_{'_'.join(str(part) for part in first['loc']).upper()}"
        raise UsageError(f"{name} is {first['input']!r}: {first['msg']}", "Correct or unset it.") from None
    if settings.home.exists() and not settings.home.is_dir():
        raise UsageError(f"SLUICE_HOME is {str(settings.home)!r}, which is no folder", "Name a folder, or unset it.")
    if "://" in settings.registry:
        raise UsageError(f"SLUICE_REGISTRY is {settings.registry!r}", "Write it without a scheme: host[:port][/path].")
    if not settings.author.endswith(">") or "<" not in settings.author:
        raise UsageError(f"SLUICE_AUTHOR is {settings.author!r}", "Write it as `Name <address>`.")
    return settings.model_copy(update={"home": settings.home.resolve(), "project": settings.project.resolve()})
