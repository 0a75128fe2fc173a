"""Release and rollback by their own functions, in their own order, without what takes long and is
not what is tried.

That is: Prefect around them, BentoML's and buildah's own work, the container that is started.
Everything between and around these is done for real. All of it is for a process that was forked to
be killed.
"""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from flows import release as releasing
from flows.adapters.image import wheels
from flows.adapters.registry import remote
from flows.decision import baselines, seals
from flows.drills.crash import fake_images
from flows.engine import step as engine
from flows.engine import store
from flows.engine.outcome import record
from flows.engine.run import Run, begin
from flows.engine.step import Done
from flows.gitops import manifest_repo, smoke_released
from flows.orchestration import plan
from flows.orchestration.tasks import commit, track
from flows.project import settings
from flows.steps import evidence, gate, image, package, score, smoke
from sluice.identity import code_hash

Step = Callable[[str], None]
_kept: list[str] = []


def prepare() -> None:
    """What every run would ask uv for, and read all sources for, again: it is the same for all."""
    _kept[:] = [
        wheels.requirements(settings.ROOT),
        code_hash(settings.ROOT, ["sluice.gate.decide", "sluice.gate.rules"]),
    ]
    for step in (*plan.TO_MODEL, score, gate, evidence, *plan.TO_IMAGE):
        engine._code(step.__name__)
    engine._lock()


def release(data: Path | None = None, step: Step = lambda _: None, cache: bool = True) -> int:
    """A whole release in this process; `step` is told each step before it is done. Its exit
    code.
    """
    without_prefect(step)
    without_builders()
    given = settings.load()
    manifest_repo.seed(given)
    store.sweep(given.home)
    outcome = releasing._release(begin(given, "attrition", data, cache), {})
    step("record")
    record(given.home, outcome)
    return 0 if outcome.outcome in ("promoted", "nothing to do", "proposed") else 5


def rollback() -> int:
    """Back to the release before."""
    from flows.adapters import service_client
    from flows.cli.rollback import run_rollback
    from sluice.model import model_artifact

    without_builders()
    _replace(service_client, ask=lambda _, records: records)
    _replace(model_artifact, compare_golden=lambda *_: 0.0)

    return run_rollback("attrition", "previous", "a drill", dry_run=False, boot=True, as_json=True)


def quarantine() -> int:
    """The live release into quarantine, by hand."""
    from flows.cli.quarantine import run_add

    tag = (live := manifest_repo.live(settings.load(), "attrition")) and (live.champion or {})[
        "tag"
    ]
    return run_add("attrition", str(tag), "a drill", True)


def impatient(seconds: float, play: Callable[[], int]) -> int:
    """Play it, and wait for the registry no longer than that."""
    _replace(remote, _TIMEOUT=seconds)
    return play()


def without_prefect(step: Step) -> None:
    """The steps of the release as plain calls."""

    def do(module: Any, run: Run, done: Done) -> None:
        step(module.NAME)
        engine.perform(module, run, done)

    def write(*arguments: Any) -> Any:
        step("promote")
        return commit.fn(*arguments)

    def plain(value: Any) -> Any:
        return value

    def nothing(*_: object) -> None:
        return None

    shown = SimpleNamespace(number=nothing, evidence=nothing, refusal=nothing, delivery=nothing)
    # The champion is old enough here for fresh data to replace it: a few hundred rows show no model
    # to be better.
    days = baselines._days
    _replace(baselines, _days=lambda *asked: days(*asked) + 99)
    _replace(seals, code_hash=lambda *_: _kept[1])
    _replace(releasing, do=do, commit=write, track=track.fn, shown=plain, artifacts=shown)


def without_builders() -> None:
    """A Bento, a base and an image that are made up, by tools that work at once."""
    images = fake_images.images(_kept[0])
    for module in (releasing, package, image, smoke, smoke_released):
        _replace(module, IMAGES=images)
    _replace(smoke, ask=lambda _, records: records, compare_golden=lambda *_: 0.0)


def _replace(module: Any, **attributes: Any) -> None:
    """In this process alone."""
    for name, value in attributes.items():
        setattr(module, name, value)
