"""What a step found out, as one sentence for people: on the terminal and in the log of the run."""

import re

from msgspec import Struct

from flows.facts.decided import Decided
from flows.facts.evidenced import Evidenced
from flows.facts.fleet import FleetWritten, ShardJudged, ShardTaught
from flows.facts.imaged import Imaged
from flows.facts.replayed import Foretold
from flows.facts.scored import Scored
from flows.facts.split_rows import SplitRows
from flows.facts.trained import Trained
from flows.facts.tuned import Tuned
from flows.facts.validated import Validated
from flows.steps.package import Packaged
from flows.steps.smoke import Smoked
from flows.views.wording import count, short, upper_first
from sluice.percent import percent


def sentence(facts: Struct) -> str:
    """The facts of a step in words, with no hash longer than a short id.

    Raises TypeError for facts that have no sentence here, so that a new step gets one.
    """
    match facts:
        case Validated() | SplitRows() | Tuned() | Trained():
            return _of_model(facts)
        case Scored() | Decided() | Foretold() | Evidenced():
            return _of_verdict(facts)
        case Packaged() | Imaged() | Smoked():
            return _of_image(facts)
        case ShardTaught() | ShardJudged() | FleetWritten():
            return _of_fleet(facts)
    raise TypeError(f"{type(facts).__name__} has no sentence in {__name__}")


def _of_model(facts: Validated | SplitRows | Tuned | Trained) -> str:
    match facts:
        case Validated():
            warned = f", {count(facts.warnings, 'warning')}" if facts.warnings else ", no warning"
            return f"{count(facts.rows, 'row')}, {count(facts.checks, 'check')}{warned}"
        case SplitRows():
            left_out = f", {facts.left_out:,} left out" if facts.left_out else ""
            return (
                f"{facts.train:,} rows to train, {facts.validation:,} to validate,"
                f" {facts.holdout:,} held out{left_out}"
            )
        case Tuned():
            tried = count(sum(facts.trials.values()), "trial")
            what = "skill" if facts.objective == "skill" else "average precision"
            return f"{_family(facts.winner)} is best of {tried}, {what} {facts.score:.4f}"
        case Trained(unit=str(unit)):
            return f"{_family(facts.family)}, a number{f' in {unit}' if unit else ''}"
        case Trained(threshold=None):
            return f"{_family(facts.family)}, one class of several"
        case Trained():
            return f"{_family(facts.family)}, flags from {facts.threshold:.4f} on"


def _of_verdict(facts: Scored | Decided | Foretold | Evidenced) -> str:
    match facts:
        case Scored(recall=float(recall), precision=float(precision)):
            return f"Recall {percent(recall, 1)}, precision {percent(precision, 1)}"
        case Scored(skill=float(skill)):
            return f"Skill {skill:.4f} beside the median of the training rows"
        case Scored():  # told in words
            return f"{count(facts.rows, 'row')} scored"
        case Decided():
            return f"{facts.verdict}: {facts.sentence if facts.promotes else _gist(facts.sentence)}"
        case Foretold():
            return upper_first(facts.sentence)
        case Evidenced():
            return f"Drift: {facts.drift}"


def _gist(sentence: str) -> str:
    """What a verdict begins with, as `recall is 0.7012` or `no better than release 1`: where
    nothing goes live, the whole of it is the end of the release, and is told there.
    """
    return re.split(r"[:;.](?= |$)", sentence, maxsplit=1)[0]


def _of_image(facts: Packaged | Imaged | Smoked) -> str:
    match facts:
        case Packaged():
            return f"Bento {short(facts.tag)}"
        case Imaged():
            known = "In the registry already" if facts.adopted else "New in the registry"
            return f"{known}, digest {short(facts.digest)}"
        case Smoked():
            return f"The image answers {count(facts.records, 'record')} as the model does"


def _of_fleet(facts: ShardTaught | ShardJudged | FleetWritten) -> str:
    models = count(facts.models, "model")
    match facts:
        case ShardJudged():
            return f"{models}, {facts.passing:,} of them pass by themselves"
        case _:
            return models


def _family(name: str) -> str:
    return upper_first(name.replace("_", " "))
