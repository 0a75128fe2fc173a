"""The benchmarks measure what they say; how fast anything is, no test asserts."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import release
from benchmarks.processes import cpu, peak, pss, tree
from flows.adapters.process import run
from flows.settings import ROOT
from models.attrition import sample
from sluice.contract import load_contract
from sluice.encoding import encode, numeric_features
from sluice.policy import SearchPolicy, load_policy
from sluice.split import parts, row_hashes
from sluice.table import read_table, typed
from sluice.training import tune

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
    assert len(text.splitlines()) < 60
    assert not [line for line in text.splitlines() if line.startswith(("from sluice", "import sluice", "from flows"))]


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
    (tmp_path / "tuning.json").write_text(json.dumps(tuning.document()))
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
            now = pss(parent.pid)
        members = tree(parent.pid)
    finally:
        for member in reversed(tree(parent.pid)):
            subprocess.run(["kill", "-9", str(member)], check=False)
        parent.wait()
        parent.stdout.close()
    assert len(members) == 2
    assert 120_000_000 < now < 300_000_000
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
        "rows": 74498, "machine": {"cores": 2}, "load_before": 0.1,
        "release": {"wall": {"median": 40.0}, "cpu": {"median": 60.0}},
        "bare": {"wall": {"median": 25.0}, "cpu": {"median": 45.0}},
        "ratio": 1.58, "bound": 50.0, "within_bound": within, "peak_mib": 900, "help_cpu": {"median": 0.21},
        "again": {"median": 2.1},
    }  # fmt: skip
    told = release.table(result)
    assert said in told
    assert "40.0 s, 60.0 s of computing" in told and "2.10 s" in told and "900 MiB" in told
    assert "not measured" in release.table({**result, "again": None})


def test_without_the_real_file_it_says_what_it_needs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SLUICE_REAL_DATA", raising=False)
    with pytest.raises(SystemExit, match="SLUICE_REAL_DATA is not set"):
        release.case("real", tmp_path)
