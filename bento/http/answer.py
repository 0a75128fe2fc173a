"""One answer of the service, as it is sent."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from sluice.served.reasons import METHOD, Reason


class Answer(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """One answer, as it is sent."""

    id: Annotated[str, Meta(description="Names this answer, for feedback")]
    prediction: Literal[0, 1]
    label: str
    probability: Annotated[float, Meta(ge=0, le=1)]
    tier: str
    threshold: Annotated[float, Meta(description="From this probability on the prediction is 1")]
    model: str
    image: str | None
    baseline: (
        Annotated[float, Meta(description="The mean score that the reasons start from")] | UnsetType
    ) = UNSET
    reasons: Annotated[list[Reason], Meta(description=METHOD)] | UnsetType = UNSET
    others: (
        Annotated[float, Meta(description="What the columns without a reason add together")]
        | UnsetType
    ) = UNSET
