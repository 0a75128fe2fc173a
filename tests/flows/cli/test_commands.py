"""The command line: help with an example, exit codes, pure JSON, and errors that a person can act
on.
"""

import contextlib
import errno
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer
from support import releases
from support.command_line import Sluice
from support.releases import Story, Told

from flows.adapters.server import free_port
from flows.cli import main as cli
from flows.project.root import ROOT
from flows.steps.order import STEPS
from flows.views.wording import upper_first
from sluice.errors import disk
from sluice.identity import file_sha256

COMMANDS = sorted(typer.main.get_command(cli.app).commands)  # type: ignore[attr-defined]
FOR_PROGRAMS = (
    "release",
    "plan",
    "validate",
    "gate",
    "drill",
    "status",
    "lineage",
    "history",
    "verify",
    "reproduce",
)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return releases.write(tmp_path_factory.mktemp("cli") / "project")


@pytest.fixture
def project(written: Path, tools: str, tmp_path: Path) -> Path:
    """A project in which nothing was released yet."""
    releases.enter(Story(written, tmp_path / "home"), tools)
    return written


@pytest.fixture
def released(promoted: tuple[Story, Told], tools: str, tmp_path: Path) -> Story:
    """A story of this test's own, in which a release is live."""
    own = releases.copy(promoted[0], tmp_path)
    releases.enter(own, tools)
    return own


# What no release needs that ends with nothing to do.
HEAVY = {
    "prefect",
    "mlflow",
    "great_expectations",
    "evidently",
    "sklearn",
    "scipy.stats",
    "pandas",
    "pyarrow",
}


def modules_after(*words: str) -> tuple[subprocess.CompletedProcess[str], set[str]]:
    """A command in a process of its own, and the modules that it had imported at its end."""
    code = (
        "import sys, atexit; atexit.register(lambda: print(*sys.modules)); from flows.cli.main"
        " import main; main()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False
    )
    return ended, set(ended.stdout.splitlines()[-1].split())


def program(*words: str) -> list[str]:
    return [sys.executable, "-c", "from flows.cli.main import main; main()", *words]


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_with_an_example(command: str, sluice: Sluice) -> None:
    ended = sluice(command, "--help")
    assert ended.code == 0
    assert f"Example: sluice {command}" in ended.out
    assert "--json" in ended.out or command not in FOR_PROGRAMS


def test_the_commands_are_listed_with_the_exit_codes(sluice: Sluice) -> None:
    ended = sluice("--help")
    assert ended.code == 0
    assert all(command in ended.out for command in COMMANDS)
    assert (
        '0 done, nothing to do, HOLD; 1 failed; 2 usage or settings; 3 refused, or "act"; 130'
        in " ".join(ended.out.split())
    )
    assert {"release", "plan", "validate", "gate", "status", "up", "serve"} <= set(COMMANDS)


def test_help_imports_nothing_heavy_and_takes_no_time() -> None:
    code = (
        "import sys, atexit; atexit.register(lambda: print(*sys.modules)); from flows.cli.main"
        " import main; main()"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    words = [sys.executable, "-c", code, "--help"]
    spent = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        shown = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    heavy = {
        "prefect",
        "pandas",
        "numpy",
        "sklearn",
        "mlflow",
        "great_expectations",
        "evidently",
        "bentoml",
    }
    assert not {*heavy, "pydantic", "rich", "yaml"} & set(shown.stdout.split())
    assert min(spent) < 0.3


@pytest.mark.parametrize(
    "module", ["audit.history", "audit.lineage", "gitops.rollback", "cli.releases.rollback"]
)
def test_what_asks_git_alone_waits_for_no_table(module: str) -> None:
    code = f"import flows.{module}, sys; print(*sys.modules)"
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not {"numpy", "pandas", "onnxruntime", "prefect", "mlflow"} & set(shown.stdout.split())


@pytest.mark.parametrize(
    "words", [["unheard"], ["plan", "--unheard"], ["gate"], ["up", "--port", "many"], []]
)
def test_a_word_that_is_not_known_is_usage(words: list[str], sluice: Sluice) -> None:
    ended = sluice(*words)
    assert ended.code == 2
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("command", ["release", "plan", "validate", "status"])
def test_an_unknown_model_is_usage_and_names_the_ones_there_are(
    command: str, project: Path, sluice: Sluice
) -> None:
    ended = sluice(command, "unheard")
    assert (ended.code, ended.out) == (2, "")
    assert (
        ended.err
        == f"Error: there is no model 'unheard'\n  {project / 'models'} holds: attrition.\n"
    )


@pytest.mark.parametrize("command", ["release", "plan", "validate", "status"])
def test_a_wrong_setting_is_usage_and_named(
    command: str, project: Path, sluice: Sluice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_WORKERS", "many")
    ended = sluice(command)
    assert ended.code == 2
    assert ended.err.startswith("Error: SLUICE_WORKERS is 'many'")


@pytest.mark.parametrize("command", ["release", "plan", "validate"])
def test_a_file_that_is_not_there_is_usage(
    command: str, project: Path, sluice: Sluice, tmp_path: Path
) -> None:
    ended = sluice(command, "attrition", "--data", tmp_path / "missing.csv")
    assert ended.code == 2
    assert f"there is no file {tmp_path / 'missing.csv'}" in ended.err


def test_a_repository_that_is_not_there_is_a_failure_without_a_traceback(
    project: Path, sluice: Sluice, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SLUICE_MANIFESTS", f"https://anna:s3cret@127.0.0.1:9{tmp_path}")
    ended = sluice("status")
    assert ended.code == 1
    assert "did not answer as a git repository" in ended.err
    assert "SLUICE_MANIFESTS" in ended.err
    assert "Traceback" not in ended.err
    assert "s3cret" not in ended.err


def test_what_nobody_thought_of_is_told_in_a_line_unless_a_traceback_is_asked_for(
    project: Path, sluice: Sluice, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SLUICE_HOME", str(tmp_path / "file" / "below"))
    ended = sluice("plan")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("Error: NotADirectoryError: ")
    assert "sluice --debug" in ended.err
    with pytest.raises(NotADirectoryError):
        sluice("--debug", "plan")


def test_a_disk_that_is_full_is_told_with_what_to_do() -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/data/store")
    assert (
        str(disk(full)).splitlines()[0] == "the system says: No space left on device (/data/store)"
    )
    assert "Free space there" in str(disk(full))
    assert [
        disk(error) for error in (FileNotFoundError(errno.ENOENT, "gone"), ValueError("x"))
    ] == [None, None]


def test_debug_shows_the_traceback_of_an_error_too(project: Path, sluice: Sluice) -> None:
    from sluice.errors import UsageError

    with pytest.raises(UsageError):
        sluice("--debug", "plan", "unheard")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_with_130_and_says_what_was_kept(
    number: int, project: Path, tmp_path: Path
) -> None:
    """While git waits for an answer that does not come."""
    (tmp_path / "slow").write_text(f"#!/bin/sh\necho $$ > {tmp_path}/started\nexec sleep 60\n")
    (tmp_path / "slow").chmod(0o755)
    environment = {
        **os.environ,
        "GIT_SSH": str(tmp_path / "slow"),
        "SLUICE_MANIFESTS": "ssh://127.0.0.1/x.git",
        "PATH": f"{os.environ['PATH']}:/usr/bin:/bin",
    }
    running = subprocess.Popen(
        program("status"), env=environment, stderr=subprocess.PIPE, text=True
    )
    end = time.monotonic() + 60
    while not (tmp_path / "started").is_file() or not (tmp_path / "started").read_text():
        assert time.monotonic() < end, "it never asked"
        time.sleep(0.02)
    running.send_signal(number)
    said = running.communicate(timeout=60)[1]
    with contextlib.suppress(ProcessLookupError):
        os.kill(int((tmp_path / "started").read_text()), signal.SIGKILL)
    assert (running.returncode, said.splitlines()[-1]) == (
        130,
        "Interrupted. What was done is kept: run the same command again.",
    )
    assert "Traceback" not in said


def test_before_a_first_release_status_says_how_to_make_one(project: Path, sluice: Sluice) -> None:
    ended = sluice("status")
    assert ended.code == 0
    first, *_, last = ended.out.splitlines()
    assert first == f"Home          {os.environ['SLUICE_HOME']}"
    assert last == "Nothing of attrition is live yet: sluice release attrition"
    found = json.loads(sluice("status", "--json").out)
    data = found.pop("data")
    assert data == {
        "name": str(project / "rows.csv"),
        "rows": 2400,
        "changed": data["changed"],
        "ago": "just now",
        "released": False,
        "missing": False,
    }
    assert data["changed"][:2] == "20"
    assert found == {
        "model": "attrition",
        "home": os.environ["SLUICE_HOME"],
        "demo": False,
        "champion": {},
        "since": "",
        "refused": {},
        "repo": f"{os.environ['SLUICE_HOME']}/manifests.git",
        "branch": "main",
        "tip": "",
        "anchor_fault": "",
        "approvals": "",
        "canary": {},
        "registry": f"{os.environ['SLUICE_HOME']}/registry",
        "quarantined": 0,
        "proposals": [],
        "next": "sluice release attrition",
        "other_home": "",
    }


def test_a_plan_does_nothing(project: Path, sluice: Sluice, tmp_path: Path) -> None:
    ended = sluice("plan")
    assert ended.code == 0
    assert "MISS" in ended.out
    assert "never done before with these inputs" in ended.out
    assert "waits for what validate puts out" in ended.out
    assert ended.out.splitlines()[-1] == f"{len(STEPS)} steps would run."
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["data"]
    found = json.loads(sluice("plan", "--json").out)
    assert [step["hit"] for step in found["steps"]] == [False] * len(STEPS)
    assert (found["diff"], found["outcome"]) == ("", "")


def test_valid_data_are_valid(project: Path, sluice: Sluice) -> None:
    ended = sluice("validate")
    assert ended.code == 0
    assert ended.out.splitlines()[-1].startswith("Valid: 2,400 rows")
    found = json.loads(sluice("validate", "--json").out)
    assert (found["refused"], found["rows"]) == (False, 2400)


def broken(project: Path) -> dict[str, bytes]:
    """Tables that are refused, each for its own reason."""
    good = (project / "rows.csv").read_bytes()
    header, *lines = good.decode().splitlines()

    def table(head: str, rows: list[str]) -> bytes:
        return "\n".join([head, *rows, ""]).encode()

    return {
        "not a CSV": b"\x89PNG\r\n\x1a\n" + bytes(100),
        "empty": b"",
        "no rows": f"{header}\n".encode(),
        "UTF-16": good.decode().encode("utf-16"),
        "wrong delimiter": good.replace(b",", b":"),
        "missing column": table(
            header.replace(",Gender", ""),
            [",".join(line.split(",")[:2] + line.split(",")[3:]) for line in lines],
        ),
        "unknown column": table(f"{header},Surname", [f"{line},x" for line in lines]),
        "duplicate id": table(header, [*lines, lines[-1]]),
        "unknown category": releases.change(good, 2400, "Job Role", "Plumbing"),
        "out of range": releases.change(good, 2400, "Age", 17),
        "wrong type": releases.change(good, 2400, "Monthly Income", "much"),
        "nulls": releases.change(good, 2400, "Age", ""),
        "target with one class": good.replace(b"Stayed", b"Left"),
        "too few rows": table(header, lines[:100]),
    }


@pytest.mark.parametrize(
    "reason",
    [
        "not a CSV",
        "empty",
        "no rows",
        "UTF-16",
        "wrong delimiter",
        "missing column",
        "unknown column",
        "duplicate id",
        "unknown category",
        "out of range",
        "wrong type",
        "nulls",
        "target with one class",
        "too few rows",
    ],
)
def test_data_that_are_refused_end_with_3_and_say_what_to_do(
    reason: str, project: Path, sluice: Sluice, tmp_path: Path
) -> None:
    path = tmp_path / "broken.csv"
    path.write_bytes(broken(project)[reason])
    ended = sluice("validate", "--data", path, "--json")
    assert ended.code == 3
    found = json.loads(ended.out)
    assert found["refused"] is True
    assert found["findings"]
    assert "Traceback" not in ended.err
    for secret in ("Plumbing", "much", "Surname,x"):
        assert secret not in ended.out


def test_a_refusal_is_a_table_with_examples_on_the_terminal(
    project: Path, sluice: Sluice, tmp_path: Path
) -> None:
    path = tmp_path / "broken.csv"
    path.write_bytes(
        releases.change((project / "rows.csv").read_bytes(), 2400, "Job Role", "Plumbing")
    )
    ended = sluice("validate", "--data", path)
    assert ended.code == 3
    assert "2400: Plumbing" in " ".join(ended.out.split())
    assert ended.out.splitlines()[-1].startswith("Refused: 2,400 rows")


def test_pages_about_the_data_do_not_stand_in_the_json(
    project: Path, sluice: Sluice, tmp_path: Path
) -> None:
    ended = sluice("validate", "--docs", tmp_path / "docs", "--json")
    assert json.loads(ended.out)["refused"] is False
    page = Path(ended.err.strip().splitlines()[-1])
    assert page.is_file()
    assert page.is_relative_to(tmp_path)


def test_a_model_that_was_never_released_cannot_be_served(project: Path, sluice: Sluice) -> None:
    ended = sluice("serve")
    assert ended.code == 2
    assert "there is no Bento of 'attrition' on this machine yet" in ended.err
    assert "sluice release attrition" in ended.err


@pytest.mark.parametrize("option", ["--port", "--mlflow-port"])
def test_a_port_that_is_taken_is_said(
    option: str, project: Path, sluice: Sluice, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SLUICE_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    ports = {"--port": free_port(), "--mlflow-port": free_port()}
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports[option] = taken.getsockname()[1]
        ended = sluice("up", *(word for pair in ports.items() for word in pair))
    assert ended.code == 2
    assert f"port {ports[option]} is taken" in ended.err
    assert f"with {option}." in ended.err


class TestReleased:
    """Where a release is live."""

    def test_status_says_what_is_live_and_what_was_refused(
        self, released: Story, sluice: Sluice
    ) -> None:
        ended = sluice("status")
        assert ended.code == 0
        live, since = ended.out.splitlines()[-1].split(", since ")
        assert (live, since[:2]) == ("Live: release 1 of attrition", "20")
        since, _, age = since.partition(" (")
        assert age.endswith(("just now)", "ago)"))
        found = json.loads(sluice("status", "--json").out)
        assert (
            f"sluice.local/attrition:{found['champion']['tag']}@{found['champion']['digest']}"
            in ended.out
        )
        assert f"recall {found['champion']['recall']:.4f}" in ended.out
        assert f"{found['since'][:16].replace('T', ' ')} UTC" == since
        assert len(found["tip"]) == 40
        assert found["data"]["released"] is True
        assert (found["quarantined"], found["proposals"]) == (0, [])
        # Everything that a person is shown is there for a program, too.
        for said in (found["branch"], found["data"]["name"], found["next"], found["tip"][:12]):
            assert said in " ".join(ended.out.split())

    def test_a_release_with_nothing_to_do_ends_in_a_summary(
        self, released: Story, promoted: tuple[Story, Told], sluice: Sluice
    ) -> None:
        ended = sluice("release")
        outcome = promoted[1].outcome
        assert ended.code == 0
        assert f"Verdict   {outcome['summary']}" in ended.out
        assert f"Image     {outcome['reference']}" in ended.out
        assert f"Commit    {outcome['commit']}" in ended.out
        assert f"Evidence  {released.home}/evidence/attrition/evidence.html" in ended.out
        assert "Next      `sluice serve attrition` to ask it" in ended.out
        assert (
            ended.out.splitlines()[-1] == "Nothing to do: release 1 of attrition is live already."
        )
        assert "HIT" in ended.err

    def test_its_json_is_all_that_stands_on_standard_output(
        self, released: Story, sluice: Sluice
    ) -> None:
        ended = sluice("release", "--json")
        assert json.loads(ended.out)["outcome"] == "nothing to do"

    def test_nothing_to_do_is_known_before_an_engine_is_imported(self, released: Story) -> None:
        ended, modules = modules_after("release")
        assert ended.returncode == 0, ended.stderr
        assert "Nothing to do" in ended.stdout
        assert not HEAVY & modules

    def test_a_hold_is_known_before_an_engine_is_imported(self, released: Story) -> None:
        content = released.rows.read_bytes()
        row = releases.row_in("holdout")
        path = released.project / "holdout.csv"
        path.write_bytes(releases.change(content, row, "Age", 44))
        assert releases.release(data=path).outcome["outcome"] == "hold"
        ended, modules = modules_after("release", "--data", str(path))
        assert ended.returncode == 0, ended.stderr
        assert "Hold: the champion of attrition stays" in ended.stdout
        assert HEAVY & modules == set(), ended.stderr[-1500:]

    def test_a_verdict_that_refused_is_known_before_an_engine_is_imported(
        self, released: Story
    ) -> None:
        releases.change_policy(released.project, gate={"recall_floor": 0.99})
        assert releases.release().outcome["verdict"] == "REJECT"
        ended, modules = modules_after("release")
        assert ended.returncode == 3, ended.stderr
        assert "Refused: nothing of attrition was built or committed." in ended.stdout
        assert not HEAVY & modules

    def test_data_that_were_refused_are_known_before_an_engine_is_imported(
        self, released: Story, sluice: Sluice
    ) -> None:
        path = released.project / "broken.csv"
        good = released.rows.read_bytes()
        path.write_bytes(releases.change(good, 2400, "Job Role", "Plumbing"))
        first = releases.release(data=path)
        ended, modules = modules_after("release", "--data", str(path))
        assert (first.code, ended.returncode) == (3, 3), ended.stderr
        assert upper_first(first.outcome["sentence"]) in ended.stdout
        assert "sluice validate attrition shows examples" in ended.stderr
        assert "Plumbing" not in ended.stdout + ended.stderr
        assert not HEAVY & modules
        told = sluice("plan", "--data", path).out
        assert first.outcome["sentence"] in told or upper_first(first.outcome["sentence"]) in told
        path.write_bytes(good)
        assert "Nothing to do" in sluice("release", "--data", path).out

    def test_a_plan_says_that_nothing_is_to_be_done(self, released: Story, sluice: Sluice) -> None:
        ended = sluice("plan")
        assert (ended.code, ended.out.count("HIT")) == (0, len(STEPS))
        assert ended.out.splitlines()[-1].startswith("Nothing to do: ")

    def test_a_plan_names_what_changed(self, released: Story, sluice: Sluice) -> None:
        releases.change_policy(released.project, search={"trials": 3})
        ended = sluice("plan")
        assert "changed: policy" in ended.out
        assert ended.out.splitlines()[-1] == "9 steps would run."

    @pytest.mark.parametrize("rows", [True, False])
    def test_the_gate_decides_the_same_again(
        self, rows: bool, released: Story, sluice: Sluice
    ) -> None:
        folder = released.home / "evidence" / "attrition"
        if not rows:
            (folder / "scores.parquet").unlink()
        ended = sluice("gate", folder / "metrics.json")
        assert ended.code == 0
        assert ended.out.splitlines()[-1].startswith("PROMOTE: recall 0.")
        assert ("finite" in ended.out) == rows
        assert (
            json.loads(sluice("gate", folder / "metrics.json", "--json").out)["verdict"]
            == "PROMOTE"
        )

    @pytest.mark.parametrize("rows", [True, False])
    @pytest.mark.parametrize("to_match", [False, True])
    def test_a_number_that_was_changed_by_hand_is_refused(
        self, rows: bool, to_match: bool, released: Story, sluice: Sluice
    ) -> None:
        folder = released.home / "evidence" / "attrition"
        if not rows:
            (folder / "scores.parquet").unlink()
        metrics = json.loads((folder / "metrics.json").read_text())
        metrics["holdout"]["recall"] = 0.95
        (folder / "metrics.json").write_text(json.dumps(metrics))
        if to_match:
            evidence = json.loads((folder / "evidence.json").read_text())
            evidence["seals"]["metrics"] = file_sha256(folder / "metrics.json")
            (folder / "evidence.json").write_text(json.dumps(evidence))
        ended = sluice("gate", folder / "metrics.json")
        assert ended.code == 3
        assert "broken" in ended.out
        assert ("metrics changed since the verdict" in ended.err) != to_match
        verdict = json.loads(sluice("gate", folder / "metrics.json", "--json").out)
        assert verdict["verdict"] == "REJECT"
        assert "recall" in verdict["sentence"]
        assert ("metrics changed since the verdict" in verdict.get("error", "")) != to_match

    def test_a_floor_that_was_raised_since_is_refused(
        self, released: Story, sluice: Sluice
    ) -> None:
        releases.change_policy(released.project, gate={"recall_floor": 0.99})
        ended = sluice("gate", released.home / "evidence" / "attrition" / "metrics.json")
        assert ended.code == 3
        last = ended.out.splitlines()[-1]
        assert last.startswith("REJECT: ")
        assert "at least 0.99 is required" in last

    @pytest.mark.parametrize("content", ["{", "[]", "{}", '{"seals": 7}', '{"seals": null}'])
    def test_evidence_without_seals_is_refused(
        self, content: str, released: Story, sluice: Sluice
    ) -> None:
        folder = released.home / "evidence" / "attrition"
        (folder / "evidence.json").write_text(content)
        ended = sluice("gate", folder / "metrics.json")
        assert ended.code == 3
        assert (
            f"{folder / 'evidence.json'} holds no seals to check the metrics against"
            in " ".join(ended.err.split())
        )

    def test_the_bento_of_the_release_is_served_until_interrupted(self, released: Story) -> None:
        import httpx2

        from flows.adapters.server import free_port

        port = free_port()
        running = subprocess.Popen(
            program("serve", "attrition", "--port", str(port)), stdout=subprocess.PIPE, text=True
        )
        try:
            assert running.stdout is not None
            line = running.stdout.readline()
            assert line.startswith("Serving attrition:")
            golden = next((released.home / "bentoml").rglob("golden.json"))
            record = json.loads(golden.read_text())["records"][0]
            answer = httpx2.post(f"http://127.0.0.1:{port}/predict", json=record, trust_env=False)
            assert 0 < answer.json()["probability"] < 1
        finally:
            running.send_signal(signal.SIGINT)
            running.communicate(timeout=60)
        assert running.returncode == 130


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"model": "attrition"', '{"model": "unheard"}']
)
def test_what_is_no_metrics_json_is_usage(
    content: str, project: Path, sluice: Sluice, tmp_path: Path
) -> None:
    (tmp_path / "metrics.json").write_text(content)
    ended = sluice("gate", tmp_path / "metrics.json")
    assert (ended.code, ended.out) == (2, "")
    assert "Traceback" not in ended.err


def test_a_metrics_json_without_numbers_clears_no_floor(
    project: Path, sluice: Sluice, tmp_path: Path
) -> None:
    (tmp_path / "metrics.json").write_text('{"model": "attrition"}')
    assert sluice("gate", tmp_path / "metrics.json").code in (2, 3)
