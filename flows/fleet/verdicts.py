"""What a shard is judged on: the rows of its models, and the scores of candidate, champion and
anchor on them.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from flows.engine.request import Request
from flows.fleet.artifact import Champion, Taught, scored
from flows.fleet.rows import FleetRows
from sluice.fleet.judging import Question
from sluice.fleet.keys import without_key
from sluice.fleet.parcels import of_text, packed
from sluice.model.artifact.model_artifact import segment_groups
from sluice.model.data.split import GROUP
from sluice.served.encoding import accepted
from sluice.served.scoring import Model


@dataclass(frozen=True)
class Against:
    """What a fleet is judged beside: the champion, and the anchor with its tag; None where there is
    none. `anchor` may be any model that takes the rows.
    """

    champion: Champion | None
    champion_model: Model | None
    anchor: Model | None
    anchor_tag: str


@dataclass(frozen=True)
class Candidate:
    """What is judged: the bytes of the graph of all that were taught, its tag, its threshold."""

    model: bytes
    tag: str
    threshold: float
    taught: Taught


def maker(
    request: Request, rows: FleetRows, candidate: Candidate, against: Against, uses: int
) -> Callable[[Sequence[str]], bytes]:
    """What makes the parcel of a shard of these keys."""
    places = {key: place for place, key in enumerate(rows.keys)}
    served = _served(against)
    contract = without_key(rows.contract, rows.column)
    features = [column for column in contract.features if column.key != rows.column.key]
    chosen = [
        place
        for place, column in enumerate(rows.contract.features)
        if column.key != rows.column.key
    ]

    def make(keys: Sequence[str]) -> bytes:
        holdout = rows.parts["holdout"].of(keys)
        known = np.array([key in served for key in keys])
        champion = _others(against.champion_model, rows, keys, known)
        anchor = _others(against.anchor, rows, keys, known)
        starts = rows.parts["holdout"].starts(keys)
        question = Question(
            policy=request.policy_text,
            threshold=candidate.threshold,
            uses=uses,
            candidate=candidate.tag,
            champion=against.champion.tag if against.champion else "",
            anchor=against.anchor_tag,
            keys=tuple(keys),
            compared=_whole(champion, starts),
            anchored=_whole(anchor, starts),
            features=tuple(column.name for column in features),
            quantities=tuple(column.numeric for column in features),
            segments=tuple(segment.name for segment in contract.segments),
            words=contract.words,
        )
        groups = segment_groups(contract, holdout)
        segments = [values.astype(str) for values in groups.values()]
        shape = (len(champion), len(segments))
        taught = [places[key] for key in keys]
        return packed(
            {
                "question": of_text(msgspec.json.encode(question).decode()),
                "train_starts": rows.parts["train"].starts(keys),
                "train_labels": rows.labels("train", keys),
                "train_numbers": rows.numbers("train", keys)[:, chosen],
                "validation_starts": rows.parts["validation"].starts(keys),
                "validation_labels": rows.labels("validation", keys),
                "validation_scores": scored(candidate.model, rows, "validation", keys),
                "holdout_starts": starts,
                "holdout_labels": rows.labels("holdout", keys),
                "holdout_numbers": rows.numbers("holdout", keys)[:, chosen],
                "holdout_scores": scored(candidate.model, rows, "holdout", keys),
                "hashes": rows.hashes("holdout", keys),
                "champion": champion,
                "anchor": anchor,
                "groups": holdout.get(GROUP, np.zeros(0, dtype=np.uint64)),
                "segments": np.array(segments).T if segments else np.zeros(shape, dtype="<U1"),
                "precisions": candidate.taught.precisions[taught],
                "areas": candidate.taught.areas[taught],
            }
        )

    return make


def _served(against: Against) -> frozenset[str]:
    if against.champion is None:
        return frozenset()
    return frozenset(one.key for one in against.champion.fleet.file.models)


def _others(
    model: Model | None, rows: FleetRows, keys: Sequence[str], known: np.ndarray
) -> np.ndarray:
    """The scores of another model on the holdout rows of these keys; no number where it has none of
    a key, or does not take all of its rows.
    """
    part = rows.parts["holdout"]
    columns, starts = part.of(keys), part.starts(keys)
    scores = np.full(int(starts[-1]), np.nan)
    if model is None or not len(scores):
        return scores
    taken = accepted(model.contract, columns)
    for place, is_known in enumerate(known):
        inside = slice(int(starts[place]), int(starts[place + 1]))
        if not is_known or not taken[inside].all():
            taken[inside] = False
    if taken.any():
        scores[taken] = model.score({name: values[taken] for name, values in columns.items()})
    return scores


def _whole(scores: np.ndarray, starts: np.ndarray) -> tuple[bool, ...]:
    """Whether each key has a score for every row."""
    pairs = itertools.pairwise(starts.tolist())
    return tuple(bool(end > begin and np.isfinite(scores[begin:end]).all()) for begin, end in pairs)
