"""What is told of a search is the same before and after its file was written and read."""

from types import SimpleNamespace
from typing import Any

import msgspec

from flows.steps.tune import told
from sluice.model.fit.tuning_file import OBJECTIVE_OF_NUMBER, Trial, Tuning


def test_what_is_told_of_a_search_does_not_change_as_it_is_read_again() -> None:
    trial = Trial(0, "logistic_regression", {"bins": 8}, 0.6, 0.01, (0.6, 0.6), (0.7, 0.7))
    request: Any = SimpleNamespace(
        policy=SimpleNamespace(search=SimpleNamespace(families=["logistic_regression"]))
    )
    for tuning in (
        Tuning(winner=trial, trials=(trial,)),
        Tuning(winner=trial, trials=(trial,), objective=OBJECTIVE_OF_NUMBER),
    ):
        again = msgspec.json.decode(msgspec.json.encode(tuning), type=Tuning)
        before, after = (msgspec.to_builtins(told(request, one)) for one in (tuning, again))
        assert before == after
