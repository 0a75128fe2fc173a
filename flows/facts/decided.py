"""What the gate decided."""

from msgspec import Struct


class Decided(Struct, frozen=True, omit_defaults=True):
    """The verdict and its sentence.

    `refresh` says that a HOLD may replace its champion. `override` and `policy_changed` are one
    sentence each, empty where there is nothing that nobody may overlook.
    """

    verdict: str
    sentence: str
    refresh: bool
    override: str = ""
    policy_changed: str = ""

    @property
    def promotes(self) -> bool:
        """Whether the candidate may go live."""
        return self.verdict == "PROMOTE" or (self.verdict == "HOLD" and self.refresh)
