"""The workflows: audited offline, pinned, with the least rights, and each step one line that a
person can type.
"""

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.adapters.process import run

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = {file.name: file for file in sorted(FOLDER.glob("*.yml"))}
TOOLS = Path(sys.executable).parent
_FINDINGS = {"actions": "read", "security-events": "write"}
# What a job may do besides reading the code.
RIGHTS = {
    "codeql.yml": _FINDINGS,
    "plan-comment.yml": {"actions": "read", "pull-requests": "write"},
    "scorecard.yml": _FINDINGS,
}
# Nothing here is run there: the programs are others'.
OF_ACTIONS_ALONE = {"codeql.yml", "scorecard.yml"}


def load(name: str) -> dict[str, Any]:
    found: dict[Any, Any] = yaml.safe_load(WORKFLOWS[name].read_text())
    # `on` is true in YAML 1.1
    return {"on" if key is True else str(key): value for key, value in found.items()}


def steps(name: str) -> list[dict[str, Any]]:
    return [step for job in load(name)["jobs"].values() for step in job["steps"]]


def test_each_is_known_here() -> None:
    assert set(WORKFLOWS) == {
        "admission.yml",
        "audit.yml",
        "ci.yml",
        "codeql.yml",
        "e2e-cluster.yml",
        "monitor.yml",
        "plan-comment.yml",
        "plan.yml",
        "promote.yml",
        "reconcile.yml",
        "release.yml",
        "scorecard.yml",
    }


def test_zizmor_finds_nothing() -> None:
    audit = run([TOOLS / "zizmor", "--offline", "--persona=pedantic", "--format=plain", FOLDER])
    assert "No findings" in audit.stdout


def test_zizmor_would_find_something(tmp_path: Path) -> None:
    mutant = tmp_path / ".github" / "workflows" / "ci.yml"
    mutant.parent.mkdir(parents=True)
    mutant.write_text(
        WORKFLOWS["ci.yml"].read_text().replace("persist-credentials: false", "fetch-depth: 1")
    )
    audit = run([TOOLS / "zizmor", "--offline", "--format=plain", mutant], check=False)
    assert audit.code
    assert "artipacked" in audit.stdout


def test_they_are_valid() -> None:
    run(
        [
            TOOLS / "check-jsonschema",
            "--builtin-schema",
            "vendor.github-workflows",
            *WORKFLOWS.values(),
        ]
    )


def test_yamllint_finds_nothing() -> None:
    project = FOLDER.parent.parent
    words = ["--strict", "--config-file", project / ".yamllint.yaml"]
    run([TOOLS / "yamllint", *words, FOLDER, project / "deploy" / "compose"])


def test_yamllint_would_find_something(tmp_path: Path) -> None:
    mutant = tmp_path / "ci.yml"
    mutant.write_text(WORKFLOWS["ci.yml"].read_text() + "permissions: {}\n")
    words = ["--strict", "--config-file", FOLDER.parent.parent / ".yamllint.yaml"]
    found = run([TOOLS / "yamllint", *words, mutant], check=False)
    assert found.code
    assert "key-duplicates" in found.stdout


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_action_is_pinned_by_commit_with_its_version_beside(name: str) -> None:
    lines = re.findall(r"uses:.*", WORKFLOWS[name].read_text())
    assert len(lines) == sum("uses" in step for step in steps(name))
    for line in lines:
        assert re.fullmatch(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


@pytest.mark.parametrize("name", WORKFLOWS)
def test_the_reason_of_each_right_is_beside_it(name: str) -> None:
    lines = WORKFLOWS[name].read_text().splitlines()
    rights = [line for line in lines if re.match(r" +[a-z-]+: (read|write)\b", line)]
    of_jobs = [line for line in rights if not line.strip().startswith("permission-")]
    assert len(of_jobs) == sum(len(job["permissions"]) for job in load(name)["jobs"].values())
    for line in rights:
        assert re.search(r": (read|write) # \w+", line), line


@pytest.mark.parametrize("name", WORKFLOWS)
def test_nothing_may_be_written(name: str) -> None:
    assert load(name)["permissions"] == {}
    besides = RIGHTS.get(name, {})
    longest = 330 if name == "e2e-cluster.yml" else 60  # minutes: scenes are played again and again
    for job in load(name)["jobs"].values():
        assert job["permissions"] == {"contents": "read", **besides}
        assert 0 < job["timeout-minutes"] <= longest
    for step in steps(name):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_step_is_one_line_of_make_or_sluice(name: str) -> None:
    commands = [step["run"] for step in steps(name) if "run" in step]
    assert bool(commands) != (name in OF_ACTIONS_ALONE)
    for command in commands:
        line = r'make [a-z0-9-]+|\.venv/bin/sluice [a-z-]+( [\w./=-]+| "\$[A-Z_]+")*'
        assert re.fullmatch(line, command), command


def test_a_pull_request_sees_no_secret() -> None:
    events = {name: set(load(name)["on"]) for name in WORKFLOWS}
    with_pulls = {name for name, on in events.items() if "pull_request" in on}
    assert with_pulls == {"admission.yml", "audit.yml", "ci.yml", "codeql.yml", "plan.yml"}
    for name in with_pulls:
        assert "secrets." not in WORKFLOWS[name].read_text()
    assert not any("pull_request_target" in on for on in events.values())
    assert {name for name, on in events.items() if "workflow_run" in on} == {"plan-comment.yml"}


def test_the_job_that_may_comment_runs_nothing_of_the_pull_request() -> None:
    """It checks out the default branch, as `workflow_run` gives it, and nothing else."""
    document = load("plan-comment.yml")
    assert document["on"]["workflow_run"] == {"workflows": ["plan"], "types": ["completed"]}
    checkout, comment = document["jobs"]["comment"]["steps"]
    assert checkout["with"] == {"persist-credentials": False}
    assert comment["run"] == "make comment"
    assert "github.event" not in str(comment)
    assert load("plan.yml")["name"] == "plan"


def test_what_a_schedule_starts_pushes_nothing_that_would_start_another() -> None:
    """The token of a job starts no workflow, and none here may write to the repository at all."""
    for name in WORKFLOWS:
        for job in load(name)["jobs"].values():
            assert job["permissions"]["contents"] == "read"
    for name, needed in (("monitor", "PREDICTION_LOG"), ("reconcile", "CLUSTER")):
        document = load(f"{name}.yml")
        assert set(document["on"]) == {"schedule", "workflow_dispatch"}
        condition = f"vars.SLUICE_MANIFESTS != '' && vars.SLUICE_{needed} != ''"
        assert document["jobs"]["models"]["if"] == condition
        assert document["jobs"][name]["environment"] == name  # with secrets of its own


def test_an_app_may_write_one_repository_and_no_more() -> None:
    """A token of an app without a list has the rights of the app in all repositories."""
    for name in ("release.yml", "promote.yml"):
        [app] = [step for step in steps(name) if step.get("id") == "app"]
        assert app["if"] == "vars.MANIFESTS_APP_CLIENT != ''"
        assert app["with"]["repositories"] == "${{ vars.MANIFESTS_APP_REPOSITORY || 'manifests' }}"
        rights = {key: value for key, value in app["with"].items() if key.startswith("permission-")}
        assert rights == {
            "permission-contents": "write",
            "permission-pull-requests": "write",
        }


def test_what_a_dispatch_names_is_released_by_its_hash() -> None:
    """Nobody reviewed it: `sluice data add --expect` refuses other bytes, and other places."""
    assert load("release.yml")["on"]["repository_dispatch"] == {"types": ["data"]}
    [data] = [step for step in steps("release.yml") if step["name"] == "Data"]
    assert data["if"] == "github.event.client_payload.data != ''"
    assert data["run"] == '.venv/bin/sluice data add "$DATA" --model "$MODEL" --expect "$HASH"'


def test_an_image_is_scanned_and_what_can_be_mended_is_red() -> None:
    [scan] = [step for step in steps("audit.yml") if "trivy-action" in step.get("uses", "")]
    assert scan["with"] == {
        "input": ".sluice/scanned",
        "scanners": "vuln",
        "severity": "HIGH,CRITICAL",
        "ignore-unfixed": True,
        "exit-code": "1",
    }


def test_the_cluster_is_tested_at_night_and_without_a_secret() -> None:
    document = load("e2e-cluster.yml")
    assert set(document["on"]) == {"schedule", "workflow_dispatch"}
    assert "secrets." not in WORKFLOWS["e2e-cluster.yml"].read_text()
    assert [step["run"] for step in steps("e2e-cluster.yml") if "run" in step] == [
        "make cluster",
        "make cluster-drill",
        "make cluster-down",
        "make kind",
        "make kind-e2e",
        "make kind-down",
    ]


def test_a_pull_request_that_touches_a_manifest_is_admitted_by_a_real_api_server() -> None:
    paths = load("admission.yml")["on"]["pull_request"]["paths"]
    folders = [path.removesuffix("/**") for path in paths]
    assert {"deploy/argocd", "tests/cluster"} <= set(folders)
    assert all((ROOT / folder).exists() for folder in folders)
    assert [step["run"] for step in steps("admission.yml") if "run" in step] == [
        "make cluster-admission"
    ]


def test_a_secret_goes_to_one_step_alone() -> None:
    holding = [step["name"] for step in steps("release.yml") if "secrets." in str(step)]
    assert holding == ["Log in to the registry", "Token of the app", "Keys", "Data", "Release"]
    [data] = [step for step in steps("release.yml") if step["name"] == "Data"]
    assert "SLUICE_GIT_TOKEN" not in data["env"]  # what reads data writes no manifest repository
    jobs = load("release.yml")["jobs"]
    for job in jobs.values():
        assert "secrets." not in str({key: value for key, value in job.items() if key != "steps"})
    assert jobs["changed"]["if"] == "github.ref == 'refs/heads/main'"
    assert jobs["release"]["needs"] == "changed"  # which is skipped elsewhere, and it with that


def test_a_release_is_never_cut_off() -> None:
    document = load("release.yml")
    assert document["jobs"]["release"]["concurrency"] == {
        "group": "release-${{ matrix.model }}-${{ inputs.environment || 'production' }}",
        "cancel-in-progress": False,
    }
    # GitHub keeps one waiting run of a group: a push that waits for another's model would be lost.
    assert document["concurrency"] == {
        "group": "release-${{ github.run_id }}",
        "cancel-in-progress": False,
    }


def test_what_was_reviewed_is_the_commit_before_the_push_with_its_whole_history() -> None:
    """A first push has zeros there, and a forced one a commit that nobody may have any more."""
    checkouts = [step for step in steps("release.yml") if "checkout@" in step.get("uses", "")]
    assert [checkout["with"]["fetch-depth"] for checkout in checkouts] == [0, 0]
    [release] = [step for step in steps("release.yml") if step["name"] == "Release"]
    forced = f"github.event.forced && '{'0' * 40}'"
    wanted = f"${{{{ {forced} || github.event.before || 'HEAD^' }}}}"
    assert release["env"]["SLUICE_PROTECTED_REF"] == wanted


def test_which_models_are_released_is_said_by_what_changed() -> None:
    document = load("release.yml")
    assert document["on"]["push"] == {"branches": ["main"]}  # what changed is no logic of YAML
    first, then = document["jobs"]["changed"], document["jobs"]["release"]
    assert first["outputs"] == {"models": "${{ steps.changed.outputs.models }}"}
    [asked] = [step for step in first["steps"] if step.get("id") == "changed"]
    before = f"!github.event.forced && github.event.before || '{'0' * 40}'"
    named = "inputs.model || github.event.client_payload.model"
    assert asked["env"] == {"BASE": f"${{{{ {before} }}}}", "MODEL": f"${{{{ {named} }}}}"}
    assert then["strategy"]["matrix"] == {"model": "${{ fromJSON(needs.changed.outputs.models) }}"}
    assert then["if"] == "needs.changed.outputs.models != '[]'"  # an empty matrix is an error
    assert then["strategy"]["fail-fast"] is False


def test_rows_stay_on_the_runner() -> None:
    [upload] = [step for step in steps("release.yml") if "upload-artifact" in step.get("uses", "")]
    assert upload["if"] == "always()"
    own, demo, *left_out = upload["with"]["path"].split()
    assert (own, demo) == (".sluice/evidence/", ".sluice/demo/evidence/")
    assert left_out == ["!.sluice/**/*.parquet", "!.sluice/**/*.csv"]
    # .sluice is hidden; without this nothing would be kept
    assert upload["with"]["include-hidden-files"] is True


def test_the_same_python_versions_as_the_project() -> None:
    metadata = (FOLDER.parent.parent / "pyproject.toml").read_text()
    for job in load("ci.yml")["jobs"].values():
        assert job["strategy"]["matrix"]["python"] == re.findall(r"Python :: (3\.\d+)", metadata)


def test_a_promotion_is_about_one_evidence_behind_an_environment() -> None:
    """Who approves the job sees the hash in its name, and no other evidence is promoted by it."""
    document = load("promote.yml")
    assert set(document["on"]) == {"workflow_dispatch"}
    inputs = document["on"]["workflow_dispatch"]["inputs"]
    assert all(inputs[name]["required"] for name in ("model", "evidence"))
    assert "${{ inputs.evidence }}" in document["run-name"]
    [job] = document["jobs"].values()
    assert job["environment"] == "production"
    assert job["if"] == "github.ref == 'refs/heads/main'"
    [promote] = [step for step in job["steps"] if step["name"] == "Promote"]
    assert '--evidence "$EVIDENCE"' in promote["run"]
    assert promote["env"]["SLUICE_PROTECTED_REF"] == "HEAD^"
    holding = [step["name"] for step in job["steps"] if "secrets." in str(step)]
    assert holding == ["Log in to the registry", "Token of the app", "Keys", "Promote"]


def test_a_promotion_waits_for_a_release_to_production() -> None:
    group = load("promote.yml")["concurrency"]
    release = load("release.yml")["jobs"]["release"]["concurrency"]
    there = release["group"].replace("matrix.model", "inputs.model")
    assert group["group"] == there.replace(
        "${{ inputs.environment || 'production' }}", "production"
    )
    assert group["cancel-in-progress"] is False
