"""Eight releases at once and a person in the same file, against a real server: nothing lost,
nothing out of order.

`SLUICE_RACE_ROUNDS=50 .venv/bin/pytest tests/e2e/test_races.py` goes fifty rounds.
"""

import json
import os

from flows.adapters.process import run
from flows.project.root import ROOT

ROUNDS = os.environ.get("SLUICE_RACE_ROUNDS", "5")
SLUICE = ROOT / ".venv" / "bin" / "sluice"


def test_of_those_compared_with_the_same_champion_the_newest_wins_and_nothing_is_lost() -> None:
    ended = run([SLUICE, "drill", "race", "--rounds", ROUNDS, "--json"], check=False)
    found = json.loads(ended.stdout)
    print(found)
    assert found.pop("wrong") == []
    assert (found["rounds"], found["promotions"]) == (int(ROUNDS), 8 * int(ROUNDS))
    assert int(ROUNDS) <= found["committed"] < found["promotions"]
    assert ended.code == 0
