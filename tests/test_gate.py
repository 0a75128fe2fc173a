"""The gate: every rule has a case that it alone decides, and nothing in metrics.json is taken on trust."""

import copy
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rules import policy

from sluice.gate import Champion, Rows, Verdict, decide, decide_from_metrics, floors, summary
from sluice.metrics import confusion, intervals, measure

POLICY = policy().gate
_RANDOM = np.random.default_rng(7)
LABELS = (np.arange(3_000) % 2).astype(np.int8)
HASHES = _RANDOM.permutation(2**40 + np.arange(3_000, dtype=np.uint64))
_NOISE = _RANDOM.normal(size=(3, 3_000))


def scores(strength: float, noise: int = 0) -> np.ndarray:
    """Probabilities that tell the positives apart, the better the larger `strength` is."""
    return 1 / (1 + np.exp(-(strength * (2 * LABELS - 1) + _NOISE[noise])))


GOOD = scores(0.8)
THRESHOLD = 0.45


def declare(given: np.ndarray, threshold: float = THRESHOLD) -> dict[str, Any]:
    """What an honest metrics.json says of these scores."""
    return {
        "schema": 1,
        "model": "attrition",
        "threshold": threshold,
        "rows": {"train": 9_000, "validation": 3_000, "holdout": len(given), "holdout_positives": int(LABELS.sum())},
        "holdout": measure(LABELS, np.clip(np.nan_to_num(given), 0, 1), threshold),
        "intervals": intervals(LABELS, np.clip(np.nan_to_num(given), 0, 1), threshold),
        "confusion": confusion(LABELS, given >= threshold),
    }


def judge(given: np.ndarray, champion: Champion | None = None, threshold: float = THRESHOLD, **rows: Any) -> Verdict:
    """The verdict on honest metrics of these scores."""
    return decide(declare(given, threshold), Rows(LABELS, HASHES, given, champion, **rows), POLICY)


def champion(given: np.ndarray, threshold: float = THRESHOLD) -> Champion:
    return Champion("0123456789abcdef", threshold, given)


def broken(verdict: Verdict) -> list[str]:
    return [rule.rule for rule in verdict.rules if not rule.passed]


def test_the_first_model_to_clear_every_floor_is_promoted() -> None:
    verdict = judge(GOOD)
    assert (verdict.verdict, broken(verdict), verdict.champion, verdict.comparison) == ("PROMOTE", [], None, None)
    assert {rule.rule for rule in verdict.rules} == {
        "finite", "no_training_rows", "not_constant", "metrics_match", "not_inverted",
        "recall_floor", "precision_floor", "flagged_ceiling",
    }  # fmt: skip


ALMOST_ALWAYS = np.where(LABELS == 1, 0.9, 0.8) + 0.01 * _RANDOM.random(3_000)

# what is wrong: (verdict, the one rule that is broken, words of its sentence)
REJECTED: dict[str, tuple[Verdict, str, str]] = {
    "recall too low": (judge(GOOD, threshold=0.62), "recall_floor", "against a floor of 0.72: "),
    "precision too low": (judge(scores(0.4), threshold=0.42), "precision_floor", "against a floor of 0.66"),
    "too many flagged": (judge(scores(2.5), threshold=0.09), "flagged_ceiling", "against a ceiling of 70%"),
    "always leave": (judge(ALMOST_ALWAYS, threshold=0.5), "flagged_ceiling", "100.0% of the rows flagged"),
    "a training row in the holdout": (judge(GOOD, trained_on=1), "no_training_rows", "1 training rows in the holdout"),
    "constant": (judge(np.full(3_000, 0.6)), "not_constant", "1 different scores over 3000 rows"),
    "upside down": (judge(1 - GOOD), "not_inverted", "the scores are upside down"),
    "not a number": (judge(np.where(np.arange(3_000) == 5, np.nan, GOOD)), "finite", "not probabilities"),
    "infinite": (judge(np.where(np.arange(3_000) == 5, np.inf, GOOD)), "finite", "not probabilities"),
    "above one": (judge(np.where(np.arange(3_000) == 5, 1.01, GOOD)), "finite", "not probabilities"),
    "below zero": (judge(np.where(np.arange(3_000) == 5, -0.01, GOOD)), "finite", "not probabilities"),
    "a champion of no numbers": (
        judge(GOOD, champion(np.where(np.arange(3_000) == 5, np.nan, GOOD))), "champion_finite", "of the champion"),
}  # fmt: skip


@pytest.mark.parametrize("case", REJECTED)
def test_a_broken_rule_rejects_and_says_why_with_its_numbers(case: str) -> None:
    verdict, rule, words = REJECTED[case]
    assert verdict.verdict == "REJECT"
    assert rule in broken(verdict)
    [sentence] = [found.sentence for found in verdict.rules if found.rule == rule]
    assert words in sentence
    assert sentence in verdict.sentence
    json.dumps(verdict.document(), allow_nan=False)


@pytest.mark.parametrize(
    "case",
    [
        "recall too low",
        "precision too low",
        "too many flagged",
        "a training row in the holdout",
        "a champion of no numbers",
    ],
)
def test_each_of_these_is_decided_by_its_rule_alone(case: str) -> None:
    verdict, rule, _ = REJECTED[case]
    assert broken(verdict) == [rule]


def test_always_leave_has_full_recall_and_is_refused_all_the_same() -> None:
    verdict, _, _ = REJECTED["always leave"]
    assert broken(verdict) == ["precision_floor", "flagged_ceiling"]
    [recall] = [rule for rule in verdict.rules if rule.rule == "recall_floor"]
    assert (recall.passed, recall.value) == (True, 1.0)


@pytest.mark.parametrize("others", [None, champion(scores(0.1)), champion(scores(3.0))])
def test_a_broken_rule_rejects_whatever_the_champion_is_worth(others: Champion | None) -> None:
    assert judge(GOOD, others, trained_on=3).verdict == "REJECT"
    assert judge(GOOD, others, threshold=0.62).verdict == "REJECT"


def test_the_champion_again_is_held() -> None:
    verdict = judge(GOOD, champion(GOOD))
    assert (verdict.verdict, verdict.champion) == ("HOLD", "0123456789abcdef")
    assert verdict.comparison is not None
    assert (verdict.comparison.gained, verdict.comparison.lost, verdict.comparison.p_value) == (0, 0, 1.0)
    assert verdict.comparison.flagged == int((GOOD >= THRESHOLD).sum())


@pytest.mark.parametrize("moved", [-0.01, -0.05, 0.01])
def test_the_champion_with_another_threshold_is_held(moved: float) -> None:
    verdict = judge(GOOD, champion(GOOD), threshold=THRESHOLD + moved)
    assert broken(verdict) == ["better_than_champion"]
    assert verdict.verdict == "HOLD"
    assert moved > 0 or declare(GOOD, THRESHOLD + moved)["holdout"]["recall"] > declare(GOOD)["holdout"]["recall"]


def test_another_scale_of_the_same_order_is_held() -> None:
    assert judge(GOOD**0.5, champion(GOOD), threshold=THRESHOLD**0.5).verdict == "HOLD"


def test_a_better_model_is_promoted_and_a_worse_one_held() -> None:
    better = judge(scores(1.0), champion(scores(0.8, noise=1)))
    assert (better.verdict, broken(better)) == ("PROMOTE", [])
    assert better.comparison is not None
    assert better.comparison.gained > better.comparison.lost
    assert better.comparison.p_value < POLICY.level
    worse = judge(scores(0.8, noise=1), champion(scores(1.0)))
    assert (worse.verdict, broken(worse)) == ("HOLD", ["better_than_champion"])
    assert worse.sentence.startswith("the champion stays")


def test_as_good_by_another_noise_is_held() -> None:
    assert judge(GOOD, champion(scores(0.8, noise=1))).verdict == "HOLD"


def swapped(count: int) -> tuple[np.ndarray, Champion]:
    """A candidate that finds `count` positives more than the champion, and loses none."""
    old = GOOD.copy()
    positives = np.flatnonzero((LABELS == 1) & (GOOD >= THRESHOLD))[:count]
    negatives = np.flatnonzero((LABELS == 0) & (GOOD < THRESHOLD))[:count]
    old[positives], old[negatives] = GOOD[negatives], GOOD[positives]
    return GOOD, champion(old)


@pytest.mark.parametrize(("gained", "verdict"), [(1, "HOLD"), (4, "HOLD"), (5, "PROMOTE"), (9, "PROMOTE")])
def test_the_level_of_the_policy_is_where_it_turns(gained: int, verdict: str) -> None:
    found = judge(*swapped(gained))
    assert found.comparison is not None
    assert (found.comparison.gained, found.comparison.lost) == (gained, 0)
    assert found.comparison.p_value == pytest.approx(0.5**gained)
    assert found.verdict == verdict
    stricter = decide(declare(GOOD), Rows(LABELS, HASHES, *swapped(gained)), replace(POLICY, level=0.5**gained))
    assert stricter.verdict == "PROMOTE"  # at the level itself


def test_rows_of_one_score_are_taken_by_their_hash_in_whatever_order_they_come() -> None:
    coarse, old = GOOD.round(1), scores(0.8, noise=1)
    order = _RANDOM.permutation(3_000)
    first = decide(declare(coarse), Rows(LABELS, HASHES, coarse, champion(old)), POLICY)
    turned = Rows(LABELS[order], HASHES[order], coarse[order], champion(old[order]))
    again = decide(declare(coarse), turned, POLICY)
    assert first == again
    assert first.comparison is not None
    assert first.comparison.flagged == int((old >= THRESHOLD).sum())


@given(st.floats(0.0, 2.0), st.floats(0.2, 0.8), st.floats(0.2, 2.0), st.floats(0.2, 0.8), st.sampled_from([0, 1, 2]))
@settings(max_examples=40, deadline=None)
def test_truth_table(strength: float, threshold: float, other: float, cut: float, noise: int) -> None:
    given, old = scores(strength, noise), champion(scores(other), cut)
    measured = declare(given, threshold)["holdout"]
    cleared = (
        measured["recall"] >= POLICY.recall_floor
        and measured["precision"] >= POLICY.precision_floor
        and measured["share_flagged"] <= POLICY.flagged_ceiling
        and measured["roc_auc"] >= 0.5
    )
    alone, against = judge(given, threshold=threshold), judge(given, old, threshold=threshold)
    assert alone.verdict == ("PROMOTE" if cleared else "REJECT")
    assert against.comparison is not None
    better = against.comparison.p_value <= POLICY.level
    assert against.verdict == (("PROMOTE" if better else "HOLD") if cleared else "REJECT")


def edits(value: float) -> list[Any]:
    return [value + 1e-6, value + 1, -1.0, None, "0.75", True, float("nan"), float("inf"), [], {}, 10**400]


CHECKED = [(s, name) for s in ("holdout", "confusion") for name in declare(GOOD)[s]]
CHECKED += [("intervals", name) for name in declare(GOOD)["intervals"]]
CHECKED += [("rows", "holdout"), ("rows", "holdout_positives")]


@pytest.mark.parametrize(("section", "name"), CHECKED)
def test_an_edited_number_is_rejected_by_name(section: str, name: str) -> None:
    honest = declare(GOOD)
    value = honest[section][name]
    values: list[Any] = edits(value) if not isinstance(value, list) else [[], [0, 1], value[:1], [*value, 1], None, "x"]
    for edited in [*values, ...]:
        metrics = copy.deepcopy(honest)
        if edited is ...:
            del metrics[section][name]
        else:
            metrics[section][name] = edited
        verdict = decide(metrics, Rows(LABELS, HASHES, GOOD), POLICY)
        assert verdict.verdict == "REJECT"
        assert "metrics_match" in broken(verdict)
        assert f"{section}.{name}" in verdict.sentence
        json.dumps(verdict.document(), allow_nan=False)


@pytest.mark.parametrize("section", ["rows", "holdout", "confusion", "intervals", "threshold"])
@pytest.mark.parametrize("edited", [..., None, [], "x", 7, {}])
def test_a_section_that_is_not_there_is_rejected(section: str, edited: Any) -> None:
    metrics = declare(GOOD) | ({} if edited is ... else {section: edited})
    if edited is ...:
        del metrics[section]
    verdict = decide(metrics, Rows(LABELS, HASHES, GOOD), POLICY)
    assert verdict.verdict == "REJECT"
    assert section in verdict.sentence or (section, edited) == ("threshold", 7)
    assert summary(verdict.document(), metrics).startswith("REJECT: recall")


@pytest.mark.parametrize("threshold", [0.35, 0.55, 0.0, 1.0, float("nan")])
def test_an_edited_threshold_is_rejected(threshold: float) -> None:
    verdict = decide(declare(GOOD) | {"threshold": threshold}, Rows(LABELS, HASHES, GOOD), POLICY)
    assert (verdict.verdict, "metrics_match" in broken(verdict)) == ("REJECT", True)


def test_scores_of_another_model_are_rejected() -> None:
    verdict = decide(declare(GOOD), Rows(LABELS, HASHES, scores(0.9)), POLICY)
    assert broken(verdict) == ["metrics_match"]


def test_the_file_alone_supports_the_floors() -> None:
    assert decide_from_metrics(declare(GOOD), POLICY).verdict == "PROMOTE"
    low = decide_from_metrics(declare(GOOD, 0.62), POLICY)
    assert (low.verdict, broken(low)) == ("REJECT", ["recall_floor"])
    always = decide_from_metrics(declare(ALMOST_ALWAYS, 0.5), POLICY)
    assert broken(always) == ["precision_floor", "flagged_ceiling"]
    assert all(rule.sentence in always.sentence for rule in always.rules if not rule.passed)


@pytest.mark.parametrize(
    ("section", "name"),
    [(s, n) for s, n in CHECKED if s in ("rows", "confusion")]
    + [("holdout", name) for name in ("accuracy", "precision", "recall", "f1", "share_flagged")],
)
def test_a_file_that_does_not_agree_with_itself_is_rejected_by_name(section: str, name: str) -> None:
    for edited in edits(declare(GOOD)[section][name]):
        metrics = copy.deepcopy(declare(GOOD, 0.62 if name == "recall" else THRESHOLD))
        metrics[section][name] = edited
        verdict = decide_from_metrics(metrics, POLICY)
        assert verdict.verdict == "REJECT"
        assert verdict.sentence.startswith("metrics.json does not agree with its own counts")
        assert section == "confusion" or f"{section}.{name}" in verdict.sentence
        json.dumps(verdict.document(), allow_nan=False)


@pytest.mark.parametrize("metrics", [{}, {"holdout": None}, {"confusion": []}, {"holdout": {"recall": 1.0}, "rows": 3}])
def test_a_file_that_lacks_everything_is_rejected(metrics: dict[str, Any]) -> None:
    verdict = decide_from_metrics(metrics, POLICY)
    assert verdict.verdict == "REJECT"
    assert decide(metrics, Rows(LABELS, HASHES, GOOD), POLICY).verdict == "REJECT"
    assert {"recall_floor", "precision_floor", "flagged_ceiling"} >= set(broken(verdict)) - {"metrics_consistent"}
    json.dumps(verdict.document(), allow_nan=False)


@pytest.mark.parametrize(
    ("recall", "more"),
    [(0.71, ": 15 more leavers"), (0.7193, ": 2 more leavers"), (0.72, ""), (0.0, ": 1080 more leavers")],
)
def test_a_recall_below_its_floor_says_how_many_are_missing(recall: float, more: str) -> None:
    metrics = declare(GOOD)
    metrics["holdout"]["recall"] = recall
    rule = floors(metrics, POLICY)[0]
    assert (rule.passed, rule.value, rule.limit) == (not more, recall, 0.72)
    assert more in rule.sentence
    assert ("more" in rule.sentence) == bool(more)


def test_the_floors_themselves_are_cleared() -> None:
    metrics = declare(GOOD)
    metrics["holdout"] |= {"recall": 0.72, "precision": 0.66, "share_flagged": 0.70}
    assert all(rule.passed for rule in floors(metrics, POLICY))
    for name, value in (("recall", 0.7199), ("precision", 0.6599), ("share_flagged", 0.7001)):
        edited = metrics | {"holdout": metrics["holdout"] | {name: value}}
        assert [rule.passed for rule in floors(edited, POLICY)].count(False) == 1


def test_verdict_and_summary_as_they_are_written_down() -> None:
    verdict = judge(GOOD, champion(GOOD))
    document = json.loads(json.dumps(verdict.document(), allow_nan=False))
    assert document["schema"] == 1
    assert document["comparison"]["p_value"] == 1.0
    assert all(set(rule) == {"rule", "passed", "sentence", "value", "limit"} for rule in document["rules"])
    metrics = declare(GOOD)
    low, high = metrics["intervals"]["recall"]
    assert summary(document, metrics).startswith(
        f"HOLD: recall {metrics['holdout']['recall']:.4f} [{low:.4f}, {high:.4f}], precision "
    )
