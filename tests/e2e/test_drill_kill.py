"""Killed at every boundary and at times that are drawn, failed by every disk and server: the same
in the end.

The long forms: `sluice drill kill --rounds 20 --times 200 --images 10`, `sluice drill faults
--rounds 2`.
"""

import json
import shutil
from typing import Any

import pytest
from support import scratch_memory

from flows.adapters.process import run
from flows.drills.crash.boundaries import POINTS
from flows.project.root import ROOT

pytestmark = pytest.mark.skipif(
    not shutil.which("docker-registry"),
    reason="needs docker-registry (apt-get install docker-registry)",
)

# worlds are put back a thousand times
IN_MEMORY = {"TMPDIR": str(scratch_memory.FOLDER)} if scratch_memory.FOLDER else {}


def drill(*words: str) -> dict[str, Any]:
    """What a drill says, and nothing but the fault that it was told to look for may have
    happened.
    """
    ended = run(
        [ROOT / ".venv" / "bin" / "sluice", "drill", *words, "--model", "attrition", "--json"],
        env=IN_MEMORY,
        check=False,
    )
    assert ended.stdout, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)
    assert [trial for trial in found["trials"] if trial["state"] != "held"] == []
    assert ended.code == 0
    print(f"{words}: {found['held']} of {found['n']}, {found['kills']} kills, {found['seconds']} s")
    return found


def test_one_round_of_the_kill_matrix_and_some_at_random() -> None:
    found = drill("kill", "--rounds", "1", "--times", "8")
    once = [trial["place"] for trial in found["trials"] if trial["kind"] == "once"]
    assert {place.rpartition("/")[2].rpartition(": ")[2] for place in once} == {
        f"{name}.{side}" for name in POINTS for side in ("before", "after")
    }
    kinds = [trial["kind"] for trial in found["trials"]]
    assert (kinds.count("again"), kinds.count("process"), kinds.count("program")) == (
        len(POINTS),
        4,
        4,
    )


def test_every_disk_and_every_server_fails() -> None:
    found = drill("faults")
    kinds = {trial["kind"] for trial in found["trials"]}
    assert kinds == {"no space left", "input/output error", "registry", "git"}
    # An error says what happened, in one line that begins so; what is not said was got over.
    assert {trial["said"].split(":")[0] for trial in found["trials"]} <= {"Error", "got over"}
