"""A fleet of 1,000 models of 500 rows each and twenty large ones: killed and gone on with, within a
bounded memory, and with what is truly better promoted.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
from support import fleets
from support.fleets import NAME, OTHER, USUAL

from flows.fleet.rows import SHARD
from flows.project.root import ROOT
from sluice.fleet.changes import KEPT, NEW, NONE, REPLACED, Changes

SMALL = {f"S{at:04d}": 500 for at in range(1000)}
LARGE = {f"L{at:02d}": 2400 for at in range(20)}
ELSEWHERE = {key for key in LARGE if int(key[1:]) % 2}  # whose world is another one later
SHARDS = -(-(len(SMALL) + len(LARGE)) // SHARD)
# 548,000 rows as columns, their split, and a shard: what grows with the models is their rows alone.
MEMORY = 1536  # MiB
MINUTES = 5


def begun(folder: Path) -> subprocess.Popen[str]:
    """A release of the fleet in this folder, by one worker."""
    settings = {
        "SLUICE_HOME": str(folder / "home"),
        "SLUICE_PROJECT": str(folder / "project"),
        "SLUICE_WORKERS": "1",
        "SLUICE_TRACKING_URI": "",
        "PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), str(ROOT)]),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "support.large_fleet"],
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(release: subprocess.Popen[str]) -> dict[str, Any]:
    """What a release printed at its end."""
    out, err = release.communicate(timeout=60 * MINUTES)
    assert release.returncode == 0, err[-3000:]
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return found


def kept(folder: Path, step: str) -> dict[str, int]:
    """The results of a step in the store, and when each was written. What is hidden is not done."""
    results = (folder / "home" / "store" / step).glob("[!.]*/step.json")
    return {one.parent.name: one.stat().st_mtime_ns for one in results}


def changed(folder: Path) -> Changes:
    """The table of the newest release."""
    content = (folder / "home" / "evidence" / NAME / "changes.json").read_bytes()
    return msgspec.json.decode(content, type=Changes)


def test_a_thousand_models_are_killed_between_shards_gone_on_with_and_promoted_in_bounded_memory(
    tmp_path: Path,
) -> None:
    rows = SMALL | LARGE
    fleets.write(tmp_path / "project", fleets.table(rows), list(rows))
    (tmp_path / "home").mkdir()

    # Killed while it judges: what was kept of it stays.
    killed = begun(tmp_path)
    deadline = time.monotonic() + 60 * MINUTES
    while len(kept(tmp_path, "judge")) < 3:
        assert killed.poll() is None, "it ended before it was killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    before = {step: kept(tmp_path, step) for step in ("teach", "judge")}
    assert len(before["teach"]) == SHARDS
    assert 3 <= len(before["judge"]) < SHARDS

    first = ended(begun(tmp_path))
    after = {step: kept(tmp_path, step) for step in ("teach", "judge")}
    assert first["outcome"] == "promoted", first["sentence"]
    assert first["release"] == 1  # one use of the holdout, although it began twice
    for step, results in before.items():
        assert len(after[step]) == SHARDS
        assert {key: after[step][key] for key in results} == results  # none was done again
    told = changed(tmp_path)
    became = {one.key: one.change for one in told.models}
    assert len(became) == len(rows)
    assert {became[key] for key in LARGE} == {NEW}
    small = Counter(became[key] for key in SMALL)
    assert small[NEW] >= 300 and small[NEW] + small[NONE] == len(SMALL)
    assert all(one.sentence for one in told.models)

    # Ten large shops are in another world now; of the others none has anything to gain.
    def world(key: str) -> Any:
        return OTHER if key in ELSEWHERE else USUAL

    fleets.point(tmp_path / "project", fleets.table(rows, world, seed=2))
    second = ended(begun(tmp_path))
    assert second["outcome"] == "promoted", second["sentence"]
    became = {one.key: one.change for one in changed(tmp_path).models}
    replaced = {key for key, change in became.items() if change == REPLACED}
    assert replaced >= ELSEWHERE
    assert len(replaced - ELSEWHERE) <= 1  # by chance, as the rate of false discoveries allows
    assert {became[key] for key in LARGE} == {REPLACED, KEPT}

    for one in (first, second):
        assert one["peak_mib"] < MEMORY
