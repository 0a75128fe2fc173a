"""Each `run:` step of the workflows, in order, in a clean clone."""

import json
import shutil
from pathlib import Path

import pytest
from support import vulnerabilities
from support.clones import PROJECT, Demo, clone, git, state
from support.runner import EVERY, Job, commands, job, matrix, python

from flows.adapters import process
from flows.project.models import models
from scripts.plan_comment import body


def test_a_release_says_its_verdict_and_that_it_was_a_dry_run(released: Job) -> None:
    ended = released.steps["Release"]
    assert ended.code == 0, ended.stdout + ended.stderr
    assert "PROMOTE: attrition" in released.summary
    assert "recall" in released.summary.lower()
    assert "dry run" in released.summary
    assert ended.last == "Promoted: release 1 of attrition is committed, Argo CD can sync it."


def test_the_evidence_that_is_kept_has_no_rows(released: Job) -> None:
    folder = state(released.clone) / "evidence"
    kept = {
        path.name
        for path in folder.rglob("*")
        if path.is_file() and path.suffix not in (".parquet", ".csv")
    }
    assert {"evidence.html", "evidence.json", "summary.md", "verdict.json", "metrics.json"} <= kept
    assert "scores.parquet" not in kept


def test_a_promotion_says_in_its_first_line_why_it_is_refused(
    released: Job, tmp_path: Path
) -> None:
    """Where no repository is set, nothing was ever live in staging."""
    typed = {"model": "attrition", "evidence": "0123456789ab"}
    ended = job("promote.yml", released.clone, tmp_path / "summary.md", inputs=typed)
    assert ended.steps["Set up"].code == 0
    promoted = ended.steps["Promote"]
    assert promoted.code == 2
    why = "nothing of attrition is live in staging"
    assert why in promoted.stderr
    assert ended.summary.startswith(f"# Refused: {why}")


def test_a_pull_request_gets_its_plan_as_data(released: Job, tmp_path: Path) -> None:
    """What plan.yml does with a pull request, and what plan-comment.yml makes of it."""
    place = released.clone
    base = {"github.event.pull_request.base.sha": "HEAD"}
    named = job("plan.yml", place, tmp_path / "none.md", name="changed", known=base)
    assert (named.outputs["models"], "No model is touched" in named.summary) == ("[]", True)
    planned = job(
        "plan.yml", place, tmp_path / "plan.md", name="plan", matrix={"model": "attrition"}
    )
    ended = planned.steps["Plan"]
    assert ended.code == 0, ended.stderr
    plan = json.loads((place.path / "plan.json").read_text())
    (place.path / "plan.json").unlink()
    assert plan["model"] == "attrition"
    assert plan["steps"]
    assert "### attrition" in body([plan], "c" * 40)
    refused = job("plan.yml", place, tmp_path / "x.md", name="plan", matrix={"model": "unheard"})
    assert refused.steps["Plan"].code == 2
    plan = json.loads((place.path / "plan.json").read_text())
    (place.path / "plan.json").unlink()
    assert "Refused: there is no model 'unheard'" in body([plan], "c" * 40)


def test_the_packages_are_audited_and_their_bill_is_kept(released: Job, tmp_path: Path) -> None:
    with vulnerabilities.service() as url:
        audited = job(
            "audit.yml", released.clone, tmp_path / "audit.md", name="packages", env={"OSV": url}
        )
    for name, ended in audited.steps.items():
        assert ended.code == 0, f"{name}\n{ended.stdout}\n{ended.stderr}"
    bill = json.loads((released.clone.path / ".sluice" / "bill.cdx.json").read_text())
    assert "bentoml" in {part["name"] for part in bill["components"]}


def test_what_is_live_is_looked_at_by_a_schedule(released: Job, tmp_path: Path) -> None:
    """Without settings the jobs are skipped on a runner; here what they run sees the demo."""
    place = released.clone
    named = job("monitor.yml", place, tmp_path / "models.md", name="models")
    assert json.loads(named.outputs["models"]) == models(place.path)
    assert "every model is looked at" in named.summary
    looked = job(
        "monitor.yml", place, tmp_path / "look.md", name="monitor", matrix={"model": "attrition"}
    )
    ended = looked.steps["Monitor"]
    assert (ended.code, "Traceback" in ended.stderr) == (2, False)  # nobody has asked the demo yet
    assert "log" in ended.stderr


def test_the_comment_needs_an_event_and_nothing_installed(demo: Demo, tmp_path: Path) -> None:
    """On a runner GitHub hands both over; without them it ends with a sentence."""
    place = clone(tmp_path, demo.clone.home)
    ended = job("plan-comment.yml", place, tmp_path / "comment.md").steps["Comment"]
    assert ended.code == 2  # of make; ours is 1
    assert "Error: the comment could not be written: 'GITHUB_EVENT_PATH' is missing" in ended.stderr
    assert not (place.path / ".venv").exists()


@pytest.mark.parametrize("version", matrix())
def test_the_checks_pass(
    version: str, demo: Demo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With every Python all steps; with one all but the tests, which whoever runs these has run:
    they take as long.
    """
    found, last = python(version), "" if EVERY else "Test"
    if found is None:
        pytest.skip(f"needs a Python {version} on PATH or in pyenv")
    try:
        checked = job(
            "ci.yml", clone(tmp_path, demo.clone.home, found), tmp_path / "summary.md", until=last
        )
    finally:
        shutil.rmtree(tmp_path / "sluice" / ".venv", ignore_errors=True)
    for name, ended in checked.steps.items():
        with capsys.disabled():
            print(f"\nPython {version}, {name}: {ended.seconds:.0f} s")
        assert ended.code == 0, f"{name}\n{ended.stdout[-6000:]}\n{ended.stderr[-6000:]}"
    assert len(checked.steps) == len(commands("ci.yml")) - bool(last)
    assert git(checked.clone.path, "status", "--porcelain") == ""


def test_the_step_that_tests_runs_the_tests_that_everybody_runs() -> None:
    assert commands("ci.yml")[-1] == "make coverage"
    counting = ("--cov", "json:", "term:")
    ran = [
        [word for word in recipe(target) if not word.startswith(counting)]
        for target in ("test", "coverage")
    ]
    assert ran[0] == ran[1] == recipe("test")


def recipe(target: str) -> list[str]:
    """The words of the line by which make would run pytest for a target."""
    said = process.run(["make", "--dry-run", target], cwd=PROJECT).stdout.splitlines()
    [line] = [line for line in said if line.startswith(".venv/bin/pytest ")]
    return line.split()
