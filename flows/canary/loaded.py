"""A model with what a replay has to know of it."""

from dataclasses import dataclass
from pathlib import Path

from sluice.identity import sha256
from sluice.model.artifact.reference import Reference, read_reference
from sluice.policy import CanaryPolicy
from sluice.served.contract import Target
from sluice.served.scoring import MODEL_FILE, Model, load_model


@dataclass(frozen=True)
class Loaded:
    """A model with what it is called, the digest that its log names, and what its training rows
    looked like.
    """

    model: Model
    name: str
    digest: str
    reference: Reference


@dataclass(frozen=True)
class Both:
    """What is live of a model, a candidate, and the limits of the policy."""

    name: str
    running: Loaded
    candidate: Loaded
    policy: CanaryPolicy

    @property
    def of_one_kind(self) -> bool:
        """Whether both have one positive class, both several classes, or both a number in the same
        unit.
        """
        return (
            len({_kind(one.model.contract.target) for one in (self.running, self.candidate)}) == 1
        )


def _kind(target: Target) -> tuple[bool, str]:
    """Whether there are several classes, and the unit of a number."""
    return target.several, f"a number in {target.quantity.unit}" if target.quantity else ""


def loaded(folder: Path, name: str) -> Loaded:
    """The model of an artifact, whose bytes are known to be the right ones."""
    reference = read_reference((folder / "reference.json").read_bytes())
    digest = f"sha256:{sha256((folder / MODEL_FILE).read_bytes())}"
    return Loaded(load_model(folder), name, digest, reference)
