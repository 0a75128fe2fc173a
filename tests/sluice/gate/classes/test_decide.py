"""The gate for several classes: what an honest model gets, and which rule stops what."""

import re
from dataclasses import replace

import numpy as np
import pytest
from support.class_holdouts import EVEN, GATE, ROWS, decided, holdout, metrics_of, rule

from sluice.class_policy import ClassFloor, ClassPolicy
from sluice.gate import spending
from sluice.gate.case import BROKEN, MET, OPEN, Facts
from sluice.gate.classes.case import Classifier
from sluice.gate.comparison import WAY_OUT
from sluice.policy import GroupFloor


def test_an_honest_first_model_is_promoted() -> None:
    verdict = decided(holdout())
    assert verdict.verdict == "PROMOTE", verdict.sentence
    assert {rule.state for rule in verdict.rules} == {MET}
    document = verdict.document()
    assert document["comparison"] is None
    assert [rule["passed"] for rule in document["rules"]] == [True] * len(verdict.rules)
    rows = holdout()
    recalls = [(rows.candidate.answered == rows.labels)[rows.labels == place] for place in range(3)]
    signal, labelled = rule(verdict, "signal"), rule(verdict, "labelled")
    assert (signal.value, signal.limit) == (
        pytest.approx(np.mean([one.mean() for one in recalls])),
        1 / 3,
    )
    assert (labelled.value, labelled.limit) == (min(len(one) for one in recalls), 2)


def test_shuffled_labels_are_refused() -> None:
    rows = holdout()
    shuffled = replace(rows, labels=np.random.default_rng(9).permutation(rows.labels))
    verdict = decided(shuffled)
    assert verdict.verdict == "REJECT"
    assert rule(verdict, "signal").state == BROKEN


def test_a_constant_answer_is_refused() -> None:
    rows = holdout()
    same = np.tile([0.5, 0.35, 0.15], (ROWS, 1))
    verdict = decided(replace(rows, candidate=Classifier("candidate", same, EVEN)))
    assert rule(verdict, "signal").state == BROKEN
    assert "0.3333" in rule(verdict, "signal").sentence


def test_the_best_single_column_is_refused() -> None:
    rows = holdout()
    verdict = decided(replace(rows, candidate=replace(rows.one_column, tag="candidate")))
    assert verdict.verdict == "REJECT"
    assert rule(verdict, "more_than_one_column").state == BROKEN


def test_a_column_that_gives_the_answer_away_is_refused() -> None:
    verdict = decided(holdout(column=4.0), one_column_ceiling=0.9)
    assert rule(verdict, "no_leak").state == BROKEN


@pytest.mark.parametrize(
    "path", [("holdout", "recall"), ("weights", "a"), ("classes", "b", "found")]
)
def test_metrics_that_say_something_else_are_refused(path: tuple[str, ...]) -> None:
    metrics = metrics_of(holdout())
    inside = metrics
    for name in path[:-1]:
        inside = inside[name]
    inside[path[-1]] += 0.01
    verdict = decided(holdout(), metrics=metrics)
    assert rule(verdict, "metrics_match").state == BROKEN
    assert " ".join(path) in rule(verdict, "metrics_match").sentence


def test_probabilities_that_are_none_end_it_at_once() -> None:
    rows = holdout()
    broken = rows.candidate.probabilities.copy()
    broken[3] = np.nan
    verdict = decided(replace(rows, candidate=Classifier("candidate", broken, EVEN)))
    assert verdict.verdict == "REJECT"
    assert [one.rule for one in verdict.rules] == ["binary", "labelled", "finite"]


@pytest.mark.parametrize(
    "row", [(-0.2, 0.6, 0.6), (1.2, -0.1, -0.1), (np.inf, 0.0, 0.0), (0.5, np.nan, 0.5)]
)
def test_one_row_whose_numbers_are_no_probabilities_is_enough(
    row: tuple[float, float, float],
) -> None:
    rows = holdout()
    broken = rows.candidate.probabilities.copy()
    broken[7] = row
    verdict = decided(replace(rows, candidate=Classifier("candidate", broken, EVEN)))
    assert (rule(verdict, "finite").state, rule(verdict, "finite").value) == (BROKEN, 1)


def test_probabilities_that_do_not_sum_to_one_are_none() -> None:
    rows = holdout()
    half = rows.candidate.probabilities / 2
    verdict = decided(replace(rows, candidate=Classifier("candidate", half, EVEN)))
    assert rule(verdict, "finite").state == BROKEN


def test_a_class_without_rows_waits_for_labels() -> None:
    rows = holdout()
    verdict = decided(replace(rows, labels=np.minimum(rows.labels, 1)))
    assert verdict.verdict == "INSUFFICIENT"
    assert rule(verdict, "labelled").state == OPEN
    assert "'c'" in rule(verdict, "labelled").sentence


def test_a_floor_is_broken_only_where_the_whole_interval_lies_below() -> None:
    rows = holdout()
    own = rows.labels == 2
    recall = float((rows.candidate.answered[own] == 2).mean())

    def state(floor: float) -> str:
        limits = ClassPolicy((ClassFloor("c", floor),))
        return rule(decided(rows, limits=limits), "class_floors").state

    assert state(recall - 0.15) == MET
    assert state(recall - 0.01) == OPEN  # of a first release the lower limit clears it
    assert state(recall + 0.01) == OPEN
    assert state(min(recall + 0.15, 0.99)) == BROKEN


def test_a_class_below_its_floor_is_told_with_how_many_more_have_to_be_found() -> None:
    rows = holdout()
    own = rows.labels == 2
    found = int((rows.candidate.answered[own] == 2).sum())
    limits = ClassPolicy((ClassFloor("c", 0.99), ClassFloor("a", 0.1)))
    looked = rule(decided(rows, limits=limits), "class_floors")
    wanted = int(np.ceil(0.99 * own.sum() - 1e-9)) - found
    assert (looked.state, looked.value) == (BROKEN, 1.0)
    assert looked.needed == f"Find {wanted} more of 'c'"


def test_beside_a_champion_a_floor_that_is_open_waits_too() -> None:
    rows = holdout(known=2.2, champion=1.2)
    recall = float((rows.candidate.answered[rows.labels == 2] == 2).mean())
    limits = ClassPolicy((ClassFloor("c", recall + 0.01),))
    verdict = decided(rows, limits=limits)
    assert rule(verdict, "class_floors").state == OPEN
    assert verdict.verdict == "INSUFFICIENT"


def test_a_gain_over_the_best_column_that_chance_may_have_made_waits() -> None:
    rows = holdout(known=1.85, column=1.8)
    looked = rule(decided(rows, one_column_ceiling=0.99), "more_than_one_column")
    assert (looked.state, looked.limit) == (OPEN, 0.0)
    assert looked.value is not None
    assert looked.value < 0
    assert re.fullmatch(r"Label [\d,]+ further parcels, if the difference stays", looked.needed)


def test_a_mean_recall_below_its_floor_is_refused() -> None:
    verdict = decided(holdout(), recall_floor=0.95)
    assert verdict.verdict == "REJECT"
    assert rule(verdict, "recall_floor").state == BROKEN


def test_probabilities_that_are_too_sure_are_refused() -> None:
    rows = holdout()
    sure = rows.candidate.probabilities**6
    sure /= sure.sum(axis=1, keepdims=True)
    verdict = decided(
        replace(rows, candidate=Classifier("candidate", sure, EVEN)), calibration_ceiling=0.02
    )
    assert rule(verdict, "calibration").state == BROKEN


def test_folds_that_promise_more_than_the_holdout_holds_are_refused() -> None:
    metrics = metrics_of(holdout())
    metrics["cross_validation"]["roc_auc"] = {"mean": 0.999, "std": 0.0, "folds": [0.999] * 5}
    verdict = decided(holdout(known=1.2), metrics=metrics, stability_ceiling=0.02)
    assert rule(verdict, "stable_cross_validation").state == BROKEN


def test_a_validation_of_few_rows_promises_less_surely() -> None:
    states = []
    for rows in (ROWS, 4):
        metrics = metrics_of(holdout(known=1.2))
        metrics["validation"]["roc_auc"] += 0.1
        metrics["rows"]["validation"] = rows
        verdict = decided(holdout(known=1.2), metrics=metrics, stability_ceiling=0.02)
        states.append(rule(verdict, "stable_validation").state)
    assert states == [BROKEN, OPEN]


def test_folds_that_do_not_agree_promise_less_surely() -> None:
    """So a mean of theirs that is as far away is no longer beyond chance."""
    states = []
    for spread in (0.0, 0.3):
        metrics = metrics_of(holdout(known=1.2))
        folds = metrics["cross_validation"]["roc_auc"]
        folds.update(mean=folds["mean"] + 0.1, std=spread, folds=[0.9] * 5)
        verdict = decided(holdout(known=1.2), metrics=metrics, stability_ceiling=0.02)
        states.append(rule(verdict, "stable_cross_validation").state)
    assert states == [BROKEN, OPEN]


def test_repeated_rows_are_refused() -> None:
    facts = Facts(duplicates=900, near_duplicates=5)
    verdict = decided(holdout(), facts=facts)
    assert rule(verdict, "no_duplicates").state == BROKEN
    assert rule(verdict, "no_near_duplicates").state == MET


def test_a_better_model_takes_the_place_of_the_champion() -> None:
    verdict = decided(holdout(known=2.2, champion=1.2))
    assert verdict.verdict == "PROMOTE", verdict.sentence
    assert rule(verdict, "better").state == MET


def test_an_equal_model_is_held() -> None:
    verdict = decided(holdout(known=1.9, champion=1.9), margin=0.06)
    assert verdict.verdict == "HOLD", verdict.sentence
    assert "mean recall over the classes is" in verdict.sentence


def test_the_very_same_model_is_told_as_such() -> None:
    rows = holdout(known=1.9)
    same = replace(rows.candidate, tag="old")
    verdict = decided(replace(rows, champion=same, anchor=same))
    assert verdict.verdict == "HOLD"
    assert "its mean recall over the classes is the same" in verdict.sentence


def test_fresh_data_may_replace_an_old_champion_that_is_equal() -> None:
    facts = Facts(fresh=True, champion_days=30)
    assert decided(holdout(known=1.9, champion=1.9), facts=facts, margin=0.06).refresh
    for other in (replace(facts, fresh=False), replace(facts, champion_days=0)):
        assert not decided(holdout(known=1.9, champion=1.9), facts=other, margin=0.06).refresh


def test_a_worse_model_is_refused() -> None:
    verdict = decided(holdout(known=1.0, champion=2.5), margin=0.03)
    assert verdict.verdict == "REJECT"
    for name in ("not_worse", "anchor_recall"):
        assert rule(verdict, name).state == BROKEN


@pytest.mark.parametrize(
    ("margin", "needed"),
    [
        (0.02, r"Answer about \d more parcels rightly"),
        (0.04, r"Label [\d,]+ further parcels, if the difference stays"),
    ],
)
def test_a_loss_that_chance_may_have_made_is_told_by_how_far_it_is_from_the_margin(
    margin: float, needed: str
) -> None:
    """Beyond it answers have to become right; within it more labels tell."""
    rows = holdout(known=1.8, champion=1.95)
    looked = rule(decided(rows, margin=margin, segment_margin=0.5), "not_worse")
    assert looked.state == OPEN
    found = re.search(r"differs by (-[\d.]+) \[(-[\d.]+),", looked.sentence)
    assert found is not None
    value, low = (float(text) for text in found.groups())
    assert value == -0.0252
    assert re.fullmatch(needed, looked.needed)
    if "Label" in looked.needed:
        [more] = re.findall(r"[\d,]+", looked.needed.partition(" further")[0])
        wanted = ROWS * ((value - low) / (value + margin)) ** 2 - ROWS
        assert int(more.replace(",", "")) == pytest.approx(wanted, rel=0.03)


def test_a_use_of_the_holdout_that_came_before_makes_it_harder_to_be_better() -> None:
    rows = holdout(known=2.2, champion=1.2)
    first, later = (rule(decided(rows, facts=Facts(uses=uses)), "better") for uses in (0, 5))
    assert later.limit is not None
    assert first.limit is not None
    assert later.limit < first.limit / 10


def test_a_holdout_that_is_used_up_promotes_nothing() -> None:
    verdict = decided(holdout(), facts=Facts(uses=3), uses=3)
    assert verdict.verdict == "INSUFFICIENT"
    assert rule(verdict, "ledger").state == OPEN


def test_a_group_that_loses_is_named() -> None:
    rows = holdout(known=2.0, champion=2.0)
    worse = rows.candidate.probabilities.copy()
    of_y = rows.segments["side"] == "y"
    worse[of_y] = worse[of_y][:, [1, 2, 0]]
    verdict = decided(
        replace(rows, candidate=Classifier("candidate", worse, EVEN)), segment_margin=0.05
    )
    assert rule(verdict, "segments").state == BROKEN
    assert "side = y" in rule(verdict, "segments").sentence
    assert "side = x" not in rule(verdict, "segments").sentence


def test_a_group_has_a_floor_of_its_own() -> None:
    rows = holdout()
    inside = rows.segments["side"] == "x"
    right = rows.candidate.answered == rows.labels
    mean = np.mean([right[inside & (rows.labels == place)].mean() for place in range(3)])
    for floor, state in ((0.5, MET), (0.99, BROKEN)):
        looked = rule(decided(rows, group_floors=(GroupFloor("side = x", floor),)), "group_floors")
        assert (looked.state, looked.value) == (state, float(state != MET))
        assert looked.sentence.startswith(f"Mean recall of side = x is {mean:.4f} with a")
    assert looked.needed == "Answer more rightly in side = x"


def test_rows_of_a_group_that_belong_together_say_less() -> None:
    rows = holdout()
    floors = (GroupFloor("side = x", 0.99),)
    together = replace(rows, clusters=np.arange(ROWS) // 40)
    lows = [
        float(re.findall(r"an? (?:upper|lower) limit of ([\d.]+)", found.sentence)[0])
        for found in (
            rule(decided(one, group_floors=floors), "group_floors") for one in (rows, together)
        )
    ]
    assert lows[0] != lows[1]


@pytest.mark.parametrize("group", ["side = z", "place = x"])
def test_a_group_that_nobody_is_in_waits(group: str) -> None:
    floors = (GroupFloor("side = y", 0.5), GroupFloor(group, 0.5))
    looked = rule(decided(holdout(), group_floors=floors), "group_floors")
    assert (looked.state, looked.value) == (OPEN, 1.0)
    assert f"; No row of {group} is among the holdout; at least one is required" in looked.sentence
    assert looked.needed == f"Label rows of {group}, or correct its name"


def test_a_segment_that_is_required_has_rows_enough_of_every_class() -> None:
    rows = holdout(known=2.0, champion=2.0)
    names, rarest = rows.segments["side"], rows.labels == 2
    fewest = {name: int(((names == name) & rarest).sum()) for name in ("x", "y")}
    few, more = sorted(fewest, key=lambda name: fewest[name])
    assert fewest[few] < fewest[more]
    enough = decided(rows, segments_required=("side",), segment_positives=fewest[few])
    assert "segments_required" not in {one.rule for one in enough.rules}
    wanted = ("side", "place")
    short = decided(rows, segments_required=wanted, segment_positives=fewest[more])
    looked = rule(short, "segments_required")
    assert looked.state == OPEN
    assert looked.needed == f"Label more rows of place, side = {few}"
    # a group that has no row of the last class
    bare = replace(rows, labels=np.where(rarest & (names == few), 0, rows.labels))
    of_none = decided(bare, segments_required=("side",), segment_positives=1)
    assert rule(of_none, "segments_required").needed == f"Label more rows of side = {few}"
    alone = decided(holdout(), segments_required=wanted, segment_positives=10_000)
    assert "segments_required" not in {one.rule for one in alone.rules}


def test_a_champion_without_an_anchor_waits() -> None:
    """However much better the candidate is."""
    verdict = decided(replace(holdout(known=2.5, champion=1.0), anchor=None))
    assert (verdict.verdict, verdict.refresh) == ("HOLD", False)
    assert rule(verdict, "better").state == MET
    assert rule(verdict, "anchored").needed == "Run `sluice anchor set champion`"


@pytest.mark.parametrize(("more", "state"), [(0, MET), (3, OPEN)])
def test_after_a_change_of_the_split_the_rarest_class_has_enough_left(
    more: int, state: str
) -> None:
    rows = holdout(known=2.0, champion=2.0)
    left = int((rows.labels == 2).sum())
    facts = Facts(left_out=1_234)
    looked = rule(decided(rows, facts=facts, least_positives=left + more), "split_changed")
    assert (looked.state, looked.value, looked.limit) == (state, left, left + more)
    assert looked.needed == (f"Label {more} more of 'c'" if more else "")
    assert looked.sentence == (
        f"The split changed: 1,234 rows that a compared model has seen are left out, and {left} of"
        f" 'c' are left; at least {left + more} are required"
    )


@pytest.mark.parametrize("looks", [1, 3])
def test_a_later_look_has_a_part_of_the_level_for_itself(looks: int) -> None:
    verdict = decided(holdout(known=2.5, champion=2.4), facts=Facts(uses=1, looks=looks))
    limit = spending.grouped_level(GATE.level, 1, looks)
    assert rule(verdict, "better").limit == limit < spending.first_level(GATE.level, 1)


@pytest.mark.parametrize(
    ("mute", "accepted", "said"),
    [
        (("champion",), 0.9, "The champion accepts 90.0 % of the holdout rows; at least 95 % is"),
        (("champion", "anchor"), 0.9, "The champion and the anchor accept 90.0 % of the holdout"),
        (("anchor",), 1.0, "The anchor cannot score every holdout row; a score of each is"),
        ((), 0.9, "The compared models accept 90.0 % of the holdout rows; at least 95 % is"),
    ],
)
def test_what_cannot_be_compared_is_named(
    mute: tuple[str, ...], accepted: float, said: str
) -> None:
    rows = holdout(known=2.0, champion=2.0)
    silent = Classifier("old", np.full((ROWS, 3), np.nan), EVEN)
    rows, facts = replace(rows, **dict.fromkeys(mute, silent)), Facts(accepted=accepted)
    verdict = decided(rows, facts=facts, comparable_share=0.95)
    looked = rule(verdict, "comparable")
    assert looked.sentence.startswith(said)
    assert (looked.state, looked.value, looked.limit) == (OPEN, accepted, 0.95)
    assert looked.needed == WAY_OUT


def test_a_champion_that_cannot_be_scored_blocks_and_may_be_set_aside() -> None:
    rows = holdout(known=2.0, champion=2.0)
    mute = Classifier("old", np.full((ROWS, 3), np.nan), EVEN)
    rows = replace(rows, champion=mute, anchor=mute)
    verdict = decided(rows, facts=Facts(accepted=0.0))
    assert verdict.verdict == "INSUFFICIENT"
    assert rule(verdict, "comparable").state == OPEN
    waived = decided(rows, facts=Facts(accepted=0.0, waived="comparable"))
    assert waived.verdict == "PROMOTE", waived.sentence


def test_what_tells_whether_numbers_can_be_believed_is_never_set_aside() -> None:
    rows = holdout()
    shuffled = replace(rows, labels=np.random.default_rng(9).permutation(rows.labels))
    assert decided(shuffled, facts=Facts(waived="signal")).verdict == "REJECT"


def test_weights_decide_what_is_answered() -> None:
    rows = holdout(known=1.2)
    heavy = replace(rows, candidate=replace(rows.candidate, weights=(1.0, 1.0, 8.0)))
    limits = ClassPolicy((ClassFloor("c", 0.7),))
    assert rule(decided(rows, limits=limits), "class_floors").state == BROKEN
    assert rule(decided(heavy, limits=limits), "class_floors").state == MET
