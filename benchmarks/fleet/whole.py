"""A whole release of a fleet: data, shards, gate, artifact, commit; in processor time and memory.

It is done in one process, by one worker, so that its processor time is all there is: two cores that
do nothing else take half of it, but for the part that is done once (data, split, artifact).
"""

import os
import resource
import tempfile
import time
from pathlib import Path

from support import environment, fleets  # type: ignore[import-not-found]  # below tests/

_ROWS, _LARGE = 500, 2400
_EACH = 50  # one in so many models is large


def measure(models: int) -> None:
    """Print what a first release of so many models takes, and one in which some are replaced."""
    rows = {f"S{at:04d}": _ROWS if at % _EACH else _LARGE for at in range(models)}
    with tempfile.TemporaryDirectory(prefix="fleet-") as scratch, environment.kept():
        folder = Path(scratch)
        os.environ |= {
            "SLUICE_HOME": str(folder / "home"),
            "SLUICE_PROJECT": str(folder / "project"),
            "SLUICE_WORKERS": "1",
            "SLUICE_TRACKING_URI": "",
        }
        (folder / "home").mkdir()
        fleets.write(folder / "project", fleets.table(rows), list(rows))
        _released("first", models)
        fleets.point(folder / "project", fleets.table(rows, _world, seed=2))
        _released("second", models)


def _world(shop: str) -> object:
    """Another world in every second large shop."""
    return fleets.OTHER if int(shop[1:]) % (2 * _EACH) == 0 else fleets.USUAL


def _released(which: str, models: int) -> None:
    before = _used()
    began = time.monotonic()
    outcome = fleets.release()
    took, clock = _used() - before, time.monotonic() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"{which} release of {models:,} models: {outcome.outcome};"
        f" {outcome.sentence.partition('; ')[2]}. {took:.1f} s of processor time, {clock:.1f} s on"
        f" the clock, {2 * models / took:.0f} models a second on two cores, {peak:,} MiB at most"
    )


def _used() -> float:
    """Processor seconds of this process and of those that it started."""
    sides = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(one.ru_utime + one.ru_stime for one in map(resource.getrusage, sides))
