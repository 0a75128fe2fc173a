"""The shards of a fleet as steps: each is one result in the store, done once for equal inputs.

The work is done ahead, by the engine; a step takes what the engine gives for its shard. So a shard
is one task in Prefect and one artifact here, and a run that was killed goes on behind the last
shard that it kept.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgspec import Struct

from flows.adapters.engine import Work, worked
from flows.engine.perform import Plainly, Runner, lookup
from flows.engine.step import Step
from flows.engine.store import Result
from flows.facts.fleet import ShardJudged, ShardTaught
from sluice.fleet.judging import judge, verdicts_of
from sluice.fleet.parcels import unpacked
from sluice.fleet.teaching import teach
from sluice.identity import sha256

WEIGHTS = "weights.npz"
VERDICTS = "verdicts.json"


@dataclass(frozen=True)
class Shard:
    """One shard: its number from 1 of `of`, the SHA-256 of its parcel, and what makes the parcel
    when it is needed.
    """

    number: int
    of: int
    rows: str
    make: Callable[[], bytes] = field(repr=False)

    @property
    def name(self) -> str:
        """How people find it."""
        return f"shard {self.number} of {self.of}"


def shards(makers: Sequence[Callable[[], bytes]]) -> list[Shard]:
    """The shards that these make; no parcel is kept."""
    return [
        Shard(number, len(makers), sha256(make()), make) for number, make in enumerate(makers, 1)
    ]


@dataclass
class Ahead:
    """What an engine makes of shards, one after the other, and some of them ahead of time."""

    work: Work
    results: Iterator[bytes]
    numbers: list[int]

    def take(self, shard: Shard) -> bytes:
        """What the work makes of a shard: it is done here where the engine was not given it."""
        if shard.number not in self.numbers:
            return self.work(shard.make())
        while True:
            number, result = self.numbers.pop(0), next(self.results)
            if number == shard.number:
                return result


@dataclass(frozen=True)
class Engine:
    """What works on shards: a setting of the engine, `workers` of this machine, and where results
    are kept.
    """

    engine: str
    workers: int
    place: Plainly


def _inputs(shard: Shard, ahead: Ahead) -> dict[str, str]:
    del ahead
    return {"rows": shard.rows}


def _teach(folder: Path, shard: Shard, ahead: Ahead) -> ShardTaught:
    """Write the weights of the models of a shard."""
    content = ahead.take(shard)
    (folder / WEIGHTS).write_bytes(content)
    return ShardTaught(len(unpacked(content)["intercepts"]))


def _judge(folder: Path, shard: Shard, ahead: Ahead) -> ShardJudged:
    """Write the verdicts on the models of a shard."""
    content = ahead.take(shard)
    (folder / VERDICTS).write_bytes(content)
    found = verdicts_of(content)
    return ShardJudged(len(found), sum(one.verdict == "PROMOTE" for one in found))


def _step(title: str, name: str, facts: Any, file: str, work: Any) -> Step[[Shard, Ahead], Any]:
    return Step(name, title, facts, (file,), _inputs, work)


def taught(on: Engine, runner: Runner, shards: Sequence[Shard]) -> list[bytes]:
    """The weights of the models of every shard, in order. Raises what the engine raises."""
    steps = [_step(f"Train {one.name}", "teach", ShardTaught, WEIGHTS, _teach) for one in shards]
    results = _done(on, runner, teach, list(zip(steps, shards, strict=True)))
    return [one.read(WEIGHTS) for one in results]


def judged(on: Engine, runner: Runner, shards: Sequence[Shard]) -> list[bytes]:
    """The verdicts on the models of every shard, in order. Raises what the engine raises."""
    steps = [_step(f"Judge {one.name}", "judge", ShardJudged, VERDICTS, _judge) for one in shards]
    results = _done(on, runner, judge, list(zip(steps, shards, strict=True)))
    return [one.read(VERDICTS) for one in results]


Numbered = tuple[Step[[Shard, Ahead], Struct], Shard]


def _done(
    on: Engine, runner: Runner, work: Work, shards: Sequence[Numbered]
) -> list[Result[Struct]]:
    idle = Ahead(work, iter(()), [])
    wanted = [one for step, one in shards if lookup(on.place, step, one, idle) is None]
    parcels = (one.make() for one in wanted)
    ahead = Ahead(
        work, worked(on.engine, on.workers, work, parcels), [one.number for one in wanted]
    )
    return [runner.do(step, one, ahead) for step, one in shards]
