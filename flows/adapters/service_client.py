"""A client of the running service, over HTTP."""

from collections.abc import Sequence
from typing import TypeVar

import httpx2
import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from sluice.errors import SluiceError
from sluice.served.encoding import Record

_Kind = TypeVar("_Kind")
_TOLERANCE = 1e-6  # how far apart two scores of one record may lie


class _Answer(msgspec.Struct, frozen=True):
    """What is read of an answer of the service."""

    probability: float
    probabilities: dict[str, float] | UnsetType = UNSET

    @property
    def score(self) -> float | list[float]:
        """The probability; of several classes that of each, in the order of the contract."""
        if isinstance(self.probabilities, UnsetType):
            return self.probability
        return list(self.probabilities.values())


def ask(url: str, records: Sequence[Record], timeout: float = 30.0) -> np.ndarray:
    """The probabilities that a service gives for these records, float64, shape (rows,), or (rows,
    classes).

    The first record is asked for by itself too. Raises SluiceError where the service refuses, gives
    something else than answers, or scores that record differently alone.
    """
    with httpx2.Client(base_url=url, timeout=timeout, trust_env=False) as client:
        single = client.post("/predict", json=records[0])
        many = client.post("/predict_batch", json=list(records))
    alone = _read(single, _Answer).score
    answers = _read(many, list[_Answer])
    scores = np.array([answer.score for answer in answers], dtype=np.float64)
    if np.abs(scores[0] - np.array(alone)).max() > _TOLERANCE:
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
