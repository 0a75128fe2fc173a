"""The models of a shard, judged: each by the gate of every release, on its own rows.

A model meets every rule that the only model of a release has to meet. What is better than its
champion is asked twice: at the level of one look, and without any level, which says how the verdict
reads where the fleet leaves this test too small a share.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
from msgspec import UNSET, Struct, UnsetType

from sluice.fleet.parcels import text_of, unpacked
from sluice.gate.decide import Facts, Holdout, Model, Verdict, decide
from sluice.model.data.duplicates import near_duplicates
from sluice.model.json_file import decode_json, parse_json
from sluice.model.quality.clusters import numbered
from sluice.model.quality.metrics import by_segment, confusion, intervals, measure, two_sided
from sluice.model.quality.metrics_file import CrossValidation, Metrics, ScoredRows, Spread
from sluice.model.quality.one_column import bins_of, edges_of, rates_by_code
from sluice.model.quality.statistics import roc_auc
from sluice.policy import GatePolicy, load_policy
from sluice.served.words import Words

_PARTS = ("train", "validation", "holdout")


class Question(Struct, frozen=True, kw_only=True):
    """What is asked of the models of a shard: the text of the policy, what the ledger counts, the
    tags, and the names of keys, features and segments, in the order of the arrays. `compared` and
    `anchored` say which keys have a champion and an anchor.
    """

    policy: str
    threshold: float
    uses: int
    candidate: str
    champion: str
    anchor: str
    keys: tuple[str, ...]
    compared: tuple[bool, ...]
    anchored: tuple[bool, ...]
    features: tuple[str, ...]
    quantities: tuple[bool, ...]
    segments: tuple[str, ...]
    words: Words


class ModelVerdict(Struct, frozen=True, kw_only=True):
    """The verdict on one model of a fleet; `otherwise` is that where it is not called better.

    `recall`, `precision` and `share_flagged` are those of the holdout, `positives` counted there.
    `champion_recall`, `gained`, `lost` and `p_value` are there where it was compared.
    """

    key: str
    verdict: str
    sentence: str
    otherwise: str
    rows: int
    positives: int
    recall: float
    precision: float
    share_flagged: float
    champion_recall: float | UnsetType = UNSET
    gained: int | UnsetType = UNSET
    lost: int | UnsetType = UNSET
    p_value: float | UnsetType = UNSET

    @property
    def compared(self) -> bool:
        """Whether it was held against a champion."""
        return self.p_value is not UNSET


class Verdicts(Struct, frozen=True):
    """The verdicts on the models of a shard, in the order of its keys."""

    models: tuple[ModelVerdict, ...]


@dataclass(frozen=True)
class _Rows:
    """The rows of one model in one part, by the name of the array."""

    arrays: Mapping[str, np.ndarray]
    begin: int
    end: int

    def of(self, name: str) -> np.ndarray:
        """The values of an array in these rows."""
        return self.arrays[name][self.begin : self.end]


def judge(parcel: bytes) -> bytes:
    """The verdicts on the models of a shard, as JSON.

    Taken, for each part of the split: `<part>_starts` of shape (models + 1,) and `<part>_labels`;
    of train and holdout `<part>_numbers` of shape (rows, features); of validation and holdout
    `<part>_scores`; of the holdout `hashes`, `champion`, `anchor`, `groups` (empty where rows are
    independent) and `segments` of shape (rows, segments); `precisions` and `areas` of shape
    (models, folds), and `question`, a `Question` as JSON.
    """
    arrays = unpacked(parcel)
    asked = decode_json(text_of(arrays["question"]).encode(), Question, "the question")
    gate = load_policy(asked.policy, "the policy").gate
    verdicts = []
    for place in range(len(asked.keys)):
        parts = {
            part: _Rows(arrays, *arrays[f"{part}_starts"][place : place + 2].tolist())
            for part in _PARTS
        }
        folds = arrays["precisions"][place], arrays["areas"][place]
        verdicts.append(_judged(asked, place, parts, folds, gate))
    return msgspec.json.encode(Verdicts(tuple(verdicts)))


def verdicts_of(content: bytes) -> list[ModelVerdict]:
    """What `judge` gave."""
    return list(decode_json(content, Verdicts, "the verdicts").models)


def _judged(
    asked: Question,
    place: int,
    parts: Mapping[str, _Rows],
    folds: tuple[np.ndarray, np.ndarray],
    gate: GatePolicy,
) -> ModelVerdict:
    rows = parts["holdout"]
    holdout, facts = _holdout(asked, place, parts), _facts(parts, asked.uses)
    metrics = _metrics(asked, parts, holdout, folds, gate)
    told = decide(metrics, holdout, facts, gate, words=asked.words)
    otherwise = told
    if told.verdict == "PROMOTE" and told.champion is not None:
        alone = replace(facts, shared=0.0)
        otherwise = decide(metrics, holdout, alone, gate, words=asked.words)
    return _told(asked.keys[place], told, otherwise, rows.of("holdout_labels"), holdout)


def _told(
    key: str, told: Verdict, otherwise: Verdict, labels: np.ndarray, holdout: Holdout
) -> ModelVerdict:
    counts = confusion(labels, holdout.candidate.flagged)
    found = ModelVerdict(
        key=key,
        verdict=told.verdict,
        sentence=told.sentence,
        otherwise=otherwise.verdict,
        rows=len(labels),
        positives=counts.positives,
        recall=counts.true_positive / max(counts.positives, 1),
        precision=counts.true_positive / max(counts.flagged, 1),
        share_flagged=counts.flagged / max(len(labels), 1),
    )
    compared, champion = told.champion, holdout.champion
    if compared is None or champion is None:
        return found
    theirs = confusion(labels, champion.flagged)
    return msgspec.structs.replace(
        found,
        champion_recall=theirs.true_positive / max(theirs.positives, 1),
        gained=compared.pairs.gained,
        lost=compared.pairs.lost,
        p_value=compared.p_value,
    )


def _holdout(asked: Question, place: int, parts: Mapping[str, _Rows]) -> Holdout:
    rows = parts["holdout"]
    champion = anchor = None
    if asked.compared[place]:
        champion = Model(asked.champion, asked.threshold, rows.of("champion"))
        # A model that came later than the anchor is held against its champion alone.
        anchor = Model(asked.champion, asked.threshold, rows.of("champion"))
        if asked.anchored[place]:
            anchor = Model(asked.anchor, asked.threshold, rows.of("anchor"))
    groups = rows.of("segments")
    return Holdout(
        labels=rows.of("holdout_labels"),
        hashes=rows.of("hashes"),
        candidate=Model(asked.candidate, asked.threshold, rows.of("holdout_scores")),
        champion=champion,
        anchor=anchor,
        one_column=_best_alone(asked, parts),
        segments={name: groups[:, at] for at, name in enumerate(asked.segments)},
        clusters=_clusters(rows),
    )


def _clusters(rows: _Rows) -> np.ndarray | None:
    groups = rows.of("groups")
    return numbered(groups) if len(groups) else None


def _best_alone(asked: Question, parts: Mapping[str, _Rows]) -> Model | None:
    """The best that a single column of these rows can do."""
    learnt, labels = parts["train"].of("train_numbers"), parts["train"].of("train_labels")
    judged = parts["holdout"].of("holdout_numbers")
    best: tuple[float, str, np.ndarray] | None = None
    for at, name in enumerate(asked.features):
        known, asked_of = learnt[:, at], judged[:, at]
        if asked.quantities[at] or np.isnan(known).any() or np.isnan(asked_of).any():
            if np.isnan(known).all():
                continue
            edges = edges_of(known)
            codes = bins_of(edges, known), bins_of(edges, asked_of)
        else:
            codes = known.astype(np.int64), asked_of.astype(np.int64)
        rates, scores = rates_by_code(*codes, labels)
        found = roc_auc(labels, rates), name, scores
        if best is None or found[:2] > best[:2]:
            best = found
    return Model(best[1], 0.5, best[2]) if best else None


def _facts(parts: Mapping[str, _Rows], uses: int) -> Facts:
    """What repeats training rows: two rows are equal where all of their features are."""
    learnt = np.ascontiguousarray(parts["train"].of("train_numbers"))
    judged = np.ascontiguousarray(parts["holdout"].of("holdout_numbers"))
    row = np.dtype((np.void, learnt.dtype.itemsize * learnt.shape[1]))
    repeated = np.isin(judged.view(row).ravel(), learnt.view(row).ravel())
    return Facts(
        duplicates=int(repeated.sum()),
        near_duplicates=near_duplicates(list(learnt.T), list(judged.T)),
        uses=uses,
    )


def _metrics(
    asked: Question,
    parts: Mapping[str, _Rows],
    holdout: Holdout,
    folds: tuple[np.ndarray, np.ndarray],
    gate: GatePolicy,
) -> dict[str, Any]:
    labels, scores = holdout.labels, holdout.candidate.scores
    if holdout.positives in (0, len(labels)):
        return {}  # the first rule says so, and no other is looked at
    level = two_sided(gate.level)
    validation, flagged = parts["validation"], holdout.candidate.flagged
    precisions, areas = folds
    metrics = Metrics(
        model=asked.candidate,
        threshold=asked.threshold,
        rows=ScoredRows(
            train=len(parts["train"].of("train_labels")),
            validation=len(validation.of("validation_labels")),
            holdout=len(labels),
            holdout_positives=holdout.positives,
        ),
        holdout=measure(labels, scores, asked.threshold),
        intervals=intervals(labels, scores, asked.threshold, level, holdout.clusters),
        confusion=confusion(labels, flagged),
        validation=measure(
            validation.of("validation_labels"), validation.of("validation_scores"), asked.threshold
        ),
        cross_validation=CrossValidation(
            roc_auc=_spread(areas), average_precision=_spread(precisions)
        ),
        segments=by_segment(labels, flagged, holdout.segments or {}, level, holdout.clusters),
    )
    # As the gate reads them from a file: pairs are lists there.
    found: dict[str, Any] = parse_json(msgspec.json.encode(metrics), "metrics.json")
    return found


def _spread(folds: np.ndarray) -> Spread:
    return Spread(mean=float(folds.mean()), std=float(folds.std()), folds=tuple(folds.tolist()))
