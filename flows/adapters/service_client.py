"""A client of the running service, over HTTP."""

import math
from collections.abc import Sequence
from typing import TypeVar

import httpx2
import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from sluice.errors import SluiceError
from sluice.served.encoding import Record

_Kind = TypeVar("_Kind")
_TOLERANCE = 1e-6  # how far apart two scores of one record may lie, of numbers as a share of them


class _Answer(msgspec.Struct, frozen=True):
    """What is read of an answer of the service: it has a probability or a value."""

    probability: float | UnsetType = UNSET
    probabilities: dict[str, float] | UnsetType = UNSET
    value: float | UnsetType = UNSET

    @property
    def score(self) -> float | list[float]:
        """The probability, or the number that is answered; of several classes the probability of
        each, in the order of the contract.
        """
        if not isinstance(self.probabilities, UnsetType):
            return list(self.probabilities.values())
        found = self.probability if isinstance(self.value, UnsetType) else self.value
        return math.nan if isinstance(found, UnsetType) else found

    def __post_init__(self) -> None:
        if isinstance(self.probability, UnsetType) and isinstance(self.value, UnsetType):
            raise ValueError("an answer has neither `probability` nor `value`")


def ask(url: str, records: Sequence[Record], timeout: float = 30.0) -> np.ndarray:
    """The probabilities or numbers that a service gives for these records, float64, shape (rows,),
    or (rows, classes).

    The first record is asked for by itself too. Raises SluiceError where the service refuses, gives
    something else than answers, or scores that record differently alone.
    """
    with httpx2.Client(base_url=url, timeout=timeout, trust_env=False) as client:
        single = client.post("/predict", json=records[0])
        many = client.post("/predict_batch", json=list(records))
    alone = _read(single, _Answer).score
    answers = _read(many, list[_Answer])
    scores = np.array([answer.score for answer in answers], dtype=np.float64)
    allowed = _TOLERANCE * np.maximum(1.0, np.abs(scores[0]))
    if not (np.abs(scores[0] - np.array(alone)) <= allowed).all():
        raise SluiceError(
            "/predict and /predict_batch give different scores for one record",
            "See the service's log.",
        )
    return scores


def _read(reply: httpx2.Response, kind: type[_Kind]) -> _Kind:
    """A reply of the service as what it is to be. Raises SluiceError."""
    if reply.status_code != httpx2.codes.OK:
        raise SluiceError(
            f"{reply.url.path} answered {reply.status_code}: {reply.text[:300]}", "See its log."
        )
    try:
        return msgspec.json.decode(reply.content, type=kind)
    except (ValueError, RecursionError) as error:
        raise SluiceError(f"{reply.url.path} answered no scores: {error}", "See its log.") from None
