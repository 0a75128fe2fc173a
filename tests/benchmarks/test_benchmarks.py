"""The benchmarks measure what they say; how fast anything is, no test asserts."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import reading, release
from benchmarks.processes import cpu, peak, pss, rss, tree
from benchmarks.serving import proxy, rolling, verdicts, wrk
from benchmarks.serving.verdicts import Measured
from flows.adapters.process import run
from flows.project.root import ROOT
from models.attrition import sample
from sluice.model.data.split import parts, row_hashes
from sluice.model.data.table import read_table, typed
from sluice.model.fit.training import tune
from sluice.model.fit.tuning_file import write_tuning
from sluice.policy import SearchPolicy, load_policy
from sluice.served.contract import load_contract
from sluice.served.encoding import encode, numeric_features

_EATER = "import time; block = bytearray(120_000_000); print('full', flush=True); time.sleep(60)"
_BUSY = """
import time
end = time.process_time() + 0.4
while time.process_time() < end:
    pass
print("done", flush=True)
time.sleep(60)
"""
_PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {_EATER!r}])"


def test_the_bare_script_is_short_and_knows_nothing_of_sluice() -> None:
    text = (ROOT / "benchmarks" / "bare.py").read_text(encoding="utf-8")
    statements = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.stmt)]
    assert len(statements) < 50
    assert not [
        line
        for line in text.splitlines()
        if line.startswith(("from sluice", "import sluice", "from flows"))
    ]


def test_the_bare_script_does_the_fits_of_a_release(tmp_path: Path) -> None:
    csv = tmp_path / "rows.csv"
    csv.write_bytes(sample.to_csv(sample.generate(3000)))
    folder = ROOT / "models" / "attrition"
    contract = load_contract((folder / "contract.toml").read_text(encoding="utf-8"))
    policy = load_policy((folder / "policy.toml").read_text(encoding="utf-8"), "policy.toml")
    columns = typed(read_table(csv.read_bytes(), contract, "rows.csv"), contract)
    hashes = row_hashes(policy.split.salt, columns["employee_id"])
    train = parts(policy.split, hashes, columns["attrition"])["train"]
    rows = {name: values[train] for name, values in columns.items()}
    search = SearchPolicy(4, policy.search.families, policy.search.folds, policy.search.seed)
    tuning = tune(encode(contract, rows), rows["attrition"], numeric_features(contract), search)
    (tmp_path / "tuning.json").write_text(write_tuning(tuning))
    words = [sys.executable, "-m", "benchmarks.bare", csv, tmp_path / "tuning.json"]
    said = json.loads(run(words, cwd=ROOT).stdout)
    assert said["winner"] == tuning.winner.number
    assert np.allclose(said["scores"], [trial.score for trial in tuning.trials], atol=2e-3)
    assert 0.6 < said["roc_auc"] < 1


def test_memory_is_summed_over_children() -> None:
    parent = subprocess.Popen([sys.executable, "-c", _PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    try:
        with peak(parent.pid, every=0.02) as seen:
            assert parent.stdout.readline() == "full\n"
            now, resident = pss(parent.pid), rss(parent.pid)
        members = tree(parent.pid)
    finally:
        for member in reversed(tree(parent.pid)):
            subprocess.run(["kill", "-9", str(member)], check=False)
        parent.wait()
        parent.stdout.close()
    assert len(members) == 2
    assert 120_000_000 < now < 300_000_000
    assert now <= resident < 300_000_000
    assert seen[0] > 0
    assert pss(parent.pid) == 0


def test_computing_is_summed_over_children() -> None:
    process = subprocess.Popen([sys.executable, "-c", _BUSY], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        process.stdout.readline()
        assert 0.35 < cpu(process.pid) < 1.0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize(("within", "said"), [(True, "50.0 s, met"), (False, "50.0 s, missed")])
def test_the_table_says_whether_the_bound_is_met(within: bool, said: str) -> None:
    result = {
        "rows": 74498,
        "machine": {"cores": 2},
        "load_before": 0.1,
        "release": {"wall": {"median": 40.0}, "cpu": {"median": 60.0}},
        "bare": {"wall": {"median": 25.0}, "cpu": {"median": 45.0}},
        "ratio": 1.58,
        "bound": 50.0,
        "within_bound": within,
        "peak_mib": 900,
        "help_cpu": {"median": 0.21},
        "again": {"median": 2.1},
        "phases": [{"name": "Train", "wall": 7.5, "cpu": 9.5}],
    }
    told = release.table(result)
    assert said in told
    assert "40.0 s, 60.0 s of computing" in told and "2.10 s" in told and "900 MiB" in told
    assert "7.5 s, 9.5 s of computing so far" in told
    assert "not measured" in release.table({**result, "again": None})


def test_phases_are_read_from_what_a_release_prints() -> None:
    lines = [
        (release.Took(0.4, 0.3), "Release   attrition from employees.csv"),
        (release.Took(9.0, 8.0), "● Validate data             3.0s  59,598 rows"),
        (release.Took(9.5, 8.5), "Run       http://127.0.0.1:4200/runs/flow-run/1"),
        (release.Took(20.0, 30.0), "○ Tune                     11.0s  winner gradient_boosting"),
    ]
    phases = release.phases(lines)
    assert [phase.name for phase in phases] == [
        "first line",
        "imports and engine start",
        "Validate data",
        "Tune",
    ]
    assert [phase.wall for phase in phases] == pytest.approx([0.4, 5.6, 3.0, 11.0])
    assert [phase.cpu for phase in phases] == [0.3, None, 8.0, 30.0]


def test_without_the_real_file_it_says_what_it_needs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SLUICE_REAL_DATA", raising=False)
    with pytest.raises(SystemExit, match="SLUICE_REAL_DATA is not set"):
        release.case("real", tmp_path)


WRK = """Running 10s test @ http://127.0.0.1:34567/predict?reasons=0
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     3.21ms    1.05ms  88.11ms   93.69%
    Req/Sec     5.00k   310.11     5.62k    71.00%
  Latency Distribution
     50%    3.05ms
     75%    3.40ms
     90%    4.01ms
     99%    1.20s
  50023 requests in 10.01s, 12.05MB read
{more}Requests/sec:   4997.30
Transfer/sec:      1.20MB
"""


@pytest.mark.parametrize(
    ("more", "errors"),
    [
        ("", 0),
        ("  Non-2xx or 3xx responses: 7\n", 7),
        (
            (
                "  Socket errors: connect 1, read 2, write 0, timeout 4\n  Non-2xx or 3xx"
                " responses: 10\n"
            ),
            17,
        ),
    ],
)
def test_what_wrk_says_is_read_with_every_kind_of_failure(more: str, errors: int) -> None:
    assert wrk.read(WRK.format(more=more)) == wrk.Seen(50023, 4997.3, 3.05, 1200.0, 88.11, errors)


def sides(**rates: float) -> dict[tuple[str, str], Measured]:
    """What a comparison found in which FastAPI with ONNX and the service answer so fast."""
    usual = {"sluice": 6000.0, "fastapi + onnx": 3500.0, "tutorial": 50.0, **rates}
    names = {
        name.replace("_", " ").replace("onnx", "+ onnx") if "_" in name else name: r
        for name, r in usual.items()
    }
    slow = {name: 100.0 if name == "sluice" else 10.0 for name in names}
    cases = {"one": names, "one, reasons": names, "1,000 rows": slow}
    return {
        (case, name): Measured(rate, 2.0, 5.0, 100.0, 0, (rate * 0.95, rate * 1.05))
        for case, found in cases.items()
        for name, rate in found.items()
    }


def test_a_run_on_a_quiet_machine_counts() -> None:
    found = sides()
    checked = verdicts.checks(found, 2.1, 240.0)
    assert verdicts.last_line(checked, verdicts.doubts(found, 0.02)) == "VALID, every bound is met"
    told = verdicts.table(found, checked)
    assert "| one | sluice | 6,000.0 | 2.00 ms | 5.00 ms | 100 µs |" in told
    assert "| one record: times FastAPI + ONNX | 1.71 | at least 0.95 | met |" in told


@pytest.mark.parametrize(
    ("rates", "busy", "why"),
    [
        ({"fastapi_onnx": 2900.0}, 0.0, "a strawman under 3,000"),
        ({}, 0.4, "other programs took 40% of the processors"),
    ],
)
def test_a_run_that_does_not_count_says_why(rates: dict[str, float], busy: float, why: str) -> None:
    found = sides(**rates)
    said = verdicts.last_line(verdicts.checks(found, 2.1, 240.0), verdicts.doubts(found, busy))
    assert said.startswith("INVALID")
    assert why in said


def test_what_is_missed_is_named_and_an_aim_is_none() -> None:
    found = sides(sluice=1400.0)
    found["one", "sluice"] = Measured(1400.0, 1.0, 20.0, 100.0, 0, (1400.0,))
    said = verdicts.last_line(verdicts.checks(found, 3.5, 240.0), verdicts.doubts(found, 0.0))
    assert said.startswith(
        "VALID, and missed: one record: times the tutorial; one record: times FastAPI + ONNX"
    )
    assert "ready after" in said
    assert "p99" not in said


def test_the_load_goes_through_the_shipped_backend() -> None:
    text = proxy.behind([4001, 4002], 4000)
    shipped = proxy.CONFIGURATION.read_text()
    backend = shipped[shipped.index("\nbackend attrition") : shipped.index("    server one")]
    assert backend in text
    assert shipped[shipped.index("global") : shipped.index("userlist")] in text
    assert re.findall(r"(?m)^    server (\S+) (\S+)", text) == [
        ("one", "127.0.0.1:4001"),
        ("two", "127.0.0.1:4002"),
        ("one-anyway", "127.0.0.1:4001"),
        ("two-anyway", "127.0.0.1:4002"),
    ]
    assert "bind 127.0.0.1:4000" in text
    assert not {"userlist", "ssl", "10.0.0.11"} & set(text.replace(":", " ").split())


def test_the_documents_show_the_shipped_proxy() -> None:
    [shown] = re.findall(
        r"(?s)```haproxy\n(.*?)```", (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
    )
    assert proxy.CONFIGURATION.read_text(encoding="utf-8").endswith(shown)


def test_the_log_of_the_proxy_says_what_failed_and_why() -> None:
    failed = (
        "127.0.0.1:1 [20/Nov/2026:14:18:02.6] local attrition/<NOSRV> 0/-1/-1/-1/0 503 217 - - SC--"
        ' 2/2/0/0/0 0/0 "P"'
    )
    good = failed.replace("<NOSRV>", "one").replace("503", "200").replace("SC--", "----")
    down = "Server attrition/one is DOWN, reason: Layer7 timeout."
    log = "\n".join([failed, good, f"[WARNING] (7) : {down}", down, failed])
    assert proxy.told(log) == f"{down}\n2 times attrition/<NOSRV> 503 SC--"


@pytest.mark.parametrize(
    ("last", "errors", "kept"), [(101, 0, True), (120, 0, False), (101, 1, False)]
)
def test_a_lost_request_and_growing_memory_are_seen(last: int, errors: int, kept: bool) -> None:
    samples = [
        rolling.Sample(at, 20 + at, size * rolling.MIB)
        for at, size in ((5, 100), (30, 150), (58, last))
    ]
    found = {"errors": errors, **rolling._memory(samples, 60)}
    assert rolling.good(found) is kept
    assert found["memory_most"] == 150


def test_memory_that_grows_while_an_instance_lives_is_seen_though_restarts_hide_it() -> None:
    seen = ((5, 30, 100), (10, 100, 130), (55, 30, 100), (58, 100, 130))
    found = rolling._memory(
        [rolling.Sample(at, age, size * rolling.MIB) for at, age, size in seen], 60
    )
    assert (found["memory_first"], found["memory_last"]) == (115, 115)
    assert not rolling.good({"errors": 0, **found})


def test_what_reading_costs_is_told_beside_git_with_its_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "HAPPENED", ("edit",))
    monkeypatch.setattr(reading, "ROOT", tmp_path)  # where no demo ran
    found = reading.measure(tmp_path, 1)
    names = [
        "sluice --help",
        "git clone, git log --patch",
        "sluice history",
        "sluice history --page",
    ]
    assert [one["name"] for one in found["commands"]] == names
    assert found["commits"] == 502
    assert all(one["cpu"] > 0 for one in found["commands"])
    slow = {**found, "commands": [{**found["commands"][2], "cpu": 2.5}]}
    assert reading.table(slow).endswith("| 2.50 s | 2 s, missed |")
    assert "met" in reading.table(found)
