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

Json = dict[str, Any]
_CHUNK = 500  # rows that are scored before other requests have their turn
# The same with reasons, for which each row is scored once more for each of its columns.
_CHUNK_EXPLAINED = 1000
_ARTIFACT_FILES = {"model": "model.onnx", "contract": "contract.toml", "policy": "policy.toml"}
Words = list[Reason] | UnsetType


@dataclass(frozen=True)
class Served:
    """A model that is served, and what there is to say about it.

    `labels` are the words for the negative and the positive answer, in this order; `digests` the
    hashes of model, contract and policy; `image` is None outside an image.
    """

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
    """Load an artifact to be served as `name`. Raise UsageError or Refused where it is none."""
    model = load_model(folder)
    target = model.contract.target
    reference = json.loads((folder / "reference.json").read_text("utf-8"))
    return Served(
        model=model,
        usual=usual(model.contract, reference),
        reader=Reader(model.contract),
        name=name,
        image=image or None,
        labels=(target.negative_label, target.positive_label),
        digests={part: _digest(folder / file) for part, file in _ARTIFACT_FILES.items()},
        reference=reference,
        metrics=json.loads((folder / "metrics.json").read_text("utf-8")),
    )


def _digest(path: Path) -> str:
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def new_id() -> str:
    """The id of an answer: feedback names it."""
    return os.urandom(8).hex()


def score(served: Served, numbers: np.ndarray) -> np.ndarray:
    """The probability of each row of numbers. Raises InvalidFields."""
    return score_matrix(served.model.session, assemble(served.model.layout, numbers))


def reasons(served: Served, numbers: np.ndarray, scores: np.ndarray) -> list[list[Reason]]:
    """The strongest reasons of each row, strongest first."""
    contract = served.model.contract
    changed = changes(served.model, numbers, scores, served.usual)
    return in_words(contract, numbers, changed, served.usual)


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


def answer(served: Served, name: str, probability: float, why: Words) -> Answer:
    """The answer with this id for a probability."""
    flagged = probability >= served.model.threshold
    return Answer(
        id=name,
        prediction=1 if flagged else 0,
        label=served.labels[flagged],
        probability=probability,
        tier=served.model.contract.tiers.of(probability),
        threshold=served.model.threshold,
        model=served.name,
        image=served.image,
        reasons=why,
    )


def answer_all(
    served: Served, records: Sequence[Mapping[str, Any]], name: str, why: bool
) -> tuple[list[Json], np.ndarray]:
    """Answers to records, in their order, and the numbers of the rows.

    Raise InvalidFields where one of them is not allowed: then none is answered.
    """
    numbers = read_all(served.model.contract, records)
    answers: list[Json] = []
    for start in range(0, len(numbers), _CHUNK):
        part = _part(served, numbers[start : start + _CHUNK], start, name, why)
        answers += [msgspec.to_builtins(one) for one in part]
    return answers, numbers


async def answer_many(served: Served, numbers: np.ndarray, name: str, why: bool) -> list[Answer]:
    """Answers to rows of numbers; other requests have their turn between two chunks."""
    answers: list[Answer] = []
    step = max(1, _CHUNK_EXPLAINED // numbers.shape[1]) if why else _CHUNK
    for start in range(0, len(numbers), step):
        answers += _part(served, numbers[start : start + step], start, name, why)
        await asyncio.sleep(0)
    return answers


async def encoded(answers: Sequence[Answer]) -> bytes:
    """Many answers as a JSON list, made with the same turns."""
    parts = []
    for start in range(0, len(answers), _CHUNK):
        parts.append(msgspec.json.encode(answers[start : start + _CHUNK])[1:-1])
        await asyncio.sleep(0)
    return b"[" + b",".join(parts) + b"]"


async def as_objects(answers: Sequence[Answer]) -> list[Json]:
    """Many answers as the objects that JSON would hold, made with the same turns."""
    objects: list[Json] = []
    for start in range(0, len(answers), _CHUNK):
        objects += [msgspec.to_builtins(one) for one in answers[start : start + _CHUNK]]
        await asyncio.sleep(0)
    return objects


def _part(served: Served, numbers: np.ndarray, start: int, name: str, why: bool) -> list[Answer]:
    """Answers to the rows from `start` on, whose ids are `name` and the place of the row.

    The same as `answer` for each of them, with everything that is worked out for all rows at once:
    it is the larger part of the time that a list takes.
    """
    try:
        scores = score(served, numbers)
    except InvalidFields as refused:
        errors = [replace(error, row=error.row + start) for error in refused.errors]
        raise InvalidFields(errors) from None
    cut, labels, model, image = served.model.threshold, served.labels, served.name, served.image
    words: Iterable[Any] = reasons(served, numbers, scores) if why else itertools.repeat(UNSET)
    tiers = served.model.contract.tiers
    levels = np.searchsorted(tiers.limits, scores, side="right").tolist()
    flags = (scores >= cut).tolist()
    rows = zip(itertools.count(start), flags, levels, scores.tolist(), words, strict=False)
    return [
        Answer(
            id=f"{name}-{row}",
            prediction=1 if flag else 0,
            label=labels[flag],
            probability=probability,
            tier=tiers.names[level],
            threshold=cut,
            model=model,
            image=image,
            reasons=why_of_row,
        )
        for row, flag, level, probability, why_of_row in rows
    ]


class _Waiting(msgspec.Struct):
    """A row that waits to be scored, and the promise of its probability and reasons."""

    numbers: list[float]
    why: bool
    promise: asyncio.Future[tuple[float, Words]]


class Together:
    """Scores single rows that wait in the same turn of the event loop in one call."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._waiting: list[_Waiting] = []

    def ask(self, numbers: list[float], why: bool) -> asyncio.Future[tuple[float, Words]]:
        """The probability of a row and its reasons, soon. Raise InvalidFields."""
        loop = asyncio.get_running_loop()
        promise: asyncio.Future[tuple[float, Words]] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._score)
        self._waiting.append(_Waiting(numbers, why, promise))
        return promise

    def _score(self) -> None:
        waiting, self._waiting = self._waiting, []
        results: Sequence[tuple[float, Words] | InvalidFields]
        try:
            results = self._results(waiting)
        except InvalidFields:  # one row that cannot be scored must not refuse the others
            results = [self._alone(one) for one in waiting]
        for one, result in zip(waiting, results, strict=True):
            if one.promise.done():  # the client is gone
                continue
            if isinstance(result, InvalidFields):
                one.promise.set_exception(result)
            else:
                one.promise.set_result(result)

    def _alone(self, one: _Waiting) -> tuple[float, Words] | InvalidFields:
        try:
            return self._results([one])[0]
        except InvalidFields as refused:
            return refused

    def _results(self, waiting: Sequence[_Waiting]) -> list[tuple[float, Words]]:
        """Probability and reasons of each row. Raise InvalidFields where one cannot be scored."""
        rows = [one.numbers for one in waiting]
        numbers = np.array(rows, dtype=np.float64) + 0.0  # no negative zero
        scores = score(self._served, numbers)
        words: list[Words] = [UNSET] * len(waiting)
        explained = [row for row, one in enumerate(waiting) if one.why]
        if explained:
            parts = reasons(self._served, numbers[explained], scores[explained])
            for row, part in zip(explained, parts, strict=True):
                words[row] = part
        return list(zip(scores.tolist(), words, strict=True))
