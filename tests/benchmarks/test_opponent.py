"""The opponent without labels: what is told decides how far it gets."""

import numpy as np
import pytest

from benchmarks.opponent import (
    CLIMB,
    COMBINE,
    COUNTED,
    DRAWN,
    EXACT,
    PROMOTED,
    SEEDS,
    STEER,
    VERDICTS,
    WHOLE,
    Play,
    Told,
    fooled,
    informed,
    main,
    shown,
    upper,
)
from sluice.gate.paired import Pairs, better


def test_the_test_is_that_of_the_gate() -> None:
    random = np.random.default_rng(3)
    gained, lost = random.integers(0, 60, (2, 200))
    side = np.full(200, 100)
    levels = random.choice([0.05, 0.025, 0.0025], 200)
    wanted = [
        better(Pairs(int(g), int(other), 1_000, 100)) <= level
        for g, other, level in zip(gained, lost, levels, strict=True)
    ]
    assert shown(gained, lost, side, levels).tolist() == wanted
    assert 10 < sum(wanted) < 190


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (Told(EXACT), [-36.0, 0.0, 17.0, 69.0]),
        (Told(EXACT, 0.01), [-70.0, 0.0, 0.0, 70.0]),
        (Told(VERDICTS), [-1.0, 1.0, 1.0, 1.0]),
        (Told(PROMOTED), [0.0, 0.0, 0.0, 0.0]),
    ],
    ids=str,
)
def test_what_is_told_is_as_coarse_as_it_says(told: Told, said: list[float]) -> None:
    assert told.of(np.array([-36.0, 0.0, 17.0, 69.0])).tolist() == said


def test_figures_let_a_combination_through_and_words_do_not() -> None:
    assert fooled(Play(COMBINE, Told(EXACT)), 20) > 0.5
    assert fooled(Play(COMBINE, Told(PROMOTED)), 20) < 0.2


def test_words_that_are_priced_carry_nothing_through() -> None:
    assert fooled(Play(STEER, Told(VERDICTS)), 20) > 0.4
    assert fooled(Play(STEER, Told(VERDICTS), priced=True), 20) < 0.2


@pytest.mark.parametrize(
    ("share", "limit"), [(0.0, 0.00299), (0.04, 0.0518), (0.038, 0.0495), (1.0, 1.0)]
)
def test_the_upper_limit_is_that_of_clopper_and_pearson(share: float, limit: float) -> None:
    assert upper(share, 1_000) == pytest.approx(limit, abs=2e-4)


def test_it_says_that_too_much_gets_through(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--sequences", "4"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("seeds    told the figures")
    assert any(line.startswith("steer    told the verdict, each word priced") for line in lines)
    assert [line for line in lines if line.startswith("champion told the whole ")]


def test_a_curve_of_the_champion_says_what_to_exchange_and_its_whole_does_not() -> None:
    assert informed(DRAWN, 40) > 0.2
    assert informed(WHOLE, 40) < 0.15
    assert informed(COUNTED, 40) < 0.15


@pytest.mark.parametrize("attack", [SEEDS, CLIMB, COMBINE])
def test_whoever_is_told_words_learns_nothing(attack: str) -> None:
    """What is submitted next does not depend on the labels until there is a PROMOTE."""
    told = Told(PROMOTED).of(np.array([-400.0, -1.0, 0.0, 1.0, 400.0]))
    assert len(set(told.tolist())) == 1
    assert fooled(Play(attack, Told(PROMOTED)), 40) < 0.2
