"""One answer of the service, as it is sent."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from sluice.served.reasons import METHOD, METHOD_OF_NUMBER, Reason


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


class NumberAnswer(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """One answer of a model of a number, as it is sent."""

    id: Annotated[str, Meta(description="Names this answer, for feedback")]
    value: Annotated[float, Meta(description="What is answered, in the unit")]
    unit: str | None
    label: Annotated[str, Meta(description="The same as people read it, with the unit")]
    outside: Annotated[
        bool,
        Meta(description="Whether it lies at an end of the plausible range, or beyond it"),
    ]
    bin: Annotated[
        int,
        Meta(
            ge=1,
            description="Which part of the model's usual answers it lies in, the lowest being 1",
        ),
    ]
    model: str
    image: str | None
    baseline: (
        Annotated[float, Meta(description="The mean answer that the reasons start from")]
        | UnsetType
    ) = UNSET
    reasons: Annotated[list[Reason], Meta(description=METHOD_OF_NUMBER)] | UnsetType = UNSET
    others: (
        Annotated[float, Meta(description="What the columns without a reason add together")]
        | UnsetType
    ) = UNSET


AnyAnswer = Answer | ClassAnswer | NumberAnswer
