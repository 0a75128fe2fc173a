"""No `run:` step of a workflow is left out by the tests that run them (tests/e2e): those tests are
read for the jobs that they play.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from flows.adapters.process import run

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PLAYED_IN = ("tests/e2e/test_workflow_steps.py", "tests/support/first_run.py")
# Hours on real controllers, as root: that make knows each step is shown here, and the scenes are
# the tests of tests/cluster themselves.
BY_NIGHT = {("e2e-cluster.yml", "canary"), ("e2e-cluster.yml", "kind")}
# Jobs of actions alone: GitHub's own servers are what they look at.
OF_ACTIONS = {("codeql.yml", "analyze"), ("scorecard.yml", "scorecard")}
# What no test here runs, with what stands for it.
ACTIONS = {
    "actions/checkout": "a clean clone",
    "actions/setup-python": "a Python of this machine, the first on PATH",
    "actions/upload-artifact": "GitHub keeps files; the tests look at them where they lie",
    "actions/create-github-app-token": "GitHub makes the token; a deploy key is used instead",
    "docker/login-action": "it writes the file of a login, which the tests of registries have",
    "aquasecurity/trivy-action": "its database; the layout that it reads is looked at",
    "github/codeql-action/init": "GitHub's scanner",
    "github/codeql-action/analyze": "GitHub's scanner",
    "github/codeql-action/upload-sarif": "GitHub's list of findings",
    "ossf/scorecard-action": "it asks GitHub about the repository",
}

Job = tuple[str, str]


def jobs(text: str, workflow: str) -> Iterator[Job]:
    """The jobs of a workflow that run something, as (workflow, job)."""
    for name, job in yaml.safe_load(text)["jobs"].items():
        if any("run" in step for step in job["steps"]):
            yield workflow, name


def with_steps() -> set[Job]:
    """Each job of the workflows that runs something."""
    return {job for file in WORKFLOWS for job in jobs(file.read_text(), file.name)}


def played() -> set[Job]:
    """The jobs that `job(...)` of tests/support/runner.py is called with: by its `name`, or the
    only one of a workflow.
    """
    found = set()
    for file in PLAYED_IN:
        for call in ast.walk(ast.parse((ROOT / file).read_text())):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "job":
                found.add(_named(call))
    return found


def _named(call: ast.Call) -> Job:
    workflow = ast.literal_eval(call.args[0])
    for keyword in call.keywords:
        if keyword.arg == "name":
            return workflow, ast.literal_eval(keyword.value)
    [only] = yaml.safe_load((ROOT / ".github" / "workflows" / workflow).read_text())["jobs"]
    return workflow, only


def test_every_job_is_played_with_all_its_steps() -> None:
    assert with_steps() - played() == BY_NIGHT
    assert played() <= with_steps()


def test_a_job_that_nobody_plays_would_be_found() -> None:
    new = {"steps": [{"run": "make bench"}]}
    text = yaml.safe_dump({"jobs": {"new": new, "other": {"steps": [{"uses": "x"}]}}})
    assert set(jobs(text, "ci.yml")) - played() == {("ci.yml", "new")}


def test_what_no_test_runs_is_known_by_name() -> None:
    used, alone = set(), set()
    for file in WORKFLOWS:
        for name, job in yaml.safe_load(file.read_text())["jobs"].items():
            used |= {step["uses"].partition("@")[0] for step in job["steps"] if "uses" in step}
            if not any("run" in step for step in job["steps"]):
                alone.add((file.name, name))
    assert used == set(ACTIONS)
    assert alone == OF_ACTIONS


@pytest.mark.parametrize("job", sorted(BY_NIGHT))
def test_make_knows_the_steps_of_the_night(job: Job) -> None:
    workflow, name = job
    document = yaml.safe_load((ROOT / ".github" / "workflows" / workflow).read_text())
    steps = [step["run"] for step in document["jobs"][name]["steps"] if "run" in step]
    assert steps
    for step in steps:
        command, target = step.split()
        assert command == "make"
        assert run(["make", "--dry-run", target], cwd=ROOT).stdout
