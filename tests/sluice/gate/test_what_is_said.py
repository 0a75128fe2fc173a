"""What the gate says of candidates of every kind, word for word and figure for figure.

Each file in `said/` is one verdict as a person reads it. Where the gate is to say something else,
the failing test names the file that it received: read it, and put it in the place of the old one.
"""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import class_holdouts as of_classes
from support import number_holdouts as of_number
from support.holdouts import Trial, World, groups, measured, model, world
from support.verdict_text import as_text

from sluice.class_policy import ClassFloor, ClassPolicy
from sluice.gate.case import Facts, Model
from sluice.gate.classes.case import Classifier
from sluice.gate.decide import Verdict
from sluice.gate.number.case import Answering
from sluice.policy import GroupFloor
from sluice.served.words import Words

SAID = Path(__file__).parent / "said"
WORDS = Words("leaver", "leavers")
ROWS = 1_500
Story = Callable[[], Verdict]
Change = Callable[[Trial], Trial]

LATER = Facts(uses=3, looks=1, champion_release=7)
USED_UP = Facts(uses=2)
SEEN = Facts(duplicates=40, near_duplicates=30, left_out=20)
DUE = Facts(fresh=True, champion_days=30)
NAMED = Facts(champion_release=7)
APART = Facts(accepted=0.2)
WAIVED = Facts(accepted=0.2, waived="comparable")


def of() -> World:
    """The rows of the binary stories."""
    return world(ROWS, 4)


def together(rows: int, groups_: int) -> np.ndarray:
    """So many rows in groups that belong together."""
    return np.random.default_rng(6).integers(0, groups_, rows)


def clustered(trial: Trial) -> Trial:
    """The same where rows belong together."""
    return trial.but(clusters=together(ROWS, 400))


def scattered(trial: Trial) -> Trial:
    """The same where rows belong together in few groups."""
    return trial.but(clusters=together(ROWS, 30))


def shifted(by: float) -> Change:
    """A candidate with another threshold, by a change of the policy that was reviewed."""

    def changed(trial: Trial) -> Trial:
        candidate, champion = trial.candidate, trial.champion
        moved = replace(candidate, threshold=candidate.threshold + by)
        told = champion and replace(champion, moved="precision_slack was 0.02")
        return trial.but(candidate=moved, champion=told)

    return changed


def blind(trial: Trial) -> Trial:
    """A champion that scores nothing."""
    return trial.but(champion=Model("old", 0.5, np.full(ROWS, np.nan)))


def everybody(trial: Trial) -> Trial:
    """A champion that flags nearly every row."""
    assert trial.champion is not None
    return trial.but(champion=replace(trial.champion, threshold=0.003))


def unstable(trial: Trial) -> Trial:
    """Folds that promised more than the holdout keeps."""
    found = measured(trial)
    found["validation"]["roc_auc"] = 0.97
    found["cross_validation"]["roc_auc"] |= {"mean": 0.96, "std": 0.02}
    return trial.but(metrics=found)


def untrue(trial: Trial) -> Trial:
    """A metrics.json with figures of something else."""
    found = measured(trial)
    found["holdout"]["recall"] = 0.99
    found["threshold"] += 0.1
    return trial.but(metrics=found)


def binary(
    noise: float = 0.5,
    champion: float = 0.0,
    anchor: float = 0.0,
    change: Change = lambda trial: trial,
    **changes: Any,
) -> Verdict:
    """The verdict on a candidate with so much noise beside champion and anchor, where they have
    any.
    """
    frozen = anchor or champion
    trial = Trial(
        model("new", noise, of=of()),
        model("old", champion, of=of()) if champion else None,
        model("frozen", frozen, of=of()) if frozen else None,
        model("grade", 4.0, of=of()),
        segments={"team": groups("ABC", [0.3, 0.62, 0.08], rows=ROWS)},
        of=of(),
        words=WORDS,
    )
    return change(trial.but(**{"least_positives": 300, "precision_floor": 0.6, **changes})).judge()


COSTS = {
    "recall_floor": 0.0,
    "precision_floor": 0.0,
    "cost_of_a_miss": 3.0,
    "cost_of_a_false_alarm": 1.0,
}
TRAVELLING = {
    "recall_floor": 0.0,
    "precision_floor": 0.0,
    "calibration_ceiling": 0.0,
    "lift_floor": 1.3,
    "brier_skill_floor": 0.3,
    "calibration_share_ceiling": 0.1,
}
TEAMS = (GroupFloor("team = A", 0.7), GroupFloor("team = C", 0.9), GroupFloor("team = D", 0.5))
BINARY: Mapping[str, Story] = {
    "first": binary,
    "first, in groups that belong together": partial(binary, change=clustered),
    "first, few groups that belong together": partial(
        binary, 1.6, change=scattered, precision_floor=0.66, calibration_ceiling=0.002
    ),
    "first, too few rows": partial(binary, 0.5, precision_floor=0.66),
    "first, below its floors": partial(binary, 2.5),
    "first, learnt from noise": partial(binary, 60.0),
    "first, flags nearly everybody": partial(binary, change=shifted(-0.25)),
    "first, by costs": partial(binary, **COSTS),
    "first, by costs, saves nothing": partial(binary, 3.5, **{**COSTS, "cost_of_a_miss": 0.4}),
    "first, by costs, too few rows": partial(binary, 3.5, **{**COSTS, "cost_of_a_miss": 0.9}),
    "first, by floors that travel": partial(binary, 0.9, **TRAVELLING),
    "first, near floors that travel": partial(binary, 1.6, change=clustered, **TRAVELLING),
    "first, far below floors that travel": partial(binary, 3.0, **TRAVELLING),
    "first, rows seen before": partial(binary, near_duplicate_ceiling=0.0025, facts=SEEN),
    "first, folds that promised more": partial(binary, change=unstable),
    "first, other figures than measured": partial(binary, change=untrue),
    "first, floors of groups": partial(binary, change=clustered, group_floors=TEAMS),
    "better": partial(binary, 0.3, 1.5),
    "better, in groups that belong together": partial(binary, 0.3, 1.8, change=clustered),
    "better, at a later look": partial(binary, 0.3, 1.5, facts=LATER),
    "better, in a fleet": partial(binary, 0.3, 1.5, facts=Facts(shared=0.25)),
    "better, by costs": partial(binary, 0.3, 1.5, **COSTS),
    "better, with another threshold": partial(binary, 0.3, 1.5, change=shifted(-0.1)),
    "equal": partial(binary, 0.6, 0.62, facts=NAMED),
    "equal, and the holdout moves on": partial(binary, 0.6, 0.62, facts=Facts(moves_on=True)),
    "equal, and it may be replaced": partial(
        binary, 0.6, 0.62, margin=0.04, segment_margin=0.1, facts=DUE
    ),
    "equal, by costs": partial(binary, 0.6, 0.62, **COSTS),
    "equal, by costs, at a later look": partial(binary, 0.6, 0.7, facts=LATER, **COSTS),
    "equal, a group is required": partial(
        binary, 0.6, 0.62, segments_required=("team",), segment_positives=90
    ),
    "equal, the holdout is used up": partial(binary, 0.3, 1.5, uses=2, facts=USED_UP),
    "worse": partial(binary, 1.8, 0.3),
    "worse, by costs": partial(binary, 1.8, 0.3, **COSTS),
    "worse, with a higher threshold": partial(binary, 0.5, 0.5, change=shifted(0.2)),
    "worse than the anchor": partial(binary, 1.2, 1.25, 0.2, change=clustered),
    "the champion scores nothing": partial(binary, 0.5, 0.6, change=blind, facts=APART),
    "the champion scores nothing, waived": partial(binary, 0.5, 0.6, change=blind, facts=WAIVED),
    "the champion flags nearly everybody": partial(binary, 0.5, 0.6, change=everybody),
}


def classes(known: float = 2.0, champion: float = 0.0, belonging: int = 0, **given: Any) -> Verdict:
    """The verdict on a candidate that knows so much, where rows belong together in so many groups,
    if in any.
    """
    rows = of_classes.holdout(known, champion)
    if belonging:
        rows = replace(rows, clusters=together(of_classes.ROWS, belonging))
    return of_classes.decided(rows, **{"segment_positives": 30, "least_positives": 100, **given})


def beside_a_silent_classifier(facts: Facts) -> Verdict:
    """The verdict beside a champion that scores nothing."""
    none = Classifier("old", np.full((of_classes.ROWS, 3), np.nan), of_classes.EVEN)
    return of_classes.decided(replace(of_classes.holdout(2.0, 1.5), champion=none), facts=facts)


def unstable_classes() -> Verdict:
    """The verdict where folds promised more than the holdout keeps, and a figure is another."""
    rows = of_classes.holdout()
    found = of_classes.metrics_of(rows)
    found["cross_validation"]["roc_auc"] |= {"mean": 0.999, "std": 0.001}
    found["holdout"]["recall"] = 0.5
    return of_classes.decided(rows, metrics=found)


FLOORS = ClassPolicy((ClassFloor("a", 0.95), ClassFloor("b", 0.86), ClassFloor("c", 0.5)))
SIDES = (GroupFloor("side = x", 0.84), GroupFloor("side = y", 0.99), GroupFloor("side = z", 0.5))
CLASSES: Mapping[str, Story] = {
    "first": classes,
    "first, in groups that belong together": partial(classes, belonging=300),
    "first, floors of classes and groups": partial(classes, limits=FLOORS, group_floors=SIDES),
    "first, floors in groups that belong together": partial(
        classes, belonging=300, limits=FLOORS, group_floors=SIDES
    ),
    "first, few groups that belong together": partial(
        classes, 0.9, belonging=30, recall_floor=0.6, limits=FLOORS
    ),
    "first, below its floor": partial(classes, 0.9, recall_floor=0.7),
    "first, learnt from noise": partial(classes, 0.02),
    "first, rows seen before": partial(classes, facts=SEEN),
    "first, folds that promised more": unstable_classes,
    "better": partial(classes, 2.4, 1.5),
    "better, at a later look": partial(classes, 2.4, 1.5, belonging=300, facts=LATER),
    "equal": partial(classes, 2.0, 2.0, facts=NAMED),
    "equal, and it may be replaced": partial(
        classes, 2.0, 2.0, margin=0.1, segment_margin=0.3, facts=DUE
    ),
    "equal, a group is required": partial(
        classes, 2.0, 2.0, segments_required=("side",), segment_positives=150
    ),
    "equal, the holdout is used up": partial(classes, 2.4, 1.5, uses=2, facts=USED_UP),
    "worse": partial(classes, 1.3, 2.4),
    "worse, in groups that belong together": partial(classes, 1.3, 2.4, belonging=300),
    "the champion scores nothing": partial(beside_a_silent_classifier, APART),
    "the champion scores nothing, waived": partial(beside_a_silent_classifier, WAIVED),
}


def number(off: float = 0.6, champion: float = 0.0, belonging: int = 0, **given: Any) -> Verdict:
    """The verdict on a candidate that is so far off, where rows belong together in so many groups,
    if in any.
    """
    rows = of_number.holdout(off, champion)
    if belonging:
        rows = replace(rows, clusters=together(of_number.ROWS, belonging))
    return of_number.decided(rows, **{"segment_positives": 60, "least_positives": 100, **given})


def beside_a_silent_number(facts: Facts) -> Verdict:
    """The verdict beside a champion that answers nothing."""
    none = Answering("old", np.full(of_number.ROWS, np.nan))
    return of_number.decided(replace(of_number.holdout(0.6, 0.8), champion=none), facts=facts)


def unstable_number() -> Verdict:
    """The verdict where folds promised more than the holdout keeps, and a figure is another."""
    rows = of_number.holdout()
    found = of_number.metrics_of(rows)
    found["validation"]["skill"] = 0.9
    found["cross_validation"]["skill"] |= {"mean": 0.8, "std": 0.01}
    found["holdout"]["mae"] = 1.0
    return of_number.decided(rows, metrics=found)


BY_ERROR = replace(of_number.LIMITS, skill_floor=0.0, mae_ceiling=4.9)
BY_SKILL = replace(of_number.LIMITS, skill_floor=0.4)
NUMBER: Mapping[str, Story] = {
    "first": number,
    "first, in groups that belong together": partial(number, belonging=200),
    "first, few groups that belong together": partial(
        number, 0.9, belonging=30, least_positives=10, limits=BY_SKILL
    ),
    "first, a ceiling of the error": partial(number, limits=BY_ERROR),
    "first, above a ceiling of the error": partial(number, 1.2, limits=BY_ERROR),
    "first, too few groups that belong together": partial(
        number, belonging=200, least_positives=300
    ),
    "first, too few rows": partial(number, least_positives=1_000),
    "first, below its floor": partial(number, 1.5, limits=BY_SKILL),
    "first, learnt from noise": partial(number, 40.0),
    "first, rows seen before": partial(number, facts=SEEN),
    "first, folds that promised more": unstable_number,
    "better": partial(number, 0.4, 0.9),
    "better, at a later look": partial(number, 0.4, 0.9, belonging=200, facts=LATER),
    "equal": partial(number, 0.6, 0.6, facts=NAMED),
    "equal, and it may be replaced": partial(
        number, 0.6, 0.6, margin=0.2, segment_margin=0.3, facts=DUE
    ),
    "equal, a group is required": partial(
        number, 0.6, 0.6, segments_required=("side",), segment_positives=700
    ),
    "equal, the holdout is used up": partial(number, 0.4, 0.9, uses=2, facts=USED_UP),
    "worse": partial(number, 1.0, 0.4),
    "worse, in groups that belong together": partial(number, 1.0, 0.4, belonging=200),
    "the champion scores nothing": partial(beside_a_silent_number, APART),
    "the champion scores nothing, waived": partial(beside_a_silent_number, WAIVED),
}

STORIES = {
    f"{kind}/{name}": story
    for kind, stories in (("binary", BINARY), ("classes", CLASSES), ("number", NUMBER))
    for name, story in stories.items()
}


def said_of(name: str) -> str:
    """The text of a story; `first` of its kind is the plain one."""
    plain = f"{name.partition('/')[0]}/first"
    return as_text(STORIES[name](), None if name == plain else STORIES[plain]())


@pytest.mark.parametrize("name", STORIES)
def test_it_is_said_as_it_is_written_here(name: str, tmp_path: Path) -> None:
    path = SAID / f"{name}.txt"
    written = path.read_text(encoding="utf-8") if path.is_file() else ""
    said = said_of(name)
    if said != written:
        received = tmp_path / "received.txt"
        received.write_text(said, encoding="utf-8")
        changed = difflib.unified_diff(written.splitlines(), said.splitlines(), lineterm="", n=1)
        raise AssertionError(f"{path} says something else than {received}:\n" + "\n".join(changed))


def test_every_file_is_of_a_story() -> None:
    there = {str(path.relative_to(SAID).with_suffix("")) for path in SAID.rglob("*.txt")}
    assert there == set(STORIES)
