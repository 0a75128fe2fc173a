"""What two models of several classes say of the same rows, against counts that are made another
way.
"""

from dataclasses import replace

import numpy as np
import pytest
from support import parcels

from sluice.canary.replay import SHARES, ClassOpinion, Tally, judged
from sluice.policy import CanaryPolicy
from sluice.served.contract import Contract, load_contract

CONTRACT = parcels.contract()
ROWS = 600


def said(seed: int, classes: int = 3) -> ClassOpinion:
    shares = np.random.default_rng(seed).dirichlet(np.ones(classes), ROWS)
    return ClassOpinion(shares, (1.0,) * classes)


def counted(before: ClassOpinion, after: ClassOpinion, other: Contract = CONTRACT) -> Tally:
    columns = parcels.columns(ROWS)
    tally = Tally(CONTRACT, {}, other)
    for start in range(0, ROWS, 250):
        part = slice(start, start + 250)
        some = {key: values[part] for key, values in columns.items()}
        of_part = (replace(one, scores=one.scores[part]) for one in (before, after))
        tally.add(some, *of_part)
    return tally


def test_shares_of_classes_and_histograms_are_those_of_the_rows() -> None:
    before, after = said(1), said(2)
    tally = counted(before, after)
    for side, one in zip(tally.sides(), (before, after), strict=True):
        assert side.flagged is None
        for place, name in enumerate(parcels.CLASSES):
            assert side.tiers[name].value == pytest.approx(np.mean(one.answers == place))
            upto = [np.mean(one.scores[:, place] <= limit) for limit in SHARES]
            assert side.classes[name] == pytest.approx(upto, abs=1e-5)
        answered = one.scores.max(axis=1)
        assert [share.value for share in side.at_most] == pytest.approx(
            [np.mean(answered <= limit) for limit in SHARES]
        )
    assert tally.agreement().value == pytest.approx(np.mean(before.answers == after.answers))
    distance = np.abs(before.scores - after.scores).sum(axis=1) / 2
    assert tally.change / ROWS == pytest.approx(distance.mean())
    moved = sum(one.answered for column in tally.largest()[:1] for one in column.values)
    assert 0 < moved <= tally.changed


def test_weights_decide_what_is_answered() -> None:
    plain = said(1)
    weighed = replace(plain, weights=(50.0, 1.0, 1.0))
    tally = counted(plain, weighed)
    expected = tally.expected().tiers["damaged"].change
    wanted = np.mean(weighed.answers == 0) - np.mean(plain.answers == 0)
    assert expected == pytest.approx(wanted, abs=1e-6)
    assert tally.change == 0  # the probabilities are the same


def test_the_limit_is_the_share_of_rows_with_another_class() -> None:
    plain = said(1)
    turned = plain.scores.copy()
    turned[:60] = turned[:60][:, [1, 2, 0]]
    within, sentence = judged(counted(plain, replace(plain, scores=turned)), CanaryPolicy())
    assert within
    assert "share of rows whose class changes is 10.0 % (60 of 600)" in sentence
    strict = CanaryPolicy(replay_changed=0.05)
    assert not judged(counted(plain, replace(plain, scores=turned)), strict)[0]


def test_a_class_that_only_the_candidate_knows_is_a_change() -> None:
    further = load_contract(
        parcels.CONTRACT.replace('"late", "on time"]', '"late", "lost", "on time"]')
    )
    plain = said(1)
    grown = np.insert(plain.scores, 2, 0.0, axis=1)
    tally = counted(plain, ClassOpinion(grown, (1.0,) * 4), further)
    assert (tally.changed, tally.change) == (0, 0)
    grown[:30] = [0.0, 0.0, 1.0, 0.0]
    tally = counted(plain, ClassOpinion(grown, (1.0,) * 4), further)
    assert tally.changed == 30
    assert tally.expected().tiers["lost"].change == pytest.approx(0.05)
    assert tally.migration()["late"]["lost"] == np.sum(plain.answers[:30] == 1)


def test_a_class_named_as_a_flag_is_foretold_as_the_service_counts_it() -> None:
    """The judge counts the answer "1" as flagged, whatever it means."""
    numbered = load_contract(
        parcels.CONTRACT.replace('"damaged", "late", "on time"', '"0", "1", "2"')
    )
    before, after = said(1), said(2)
    tally = Tally(numbered, {}, numbered)
    tally.add(parcels.columns(ROWS), before, after)
    expected = tally.expected()
    assert expected.flagged == expected.tiers["1"]
