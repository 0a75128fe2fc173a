"""The verdict: the truth table, what each rule is needed for, and what the gate is proof
against.
"""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy import special
from support.holdouts import ROWS, Trial, better, cut, edited, first, groups, measured, model, world

from sluice.gate.case import Facts, Model
from sluice.gate.decide import BROKEN, MET, NEVER_WAIVED, OPEN, Verdict
from sluice.gate.paired import Difference
from sluice.policy import GroupFloor


def test_a_first_release_that_clears_every_floor_is_promoted() -> None:
    verdict = first().judge()
    assert (verdict.verdict, verdict.sentence) == (
        "PROMOTE",
        "This is the first model, and it clears every floor",
    )
    assert all((rule.state, rule.needed) == (MET, "") for rule in verdict.rules)
    assert verdict.champion is verdict.anchor is None


def test_a_better_candidate_is_promoted_with_its_gains_in_the_sentence() -> None:
    verdict = better().judge()
    pairs = verdict.champion.pairs
    assert verdict.verdict == "PROMOTE"
    assert verdict.sentence.startswith(
        f"The candidate finds {pairs.gained} positives that old misses and misses {pairs.lost} "
    )
    assert not verdict.refresh
    assert all((rule.state, rule.needed) == (MET, "") for rule in verdict.rules)


def test_the_same_ranking_holds() -> None:
    verdict = twin().judge()
    assert (verdict.verdict, verdict.refresh) == ("HOLD", False)
    assert verdict.champion.pairs.gained == verdict.champion.pairs.lost == 0


def test_a_champion_with_its_threshold_lowered_gains_nothing() -> None:
    champion = model("old", 0.6)
    lowered = replace(champion, tag="candidate", threshold=champion.threshold - 0.01)
    verdict = twin().but(candidate=lowered).judge()
    assert verdict.verdict == "HOLD"
    assert lowered.flagged.sum() > champion.flagged.sum()
    assert verdict.champion.recall.value == 0


def test_a_worse_candidate_is_rejected_with_what_would_have_passed() -> None:
    verdict = better().but(candidate=model("candidate", 1.6)).judge()
    broken = {rule.rule for rule in verdict.rules if rule.state == BROKEN}
    assert verdict.verdict == "REJECT"
    assert {"not_worse", "anchor_recall"} <= broken
    assert " more positives" in verdict.sentence


def test_too_few_rows_are_insufficient_with_the_number_that_would_tell() -> None:
    few = world(1_000)
    trial = Trial(
        model("candidate", 0.6, of=few),
        model("old", 0.6, of=few),
        model("frozen", 0.6, of=few),
        of=few,
    )
    verdict = trial.judge()
    assert verdict.verdict == "INSUFFICIENT"
    assert "more positives, if the difference stays" in verdict.sentence


def twin() -> Trial:
    """A candidate with the champion's own scores."""
    champion = model("old", 0.6)
    return first().but(
        candidate=replace(champion, tag="candidate"),
        champion=champion,
        anchor=replace(champion, tag="frozen"),
    )


@pytest.mark.parametrize(
    ("fresh", "days", "refresh"),
    [(True, 14, True), (True, 13, False), (False, 99, False), (True, 99, True)],
)
def test_fresh_data_replaces_an_equal_champion_when_it_is_old_enough(
    fresh: bool, days: int, refresh: bool
) -> None:
    verdict = twin().but(facts=Facts(fresh=fresh, champion_days=days)).judge()
    assert (verdict.verdict, verdict.refresh) == ("HOLD", refresh)
    assert (f"Fresh data may replace a champion of {days} days" in verdict.sentence) == refresh


def test_where_words_are_told_no_hold_replaces_a_champion() -> None:
    """Each refresh would tell that a candidate is within the margin."""
    verdict = twin().but(told="words", facts=Facts(fresh=True, champion_days=99)).judge()
    assert (verdict.verdict, verdict.refresh) == ("HOLD", False)


def test_nothing_open_lets_fresh_data_through() -> None:
    verdict = twin().but(facts=Facts(fresh=True, champion_days=99, uses=20)).judge()
    assert (verdict.verdict, verdict.refresh) == ("HOLD", False)
    assert "This holdout has decided 20 times; at most 20 are allowed" in verdict.sentence


def test_better_is_tested_at_the_level_of_the_first_look_of_a_use() -> None:
    little = better().but(candidate=model("candidate", 0.95))
    found = little.judge().champion.p_value
    assert little.but(level=min(0.4, found * 2.05 / 0.75)).judge().verdict == "PROMOTE"
    assert little.but(level=min(0.4, found * 1.95 / 0.75)).judge().verdict == "HOLD"


def test_every_reason_is_collected() -> None:
    verdict = (
        first().but(recall_floor=0.99, facts=Facts(duplicates=999), flagged_ceiling=0.5).judge()
    )
    told = [rule.rule for rule in verdict.rules if rule.state == BROKEN]
    assert told == ["no_duplicates", "recall_floor", "flagged_ceiling"]
    assert verdict.sentence.count("; ") == 3


def test_the_document_says_it_all() -> None:
    verdict = better().judge()
    document = verdict.document()
    compared = verdict.champion
    assert document["schema"] == 2
    assert (document["verdict"], document["sentence"], document["refresh"]) == (
        "PROMOTE",
        verdict.sentence,
        False,
    )
    assert document["champion"] == "old"
    assert document["comparison"] == {
        "against": "old",
        "flagged": compared.flagged,
        "gained": compared.pairs.gained,
        "lost": compared.pairs.lost,
        "positives": int(world().labels.sum()),
        "side": compared.pairs.side,
        "p_value": compared.p_value,
        "recall": {
            name: getattr(compared.recall, name) for name in Difference.__dataclass_fields__
        },
    }
    assert document["anchor"]["against"] == "frozen"
    assert document["rules"][1] == {
        "rule": "labelled",
        "state": "met",
        "sentence": (
            "The holdout has 6,931 positives and 7,969 negatives; at least 2 of each are required"
        ),
        "value": 6931.0,
        "limit": 2.0,
        "needed": "",
        "passed": True,
    }
    lone = first().judge().document()
    assert lone["champion"] is lone["comparison"] is lone["anchor"] is None


# --- what each rule is needed for
# -------------------------------------------------------------------------------------


# A threshold may lie anywhere: what people get is another rule's.
ANY = {"shipped_margin": 0.9, "shipped_flagged_margin": 0.9}


def _finite() -> Trial:
    scores = first().candidate.scores.copy()
    scores[np.argmax(scores)] = 1.5
    return first().but(candidate=replace(first().candidate, scores=scores))


def _flat() -> Trial:
    odds, labels = world().odds, world().labels
    low = odds <= np.quantile(odds, 0.55)
    scores = np.where(low, labels[low].mean(), special.expit(odds))
    return first().but(candidate=cut("candidate", scores), recall_floor=0.5)


def _noise() -> Trial:
    scores = 0.465 + 0.001 * np.random.default_rng(0).standard_normal(ROWS)
    candidate = Model("candidate", float(np.median(scores)), scores)
    return first().but(candidate=candidate, one_column=None, recall_floor=0.4, precision_floor=0.4)


def _powered() -> Trial:
    candidate = model("candidate", 0.6)
    return first().but(candidate=Model("candidate", candidate.threshold**2, candidate.scores**2))


def _rough() -> Trial:
    """Scores that lie far from the outcomes, where the policy states no ceiling of points."""
    return _powered().but(calibration_ceiling=0.0, calibration_share_ceiling=0.05)


def _bland() -> Trial:
    """Scores drawn towards the share of positives, under a wide ceiling of calibration."""
    candidate, mean = first().candidate, float(world().labels.mean())
    scores = mean + 0.3 * (candidate.scores - mean)
    threshold = mean + 0.3 * (candidate.threshold - mean)
    return first().but(
        candidate=Model("candidate", threshold, scores),
        calibration_ceiling=0.9,
        brier_skill_floor=0.3,
    )


COSTS = {"cost_of_a_miss": 2.0, "cost_of_a_false_alarm": 1.0}


def _dearer() -> Trial:
    """Cheaper than its champion, and dearer than the anchor."""
    return better().but(
        candidate=model("candidate", 1.2, seed=1),
        champion=model("old", 2.4),
        anchor=model("frozen", 0.3),
        anchor_segment_margin=0.9,
        brier_margin=0.9,
        **COSTS,
    )


def _anchored_high() -> Trial:
    """Loses recall against an anchor that flags nearly everybody: hardly any precision, and hardly
    any Brier score.
    """
    frozen = model("frozen", 0.3)
    frozen = replace(frozen, threshold=float(np.quantile(frozen.scores, 0.05)))
    scores = frozen.scores.copy()
    scores[np.flatnonzero(world().labels == 1)[:110]] = 0.001
    return better().but(candidate=cut("candidate", scores), anchor=frozen, **ANY)


def _anchored_low() -> Trial:
    """Loses precision among the few that the anchor flags: hardly any recall."""
    frozen = model("frozen", 0.3)
    frozen = replace(frozen, threshold=float(np.quantile(frozen.scores, 0.95)))
    scores = frozen.scores.copy()
    scores[np.flatnonzero(world().labels == 0)[:35]] = 0.999
    return better().but(candidate=cut("candidate", scores), anchor=frozen, **ANY)


def _uncalibrated() -> Trial:
    candidate = better().candidate
    scores, threshold = (
        special.expit(special.logit(value) * 4) for value in (candidate.scores, candidate.threshold)
    )
    return better().but(
        candidate=Model("candidate", threshold, scores),
        calibration_ceiling=0.5,
        anchor=replace(candidate, tag="frozen"),
    )


def simpson(loss: float = 0.08) -> Trial:
    """Better as a whole, and one group found less often than before."""
    team = groups("ABC", [0.2, 0.4, 0.4])
    mine, theirs = better().candidate, better().champion
    found = np.flatnonzero((team == "A") & (world().labels == 1) & mine.flagged)
    pairs = (team == "A") & (world().labels == 1)
    less = mine.flagged[pairs].sum() - theirs.flagged[pairs].sum() + round(loss * pairs.sum())
    scores = mine.scores.copy()
    scores[np.random.default_rng(4).choice(found, less, replace=False)] = mine.threshold - 0.05
    return better().but(
        candidate=replace(mine, scores=scores), segments={"team": team}, anchor_segment_margin=0.9
    )


def _three() -> Trial:
    """Some labels are 2: nothing but this rule looks at their values."""
    labels = world().labels.copy()
    labels[np.flatnonzero(labels == 0)[::100]] = 2
    of = replace(world(), labels=labels)
    trial = first().but(of=of)
    told = measured(trial)
    told["rows"]["holdout_positives"] = int((labels == 1).sum())
    return trial.but(metrics=told, calibration_ceiling=0.3)


def _blinded() -> Trial:
    """Better than champion and anchor among the few that these flag, and the same elsewhere."""
    old = better().champion
    strict = replace(old, threshold=float(np.quantile(old.scores, 0.975)))
    scores = old.scores.copy()
    sure = np.flatnonzero(strict.flagged)
    scores[sure[world().labels[sure] == 0]] = 0.001
    return better().but(
        candidate=cut("candidate", scores),
        champion=strict,
        anchor=replace(strict, tag="frozen"),
        **ANY,
    )


def _cautious() -> Trial:
    """Ranks better than the champion, and its threshold finds far fewer."""
    mine, theirs = better().candidate, better().champion
    positive = world().labels == 1
    wanted = float(theirs.flagged[positive].mean()) - 0.06
    threshold = float(np.quantile(mine.scores[positive], 1 - wanted))
    return better().but(candidate=replace(mine, threshold=threshold))


def _walked() -> Trial:
    """Better than a champion under which a group has lost what it had under the anchor."""
    team = groups("ABC", [0.2, 0.4, 0.4])
    mine, champion = better().candidate, better().champion
    group = (team == "A") & (world().labels == 1)
    found = np.flatnonzero(group & mine.flagged)
    lost = np.random.default_rng(4).choice(found, round(0.2 * group.sum()), replace=False)
    scores = mine.scores.copy()
    scores[lost] = mine.threshold - 0.05
    old = champion.scores.copy()
    old[lost] = 0.001
    return better().but(
        candidate=replace(mine, scores=scores),
        champion=replace(champion, scores=old),
        segments={"team": team},
        segment_margin=0.9,
    )


def _rare() -> Trial:
    rare = groups("AB", [0.001, 0.999])
    return better().but(segments={"team": rare}, segments_required=("team",))


def _unscored() -> Trial:
    champion = replace(better().champion, scores=np.full(ROWS, np.nan))
    return better().but(anchor=champion, facts=Facts(accepted=0.8))


def _worse() -> Trial:
    return better().but(candidate=model("candidate", 1.6), anchor=model("frozen", 2.2), **ANY)


# rule: (a trial in which it alone stands in the way, the verdict, the verdict without it)
NEEDED: dict[str, tuple[Callable[[], Trial], str, str]] = {
    "finite": (_finite, "REJECT", "PROMOTE"),
    "not_constant": (_flat, "REJECT", "PROMOTE"),
    "signal": (_noise, "REJECT", "PROMOTE"),
    "binary": (_three, "REJECT", "PROMOTE"),
    "no_duplicates": (lambda: first().but(facts=Facts(duplicates=150)), "REJECT", "PROMOTE"),
    "no_near_duplicates": (
        lambda: first().but(facts=Facts(near_duplicates=150), near_duplicate_ceiling=0.01),
        "REJECT",
        "PROMOTE",
    ),
    "no_leak": (lambda: first().but(one_column=model("Exit", 1.2)), "REJECT", "PROMOTE"),
    "more_than_one_column": (
        lambda: first().but(
            one_column=replace(first().candidate, tag="Exit"), one_column_ceiling=0.99
        ),
        "REJECT",
        "PROMOTE",
    ),
    "metrics_match": (lambda: edited(first(), 0.99, "holdout", "recall"), "REJECT", "PROMOTE"),
    "recall_floor": (lambda: first().but(recall_floor=0.88), "REJECT", "PROMOTE"),
    "precision_floor": (lambda: first().but(precision_floor=0.70), "REJECT", "PROMOTE"),
    "lift_floor": (lambda: first().but(lift_floor=1.5), "REJECT", "PROMOTE"),
    "brier_skill_floor": (_bland, "REJECT", "PROMOTE"),
    "calibration_share": (_rough, "REJECT", "PROMOTE"),
    "net_benefit": (
        lambda: first().but(cost_of_a_miss=1.0, cost_of_a_false_alarm=5.0),
        "REJECT",
        "PROMOTE",
    ),
    "anchor_net_benefit": (_dearer, "REJECT", "PROMOTE"),
    "flagged_ceiling": (lambda: first().but(flagged_ceiling=0.57), "REJECT", "PROMOTE"),
    "calibration": (_powered, "REJECT", "PROMOTE"),
    "stable_cross_validation": (
        lambda: edited(first(), 0.9, "cross_validation", "roc_auc", "mean"),
        "REJECT",
        "PROMOTE",
    ),
    "stable_validation": (
        lambda: edited(first(), 0.9, "validation", "roc_auc"),
        "REJECT",
        "PROMOTE",
    ),
    "stable_folds": (
        lambda: edited(first(), 0.06, "cross_validation", "roc_auc", "std"),
        "REJECT",
        "PROMOTE",
    ),
    "ledger": (lambda: better().but(facts=Facts(uses=20)), "HOLD", "PROMOTE"),
    "comparable": (_unscored, "HOLD", "PROMOTE"),
    "anchored": (lambda: better().but(anchor=None), "HOLD", "PROMOTE"),
    "split_changed": (
        lambda: better().but(facts=Facts(left_out=9), least_positives=9_999),
        "HOLD",
        "PROMOTE",
    ),
    "better": (better, "PROMOTE", "HOLD"),
    "not_worse": (_worse, "REJECT", "INSUFFICIENT"),
    "anchor_recall": (_anchored_high, "REJECT", "PROMOTE"),
    "anchor_precision": (_anchored_low, "REJECT", "PROMOTE"),
    "anchor_brier": (_uncalibrated, "REJECT", "PROMOTE"),
    "ranking_visible": (_blinded, "HOLD", "PROMOTE"),
    "as_shipped": (_cautious, "REJECT", "PROMOTE"),
    "anchor_segments": (_walked, "REJECT", "PROMOTE"),
    "group_floors": (
        lambda: better().but(
            segments={"team": groups("AB", [0.5, 0.5])},
            group_floors=(GroupFloor("team = A", 0.97),),
        ),
        "REJECT",
        "PROMOTE",
    ),
    "segments": (simpson, "REJECT", "PROMOTE"),
    "segments_required": (_rare, "HOLD", "PROMOTE"),
}


@pytest.mark.parametrize("rule", NEEDED)
def test_each_rule_is_needed(rule: str) -> None:
    make, verdict, without = NEEDED[rule]
    judged = make().judge()
    assert judged.verdict == verdict, judged.sentence
    assert make().judge(rule).verdict == without, make().judge(rule).sentence
    assert rule not in {looked.rule for looked in make().judge(rule).rules}
    if rule != "better":
        found = next(looked for looked in judged.rules if looked.rule == rule)
        assert found.state != MET
        assert found.needed, "what would have passed is not said"
        assert str(found) in judged.sentence


def test_without_both_classes_nothing_is_measured() -> None:
    lone = replace(world(), labels=np.eye(1, ROWS, dtype=np.int64)[0])
    candidate = first().candidate
    trial = Trial(candidate, of=lone, metrics={"threshold": 0.5})
    verdict = trial.judge()
    assert verdict.verdict == "INSUFFICIENT"
    assert [rule.rule for rule in verdict.rules] == ["binary", "labelled"]
    assert (
        verdict.sentence
        == "The holdout has 1 positive and 14,899 negatives; at least 2 of each are required. Label"
        " 1 more positive and 0 more negatives"
    )
    assert trial.judge("labelled").verdict == "REJECT"


def test_every_rule_has_its_case() -> None:
    seen = {
        rule.rule
        for trial in (better(), _unscored(), *(make() for make, _, _ in NEEDED.values()))
        for rule in trial.judge().rules
    }
    assert seen == {*NEEDED, "labelled"}


# --- what cannot fool it
# ----------------------------------------------------------------------------------------------


def _names(verdict: Verdict) -> set[str]:
    return {rule.rule for rule in verdict.rules if rule.state == BROKEN}


def test_always_leave() -> None:
    scores = np.full(ROWS, 0.99)
    verdict = better().but(candidate=Model("candidate", 0.5, scores)).judge()
    assert verdict.verdict == "REJECT"
    assert {"not_constant", "precision_floor", "flagged_ceiling"} <= _names(verdict)
    assert next(rule for rule in verdict.rules if rule.rule == "recall_floor").value == 1.0


def test_inverted_labels() -> None:
    scores = 1 - first().candidate.scores
    verdict = first().but(candidate=Model("candidate", 0.5, scores)).judge()
    assert "signal" in _names(verdict)
    assert "the scores are upside down" in verdict.sentence


def test_shuffled_labels() -> None:
    verdict = _noise().judge()
    assert _names(verdict) == {"signal"}
    assert "no better than chance, as if labels were shuffled" in verdict.sentence


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.01])
def test_scores_that_are_no_probabilities_stop_the_rest(value: float) -> None:
    scores = better().candidate.scores.copy()
    scores[7] = value
    verdict = better().but(candidate=replace(better().candidate, scores=scores), metrics={}).judge()
    assert verdict.verdict == "REJECT"
    assert [rule.rule for rule in verdict.rules] == ["binary", "labelled", "finite"]
    assert verdict.sentence == (
        "1 of 14,900 scores are not probabilities; numbers from 0 to 1 are required. Train a model"
        " that returns probabilities"
    )


def test_a_champion_that_cannot_score_the_rows_is_never_a_first_release() -> None:
    verdict = _unscored().but(champion=_unscored().anchor, anchor=better().anchor).judge()
    assert verdict.verdict == "INSUFFICIENT"
    assert verdict.sentence.startswith(
        "The champion accepts 80.0 % of the holdout rows; at least 95 % is required. Use a contract"
    )
    accepted = _unscored().but(champion=_unscored().anchor, facts=Facts()).judge()
    assert accepted.verdict == "INSUFFICIENT"


def test_simpson_names_the_group() -> None:
    verdict = simpson().judge()
    assert verdict.champion.recall.low > 0
    assert verdict.verdict == "REJECT"
    assert verdict.sentence.startswith("Recall of team = A falls by 0.0")
    assert "more positives in team = A" in verdict.sentence
    assert simpson(0.02).judge().verdict == "PROMOTE"


def test_retrains_of_one_recipe_are_not_refused_for_one_of_thirteen_groups() -> None:
    refused, draws = 0, 60
    for seed in range(draws):
        rows = world(2_000, seed)
        candidate, champion = (model(tag, 0.4, seed, rows) for tag in ("candidate", "old"))
        kinds = {
            "a": groups("ABCD", [0.25] * 4, seed, 2_000),
            "b": groups("ABCDEFGHI", [1 / 9] * 9, seed + 999, 2_000),
        }
        trial = Trial(candidate, champion, champion, segments=kinds, of=rows)
        refused += "segments" in _names(trial.judge())
    assert refused <= 0.05 * draws


def test_retrains_of_one_recipe_are_seldom_promoted() -> None:
    promoted, draws = 0, 80
    for seed in range(draws):
        rows = world(2_000, seed)
        candidate, champion = (model(tag, 0.4, seed, rows) for tag in ("candidate", "old"))
        verdict = Trial(candidate, champion, champion, of=rows).but(level=0.05).judge()
        promoted += verdict.verdict == "PROMOTE"
    assert promoted <= 0.05 * draws


def test_the_gate_knows_numpy_and_scipy_and_nothing_else() -> None:
    code = """
import sys, sluice.gate.decide
ours = {"numpy", "scipy", "sluice", "__main__"}
heavy = {"pandas", "sklearn", "onnx", "onnxruntime", "optuna", "prefect", "mlflow"}
heavy |= {"statsmodels", "matplotlib"}
loaded = {name.split(".")[0] for name in sys.modules}
assert not loaded & heavy, loaded & heavy
modules = sorted(name for name in sys.modules if name.startswith("sluice."))
print(*modules)
"""
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    gate = ["", ".as_shipped", ".case", ".comparison", ".decide", ".first_release", ".floors"]
    gate += [".groups", ".hold", ".limits", ".net_benefit"]
    gate += [".paired", ".power", ".rules", ".sequential", ".spending", ".stability"]
    gate += [".travelling", ".visibility"]
    model = [
        "",
        ".fit",
        ".fit.tuning_file",
        ".quality",
        ".quality.clusters",
        ".quality.error_costs",
        ".quality.metrics",
        ".quality.metrics_file",
        ".quality.operating_point",
        ".quality.statistics",
    ]
    wanted = [
        "class_policy",
        "errors",
        *(f"gate{name}" for name in gate),
        *(f"model{name}" for name in model),
        "number_policy",
        "percent",
        "policy",
        "schedule",
        "served",
        "served.words",
        "toml_text",
    ]
    assert said == [f"sluice.{name}" for name in wanted]


def test_open_rules_stand_in_the_way_for_now_only() -> None:
    verdict = better().but(facts=Facts(uses=20)).judge()
    waiting = next(rule for rule in verdict.rules if rule.rule == "ledger")
    assert (waiting.state, waiting.passed) == (OPEN, True)
    assert not next(
        rule for rule in first().but(recall_floor=0.99).judge().rules if rule.state == BROKEN
    ).passed


def test_a_waived_rule_lets_a_candidate_by_and_is_named() -> None:
    trial = better().but(recall_floor=0.99)
    assert trial.judge().verdict == "REJECT"
    waived = trial.but(facts=replace(trial.facts, waived="recall_floor"))
    verdict = waived.judge()
    [rule] = [rule for rule in verdict.rules if rule.rule == "recall_floor"]
    assert (verdict.verdict, rule.state, rule.passed) == ("PROMOTE", "waived", True)
    assert f". Rule recall_floor is waived ({rule})" in verdict.sentence
    assert waived.but(precision_floor=0.99).judge().verdict == "REJECT"


def test_what_is_met_is_not_called_waived() -> None:
    verdict = better().but(facts=Facts(waived="recall_floor")).judge()
    assert "waived" not in verdict.sentence + str([rule.state for rule in verdict.rules])


def _of_one_class() -> Trial:
    trial = better()
    labels = np.zeros_like(trial.of.labels)
    return trial.but(of=replace(trial.of, labels=labels), metrics={"schema": 1})


@pytest.mark.parametrize("rule", NEVER_WAIVED)
def test_no_override_sets_aside_what_numbers_rest_on(rule: str) -> None:
    faulty = _of_one_class() if rule == "labelled" else NEEDED[rule][0]()
    waived = faulty.but(facts=replace(faulty.facts, waived=rule), metrics=faulty.metrics).judge()
    [found] = [looked for looked in waived.rules if looked.rule == rule]
    assert found.state in ("broken", "open")
    assert waived.verdict != "PROMOTE"


def test_a_champion_that_cannot_be_compared_is_passed_by_an_override_and_the_lower_limits() -> None:
    blind = replace(better().champion, scores=np.full(ROWS, np.nan))
    stuck = better().but(
        champion=blind, anchor=replace(blind, tag="frozen"), facts=Facts(accepted=0.5)
    )
    verdict = stuck.judge()
    assert verdict.verdict == "INSUFFICIENT"
    assert "sign an override of `comparable`" in verdict.sentence
    passed = stuck.but(facts=replace(stuck.facts, waived="comparable")).judge()
    assert passed.verdict == "PROMOTE"
    said = (
        "It clears every floor with its lower limits; the champion cannot be compared. Rule"
        " comparable is waived ("
    )
    assert passed.sentence.startswith(said)
    near = stuck.but(
        facts=replace(stuck.facts, waived="comparable"), recall_floor=_recall(stuck) - 0.002
    )
    assert near.judge().verdict == "INSUFFICIENT"


def _recall(trial: Trial) -> float:
    return float(trial.candidate.flagged[trial.of.labels == 1].mean())
