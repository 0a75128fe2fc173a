"""A plan on the terminal: HIT or MISS with its cause, the change, and the line that matters."""

import pytest
from support.terminal import shown

from flows.engine.outcome import Outcome
from flows.engine.planned import Planned
from flows.views.releases import plan

STEPS = (
    Planned("split", "Split rows", hit=True),
    Planned("tune", "Tune", hit=False, cause="policy changed"),
    Planned("train", "Train", hit=False, cause="waits for what tune puts out"),
)


def test_each_step_has_its_cause_and_the_misses_are_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    plan.show(STEPS, "", None)
    assert shown(capsys) == [
        "HIT Split rows",
        "MISS Tune policy changed",
        "MISS Train waits for what tune puts out",
        "2 steps would run.",
    ]


def test_one_step_is_one_step(capsys: pytest.CaptureFixture[str]) -> None:
    plan.show(STEPS[:2], "", None)
    assert shown(capsys)[-1] == "1 step would run."


def test_the_change_to_the_manifest_repo_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    plan.show(STEPS[:1], '-    newTag: "one"\n+    newTag: "two"', None)
    assert shown(capsys)[1:] == ['- newTag: "one"', '+ newTag: "two"', "0 steps would run."]


@pytest.mark.parametrize(
    ("outcome", "line"),
    [
        ("nothing to do", "Nothing to do: it is live already."),
        ("hold", "Nothing to do: it is live already."),
        ("refused", "Refused: it is live already."),
        ("quarantined", "Refused: it is live already."),
    ],
)
def test_where_nothing_is_left_to_do_the_outcome_says_so(
    outcome: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    plan.show(STEPS, "", Outcome(outcome, "it is live already", "attrition"))
    assert shown(capsys)[-1] == line
