"""What a release is asked to do: which model, which data, under which contract and policy."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flows.adapters.registry import registry
from flows.engine.release_tools import Tools
from flows.gitops.manifest_repo import Live, image_name, live, require_anchor
from flows.project.data_source import Data, from_file, from_pointer
from flows.project.log_place import place_of
from flows.project.models import model_folder, project_text
from flows.project.settings import Settings
from sluice.class_policy import require_kind
from sluice.errors import UsageError
from sluice.gitops.state import Anchor, Champion
from sluice.identity import sha256
from sluice.number_policy import require_number
from sluice.policy import Policy, load_policy
from sluice.schedule import decisive

if TYPE_CHECKING:
    from sluice.served.contract import Contract


@dataclass(frozen=True)
class Request:
    """Everything that is known before anything is done; `log` is where the service keeps what it
    was asked, empty where nobody says.
    """

    settings: Settings
    tools: Tools
    model: str
    data: Data
    contract: "Contract"
    policy: Policy
    contract_text: str
    policy_text: str
    live: Live | None
    cache: bool = True
    log: str = ""

    @property
    def champion(self) -> Champion | None:
        """The recorded champion; None where nothing is live."""
        return self.live.champion if self.live else None

    @property
    def frozen(self) -> Anchor | None:
        """The recorded anchor; None where nothing is live."""
        return self.live.anchor if self.live else None

    @property
    def image(self) -> str:
        """The name of the image where it is kept, without a tag."""
        return image_name(self.settings, self.model)

    @property
    def place(self) -> registry.Place:
        """The registry that keeps the image, or the folder that stands in for it."""
        return registry.place(
            self.image, self.settings.home / "registry", self.settings.registry_timeout
        )

    @property
    def contract_sha256(self) -> str:
        """The SHA-256 of the contract's text."""
        return sha256(self.contract_text.encode())

    @property
    def policy_sha256(self) -> str:
        """The SHA-256 of the policy's text, without the hours at which runs begin."""
        return sha256(self.policy_text.encode())

    def model_of(self, artifact: str) -> Path:
        """Where the artifact of an earlier release is kept on this machine, by its hash."""
        return self.settings.home / "champions" / artifact


def begin(
    settings: Settings,
    tools: Tools,
    model: str,
    data: Path | None = None,
    *,
    cache: bool = True,
) -> Request:
    """Read everything that a release depends on, once. Raises UsageError for what is wrong."""
    from sluice.served.contract import (
        load_contract,  # brings numpy, which git alone need not wait for
    )

    folder = model_folder(model, settings.project)
    contract_text = project_text(folder / "contract.toml", settings.project)
    policy_name = f"models/{model}/policy.toml"
    policy_text = project_text(folder / "policy.toml", settings.project)
    contract = load_contract(contract_text, f"models/{model}/contract.toml")
    policy = load_policy(policy_text, policy_name)
    if policy.split.by_time and not contract.as_of:
        what = f'[split] by is "time", and models/{model}/contract.toml names no column of times'
        raise UsageError(what, 'Write as_of = "NAME OF THE COLUMN" above its tables.')
    require_kind(contract.target.classes, policy.classes, policy_name)
    require_number(contract.target.quantity, policy.number, policy_name)
    standing = live(settings, model)  # a manifest repo that is lost is told before data are read
    require_anchor(settings, model, standing)
    source = from_file(settings, data) if data else from_pointer(settings, model)
    return Request(
        settings=settings,
        tools=tools,
        model=model,
        data=source,
        contract=contract,
        policy=policy,
        contract_text=contract_text,
        policy_text=decisive(policy_text, policy_name),
        live=standing,
        cache=cache,
        log=place_of(settings),
    )
