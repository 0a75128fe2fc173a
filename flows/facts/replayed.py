"""What a replay before the canary found."""

from typing import Literal

from msgspec import Struct

from sluice.canary.replay import Replayed

# log         what the running model was sent
# holdout     the holdout, because no log has enough days of it
# validation  the validation rows, where no figure of the holdout is told
# none        nothing: no model runs, or no rows can be given to both
Origin = Literal["log", "holdout", "validation", "none"]


class Foretold(Struct, frozen=True):
    """How many rows of what (an `Origin`) both models were given, whether what they say is within
    the limits of the policy, and the sentence that says so.
    """

    origin: str
    rows: int
    within: bool
    sentence: str


class Forecast(Struct, frozen=True, kw_only=True):
    """What the canary of a candidate is expected to say.

    `running` is the digest of the image that it is replayed beside. The days of the log are those
    that were over two days before `day`, which is empty for other rows.
    """

    origin: Origin
    running: str
    day: str
    found: Replayed
