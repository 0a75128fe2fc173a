"""How often a fleet promotes what is no better, and how often what is.

Models are made of two scores of the same rows, of which the champion's is one, so that what is
measured is the judging and not the teaching; `speed` teaches too.
"""

import time
import tomllib

import msgspec
import numpy as np
import tomli_w
from msgspec import UNSET

from flows.project.root import ROOT
from sluice.fleet.changes import REPLACED, settled
from sluice.fleet.judging import ModelVerdict, Question, judge, verdicts_of
from sluice.fleet.parcels import of_text, packed, unpacked
from sluice.fleet.teaching import Fit, teach
from sluice.served.words import NEUTRAL_WORDS

_COLUMNS = 20
_HELD = 0.2  # of the rows of a model
_PREVALENCE = 0.3
_THRESHOLD = 0.35
_ALIKE = 0.9  # the correlation of the noise of two models of the same rows
_NOISE = 3  # features, which say nothing


def policy() -> str:
    """The shipped policy with floors that these models meet."""
    text = (ROOT / "models" / "attrition" / "policy.toml").read_text(encoding="utf-8")
    document = tomllib.loads(text)
    document["gate"] |= {"recall_floor": 0.3, "precision_floor": 0.3, "told": "figures"}
    return tomli_w.dumps(document)


def scores(
    chance: np.random.Generator, labels: np.ndarray, shared: np.ndarray, signal: float
) -> np.ndarray:
    """Calibrated probabilities of a ranking that tells the labels apart by `signal` deviations;
    most of its noise is `shared` with another model of the same rows.
    """
    own = chance.normal(size=len(labels))
    seen = _ALIKE * shared + np.sqrt(1 - _ALIKE**2) * own + signal * labels
    odds = signal * seen - signal**2 / 2 + np.log(_PREVALENCE / (1 - _PREVALENCE))
    return np.asarray(1 / (1 + np.exp(-odds)))


def shard(chance: np.random.Generator, models: int, positives: int, gain: float) -> bytes:
    """What models are judged on: `positives` of each in its whole table, and a candidate whose
    signal is stronger by `gain` than the champion's.
    """
    rows = int(positives * _HELD / _PREVALENCE)
    starts = np.arange(models + 1) * rows
    labels = (chance.random(models * rows) < _PREVALENCE).astype(np.int64)
    signal = 1.7
    shared = chance.normal(size=len(labels))
    mine = scores(chance, labels, shared, signal + gain)
    question = Question(
        policy=policy(),
        threshold=_THRESHOLD,
        uses=0,
        candidate="candidate",
        champion="champion",
        anchor="champion",
        keys=tuple(f"{at:05d}" for at in range(models)),
        compared=(True,) * models,
        anchored=(True,) * models,
        features=tuple(f"x{at}" for at in range(_NOISE)),
        quantities=(True,) * _NOISE,
        segments=(),
        words=NEUTRAL_WORDS,
    )
    champion = scores(chance, labels, shared, signal)
    noise = chance.normal(size=(models * rows, _NOISE))
    # Folds that say what the holdout says: their spread is no part of this.
    areas = np.full((models, 5), _area(signal + gain))
    return packed(
        {
            "question": of_text(msgspec.json.encode(question).decode()),
            "train_starts": starts,
            "train_labels": labels,
            "train_numbers": chance.normal(size=(models * rows, _NOISE)),
            "validation_starts": starts,
            "validation_labels": labels,
            "validation_scores": mine,
            "holdout_starts": starts,
            "holdout_labels": labels,
            "holdout_numbers": noise,
            "holdout_scores": mine,
            "hashes": chance.integers(0, 2**63, models * rows).astype(np.uint64),
            "champion": champion,
            "anchor": champion,
            "groups": np.zeros(0, dtype=np.uint64),
            "segments": np.zeros((models * rows, 0), dtype="<U1"),
            "precisions": areas,
            "areas": areas,
        }
    )


def _area(signal: float) -> float:
    from scipy.stats import norm

    return float(norm.cdf(signal / np.sqrt(2)))


def promoted(verdicts: list[ModelVerdict]) -> list[str]:
    """The keys of the models that replace their champions."""
    found = settled("Key", verdicts, [], 0.05, 0, dependent=False)
    return [one.key for one in found.models if one.change == REPLACED]


def equal(fleets: int, models: int) -> None:
    """How many fleets of equal models promote any."""
    chance = np.random.default_rng(1)
    hit = sum(
        bool(promoted(verdicts_of(judge(shard(chance, models, 500, 0.0))))) for _ in range(fleets)
    )
    share = 100 * hit / fleets
    print(f"{hit} of {fleets} fleets of {models} equal models promote one ({share:.1f} %)")


def better(models: int, among: int) -> None:
    """How many models that are 10 points better are promoted, among so many that are not."""
    chance = np.random.default_rng(2)
    gain = 0.58
    content = shard(chance, models, 2000, gain)
    found = verdicts_of(judge(content))
    gained = np.mean([_more(one) for one in found])
    usual = verdicts_of(judge(shard(chance, among, 500, 0.0)))
    renamed = [msgspec.structs.replace(one, key=f"n{one.key}") for one in usual]
    hits = [key for key in promoted([*found, *renamed]) if not key.startswith("n")]
    print(
        f"{len(hits)} of {models} models that find {100 * gained:.1f} points more are promoted"
        f" ({100 * len(hits) / models:.0f} %), among {among} that are equal"
    )


def _more(one: ModelVerdict) -> float:
    """The recall that a candidate has more than its champion, with as many rows flagged."""
    if one.gained is UNSET or one.lost is UNSET:
        return 0.0
    return (one.gained - one.lost) / one.positives


def speed(models: int, rows: int) -> None:
    """Processor seconds for teaching and judging so many models of so many rows each."""
    chance = np.random.default_rng(3)
    taught = {"train": int(rows * 0.6), "validation": int(rows * 0.2), "holdout": int(rows * 0.2)}
    weights = chance.normal(size=_COLUMNS) * 0.5
    features = {
        part: chance.normal(size=(models * count, _COLUMNS)).astype(np.float32)
        for part, count in taught.items()
    }
    labels = {
        part: (chance.random(len(one)) < 1 / (1 + np.exp(-(one @ weights) + 1))).astype(np.int64)
        for part, one in features.items()
    }
    starts = {part: np.arange(models + 1) * count for part, count in taught.items()}
    lesson = packed(
        {
            "features": features["train"],
            "labels": labels["train"],
            "hashes": chance.integers(0, 2**63, len(labels["train"])).astype(np.uint64),
            "starts": starts["train"],
            "strength": np.array(3.0),
            "folds": np.array(5),
        }
    )
    began = time.process_time()
    known = unpacked(teach(lesson))
    took = time.process_time() - began

    def told(part: str) -> np.ndarray:
        parts = np.split(features[part], starts[part][1:-1])
        fits = [Fit(*one) for one in zip(known["weights"], known["intercepts"], strict=True)]
        pairs = zip(fits, parts, strict=True)
        return np.concatenate([fit.scores(one) for fit, one in pairs])

    base = unpacked(shard(chance, models, 50, 0.0))
    mine = told("holdout")
    asked = msgspec.json.decode(base["question"].tobytes(), type=Question)
    names = tuple(f"f{at}" for at in range(_COLUMNS))
    asked = msgspec.structs.replace(asked, features=names, quantities=(True,) * _COLUMNS)
    arrays = {
        "question": of_text(msgspec.json.encode(asked).decode()),
        **{f"{part}_starts": starts[part] for part in taught},
        **{f"{part}_labels": labels[part] for part in taught},
        "train_numbers": features["train"].astype(np.float64),
        "holdout_numbers": features["holdout"].astype(np.float64),
        "validation_scores": told("validation"),
        "holdout_scores": mine,
        "hashes": chance.integers(0, 2**63, len(mine)).astype(np.uint64),
        "champion": np.clip(mine + chance.normal(size=len(mine)) * 0.05, 0, 1),
        "anchor": np.clip(mine + chance.normal(size=len(mine)) * 0.05, 0, 1),
        "groups": np.zeros(0, dtype=np.uint64),
        "segments": np.zeros((len(mine), 0), dtype="<U1"),
        "precisions": known["precisions"],
        "areas": known["areas"],
    }
    began = time.process_time()
    judge(packed(arrays))
    gate = time.process_time() - began
    each = (took + gate) / models
    print(
        f"{models} models of {rows} rows: {1000 * took / models:.1f} ms to teach and"
        f" {1000 * gate / models:.1f} ms to judge each, in processor time: {2 / each:.0f} models a"
        " second on two cores"
    )
