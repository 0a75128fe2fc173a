"""What the gate decided."""

from msgspec import Struct

# What is told of every verdict but PROMOTE where a policy tells no figure of the holdout.
NOT_PROMOTED = "NOT PROMOTED"


def promotes(verdict: str, *, refresh: bool) -> bool:
    """Whether a verdict lets its candidate go live: PROMOTE, or a HOLD that may replace its
    champion.
    """
    return verdict == "PROMOTE" or (verdict == "HOLD" and refresh)


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
        return promotes(self.verdict, refresh=self.refresh)
