"""What a step tells: its names as people write them, what it found as it is."""

import pytest

from flows.engine.outcome import Outcome
from flows.views import terminal
from flows.views.escape import escape


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"aside": "gate.recall_floor"}, "aside gate.recall_floor"),
        ({"holdout_rows": 14_900}, "14,900 holdout rows"),
        ({"roc_auc": 0.797612}, "roc auc 0.7976"),
        (
            {"winner": {"model_type": "hist_gradient_boosting", "max_depth": 3}},
            "model type hist_gradient_boosting, max depth 3",
        ),
        ({"digest": "a" * 64}, f"digest {'a' * 12}"),
        ({"note": "x" * 61, "empty": {}}, f"note {'x' * 57}..."),
        ({"cached": True}, "cached True"),
    ],
)
def test_names_are_words_and_values_stay(facts: dict[str, object], said: str) -> None:
    assert terminal.told(facts) == said


def test_text_of_others_sets_no_colour_and_steers_no_terminal() -> None:
    assert escape("[red]a[/]\x1b[2J\u202eb\nc") == "\\[red]a\\[/]\\x1b[2J\\u202eb\nc"


@pytest.mark.parametrize(
    ("outcome", "overlay", "said"),
    [
        ("promoted", "", "Promoted: release 3 of attrition is committed, Argo CD can sync it."),
        (
            "promoted",
            "staging",
            "Promoted: release 3 of attrition to staging is committed, Argo CD can sync it.",
        ),
        (
            "nothing to do",
            "staging",
            "Nothing to do: release 3 of attrition is live in staging already.",
        ),
        (
            "hold",
            "staging",
            "Hold: the champion of attrition in staging stays; nothing was committed.",
        ),
    ],
)
def test_the_last_line_says_where_beside_production(
    outcome: str, overlay: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal.summary(Outcome(outcome, "why", "attrition", release=3, overlay=overlay))
    assert capsys.readouterr().out.splitlines()[-1] == said
