"""Each `run:` step of the workflows, in order, in a clean clone."""

import json
import shutil
from pathlib import Path

import pytest
from support import vulnerabilities
from support.argocd import seed
from support.clones import PROJECT, Demo, clone, git, state
from support.cluster import programs
from support.git_servers import Ssh, sshd
from support.runner import EVERY, Job, commands, job, matrix, python, uploaded
from test_registry_http import serving

from flows.adapters import process
from flows.adapters.image import golang
from flows.project.models import models
from scripts.plan_comment import body

# Context and cluster have other names than the one that is asked for.
KUBECONFIG = """apiVersion: v1
kind: Config
current-context: here
contexts: [{name: here, context: {cluster: here, user: me}}]
clusters: [{name: here, cluster: {server: "https://127.0.0.1:9"}}]
users: [{name: me, user: {token: s3cret}}]
"""
# The API server is built once for a machine, six minutes; a HOME of one's own would build it anew.
CACHE = {"XDG_CACHE_HOME": str(golang.cache().parents[1])}
BUILT = programs.built("kube-apiserver", "etcd", "kubectl", "kustomize")


def test_a_release_says_its_verdict_and_that_it_was_a_dry_run(released: Job) -> None:
    ended = released.steps["Release"]
    assert ended.code == 0, ended.stdout + ended.stderr
    assert "PROMOTE: attrition" in released.summary
    assert "recall" in released.summary.lower()
    assert "dry run" in released.summary
    assert ended.last == "Promoted: release 1 of attrition is committed, Argo CD can sync it."


def test_the_evidence_that_is_kept_has_no_rows(evidence_after: Path) -> None:
    """Where a policy tells figures, scores of people lie beside them: they stay on the machine."""
    [told] = evidence_after.rglob("verdict.json")
    for name in ("scores.parquet", "rows.csv"):
        (told.parent / name).write_bytes(b"rows of people")
    kept = uploaded("release.yml", "Keep the evidence", "release", evidence_after)
    assert {"evidence.html", "evidence.json", "summary.md", "verdict.json", "metrics.json"} <= kept
    assert not {"scores.parquet", "rows.csv"} & kept


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


def test_a_canary_is_looked_at_by_a_schedule(released: Job, tmp_path: Path) -> None:
    """Where no cluster is set the jobs are skipped on a runner; here what they run says so. With a
    kubeconfig as a secret it becomes a file of the runner, and is what is read.
    """
    place = released.clone
    named = job("reconcile.yml", place, tmp_path / "models.md", name="models")
    assert json.loads(named.outputs["models"]) == models(place.path)
    of = {"model": "attrition"}
    looked = job("reconcile.yml", place, tmp_path / "none.md", name="reconcile", matrix=of)
    assert looked.steps["Keys"].last == "No key is set: nothing is written."
    assert looked.steps["Reconcile"].code == 2
    assert "SLUICE_CLUSTER is not set" in looked.steps["Reconcile"].stderr
    secrets = {
        "vars.SLUICE_CLUSTER": "elsewhere",
        "secrets.CLUSTER_CONFIG": KUBECONFIG,
    }
    looked = job(
        "reconcile.yml",
        place,
        tmp_path / "look.md",
        name="reconcile",
        matrix=of,
        known=secrets,
    )
    assert looked.steps["Keys"].last == "Written: kubeconfig."
    ended = looked.steps["Reconcile"]
    assert (ended.code, "Traceback" in ended.stderr) == (2, False)
    assert "'elsewhere'" in ended.stderr  # there is one, and it has no context of this name
    assert "s3cret" not in ended.stdout + ended.stderr


def everything(registry: str, ssh: Ssh, manifests: Path, folder: Path) -> dict[str, str]:
    """What the expressions give where registry, manifest repo and deploy key are set, on a runner
    whose files lie in a folder.
    """
    keys = folder / "runner" / "keys"
    return {
        "vars.SLUICE_REGISTRY": registry,
        "secrets.SLUICE_MANIFESTS || vars.SLUICE_MANIFESTS": ssh.url(manifests),
        "secrets.MANIFESTS_DEPLOY_KEY": ssh.key.read_text(),
        "vars.MANIFESTS_KNOWN_HOSTS": ssh.known_hosts.read_text(),
        **{
            f"{name} && format('{{0}}/keys/{file}', runner.temp)": str(keys / file)
            for name, file in (
                ("secrets.MANIFESTS_DEPLOY_KEY", "git_key"),
                ("vars.MANIFESTS_KNOWN_HOSTS", "known_hosts"),
            )
        },
    }


def test_with_secrets_a_promotion_reads_the_manifest_repo_by_a_deploy_key(
    released: Job, tmp_path: Path
) -> None:
    """It sees that nothing is live in staging there, and writes nothing."""
    manifests = seed(tmp_path)
    tip = git(manifests, "rev-parse", "main")
    with sshd(tmp_path / "ssh") as ssh, serving(tmp_path / "registry") as registry:
        ended = job(
            "promote.yml",
            released.clone,
            tmp_path / "summary.md",
            inputs={"model": "attrition", "evidence": "0123456789ab"},
            known=everything(f"{registry.host}/team", ssh, manifests, tmp_path),
            env={"SLUICE_HOME": str(tmp_path / "home")},
        )
    for step in ended.steps.values():
        assert "PRIVATE KEY" not in step.stdout + step.stderr
    assert ended.steps["Keys"].last == "Written: git_key, known_hosts."
    promoted = ended.steps["Promote"]
    assert promoted.code == 2
    assert "nothing of attrition is live in staging" in promoted.stderr
    assert ended.summary.startswith("# Refused: nothing of attrition is live in staging")
    assert git(manifests, "rev-parse", "main") == tip


def test_with_secrets_the_monitor_reads_the_manifest_repo_by_a_deploy_key(
    released: Job, tmp_path: Path
) -> None:
    """Nothing is live there: it says so, and not that it may not look."""
    manifests = seed(tmp_path)
    with sshd(tmp_path / "ssh") as ssh, serving(tmp_path / "registry") as registry:
        secrets = everything(f"{registry.host}/team", ssh, manifests, tmp_path)
        ended = job(
            "monitor.yml",
            released.clone,
            tmp_path / "summary.md",
            name="monitor",
            matrix={"model": "attrition"},
            known={**secrets, "vars.SLUICE_MANIFESTS": ssh.url(manifests)},
            env={"SLUICE_HOME": str(tmp_path / "home")},
        )
    looked = ended.steps["Monitor"]
    assert ended.steps["Keys"].last == "Written: git_key, known_hosts."
    assert "PRIVATE KEY" not in looked.stdout + looked.stderr
    assert (looked.code, "Traceback" in looked.stderr) == (2, False)
    assert "nothing of attrition is live" in looked.stderr, looked.stderr


def test_with_secrets_a_release_goes_to_registry_and_manifest_repo_by_a_deploy_key(
    released: Job, tmp_path: Path
) -> None:
    """As a runner with everything set does it: the key is a file of the runner for its time."""
    place, manifests = released.clone, seed(tmp_path)
    with sshd(tmp_path / "ssh") as ssh, serving(tmp_path / "registry") as registry:
        secrets = everything(f"{registry.host}/team", ssh, manifests, tmp_path)
        ended = job(
            "release.yml",
            place,
            tmp_path / "summary.md",
            name="release",
            matrix={"model": "attrition"},
            known=secrets,
            env={"SLUICE_HOME": str(state(place))},  # what it did without secrets it need not again
        )
    for name, step in ended.steps.items():
        assert step.code == 0, f"{name}\n{step.stdout}\n{step.stderr}"
        assert "PRIVATE KEY" not in step.stdout + step.stderr
    assert ended.steps["Keys"].last == "Written: git_key, known_hosts."
    assert ended.steps["Release"].last.startswith("Promoted: release 1 of attrition is committed")
    assert "PROMOTE: attrition" in ended.summary
    assert "dry run" not in ended.summary
    subjects = git(manifests, "log", "--format=%s", "main").splitlines()
    assert [line.partition(":")[0] for line in subjects[:-1]] == ["Release 1 of attrition"]
    assert "Data" not in ended.steps  # no dispatch named any


def test_what_a_dispatch_names_is_refused_where_nobody_listed_its_place(
    released: Job, tmp_path: Path
) -> None:
    told = {
        "github.event.client_payload.data": "https://data.example.com/rows.csv",
        "github.event.client_payload.sha256": "0" * 64,
        "github.event.client_payload.model": "attrition",
    }
    ended = job(
        "release.yml",
        released.clone,
        tmp_path / "summary.md",
        name="release",
        matrix={"model": "attrition"},
        known=told,
    )
    assert list(ended.steps)[-1] == "Data"
    assert ended.steps["Data"].code == 2
    assert "SLUICE_DATA_FROM is not set, and nobody reviewed" in ended.steps["Data"].stderr
    assert git(released.clone.path, "status", "--porcelain") == ""


def test_an_image_is_made_for_the_scanner(released: Job, tmp_path: Path) -> None:
    """Its layout has one image, with all of its blobs: a scanner takes the first one there."""
    place = released.clone
    made = job("audit.yml", place, tmp_path / "image.md", name="image").steps["Make an image"]
    assert made.code == 0, made.stdout + made.stderr
    folder = place.path / ".sluice" / "scanned"
    [entry] = json.loads((folder / "index.json").read_text())["manifests"]
    blobs = folder / "blobs" / "sha256"
    manifest = json.loads((blobs / entry["digest"].removeprefix("sha256:")).read_text())
    assert manifest["config"]["mediaType"] == "application/vnd.oci.image.config.v1+json"
    for part in (manifest["config"], *manifest["layers"]):
        assert (blobs / part["digest"].removeprefix("sha256:")).stat().st_size == part["size"]


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
    they take as long. In the same clone the wheel, and the audit of the workflows.
    """
    found, last = python(version), "" if EVERY else "Test"
    if found is None:
        pytest.skip(f"needs a Python {version} on PATH or in pyenv")
    place = clone(tmp_path, demo.clone.home, found)
    try:
        checked = job("ci.yml", place, tmp_path / "summary.md", until=last, name="test")
        wheel = job("ci.yml", place, tmp_path / "wheel.md", name="wheel")
        audited = job("audit.yml", place, tmp_path / "audit.md", name="workflows")
    finally:
        shutil.rmtree(tmp_path / "sluice" / ".venv", ignore_errors=True)
    played = [*checked.steps.items(), *wheel.steps.items(), *audited.steps.items()]
    for name, ended in played:
        with capsys.disabled():
            print(f"\nPython {version}, {name}: {ended.seconds:.0f} s")
        assert ended.code == 0, f"{name}\n{ended.stdout[-6000:]}\n{ended.stderr[-6000:]}"
    assert len(checked.steps) == len(commands("ci.yml", "test")) - bool(last)
    assert git(checked.clone.path, "status", "--porcelain") == ""


@pytest.mark.skipif(not BUILT, reason="needs an API server: `make cluster-admission` builds it")
def test_the_manifests_are_admitted(demo: Demo, tmp_path: Path) -> None:
    place = clone(tmp_path, demo.clone.home)
    try:
        admitted = job("admission.yml", place, tmp_path / "summary.md", env=CACHE)
    finally:
        shutil.rmtree(place.path / ".venv", ignore_errors=True)
    ended = admitted.steps["Admission"]
    assert ended.code == 0, ended.stdout[-6000:] + ended.stderr[-6000:]


def test_the_step_that_tests_runs_the_tests_that_everybody_runs() -> None:
    assert commands("ci.yml", "test")[-1] == "make coverage"
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
