"""Images of the tests on Kubernetes, each built by the project's own builder and pushed to the
registry of the cluster: one that serves, one that is as good, one that fails, one that is slow, one
that never becomes ready, one that is wrong.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from support.model_artifacts import PROJECT, small_artifact

from flows.adapters.image import base_image, bento, image_tools, model_image, wheels
from flows.adapters.image.image_tools import REAL
from flows.adapters.image.model_image import Parts
from flows.adapters.registry.remote import Remote

MODEL = "attrition"
# Of the records that are asked, this threshold of the small model flags a quarter.
QUARTER = 0.318
# Of the one that is fitted to years at the company, this one flags 27 in 100, and this one 42.
QUARTER_OF_YEARS, FIFTEEN_MORE = 0.83, 0.68
# Where an answer begins, and what the one that fails does there. It starts well.
_BEGINS = "    flagged = probability >= served.model.threshold\n    given = Answer("
_FAILS = """    _answers = getattr(answer, "answers", 0) + 1
    answer.answers = _answers
    if _answers > 10 and _answers % 2:
        raise RuntimeError("made to fail")
"""
# Rows wait for so long before they are scored, all that came in the meantime together.
_AT_ONCE = "loop.call_soon(self._score)"
_LATE = "loop.call_later(2.5, self._score)"
_READY = "return not application.app.draining"
_NEVER = "return False"


@dataclass(frozen=True)
class Workshop:
    """Where images are built: a folder, the cache of this machine, and where they are pushed."""

    folder: Path
    cache: Path
    place: Remote

    def build(
        self,
        tag: str,
        *,
        threshold: float = QUARTER,
        a_year: int = 0,
        change: Callable[[Path], None] = lambda project: None,
    ) -> str:
        """Build and push an image; its digest. `change` alters a copy of the project first, and
        with `a_year` the model is one of years at the company (`small_artifact`).
        """
        work = self.folder / tag
        project = _copy(work / "project")
        change(project)
        artifact = small_artifact(work / "model", threshold=threshold, a_year=a_year)
        made = bento.build(project, artifact, tag, work / "bentoml", name=MODEL, tools=REAL)
        parts = Parts(
            base_image.ensure(project, self.cache, print),
            wheels.site_packages(project, self.cache, base_image.arch()),
            made,
        )
        engine = image_tools.builder(self.folder / "state")
        assert engine is not None, "needs buildah or podman"
        labels = {"dev.sluice.model": MODEL, "dev.sluice.tag": tag}
        return model_image.build(engine, parts, self.place, tag, labels)


def failing(project: Path) -> None:
    """Let every second answer be an error of the service, once it is ready."""
    _changed(project / "bento" / "answers.py", _BEGINS, _FAILS + _BEGINS)


def slow(project: Path) -> None:
    """Let single records wait for up to 2.5 seconds: after three, the service gives them up."""
    _changed(project / "bento" / "answers.py", _AT_ONCE, _LATE)


def never_ready(project: Path) -> None:
    """Let it start, live, and never be ready."""
    _changed(project / "bento" / "service.py", _READY, _NEVER)


def _changed(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))


def _copy(target: Path) -> Path:
    """The sources of an image, as they are now."""
    shutil.rmtree(target, ignore_errors=True)
    for name in ("bento", "sluice"):
        shutil.copytree(PROJECT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "uv.lock"):
        shutil.copyfile(PROJECT / name, target / name)
    return target
