"""Answers: from the records of a request to what is sent back, for one record or many.

Single records that arrive in the same turn of the event loop are scored together: under load a call
of the model is shared, and nobody waits for it.
"""

import asyncio
import hashlib
import itertools
import os
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from bento.classes import OneClass, backgrounds, shares_of
from bento.classes import answers as answers_of_classes
from bento.classes import explain as explain_classes
from bento.http.answer import Answer, AnyAnswer, ClassAnswer, NumberAnswer
from bento.http.json_door import UNREADABLE
from bento.http.records import Reader
from bento.numbers import answers as answers_of_number
from sluice.errors import UsageError
from sluice.served.encoding import InvalidFields, Record
from sluice.served.histograms import Histogram, read_histograms
from sluice.served.reasons import Explanation, in_words
from sluice.served.records import read_all
from sluice.served.scoring import Model, load_model
from sluice.served.shapley import Background, background, contributions

Json = dict[str, Any]  # an answer as JSON holds it, for callers without the type
_CHUNK = 500  # rows that are scored before other requests have their turn
_CHUNK_EXPLAINED = 2  # rows that are explained before that: each costs `Background.cost` scores
MOST_EXPLAINED = 500  # rows of a list
Words = Explanation | UnsetType
# Of one row: its probability or the number that is answered; of several classes that of each.
Score = float | list[float]
_Document = TypeVar("_Document")
_Given = TypeVar("_Given", Answer, ClassAnswer, NumberAnswer, AnyAnswer)


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
    the histograms of the training rows by column key; `image` is None outside an image. A model of
    several classes has `of_classes` for each of them, and `background` is that of the first.
    """

    model: Model
    background: Background
    reader: Reader
    name: str
    image: str | None
    labels: tuple[str, str]
    digests: Digests
    reference: Mapping[str, Histogram]
    metrics: Mapping[str, object]
    of_classes: tuple[OneClass, ...] = ()


def load_served(folder: Path, name: str, image: str) -> Served:
    """Load an artifact to be served as `name`. Raise UsageError or Refused where it is none."""
    model = load_model(folder)
    target = model.contract.target
    reference = read_histograms(_document(folder / "reference.json", dict[str, dict[str, object]]))
    of_classes = backgrounds(model, reference) if model.weights else ()
    if of_classes:
        at = of_classes[0].background
    else:
        at = background(model.contract, reference, model.session, model.layout)
    return Served(
        model=model,
        background=at,
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
        metrics=_document(folder / "metrics.json", dict[str, object]),
        of_classes=of_classes,
    )


def _document(path: Path, kind: type[_Document]) -> _Document:
    """What a file of the artifact holds, as this type. Raise UsageError where it does not."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except UNREADABLE as error:
        raise UsageError(f"{path} cannot be read: {error}", "Build the artifact anew.") from None


def _digest(path: Path) -> str:
    """The hash of a file as `Digests` holds it."""
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def new_id() -> str:
    """The id of an answer: feedback names it."""
    return os.urandom(8).hex()


def score(served: Served, numbers: np.ndarray) -> np.ndarray:
    """The probability of each row, or the number that is answered, float64, shape (rows,); of
    several classes (rows, classes). Raises InvalidFields.

    `numbers` is float64, shape (rows, features), in the order of the contract.
    """
    return served.model.score_numbers(numbers)


def explain(served: Served, numbers: np.ndarray, scores: np.ndarray) -> list[Explanation]:
    """Why each of these rows has its score.

    `numbers` is float64, shape (rows, features), `scores` float64, as `score` gives them.
    """
    if served.of_classes:
        return explain_classes(served.model, served.of_classes, numbers, scores)
    model, at = served.model, served.background
    found = contributions(model.session, model.layout, at, numbers, scores)
    return in_words(model.contract, numbers, found, at.baseline)


def answer(served: Served, name: str, probability: Score, why: Words) -> AnyAnswer:
    """The answer with this id for a probability, for those of several classes, or for a number."""
    if isinstance(probability, list) or served.model.contract.target.quantity:
        [found] = _other_answers(served, np.array([probability]), [name])
        return with_reasons(found, why)
    flagged = probability >= served.model.threshold
    given = Answer(
        id=name,
        prediction=1 if flagged else 0,
        label=served.labels[flagged],
        probability=probability,
        tier=served.model.contract.tiers.of(probability),
        threshold=served.model.threshold,
        model=served.name,
        image=served.image,
    )
    return with_reasons(given, why)


def scores_of(answers: Sequence[AnyAnswer]) -> np.ndarray:
    """The scores that these answers were given for, as `score` gives them."""
    return np.array([_score_of(one) for one in answers])


def _score_of(answer: AnyAnswer) -> Score:
    if isinstance(answer, NumberAnswer):
        return answer.value
    return shares_of(answer) if isinstance(answer, ClassAnswer) else answer.probability


def with_reasons(given: _Given, why: Words) -> _Given:
    """An answer with its reasons, where there are some."""
    if isinstance(why, UnsetType):
        return given
    return msgspec.structs.replace(
        given, baseline=why.baseline, reasons=why.reasons, others=why.others
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
        rows = numbers[start : start + _CHUNK]
        part = _part(served, rows, start, name)
        if why:
            scores = scores_of(part)
            pairs = zip(part, explain(served, rows, scores), strict=True)
            part = [with_reasons(one, words) for one, words in pairs]
        answers += [msgspec.to_builtins(one) for one in part]
    return answers, numbers


async def answer_many(
    served: Served, numbers: np.ndarray, name: str, explained: int = 0
) -> list[AnyAnswer]:
    """Answers to rows of numbers; other requests have their turn between two chunks.

    So many of the rows with the highest probability have their reasons, of equals the first; of
    numbers the first rows have.
    """
    answers: list[AnyAnswer] = []
    for start in range(0, len(numbers), _CHUNK):
        answers += _part(served, numbers[start : start + _CHUNK], start, name)
        await asyncio.sleep(0)
    scores = scores_of(answers)
    rows = np.argsort([_turn(one) for one in answers], kind="stable")[:explained]
    for start in range(0, len(rows), _CHUNK_EXPLAINED):
        part = rows[start : start + _CHUNK_EXPLAINED]
        for row, why in zip(part, explain(served, numbers[part], scores[part]), strict=True):
            answers[row] = with_reasons(answers[row], why)
        await asyncio.sleep(0)
    return answers


def _turn(answer: AnyAnswer) -> float:
    """Where an answer stands among those that are explained: no number comes before others."""
    return 0.0 if isinstance(answer, NumberAnswer) else -answer.probability


async def encoded(answers: Sequence[AnyAnswer]) -> bytes:
    """Many answers as a JSON list, made with the same turns."""
    parts = []
    for start in range(0, len(answers), _CHUNK):
        parts.append(msgspec.json.encode(answers[start : start + _CHUNK])[1:-1])
        await asyncio.sleep(0)
    return b"[" + b",".join(parts) + b"]"


def _part(served: Served, numbers: np.ndarray, start: int, name: str) -> Sequence[AnyAnswer]:
    """Answers to the rows from `start` on, whose ids are `name` and the place of the row.

    The same as `answer` for each of them, with everything that is worked out for all rows at once:
    it is the larger part of the time that a list takes.
    """
    try:
        scores = score(served, numbers)
    except InvalidFields as refused:
        errors = [replace(error, row=error.row + start) for error in refused.errors]
        raise InvalidFields(errors) from None
    if served.of_classes or served.model.contract.target.quantity:
        ids = [f"{name}-{row}" for row in range(start, start + len(scores))]
        return _other_answers(served, scores, ids)
    # Looked up once, and not for each row.
    threshold = served.model.threshold
    labels = served.labels
    tiers = served.model.contract.tiers
    levels = np.searchsorted(tiers.limits, scores, side="right").tolist()
    flags = (scores >= threshold).tolist()
    rows = zip(itertools.count(start), flags, levels, scores.tolist(), strict=False)
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
        )
        for row, flag, level, probability in rows
    ]


def _other_answers(
    served: Served, scores: np.ndarray, ids: Sequence[str]
) -> Sequence[ClassAnswer | NumberAnswer]:
    """Answers to rows with these scores, where there is no positive class."""
    quantity = served.model.contract.target.quantity
    if quantity:
        return answers_of_number(served.model, quantity, scores, ids, served.name, served.image)
    return answers_of_classes(served.model, scores, ids, served.name, served.image)


class _Waiting(msgspec.Struct):
    """A row that waits to be scored, and the promise of its score and reasons."""

    numbers: list[float]
    why: bool
    promise: asyncio.Future[tuple[Score, Words]]


class _Unexplained(msgspec.Struct):
    """A row that was scored and waits for its reasons; `numbers` has the shape (features,)."""

    numbers: np.ndarray
    score: Score
    promise: asyncio.Future[tuple[Score, Words]]


class Together:
    """Scores single rows that wait in the same turn of the event loop in one call.

    Their reasons are worked out afterwards, a few rows in a turn, so that nobody who asks for none
    waits for those of others.
    """

    def __init__(self, served: Served) -> None:
        self._served = served
        self._waiting: list[_Waiting] = []
        self._unexplained: deque[_Unexplained] = deque()

    def ask(self, numbers: list[float], why: bool) -> asyncio.Future[tuple[Score, Words]]:
        """The probability of a row and its reasons, soon. Raise InvalidFields."""
        loop = asyncio.get_running_loop()
        promise: asyncio.Future[tuple[Score, Words]] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._score)
        self._waiting.append(_Waiting(numbers, why, promise))
        return promise

    def _score(self) -> None:
        """Score the rows that wait, and keep or break the promise of each."""
        waiting, self._waiting = self._waiting, []
        try:
            self._answer(waiting)
        except InvalidFields:  # one row that cannot be scored must not refuse the others
            for one in waiting:
                self._answer_alone(one)

    def _answer_alone(self, one: _Waiting) -> None:
        """Keep the promise of one row, or break it where it cannot be scored."""
        try:
            self._answer([one])
        except InvalidFields as refused:
            if not one.promise.done():
                one.promise.set_exception(refused)

    def _answer(self, waiting: Sequence[_Waiting]) -> None:
        """Score rows; those that are not explained are answered. Raise InvalidFields where one of
        them cannot be scored: then none is answered.
        """
        rows = [one.numbers for one in waiting]
        numbers = np.array(rows, dtype=np.float64) + 0.0  # no negative zero
        scores = score(self._served, numbers)
        for one, row, probability in zip(waiting, numbers, scores.tolist(), strict=True):
            if one.why:
                self._explain_soon(_Unexplained(row, probability, one.promise))
            elif not one.promise.done():  # the client is still there
                one.promise.set_result((probability, UNSET))

    def _explain_soon(self, row: _Unexplained) -> None:
        if not self._unexplained:
            asyncio.get_running_loop().call_soon(self._explain)
        self._unexplained.append(row)

    def _explain(self) -> None:
        """Explain the next rows, and leave the others to the next turn."""
        part: list[_Unexplained] = []
        while self._unexplained and len(part) < _CHUNK_EXPLAINED:
            row = self._unexplained.popleft()
            if not row.promise.done():  # the client is still there
                part.append(row)
        if part:
            numbers = np.array([one.numbers for one in part])
            scores = np.array([one.score for one in part])
            for one, why in zip(part, explain(self._served, numbers, scores), strict=True):
                one.promise.set_result((one.score, why))
        if self._unexplained:
            asyncio.get_running_loop().call_soon(self._explain)
