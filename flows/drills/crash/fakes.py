"""Release and rollback by their own functions, in their own order, without what takes long and is
not what is tried.

That is: Prefect around them, BentoML's and buildah's own work, the container that is started.
Everything between and around these is done for real. All of it is for a process that was forked to
be killed.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from flows import release as releasing
from flows.adapters import machine_cache, server
from flows.adapters.image import base_image, bento, containers, model_image, tarball, wheels
from flows.adapters.registry import layout, oci, remote
from flows.decision import baselines, seals
from flows.engine import step as engine
from flows.engine import store
from flows.engine.outcome import record
from flows.engine.run import Run, begin
from flows.engine.step import Done
from flows.gitops import manifest_repo
from flows.gitops import rollback as going_back
from flows.orchestration import plan
from flows.orchestration.tasks import commit, track
from flows.project import settings
from flows.steps import evidence, gate, score, smoke
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
    from flows.cli.rollback import Wanted, run_rollback

    without_builders()
    wanted = going_back.Request("attrition", going_back.PREVIOUS, "a drill")
    report = going_back.Report(lambda _: None, lambda written, _: print(written, flush=True))
    going_back.roll_back(settings.load(), wanted, _started, report)
    return 0

    return run_rollback(
        settings.load(),
        Wanted("attrition", "previous", "a drill", dry_run=False, boot=True),
        as_json=True,
    )


def quarantine() -> int:
    """The live release into quarantine, by hand."""

    tag = (live := manifest_repo.live(settings.load(), "attrition")) and (live.champion or {})[
        "tag"
    ]
    return run_add(settings.load(), "attrition", str(tag), "a drill", as_json=True)


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
    _replace(bento, _build=_bento)
    _replace(base_image, ensure=_base)
    _replace(wheels, site_packages=lambda *asked: _empty(asked[1]), requirements=lambda _: _kept[0])
    _replace(model_image, builder=lambda _: "drill", runner=lambda _: "drill")
    _replace(
        containers, build=lambda *_: None, export=_export, load=_load, environment=lambda _: {}
    )
    _replace(server, running=_running)
    _replace(model_image, run=lambda *_, **__: None)
    _replace(smoke, ask=lambda _, records: records, compare_golden=lambda *_: 0.0)


def _replace(module: Any, **functions: Any) -> None:
    """In this process, with the boundary that the real function has."""
    from flows.adapters.failpoints import boundary

    names = {
        "_build": "bento.build",
        "build": "image.build",
        "export": "image.export",
        "load": "image.load",
        "ensure": "base.ensure",
        "site_packages": "wheels.ensure",
    }
    for name, function in functions.items():
        setattr(module, name, boundary(names[name])(function) if name in names else function)


def _bento(source: Path, name: str, version: str, home: Path) -> Path:
    import shutil

    built = home / "bentos" / name / version
    shutil.copytree(source, built / "src")
    (built / "bento.yaml").write_text("service: drill\n")
    return built


def _base(project: Path, cache: Path, _: Callable[[str], None]) -> base_image.Base:
    return base_image.Base(base_image.locked(project), _empty(cache))


def _empty(cache: Path) -> Path:
    return machine_cache.kept(cache / "empty.tar", tarball.empty)


def _export(_tool: str, state: Path, _name: str, folder: Path, tag: str) -> None:
    """An image with one layer, which has the Bento: a promotion looks for the model in it."""
    layer = (state / "context" / "bento.tar").read_bytes()
    parts = {
        "config": json.dumps({"config": {}, "history": [], "os": "linux"}).encode(),
        "layer": layer,
    }
    for content in parts.values():
        layout.put_blob(folder, content)
    written = {
        "config": oci.descriptor("application/vnd.oci.image.config.v1+json", parts["config"]),
        "layers": [oci.descriptor("application/vnd.oci.image.layer.v1.tar", parts["layer"])],
    }
    (folder / "index.json").unlink(missing_ok=True)
    layout.put_manifest(
        folder, tag, oci.encode({"schemaVersion": 2, "mediaType": oci.MANIFEST, **written})
    )


def _load(_tool: str, _state: Path, folder: Path, tag: str) -> str:
    manifest = oci.parse_manifest(layout.manifest(folder, tag) or b"")
    return oci.hex_of(manifest["config"]["digest"])


@contextmanager
def _running(*_: Any, **__: Any) -> Iterator[str]:
    yield "http://127.0.0.1:1"
