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


class ClassAnswer(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """One answer of a model of several classes, as it is sent."""

    id: Annotated[str, Meta(description="Names this answer, for feedback")]
    prediction: Annotated[str, Meta(description="The class that is answered")]
    probability: Annotated[float, Meta(ge=0, le=1, description="Of that class")]
    probabilities: Annotated[dict[str, float], Meta(description="Of each class; they sum to 1")]
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


AnyAnswer = Answer | ClassAnswer
