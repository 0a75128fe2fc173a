"""One answer of the service, as it is sent."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from sluice.served.reasons import METHOD, SHOWN, Reason


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
    reasons: Annotated[list[Reason], Meta(max_length=SHOWN, description=METHOD)] | UnsetType = UNSET
