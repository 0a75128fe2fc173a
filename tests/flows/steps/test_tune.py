"""The search as a step: by the method of the policy, and within the directions of the contract."""

from pathlib import Path

import pytest
from support import releases
from support.releases import Story

from flows.engine.perform import Plainly
from flows.engine.request import Request, begin
from flows.engine.store import Result
from flows.facts.step_files import MODEL, TUNING
from flows.facts.tuned import Tuned
from flows.orchestration.real_tools import real_tools
from flows.project import settings
from flows.steps.split import SPLIT
from flows.steps.train import TRAIN
from flows.steps.tune import TUNE, told
from flows.steps.validate import VALIDATE
from sluice.errors import UsageError
from sluice.model.fit.monotone import WHY_NOT
from sluice.model.fit.tuning_file import Tuning

BOTH = ["logistic_regression", "gradient_boosting"]


def searched(request: Request) -> tuple[Result[Tuned], str]:
    """The search of a request, and the card of the model that it led to."""
    runner = Plainly(request.settings.home, request.model, cache=False)
    rows = runner.do(SPLIT, request, runner.do(VALIDATE, request))
    tuned = runner.do(TUNE, request, rows)
    trained = runner.do(TRAIN, request, rows, tuned)
    return tuned, (trained.folder / MODEL / "card.md").read_text(encoding="utf-8")


def directed(project: Path) -> None:
    """Let a score only fall with the number of promotions."""
    contract = project / "models" / "attrition" / "contract.toml"
    text = contract.read_text(encoding="utf-8")
    column = '[columns."Number of Promotions"]\n'
    assert column in text
    contract.write_text(text.replace(column, f'{column}monotone = "down"\n'), encoding="utf-8")


def request_of() -> Request:
    return begin(settings.load(), real_tools(), "attrition", cache=False)


def test_a_family_that_cannot_keep_a_direction_is_not_tried_and_the_card_says_so(
    unreleased: Story,
) -> None:
    directed(unreleased.project)
    search = {"families": BOTH, "method": "adaptive", "trials": 4, "folds": 3}
    releases.change_policy(unreleased.project, search=search)
    request = request_of()
    tuned, card = searched(request)
    tuning = tuned.parsed(TUNING, Tuning)
    assert {trial.family for trial in tuning.trials} == {"gradient_boosting"}
    assert tuning.left_out == {"logistic_regression": WHY_NOT}
    assert tuned.facts == told(request, tuning)
    assert set(tuned.facts.trials) == {"gradient_boosting"}
    assert 3 <= tuning.fits <= 6
    assert f"Not tried: logistic regression, because {WHY_NOT}." in card


def test_where_no_family_can_keep_a_direction_nothing_is_searched(unreleased: Story) -> None:
    directed(unreleased.project)
    with pytest.raises(UsageError, match="one of gradient_boosting, random_forest is required"):
        searched(request_of())


def test_without_a_direction_nothing_is_said_of_families(unreleased: Story) -> None:
    releases.change_policy(unreleased.project, search={"families": BOTH[:1]})
    tuned, card = searched(request_of())
    content = tuned.read(TUNING).decode()
    assert "left_out" not in content
    assert "looked_at" not in content
    assert "Not tried" not in card
