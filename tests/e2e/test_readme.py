"""Every command that the README shows is run by a test, this one or the one that is named here."""

import json
import shutil
from pathlib import Path

import pytest
from support.clones import PROJECT, Clone, Demo, done, git, manifests, run, state
from support.readme import commands, table

# Command -> the test that runs it as it stands there. A new command in the README belongs into one
# of these.
ELSEWHERE = {
    "make demo MODEL=attrition": "test_demo.py",
    "make serve MODEL=attrition": "test_demo.py",
    "curl": "test_demo.py",
    "make check": "test_workflow_steps.py",
    "make test": "../.ci/run",  # the workflow has `make coverage`, which is the same and more
    "make e2e": "this very run",
    ".venv/bin/sluice drill": "test_drill.py",
}
OWN_DATA = (
    ".venv/bin/sluice validate attrition --data employees.csv",
    ".venv/bin/sluice release attrition --data employees.csv",
)
SHOWN = {
    ".venv/bin/sluice power attrition --positives 7000 --prevalence 0.48": (
        "finds gains of 0.80 % or more"
    ),
    ".venv/bin/sluice anchor": "Release 1 is the anchor of attrition.",
}
IN_TABLE = {
    "sluice plan": "Nothing to do: ",
    "sluice status": "Live: release 1 of attrition, since ",
    "sluice approvals": "Nothing of attrition waits for approvals.",
    "sluice quarantine": "0 in quarantine.",
    "sluice images": " of them may be deleted.",
    "sluice validate": "rows",
    "sluice gate PATH/metrics.json": "PROMOTE: recall ",
    "sluice lineage latest": "Live: release 1 of attrition, since ",
    "sluice history": "Live: release 1 of attrition, since ",
    "sluice verify latest": "Verified: release 1 of attrition, ",
    "sluice power": "The first use of a holdout with",
    "sluice anchor": "Release 1 is the anchor of attrition.",
}
DEMO = "Demo of generated rows, in .sluice/demo; your own data go to .sluice.\n"
NO_HOME = ("sluice gate PATH/metrics.json", "sluice validate", "sluice power")
SERVERS = {
    "sluice up": "test_prefect_ui.py",
    "sluice deploy": "test_prefect_runs.py",
    "sluice serve": "test_demo.py",
    "sluice init FILE": "test_init.py",
    "sluice deploy-files MODEL": "test_deploy_files.py",
    "sluice deploy-image NAME": "test_deploy_image.py",
    "sluice replay MODEL": "test_replay.py",
    "sluice judge": "test_judge.py",
    "sluice canary MODEL": "test_following.py",
    "sluice reconcile MODEL": "test_reconcile.py",
    "sluice release": "test_workflow_steps.py",
    "sluice changed --base REF": "test_push.py",
    "sluice doctor": "test_doctor.py",
    "sluice data status": "test_data_pointer.py",
    "sluice approve MODEL": "test_approved_release.py",
    "sluice reject MODEL --reason WHY": "test_approved_release.py",
    "sluice promote MODEL": "test_workflow_steps.py",
    "sluice rollback --reason WHY": "test_rollback.py",
    "sluice predict": "test_predict.py",
    "sluice features employees.csv --to features.parquet": "test_features.py",
    "sluice forget ID": "test_prediction_log.py",
    "sluice monitor": "test_watch.py",
    "sluice labels add outcomes.csv": "test_labels.py",
    "sluice data merge new.csv": "test_data_merge.py",
    "sluice labels untouched flagged.csv": "test_labels.py",
    "sluice drill": "test_drill.py",
    "sluice drill kill": "test_drill_kill.py",
    "sluice reproduce latest": "test_lineage.py",
    "sluice extend --by newer.csv --to more.csv": "test_extend.py",
}


def test_every_command_is_run_by_a_test() -> None:
    for command in commands():
        known = command in (*ELSEWHERE, *OWN_DATA, *SHOWN) or command.split(" ")[0] in ELSEWHERE
        assert known, f"{command!r} is in the README, and no test runs it"
    for command in table():
        assert command in (
            *IN_TABLE,
            *SERVERS,
        ), f"{command!r} is in a table of the README, and no test runs it"
    tests = {path.name for path in (PROJECT / "tests").rglob("test_*.py")} | {"this very run"}
    if (PROJECT / ".ci" / "run").is_file():
        tests.add("../.ci/run")
    assert {*ELSEWHERE.values(), *SERVERS.values()} <= tests


def test_no_test_is_about_a_command_that_is_gone() -> None:
    shown = [*commands(), *(command.split(" ")[0] for command in commands())]
    assert set(ELSEWHERE) | set(OWN_DATA) | set(SHOWN) <= set(shown)
    assert set(IN_TABLE) | set(SERVERS) == set(table())


def test_own_data(second: Clone, changed: Path) -> None:
    """They begin anew after a demo. Its search is taken over, under the same keys, to save time."""
    for step in ("tune", "train"):
        shutil.copytree(state(second) / "store" / step, state(second).parent / "store" / step)
    shutil.copyfile(changed, second.path / "employees.csv")
    try:
        validated, released = (done(second, command) for command in OWN_DATA)
    finally:
        (second.path / "employees.csv").unlink()
    assert "74,498 rows" in validated.stdout
    assert released.last == "Promoted: release 1 of attrition is committed, Argo CD can sync it."
    assert "generated rows" not in released.stdout + released.stderr
    looked = done(second, ".venv/bin/sluice status")
    assert looked.last.startswith("Live: release 1 of attrition, since ")
    assert released.shown("Image") in looked.stdout
    assert "SLUICE_HOME=.sluice/demo .venv/bin/sluice status" in looked.stdout
    assert git(second.path, "status", "--porcelain") == ""


def test_in_one_home_a_champion_of_generated_rows_is_told(second: Clone, changed: Path) -> None:
    command = f".venv/bin/sluice release attrition --data {changed}"
    released = run(second, command, SLUICE_HOME=str(state(second)))
    assert released.code == 3, released.stdout + released.stderr
    assert released.last == "Refused: nothing of attrition was built or committed."
    assert released.shown("Champion").startswith(
        "Release 1, the champion, was trained on generated rows, "
    )


@pytest.mark.parametrize("command", IN_TABLE)
def test_a_command_of_the_table(command: str, demo: Demo) -> None:
    typed = f".venv/bin/{command}".replace("PATH", str(demo.evidence))
    ended = done(demo.clone, typed)
    assert ended.stderr in ("", DEMO)
    assert IN_TABLE[command] in ended.last
    assert (".sluice/demo" in ended.stdout + ended.stderr) == (command not in NO_HOME)


@pytest.mark.parametrize("command", SHOWN)
def test_a_command_that_is_shown(command: str, demo: Demo) -> None:
    assert SHOWN[command] in done(demo.clone, command).last


@pytest.mark.parametrize("command", table())
def test_every_command_helps_with_an_example(command: str, demo: Demo) -> None:
    name = command.split(" ")[1]
    assert (
        f"Example: .venv/bin/sluice {name}"
        in done(demo.clone, f".venv/bin/sluice {name} --help").stdout
    )


def test_a_floor_out_of_reach_is_refused_with_its_numbers(second: Clone) -> None:
    policy = second.path / "models" / "attrition" / "policy.toml"
    text = policy.read_text()
    before = git(manifests(second), "rev-parse", "main")
    policy.write_text(text.replace("recall_floor = 0.72", "recall_floor = 0.99"))
    try:
        ended = run(second, ".venv/bin/sluice release attrition --json")
    finally:
        policy.write_text(text)
    outcome = json.loads(ended.stdout)
    assert ended.code == 3
    assert (outcome["outcome"], outcome["verdict"], outcome["digest"], outcome["commit"]) == (
        "refused",
        "NOT PROMOTED",
        "",
        "",
    )
    said = outcome["sentence"].partition("On the validation rows, which decide nothing, ")[2]
    assert "at least 0.99 is required" in said
    assert git(manifests(second), "rev-parse", "main") == before
