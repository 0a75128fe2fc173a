"""What a team does with Prefect, on the servers of `sluice up`: a schedule fires, a form begins a
run, a refusal is told once, and a run that was killed with its worker is shown as crashed.
"""

import datetime
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect
from support import environment, prefect_form, releases
from support.browser import CHROMIUM, chromium, foreign
from support.prediction_logs import in_months, write_days
from support.prefect_up import (
    Up,
    Webhook,
    kill_a_release,
    listening,
    running,
    told_of,
    without_schedule,
)
from support.releases import Story

from flows.adapters import process, server
from flows.audit.find_release import artifact, trace
from flows.orchestration import automations
from flows.orchestration.deployments import KINDS, Deployed
from flows.project import settings
from sluice.errors import UsageError
from sluice.identity import sha256
from sluice.served.scoring import load_model

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

_SCHEDULE = '\n[schedule]\nmonitor = "every 1 minute"\n'


@pytest.fixture(scope="module")
def webhook() -> Iterator[Webhook]:
    with listening() as told:
        yield told


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, tools: str) -> Story:
    """A model that is live, and a log in which one of its columns comes in another unit."""
    from flows.release import without_prefect

    folder = tmp_path_factory.mktemp("up")
    own = Story(releases.write(folder / "project"), folder / "home")
    policy = own.project / "models" / "attrition" / "policy.toml"
    policy.write_text(policy.read_text() + _SCHEDULE)
    with environment.kept():
        releases.enter(own, tools)
        assert without_prefect("attrition", None, cache=True).outcome == "no builder"
        releases.keep_image()
        assert without_prefect("attrition", None, cache=True).outcome == "promoted"
        files = artifact(trace(settings.load(), "live", "attrition"))
    folder = tmp_path_factory.mktemp("artifact")
    for name, content in files.items():
        (folder / name).write_bytes(content)
    model, digest = load_model(folder), f"sha256:{sha256(files['model.onnx'])}"
    today = datetime.datetime.now(datetime.UTC).date()
    write_days(own.home / "predictions", model, digest, [today], 1_500, change=in_months)
    return own


@pytest.fixture(scope="module")
def up(
    story: Story, webhook: Webhook, tools: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Up]:
    with running(story, webhook, tools, tmp_path_factory.mktemp("namesakes")) as servers:
        yield servers


def test_it_says_what_runs_when_and_where_to_click(up: Up) -> None:
    lines = up.printed.splitlines()
    assert lines[:6] == [
        "attrition-release   by hand",
        "attrition-fleet     by hand",
        "attrition-monitor   every 1 minute (UTC)",
        "attrition-rollback  by hand",
        "attrition-reconcile by hand",
        "attrition-reject    by hand",
    ]
    assert f"Run one             {up.url}/deployments" in lines
    assert "s3cret" not in up.printed


def test_every_deployment_is_there_with_one_run_at_a_time(up: Up) -> None:
    found = {one.name: one for one in up.client.read_deployments()}
    assert {name for name in found if name.startswith("attrition-")} == {
        f"attrition-{kind.name}" for kind in KINDS
    }
    for kind in KINDS:
        one = found[f"attrition-{kind.name}"]
        assert one.entrypoint == kind.entrypoint
        assert one.tags == ["attrition", "production"]
        assert one.global_concurrency_limit is not None
        assert one.global_concurrency_limit.limit == 1
        assert "s3cret" not in one.model_dump_json()


def test_the_schedule_fires_and_act_is_red(up: Up) -> None:
    end = time.monotonic() + 400
    acted: list[FlowRun] = []
    while not acted:  # those that another test began by hand do not count
        assert time.monotonic() < end
        runs = up.client.read_flow_runs()
        acted = [run for run in runs if run.auto_scheduled and run.state_name == "Act"]
        time.sleep(0.5)
    run = acted[-1]
    assert run.state is not None
    assert run.state.is_failed()
    assert run.name == "attrition: act"
    assert {"attrition", "ACT", "production"} <= set(run.tags)
    [artifact] = _artifacts(up, run)
    assert artifact["key"] == "attrition-monitor"
    assert "in another unit" in artifact["data"]
    assert (up.story.home / "monitor" / "attrition" / "monitor.html").is_file()


def test_act_is_told_once(up: Up) -> None:
    with without_schedule(up, "attrition-monitor"):
        run = up.until(up.run("monitor/attrition-monitor", model="attrition"), "Act")
    assert told_of(up, run, "act") == ["act"]
    [message] = [one for one in up.told.messages if one["run"] == str(run.id)]
    assert message["page"] == f"{up.url}/runs/flow-run/{run.id}"
    assert message["text"].startswith("monitor attrition: Act. Years at Company comes in another")


@pytest.mark.skipif(not CHROMIUM, reason="needs chromium (apt-get install chromium)")
def test_a_run_begun_in_the_form_ends_with_its_artifacts(up: Up, tmp_path: Path) -> None:
    """Another table: the candidate is the same but for the rows that it is judged on."""
    rows = up.story.rows.read_bytes()
    table = tmp_path / "more.csv"
    table.write_bytes(releases.change(rows, releases.row_in("holdout"), "Age", 30))
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        asked = foreign(page)
        page.goto(f"{up.url}/deployments")
        prefect_form.open_of(page, "attrition-release")
        hint = "A CSV or Parquet file on the machine of the worker"
        expect(page.get_by_text(hint)).to_be_visible()
        made = prefect_form.sent(page, **{"Data file": str(table)})
        ended = up.until(up.client.read_flow_run(made))
        page.goto(f"{up.url}/runs/flow-run/{made}")
        page.get_by_role("tablist").get_by_text("Artifacts", exact=True).click()
        for key in ("attrition-verdict", "attrition-metrics", "attrition-steps"):
            expect(page.get_by_text(key, exact=True).first).to_be_visible()
        page.screenshot(path=tmp_path / "run.png", full_page=True)
        assert asked == []
    assert ended.parameters == {"model": "attrition", "data": str(table), "cache": True}
    assert "attrition" in ended.tags


def test_of_two_refused_runs_each_waits_its_turn_and_is_told_once(up: Up, tmp_path: Path) -> None:
    table = tmp_path / "few.csv"
    table.write_bytes(b"".join(up.story.rows.read_bytes().splitlines(keepends=True)[:500]))
    runs = [
        up.run("release/attrition-release", model="attrition", data=str(table)) for _ in range(2)
    ]
    together, ended = 0, []
    while len(ended) < 2:
        now = [up.client.read_flow_run(run.id) for run in runs]
        together = max(together, sum(run.state_name in ("Pending", "Running") for run in now))
        ended = [run for run in now if run.state and run.state.is_final()]
        time.sleep(0.1)
    assert together == 1
    for run in ended:
        assert run.state is not None
        assert (run.state.name, run.state.is_failed()) == ("Refused", True)
        assert told_of(up, run, "refused") == ["refused"]
        logged = [line.message for line in _logs(up, run)]
        assert not [line for line in logged if "Traceback" in line]


def test_what_the_form_does_not_take_is_no_run(up: Up) -> None:
    from prefect.exceptions import PrefectHTTPStatusError

    for name, given in (
        ("release/attrition-release", {"model": "another"}),
        ("rollback/attrition-rollback", {"model": "attrition"}),
        ("rollback/attrition-rollback", {"model": "attrition", "reason": ""}),
    ):
        with pytest.raises(PrefectHTTPStatusError, match="409"):
            up.run(name, **given)


def test_a_rollback_with_nothing_to_go_back_to_says_so(up: Up) -> None:
    run = up.until(up.run("rollback/attrition-rollback", model="attrition", reason="It errs."))
    assert run.state is not None
    assert (run.state.name, run.state.is_failed()) == ("Failed", True)
    assert "there is nothing to go back to" in (run.state.message or "")
    assert told_of(up, run, "failed") == ["failed"]


def test_without_a_cluster_a_canary_is_not_looked_at_and_the_run_says_so(up: Up) -> None:
    run = up.until(up.run("reconcile/attrition-reconcile", model="attrition"))
    assert run.state is not None
    assert (run.state.name, run.state.is_failed()) == ("Failed", True)
    assert "SLUICE_CLUSTER is not set" in (run.state.message or "")


def test_what_does_not_wait_is_not_rejected(up: Up) -> None:
    asked = {"model": "attrition", "evidence": "abcdef0", "reason": "It looks odd."}
    run = up.until(up.run("reject/attrition-reject", **asked))
    assert run.state is not None
    assert (run.state.name, run.state.is_failed()) == ("Failed", True)
    assert "nothing of attrition waits for approvals" in (run.state.message or "")


def test_a_run_killed_with_its_worker_is_crashed_and_the_next_one_converges(up: Up) -> None:
    kill_a_release(up)
    after = up.until(up.run("release/attrition-release", model="attrition"))
    assert after.state is not None
    assert after.state.name == "Nothing to do"


def test_a_run_that_no_worker_begins_is_told_by_the_block_that_is_named(up: Up) -> None:
    from prefect.client.schemas.actions import BlockDocumentCreate, WorkPoolCreate

    client, seconds = up.client, datetime.timedelta(seconds=10)
    idle = client.create_deployment(
        flow_id=client.create_flow_from_name("release"),
        name="idle",
        work_pool_name=client.create_work_pool(WorkPoolCreate(name="idle")).name,
        parameters={"model": "attrition"},
    )
    kind = client.read_block_type_by_slug("custom-webhook")
    form = client.get_most_recent_block_schema_for_block_type(kind.id)
    assert form is not None
    data = {
        "name": "team",
        "url": up.told.address,
        "json_data": {"what": "{{subject}}", "run": str(idle), "text": "{{body}}"},
    }
    client.create_block_document(
        BlockDocumentCreate(name="team", data=data, block_type_id=kind.id, block_schema_id=form.id)
    )
    given = settings.load().model_copy(update={"overlay": "idle", "notify": "custom-webhook/team"})
    deployed = [Deployed("release/idle", str(idle), "by hand")]
    assert automations.register(client, given, deployed, seconds) == ["custom-webhook/team"]
    client.create_flow_run_from_deployment(idle)
    end = time.monotonic() + 120
    while not (sent := [one for one in up.told.messages if one["run"] == str(idle)]):
        assert time.monotonic() < end
        time.sleep(0.2)
    assert [one["what"] for one in sent] == ["release attrition: Late"]
    gone = given.model_copy(update={"notify": "slack-webhook/nobody"})
    with pytest.raises(UsageError, match="SLUICE_NOTIFY names 'slack-webhook/nobody', and"):
        automations.register(client, gone, deployed)


def test_registered_again_nothing_is_doubled_and_what_was_paused_stays_so(up: Up) -> None:
    [monitor] = [one for one in up.client.read_deployments() if one.name == "attrition-monitor"]
    [schedule] = monitor.schedules
    up.client.update_deployment_schedule(monitor.id, schedule.id, active=False)
    other = up.client.create_deployment(
        flow_id=monitor.flow_id,
        name="gone-monitor",
        entrypoint="flows.monitor.monitor",
        work_pool_name="sluice",
    )
    told = _ours(up)
    with environment.kept():
        releases.enter(up.story, os.environ["PATH"])
        os.environ["SLUICE_NOTIFY_URL"] = up.told.address
        from flows.orchestration.deployed import register_at

        registered = register_at(up.url, settings.load())
    assert registered.paused == ["gone-monitor"]
    assert up.client.read_deployment(other).paused
    again = up.client.read_deployment(monitor.id)
    assert [one.active for one in again.schedules] == [False]
    up.client.delete_deployment(other)
    up.client.update_deployment_schedule(monitor.id, again.schedules[0].id, active=True)
    assert _ours(up) == told
    assert len(told) == len(automations.TOLD) + 1


def test_sluice_deploy_registers_at_the_server_that_runs_here_and_works_for_it(
    up: Up, tmp_path: Path
) -> None:
    listed = process.run([*up.words, "deploy"]).stdout.splitlines()
    assert listed == up.printed.splitlines()[: len(listed)]
    assert listed[-1] == f"Run one             {up.url}/deployments"
    known = {
        one["name"]
        for one in json.loads(process.run([*up.words, "deploy", "--json"]).stdout)["deployments"]
    }
    assert known == {f"{kind.name}/attrition-{kind.name}" for kind in KINDS}
    before = {one.name for one in up.client.read_workers_for_work_pool("sluice")}
    log = tmp_path / "worker.log"
    started = server.start([*up.words, "deploy", "--worker"], 0, log)
    try:
        end = time.monotonic() + 120
        while {one.name for one in up.client.read_workers_for_work_pool("sluice")} == before:
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.2)
    finally:
        started.stop()
    assert "A worker runs what is begun there" in log.read_text()
    assert log.read_text().endswith("Stopped.\n")


def _ours(up: Up) -> list[str]:
    """The names of the automations for production."""
    names = [one.name for one in up.client.read_automations()]
    return sorted(name for name in names if name.startswith("sluice: "))


def _artifacts(up: Up, run: "FlowRun") -> list[dict[str, Any]]:
    wanted = {"flow_runs": {"id": {"any_": [str(run.id)]}}}
    found: list[dict[str, Any]] = up.client._client.post("/artifacts/filter", json=wanted).json()
    return found


def _logs(up: Up, run: "FlowRun") -> Any:
    from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId

    return up.client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run.id])))
