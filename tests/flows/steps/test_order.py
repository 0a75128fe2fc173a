"""The order of the steps, and what each of them says that it writes."""

import importlib
from pathlib import Path

import pytest
from support import releases
from support.releases import Story, Told

from flows.engine.step import Step
from flows.engine.store import Result
from flows.project.root import ROOT
from flows.steps.order import STEPS, TO_IMAGE, TO_MODEL, TO_VERDICT

MODULES = sorted(path.stem for path in (ROOT / "flows" / "steps").glob("*.py"))


def test_every_step_has_its_place_in_the_order_once() -> None:
    defined: list[Step] = []
    for name in MODULES:
        module = importlib.import_module(f"flows.steps.{name}")
        own = [value for value in vars(module).values() if isinstance(value, Step)]
        defined += [step for step in own if step.module == module.__name__]
    assert sorted(step.name for step in STEPS) == sorted(step.name for step in defined)
    assert len({step.title for step in STEPS}) == len(STEPS)
    assert (*TO_MODEL, *TO_VERDICT, *TO_IMAGE) == STEPS


def written(result: Result) -> set[str]:
    names = {Path(name).parts[0] for name in result.outputs}
    return {f"{name}/" if (result.folder / name).is_dir() else name for name in names}


def test_each_step_writes_what_it_says(first: tuple[Story, Told], tools: str) -> None:
    """A release without a champion has no drift to show, and what is told of the holdout has no
    validation rows beside it.
    """
    releases.enter(first[0], tools)
    report = releases.planned().report
    assert report is not None
    candidate = report.candidate
    results: list[Result] = [
        candidate.validated,
        candidate.split,
        candidate.tuned,
        candidate.trained,
        report.decision.scored,
        report.decision.decided,
        report.evidence,
    ]
    steps = {step.name: step for step in STEPS}
    assert not candidate.request.policy.gate.worded
    absent = {"drift.html", "validation/", "validation.json"}
    for result in results:
        declared = set(steps[result.step].files)
        assert written(result) == declared - absent, result.step


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_a_step_is_named_for_people_and_for_programs(step: Step) -> None:
    assert step.name.isidentifier()
    assert step.title[:1].isupper()
    assert step.module == f"flows.steps.{step.name}"
