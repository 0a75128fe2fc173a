"""Answers: from the records of a request to what is sent back, for one record or many.

Single records that arrive in the same turn of the event loop are scored together: under load a call
of the model is shared, and nobody waits for it.
"""

import asyncio
import hashlib
import itertools
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import UNSET, Meta, UnsetType

from bento.http.records import Reader
from sluice.served.encoding import InvalidFields, assemble
from sluice.served.reasons import METHOD, SHOWN, Reason, Usual, changes, in_words, usual
from sluice.served.records import read_all
from sluice.served.scoring import Model, load_model, score_matrix
from sluice.served.tiers import LIMITS, TIERS, tier

Json = dict[str, Any]
_CHUNK = 500  # rows scored between two looks at what else is to be done
_EXPLAINED = 1000  # the same where each row is scored once more for each of its columns


@dataclass(frozen=True)
class Served:
    """A model that is served, and what there is to say about it."""

    model: Model
    usual: Usual
    reader: Reader
    name: str
    image: str | None
    labels: tuple[str, str]
    digests: Mapping[str, str]
    reference: Mapping[str, Any]
    metrics: Mapping[str, Any]


def load_served(folder: Path, name: str, image: str) -> Served:
    """Load an artifact to be served as `name`. Raises UsageError or Refused where it is none."""
    model = load_model(folder)
    reference, metrics = (
        json.loads((folder / f"{file}.json").read_text("utf-8"))
        for file in ("reference", "metrics")
    )
    kept = {"model": "model.onnx", "contract": "contract.toml", "policy": "policy.toml"}
    hashes = {
        kind: hashlib.sha256((folder / file).read_bytes()).hexdigest()
        for kind, file in kept.items()
    }
    digests = {kind: f"sha256:{value}" for kind, value in hashes.items()}
    at, read = usual(model.contract, reference), Reader(model.contract)
    labels = (model.contract.target.negative_label, model.contract.target.positive_label)
    return Served(model, at, read, name, image or None, labels, digests, reference, metrics)


def new_id() -> str:
    """The id of an answer: feedback names it."""
    return os.urandom(8).hex()


def score(served: Served, numbers: np.ndarray) -> np.ndarray:
    """The probability of each row of numbers. Raises InvalidFields."""
    return score_matrix(served.model.session, assemble(served.model.layout, numbers))


def reasons(served: Served, numbers: np.ndarray, scores: np.ndarray) -> list[list[Reason]]:
    """The strongest reasons of each row."""
    model = served.model
    return in_words(
        model.contract, numbers, changes(model, numbers, scores, served.usual), served.usual
    )


_TIER = Meta(
    description=f"Limits: {', '.join(map(str, LIMITS))}", extra_json_schema={"enum": list(TIERS)}
)


class Answer(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """One answer, as it is sent."""

    id: Annotated[str, Meta(description="Names this answer, for feedback")]
    prediction: Literal[0, 1]
    label: str
    probability: Annotated[float, Meta(ge=0, le=1)]
    tier: Annotated[str, _TIER]
    threshold: Annotated[float, Meta(description="From this probability on the prediction is 1")]
    model: str
    image: str | None
    reasons: Annotated[list[Reason], Meta(max_length=SHOWN, description=METHOD)] | UnsetType = UNSET


def answer(served: Served, name: str, probability: float, why: list[Reason] | UnsetType) -> Answer:
    """The answer for a probability."""
    cut = served.model.threshold
    flagged = probability >= cut
    label = served.labels[flagged]
    return Answer(
        name,
        1 if flagged else 0,
        label,
        probability,
        tier(probability),
        cut,
        served.name,
        served.image,
        why,
    )


def answer_all(
    served: Served, records: Sequence[Mapping[str, Any]], name: str, why: bool
) -> tuple[list[Json], np.ndarray]:
    """Answers to records, in their order, and the numbers of the rows. Raises InvalidFields, for
    all or for none.
    """
    numbers = read_all(served.model.contract, records)
    starts = range(0, len(numbers), _CHUNK)
    parts = [_part(served, numbers[start : start + _CHUNK], start, name, why) for start in starts]
    return [msgspec.to_builtins(said) for part in parts for said in part], numbers


async def answer_many(served: Served, numbers: np.ndarray, name: str, why: bool) -> list[Answer]:
    """Answers to rows of numbers, letting other requests have their turn now and then."""
    answers: list[Answer] = []
    step = max(1, _EXPLAINED // numbers.shape[1]) if why else _CHUNK
    for start in range(0, len(numbers), step):
        answers += _part(served, numbers[start : start + step], start, name, why)
        await asyncio.sleep(0)
    return answers


async def encoded(answers: Sequence[Answer]) -> bytes:
    """Many answers as JSON, made with the same pauses."""
    parts = []
    for start in range(0, len(answers), _CHUNK):
        parts.append(msgspec.json.encode(answers[start : start + _CHUNK])[1:-1])
        await asyncio.sleep(0)
    return b"[" + b",".join(parts) + b"]"


async def as_objects(answers: Sequence[Answer]) -> list[Json]:
    """Many answers as the objects that stand for them in JSON, made with the same pauses."""
    made: list[Json] = []
    for start in range(0, len(answers), _CHUNK):
        made += [msgspec.to_builtins(said) for said in answers[start : start + _CHUNK]]
        await asyncio.sleep(0)
    return made


def _part(served: Served, part: np.ndarray, start: int, name: str, why: bool) -> list[Answer]:
    try:
        scores = score(served, part)
    except InvalidFields as refused:
        raise InvalidFields(
            [replace(error, row=error.row + start) for error in refused.errors]
        ) from None
    cut, labels, model, image = served.model.threshold, served.labels, served.name, served.image
    words: Iterable[Any] = reasons(served, part, scores) if why else itertools.repeat(UNSET)
    tiers, flags = np.searchsorted(LIMITS, scores, side="right").tolist(), (scores >= cut).tolist()
    return [
        Answer(
            f"{name}-{place}",
            1 if flag else 0,
            labels[flag],
            probability,
            TIERS[level],
            cut,
            model,
            image,
            said,
        )
        for place, flag, level, probability, said in zip(
            itertools.count(start), flags, tiers, scores.tolist(), words, strict=False
        )
    ]


class Together:
    """Scores single rows that wait in the same turn of the event loop in one call."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._waiting: list[
            tuple[list[float], bool, asyncio.Future[tuple[float, list[Reason] | UnsetType]]]
        ] = []

    def ask(
        self, numbers: list[float], why: bool
    ) -> asyncio.Future[tuple[float, list[Reason] | UnsetType]]:
        """The probability of a row and its reasons, soon. Raises InvalidFields."""
        loop = asyncio.get_running_loop()
        soon: asyncio.Future[tuple[float, list[Reason] | UnsetType]] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._score)
        self._waiting.append((numbers, why, soon))
        return soon

    def _score(self) -> None:
        waiting, self._waiting = self._waiting, []
        try:
            results = self._results(
                [numbers for numbers, _, _ in waiting], [why for _, why, _ in waiting]
            )
        except InvalidFields as refused:
            results = (
                [refused]
                if len(waiting) == 1
                else [self._alone(numbers, why) for numbers, why, _ in waiting]
            )
        for (_, _, soon), result in zip(waiting, results, strict=True):
            if soon.done():  # who asked is gone
                continue
            if isinstance(result, InvalidFields):
                soon.set_exception(result)
            else:
                soon.set_result(result)

    def _alone(self, numbers: list[float], why: bool) -> Any:
        try:
            return self._results([numbers], [why])[0]
        except InvalidFields as refused:
            return refused

    def _results(self, rows: list[list[float]], wanted: list[bool]) -> list[Any]:
        numbers = np.array(rows, dtype=np.float64) + 0.0  # no negative zero
        scores = score(self._served, numbers)
        words: list[list[Reason] | UnsetType] = [UNSET] * len(rows)
        places = [place for place, why in enumerate(wanted) if why]
        if places:
            for place, said in zip(
                places, reasons(self._served, numbers[places], scores[places]), strict=True
            ):
                words[place] = said
        return list(zip(scores.tolist(), words, strict=True))
