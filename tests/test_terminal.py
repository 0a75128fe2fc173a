"""What a step tells: its names as people write them, what it found as it is."""

import pytest

from flows import terminal
from flows.markup import escape


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"aside": "gate.recall_floor"}, "aside gate.recall_floor"),
        ({"holdout_rows": 14_900}, "14,900 holdout rows"),
        ({"roc_auc": 0.797612}, "roc auc 0.7976"),
        ({"winner": {"model_type": "hist_gradient_boosting", "max_depth": 3}},
         "model type hist_gradient_boosting, max depth 3"),
        ({"digest": "a" * 64}, f"digest {'a' * 12}"),
        ({"note": "x" * 61, "empty": {}}, f"note {'x' * 57}..."),
        ({"cached": True}, "cached True"),
    ],
)  # fmt: skip
def test_names_are_words_and_values_stay(facts: dict[str, object], said: str) -> None:
    assert terminal.told(facts) == said


def test_text_of_others_sets_no_colour_and_steers_no_terminal() -> None:
    assert escape("[red]a[/]\x1b[2J\u202eb\nc") == "\\[red]a\\[/]\\x1b[2J\\u202eb\nc"
