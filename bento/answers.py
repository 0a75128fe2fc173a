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
from typing import Any

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from bento.http.answer import Answer
from bento.http.records import Reader
from sluice.served.encoding import InvalidFields, Record, assemble
from sluice.served.histograms import Histogram, read_histograms
from sluice.served.reasons import Reason, Usual, changes, in_words, usual
from sluice.served.records import read_all
from sluice.served.scoring import Model, load_model, score_matrix

Json = dict[str, Any]  # an answer as JSON holds it, for callers without the type
_CHUNK = 500  # rows that are scored before other requests have their turn
# The same with reasons, for which each row is scored once more for each of its columns.
_CHUNK_EXPLAINED = 1000
Words = list[Reason] | UnsetType


@dataclass(frozen=True)
class Digests:
    """The hashes of the files that decide an answer, each `sha256:` and its hexadecimal digits."""

    model: str
    contract: str
    policy: str


@dataclass(frozen=True)
class Served:
    """A model that is served, and what there is to say about it.

    `labels` are the words for the negative and the positive answer, in this order; `reference` has
    the histograms of the training rows by column key; `image` is None outside an image.
    """

    model: Model
    usual: Usual
    reader: Reader
    name: str
    image: str | None
    labels: tuple[str, str]
    digests: Digests
    reference: Mapping[str, Histogram]
    metrics: Mapping[str, object]


def load_served(folder: Path, name: str, image: str) -> Served:
    """Load an artifact to be served as `name`. Raise UsageError or Refused where it is none."""
    model = load_model(folder)
    target = model.contract.target
    reference = read_histograms(json.loads((folder / "reference.json").read_text("utf-8")))
    return Served(
        model=model,
        usual=usual(model.contract, reference),
        reader=Reader(model.contract),
        name=name,
        image=image or None,
        labels=(target.negative_label, target.positive_label),
        digests=Digests(
            model=_digest(folder / "model.onnx"),
            contract=_digest(folder / "contract.toml"),
            policy=_digest(folder / "policy.toml"),
        ),
        reference=reference,
        metrics=json.loads((folder / "metrics.json").read_text("utf-8")),
    )


def _digest(path: Path) -> str:
    """The hash of a file as `Digests` holds it."""
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def new_id() -> str:
    """The id of an answer: feedback names it."""
    return os.urandom(8).hex()


def score(served: Served, numbers: np.ndarray) -> np.ndarray:
    """The probability of each row, float64, shape (rows,). Raises InvalidFields.

    `numbers` is float64, shape (rows, features), in the order of the contract.
    """
    return score_matrix(served.model.session, assemble(served.model.layout, numbers))


def reasons(served: Served, numbers: np.ndarray, scores: np.ndarray) -> list[list[Reason]]:
    """The strongest reasons of each row, strongest first."""
    contract = served.model.contract
    changed = changes(served.model, numbers, scores, served.usual)
    return in_words(contract, numbers, changed, served.usual)


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
    served: Served, records: Sequence[Record], name: str, why: bool
) -> tuple[list[Json], np.ndarray]:
    """Answers to records, in their order, and the numbers of the rows, shape (rows, features).

    `why` asks for the reasons too. Raise InvalidFields where one of the records is not allowed:
    then none is answered.
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
    words: Iterable[Words] = itertools.repeat(UNSET)
    if why:
        words = reasons(served, numbers, scores)
    # Looked up once, and not for each row.
    threshold = served.model.threshold
    labels = served.labels
    tiers = served.model.contract.tiers
    levels = np.searchsorted(tiers.limits, scores, side="right").tolist()
    flags = (scores >= threshold).tolist()
    rows = zip(itertools.count(start), flags, levels, scores.tolist(), words, strict=False)
    return [
        Answer(
            id=f"{name}-{row}",
            prediction=1 if flag else 0,
            label=labels[flag],
            probability=probability,
            tier=tiers.names[level],
            threshold=threshold,
            model=served.name,
            image=served.image,
            reasons=words_of_row,
        )
        for row, flag, level, probability, words_of_row in rows
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
        """Score the rows that wait, and keep or break the promise of each."""
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
        """The result of one row, or why it cannot be scored."""
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
