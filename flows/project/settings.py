"""Where we run: `SLUICE_*` in the environment, each with an embedded default that needs no
server.
"""

import difflib
import getpass
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from flows.adapters.git.access import Access, Files, access
from flows.adapters.git.git import Author, is_branch
from flows.adapters.plain_text import say
from flows.adapters.process import without_login
from flows.project.root import ROOT
from sluice.errors import UsageError

_PERSON = re.compile(r"[^<>\n]+ <[^<>\s]+>")
_FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PLACE = re.compile(r"(s3|gs|az|https)://[A-Za-z0-9._-]+(:\d+)?")
_ENDPOINT = re.compile(r"https?://[A-Za-z0-9._-]+(:\d+)?/?")
# A sign that ends a line or steers a terminal.
_STEERING = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_LISTS = ("data_from", "notify")  # several values, which may stand in lines
_PREFIX = "SLUICE_"
_FILES = ("git_key", "known_hosts", "ca", "statement_key")
_EMPTY_MEANS = ("tracking_uri",)  # settings where empty says something else than unset
# Read elsewhere: by the service and its container, by set-up, by what a release starts, by CI,
# by tests.
OTHERS = (
    "API_KEYS",
    "CASES",
    "CHROMIUM",
    "CRDS",
    "DRAIN_SECONDS",
    "IMAGE_DIGEST",
    "LOGIN",
    "LOG_QUEUE",
    "LOG_REQUESTS",
    "LOG_RETENTION_DAYS",
    "LOG_ROTATE_BYTES",
    "LOG_SALT",
    "LOG_SAMPLE",
    "MAX_BODY_BYTES",
    "MAX_CONCURRENCY",
    "MAX_ROWS",
    "METRICS_BIND",
    "MODEL_DIR",
    "NO_APT",
    "PAGE",
    "PASSWORD",
    "PREDICTION_LOG",
    "PROCESS",
    "RACE_ROUNDS",
    "REAL_DATA",
    "REGISTRY_TOKEN",
    "REGISTRY_USER",
    "SERVICE_WORKERS",
    "TEMPORARY_SERVER",
)


class Settings(BaseSettings):
    """Read once, at the start of a command, and handed down."""

    model_config = SettingsConfigDict(env_prefix="SLUICE_", frozen=True, extra="ignore")

    home: Path = Field(
        default=(ROOT / ".sluice").resolve(),
        description=(
            "folder of everything embedded: store, registry, databases; unset: the folder demo/ in"
            " it for generated rows"
        ),
    )
    project: Path = Field(
        default=ROOT,
        description="folder with models/ and data/, where they are kept apart from the code",
    )
    model: str = Field(
        default="", description="the model of a command that names none, where there are several"
    )
    registry: str = Field(
        default="",
        description="host[:port][/path] of an OCI registry; empty: a layout folder under home",
    )
    manifests: str = Field(
        default="", description="git URL of the manifest repo; empty: a bare repository under home"
    )
    branch: str = Field(
        default="main", description="branch of the manifest repo that Argo CD watches"
    )
    overlay: str = Field(default="production", description="overlay that a release writes")
    tracking_uri: str | None = Field(
        default=None, description="MLflow server; unset: SQLite under home; empty: off"
    )
    author: str = Field(
        default="Sluice <sluice@localhost>",
        description="author and committer of commits, `Name <address>`",
    )
    protected_ref: str = Field(
        default="",
        description=(
            "branch that is reviewed: signers are read from its tip, the policy before from the"
            " merge base"
        ),
    )
    committer: str = Field(
        default="", description="committer, where it is not the author: `Name <address>`"
    )
    signing_key: str = Field(
        default="", description="key that signs commits: a file (ssh) or the id of a key (openpgp)"
    )
    signing_format: Literal["ssh", "openpgp"] = Field(
        default="ssh", description="what kind of key that is"
    )
    statement_key: str = Field(
        default="",
        description=(
            "file of the ed25519 key (PEM) that signs what is stated about images; empty: one that"
            " is made under home"
        ),
    )
    actor: str = Field(
        default="", description="who acts, in quarantine and rollbacks; empty: who is logged in"
    )
    mode: Literal["push", "branch"] = Field(
        default="push",
        description="push to the branch, or propose on a branch of its own for a pull request",
    )
    git_user: str = Field(
        default="", description="user for https; empty: the one that tokens go with"
    )
    git_token: SecretStr = Field(default=SecretStr(""), description="password or token for https")
    git_key: str = Field(default="", description="file of the private key for ssh")
    known_hosts: str = Field(
        default="", description="file with the host keys that ssh trusts; empty: the user's own"
    )
    api_key: SecretStr = Field(
        default=SecretStr(""), description="key to the service that `sluice predict` asks"
    )
    api_key_file: str = Field(default="", description="file with that key instead")
    ca: str = Field(
        default="",
        description="bundle of the authorities that git and the registry are checked against",
    )
    registry_timeout: float = Field(
        default=60.0, gt=0, description="seconds that the registry may be silent; 60 unless set"
    )
    git_timeout: float = Field(
        default=60, gt=0, le=3600, description="seconds that one call to the git server may take"
    )
    data_limit: int = Field(
        default=2_000_000_000,
        ge=1,
        description="bytes that a data pointer may bring here; 2,000,000,000 unless set",
    )
    data_from: str = Field(
        default="",
        description=(
            "places that data pointers may name, as `s3://bucket https://host`, with blanks"
            " between; empty: any that was reviewed"
        ),
    )
    s3_endpoint: str = Field(
        default="", description="address of a store that speaks S3, as MinIO; empty: Amazon's"
    )
    rollback_window: int = Field(
        default=10,
        ge=1,
        le=1000,
        description=(
            "releases that a rollback can go back to; their images are never offered for deletion"
        ),
    )
    cluster: str = Field(
        default="",
        description=(
            "context of the kubeconfig whose Rollouts are read, or `in-cluster` in a pod; empty: no"
            " cluster is asked"
        ),
    )
    cluster_namespace: str = Field(
        default="", description="namespace of the Rollout; empty: the one that the overlay names"
    )
    notify_url: SecretStr = Field(
        default=SecretStr(""),
        description=(
            "URL that Prefect's server tells of runs that were refused, failed, were killed or are"
            " stuck, and of act"
        ),
    )
    notify: str = Field(
        default="",
        description="blocks of Prefect that are told as well, `type/name`, with commas in between",
    )
    workers: int = Field(default=2, ge=1, le=64, description="folds fitted side by side")
    engine: str = Field(
        default="local",
        description=(
            "what works on the shards of a fleet: local; ray:HOST:PORT, a cluster that this machine"
            " is a node of; ray://HOST:PORT, one elsewhere"
        ),
    )

    @model_validator(mode="before")
    @classmethod
    def _as_meant(cls, values: dict[str, object]) -> dict[str, object]:
        """Empty is unset, as CI writes a variable that it does not have; blanks and line ends
        around a value, as a secret from a file has them, are none of it.
        """
        meant = {
            name: value.strip() if isinstance(value, str) else value
            for name, value in values.items()
        }
        return {name: value for name, value in meant.items() if value != "" or name in _EMPTY_MEANS}

    @property
    def manifest_url(self) -> str:
        """The manifest repo, embedded or not."""
        return self.manifests.strip() or str(self.home / "manifests.git")

    @property
    def remote(self) -> Access:
        """The manifest repo with what opens it."""
        return access(
            self.manifest_url,
            self.git_user,
            self.git_token.get_secret_value().strip(),
            files=Files(self.ca, self.git_key, self.known_hosts),
            timeout=self.git_timeout,
        )

    @property
    def signature(self) -> Author:
        """Who commits, and the key that signs."""
        return Author(self.author, self.committer, self.signing_key, self.signing_format)

    @property
    def who(self) -> str:
        """Who acts: SLUICE_ACTOR, who started the workflow, or who is logged in."""
        return self.actor or os.environ.get("GITHUB_ACTOR") or _logged_in()

    @property
    def shared(self) -> Path:
        """What every clone on this machine shares: base images and tools that were built."""
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sluice"

    @property
    def tracking(self) -> str:
        """The tracking URI; empty when tracking is off."""
        return (
            f"sqlite:///{self.home / 'mlflow.db'}"
            if self.tracking_uri is None
            else self.tracking_uri
        )


def _logged_in() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in many containers
        return f"user {os.getuid()}"


def unknown(names: Iterable[str]) -> list[str]:
    """A sentence for each of these variables that looks like a setting of Sluice and is none, with
    the name that is nearest.
    """
    known = [_PREFIX + name.upper() for name in Settings.model_fields]
    known += [_PREFIX + name for name in OTHERS]
    sentences = []
    for name in sorted(names):
        if not name.upper().startswith(_PREFIX) or name.upper() in known:
            continue
        near = difflib.get_close_matches(name.upper(), known, 1, 0.7)
        hint = f" Did you mean {near[0]}?" if near else ""
        sentences.append(f"{name} is set, and is no setting of Sluice.{hint}")
    return sentences


def quiet() -> Settings:
    """The settings before a command begins, which says itself what is wrong with them."""
    try:
        return Settings()
    except ValidationError:
        return load()  # which names the variable


def load() -> Settings:
    """The settings of this process; raises UsageError naming the variable that is wrong.

    A variable that looks like a setting and is none is warned about.
    """
    for sentence in unknown(os.environ):
        say(f"Warning: {sentence}")
    return load_quietly()


def load_quietly() -> Settings:
    """The same for a command that says itself which variables are no settings."""
    try:
        settings = Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = f"SLUICE_{'_'.join(str(part) for part in first['loc']).upper()}"
        raise UsageError(
            f"{name} is {first['input']!r}: {first['msg']}", "Correct or unset it."
        ) from None
    _check_lines(settings)
    if settings.home.exists() and not settings.home.is_dir():
        raise UsageError(
            f"SLUICE_HOME is {str(settings.home)!r}, which is no folder",
            "Name a folder, or unset it.",
        )
    if not _FOLDER.fullmatch(settings.overlay):
        fix = "Write the name of a folder below overlays/ of the manifest repo."
        raise UsageError(f"SLUICE_OVERLAY is {settings.overlay!r}", fix)
    if settings.branch != "main" and not is_branch(settings.branch):
        raise UsageError(
            f"SLUICE_BRANCH is {settings.branch!r}", "Write the name of a branch, as git takes it."
        )
    if "://" in settings.registry:
        raise UsageError(
            f"SLUICE_REGISTRY is {settings.registry!r}",
            "Write it without a scheme: host[:port][/path].",
        )
    _check_notify_url(settings.notify_url.get_secret_value())
    _check_data(settings)
    _check_committing(settings)
    # What is not set stays so: `homes` chooses the folder where nobody did.
    folders = {"home": settings.home.resolve(), "project": settings.project.resolve()}
    given = settings.model_fields_set
    return settings.model_copy(update={name: folders[name] for name in folders if name in given})


def _check_lines(settings: Settings) -> None:
    """A value is one line: git, ssh and HTTP end it at the next one, and read the rest as something
    else. No value is shown, for some are secrets.
    """
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        found = _STEERING.search(str(text)) if isinstance(text, str | Path) else None
        if found and name not in _LISTS:
            raise UsageError(
                f"SLUICE_{name.upper()} holds {found[0]!r} behind {found.start()} characters; one"
                " line of visible characters is required",
                "Correct or unset it. A secret that was written in several lines is often one that"
                " was wrapped, or a file in the place of its name.",
            )


def _check_notify_url(url: str) -> None:
    """It is a secret, so an error does not show it."""
    if url and not url.startswith(("http://", "https://")):
        raise UsageError(
            "SLUICE_NOTIFY_URL begins with neither http:// nor https://", "Write the whole address."
        )


def _check_data(settings: Settings) -> None:
    """Where data may come from, and the address of their store."""
    for place in settings.data_from.split():
        if not _PLACE.fullmatch(place):
            raise UsageError(
                f"SLUICE_DATA_FROM is {settings.data_from!r}",
                "Write s3://bucket, gs://bucket, az://container or https://host, with blanks"
                " between.",
            )
    if settings.s3_endpoint and not _ENDPOINT.fullmatch(settings.s3_endpoint):
        raise UsageError(
            f"SLUICE_S3_ENDPOINT is {without_login(settings.s3_endpoint)!r}",
            "Write https://host[:port], without a login and a path.",
        )


def _check_committing(settings: Settings) -> None:
    """What is sure to fail later, said before anything is done."""
    for name in ("manifests", "protected_ref"):
        value = getattr(settings, name)
        if value.strip().startswith("-"):
            raise UsageError(
                f"SLUICE_{name.upper()} is {value!r}, which git would take for an option",
                "Write it without the - in front.",
            )
    for name in ("author", "committer"):
        value = getattr(settings, name)
        if not _PERSON.fullmatch(value) and (value or name == "author"):
            raise UsageError(f"SLUICE_{name.upper()} is {value!r}", "Write it as `Name <address>`.")
    files = {name: getattr(settings, name) for name in _FILES}
    if settings.signing_format == "ssh":
        files["signing_key"] = settings.signing_key
    for name, value in files.items():
        if value and not os.path.isfile(value):  # noqa: PTH113 - Path would raise for a key in the place of its name
            raise UsageError(
                f"SLUICE_{name.upper()} names no file", "Write the path of a file that can be read."
            )
