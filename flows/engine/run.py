"""One release run: which model, which data, under which contract and policy, on which settings."""

import importlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.adapters.failpoints import boundary
from flows.adapters.files import read_stable
from flows.adapters.git import git
from flows.adapters.registry import registry
from flows.engine.store import write_atomic
from flows.gitops.manifest_repo import Live, image_name, live
from flows.project.settings import ROOT, Settings
from sluice.errors import UsageError
from sluice.identity import file_sha256, sha256
from sluice.policy import Policy, load_policy

if TYPE_CHECKING:
    from sluice.served.contract import Contract


@dataclass(frozen=True)
class Data:
    """Which data: how it was named, where its bytes lie, and their SHA-256."""

    reference: str
    path: Path
    sha256: str


@dataclass(frozen=True)
class Run:
    """Everything that a step may take, besides what earlier steps put out.

    `against` and `anchor` are what the candidate is compared with: tag, digest and model; empty for
    a first release. `standing` is what is known when it is decided: uses, fresh, champion_days,
    override, policy_changes.
    """

    settings: Settings
    model: str
    data: Data
    contract: "Contract"
    policy: Policy
    contract_text: str
    policy_text: str
    live: Live | None
    cache: bool = True
    against: Mapping[str, Any] = field(default_factory=dict)
    anchor: Mapping[str, Any] = field(default_factory=dict)
    standing: Mapping[str, Any] = field(default_factory=dict)

    @property
    def champion(self) -> dict[str, Any]:
        """The recorded champion; empty where there is none."""
        return (self.live.champion if self.live else None) or {}

    @property
    def frozen(self) -> dict[str, Any]:
        """The recorded anchor; empty where there is none."""
        return (self.live.anchor if self.live else None) or {}

    @property
    def image(self) -> str:
        """The name of the image where it is kept."""
        return image_name(self.settings, self.model)

    @property
    def place(self) -> registry.Place:
        """The registry, or the layout folder that stands in for it."""
        return registry.place(self.image, self.settings.home / "registry")

    def other(self, name: str) -> Mapping[str, Any]:
        """What `champion` or `anchor` stands for in this run."""
        return {"champion": self.against, "anchor": self.anchor}[name]

    def folder_of(self, name: str) -> Path:
        """Where the artifact of `champion` or `anchor` is kept on this machine."""
        return self.settings.home / "champions" / str(self.other(name).get("model"))


def begin(settings: Settings, model: str, data: Path | None = None, cache: bool = True) -> Run:
    """Read everything that a release depends on, once."""
    # brings numpy, for which what asks git alone need not wait
    from sluice.served.contract import load_contract

    folder = model_folder(model, settings.project)
    contract_text, policy_text = (
        _text(folder / name, settings.project) for name in ("contract.toml", "policy.toml")
    )
    contract = load_contract(contract_text, f"models/{model}/contract.toml")
    policy = load_policy(policy_text, f"models/{model}/policy.toml")
    source = _given(settings, data) if data else pointed(settings, model)
    return Run(
        settings,
        model,
        source,
        contract,
        policy,
        contract_text,
        policy_text,
        live(settings, model),
        cache,
    )


def models(project: Path = ROOT) -> list[str]:
    """The models of a project: the folders under models/ that hold a contract."""
    return sorted(path.parent.name for path in (project / "models").glob("*/contract.toml"))


def model_folder(model: str, project: Path = ROOT) -> Path:
    """The folder of a model; raises UsageError naming the ones there are."""
    there = models(project)
    if model not in there:
        raise UsageError(
            f"there is no model {model!r}",
            f"{project / 'models'} holds: {', '.join(there) or 'none'}.",
        )
    return project / "models" / model


def _text(path: Path, project: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path.relative_to(project)} cannot be read: {error}", "A model needs this file."
        ) from None


def _given(settings: Settings, path: Path) -> Data:
    content = read_stable(path)
    digest = sha256(content)
    return Data(path.name, _keep(settings, digest, content), digest)


def pointed(settings: Settings, model: str) -> Data:
    """The data that `data/<model>.toml` points to, checked against the hash that stands there."""
    name = f"data/{model}.toml"
    try:
        pointer = tomllib.loads(_text(settings.project / name, settings.project))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{name} is not TOML: {error}", "Correct the line it names.") from None
    reference, wanted = str(pointer.get("reference", "")), str(pointer.get("sha256", ""))
    kept = settings.home / "data" / wanted
    if wanted and kept.is_file() and file_sha256(kept) == wanted:
        return Data(reference, kept, wanted)
    kind, _, place = reference.partition(":")
    if kind == "sample":
        content = _sample(name, place, pointer.get("rows"))
    elif kind == "file":
        content = read_stable((settings.project / place).resolve())
    else:
        raise UsageError(
            f"{name}: reference is {reference!r}", "Write `sample:<module>` or `file:<path>`."
        )
    if sha256(content) != wanted:
        raise UsageError(
            f"{name}: the data hashes to {sha256(content)}, the pointer says {wanted}",
            "Put the new hash into the pointer if the change is meant: that is how new data is"
            " released.",
        )
    return Data(reference, _keep(settings, wanted, content), wanted)


def _sample(name: str, place: str, rows: object) -> bytes:
    """The table that a generator in this project makes."""
    if not isinstance(rows, int) or isinstance(rows, bool) or rows < 1:
        raise UsageError(
            f"{name}: rows is {rows!r}", "Write how many rows the sample has, as a whole number."
        )
    try:
        module = importlib.import_module(place)
        content: bytes = module.to_csv(module.generate(rows))
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(
            f"{name}: {place!r} generates no sample: {error}", "Write `sample:<module>`."
        ) from None
    return content


@boundary("data.keep")
def _keep(settings: Settings, digest: str, content: bytes) -> Path:
    """Keep the bytes under their hash on this machine, so that a model can be reproduced later."""
    kept = settings.home / "data" / digest
    if not kept.is_file() or kept.stat().st_size != len(content):
        write_atomic(kept, content)
        kept.chmod(0o600)
    return kept


def source_commit(settings: Settings) -> str:
    """The commit of the project's working tree."""
    return git.head(settings.project)
