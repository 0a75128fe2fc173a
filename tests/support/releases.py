"""A small project with data of its own, released for real: a few seconds from the table to the
verdict, no builder.
"""

import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tomli_w

from flows.cli.releases.release import run_release
from flows.drills.crash import fake_images
from flows.engine import store
from flows.engine.perform import Plainly, inputs_of, key_of, perform
from flows.engine.phases import Candidate
from flows.engine.request import begin
from flows.engine.store import Record
from flows.orchestration.plan import Plan, plan
from flows.orchestration.real_tools import real_tools
from flows.project import settings
from flows.project.root import ROOT
from flows.steps.image import IMAGE
from flows.steps.package import PACKAGE
from flows.steps.smoke import SMOKE, Smoked
from models.attrition import sample
from sluice.model.data.split import row_hashes
from sluice.policy import load_policy

MODEL = Path(__file__).parents[2] / "models" / "attrition"
ROWS = 2400
# In the table of every story, to be looked for where no row may be.
SECRET_ID = 8_887_776_665
# Programs that a release may start; a PATH of these alone has nothing that builds images.
_PROGRAMS = ("git", "cat", "sh", "env", "uname", "lscpu", "ls", "kill")
# A few hundred rows tell little: limits that a small holdout can clear.
WIDE = {
    "recall_floor": 0.5,
    "precision_floor": 0.5,
    "flagged_ceiling": 0.85,
    "calibration_ceiling": 0.2,
    "stability_ceiling": 0.2,
    "one_column_ceiling": 0.95,
    "duplicate_ceiling": 0.5,
    "near_duplicate_ceiling": 0.5,
    "least_positives": 50,
    "margin": 0.1,
    "brier_margin": 0.1,
    "segment_margin": 0.3,
    "anchor_segment_margin": 0.5,
    "shipped_margin": 0.3,
    "shipped_flagged_margin": 0.3,
    # What the gate found is what most tests look at; what is told as shipped has test_told.py.
    "told": "figures",
}
_MARKS = {"●": "done", "○": "hit", "✕": "refused"}


@dataclass(frozen=True)
class Story:
    """Where it plays: the project with models/ and data/, and the state folder."""

    project: Path
    home: Path

    @property
    def rows(self) -> Path:
        """The table that the pointer names."""
        return self.project / "rows.csv"


@dataclass(frozen=True)
class Told:
    """What a release told: exit code, the outcome as JSON, each step as done, hit or refused, and
    all it said.
    """

    code: int
    outcome: dict[str, Any]
    steps: dict[str, str]
    said: str


def write(folder: Path, **policy: Mapping[str, Any]) -> Path:
    """A project: the shipped contract, a policy with a small search, a pointer to a table beside
    it.
    """
    model = folder / "models" / "attrition"
    model.mkdir(parents=True)
    (folder / "data").mkdir()
    shutil.copy(MODEL / "contract.toml", model)
    document = tomllib.loads((MODEL / "policy.toml").read_text(encoding="utf-8"))
    document["search"] |= {"trials": 2, "folds": 2, "families": ["logistic_regression"]}
    document["gate"] |= WIDE
    (model / "policy.toml").write_text(tomli_w.dumps(document), encoding="utf-8")
    change_policy(folder, **policy)
    content = sample.to_csv(sample.generate(ROWS))
    holder = next(number for number in range(1, ROWS) if part(SECRET_ID) == part(number))
    point(folder, change(content, holder, "Employee ID", SECRET_ID))
    return folder


def change_policy(project: Path, **tables: Mapping[str, Any]) -> None:
    """Set values in tables of the policy."""
    path = project / "models" / "attrition" / "policy.toml"
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    for name, values in tables.items():
        document[name] = document.get(name, {}) | values
    path.write_text(tomli_w.dumps(document), encoding="utf-8")


def point(project: Path, content: bytes) -> None:
    """Let the pointer name this table."""
    (project / "rows.csv").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    pointer = {"reference": "file:rows.csv", "sha256": digest}
    (project / "data" / "attrition.toml").write_text(tomli_w.dumps(pointer), encoding="utf-8")


def change(content: bytes, row: int, column: str, value: object) -> bytes:
    """The same table with another value in one cell; the row is named by its id."""
    header, *lines = content.decode().splitlines()
    place = header.split(",").index(column)
    number = next(number for number, line in enumerate(lines) if line.startswith(f"{row},"))
    cells = lines[number].split(",")
    cells[place] = str(value)
    lines[number] = ",".join(cells)
    return "\n".join([header, *lines, ""]).encode()


def part(row: int) -> str:
    """The part of the split that an id falls into under the shipped policy."""
    split = load_policy((MODEL / "policy.toml").read_text(encoding="utf-8")).split
    [place] = row_hashes(split.salt, [row]).astype(float) / 2.0**64
    return (
        "train"
        if place < split.train
        else "validation"
        if place < split.train + split.validation
        else "holdout"
    )


def row_in(wanted: str) -> int:
    """The id of some row of the table that falls into this part."""
    return next(row for row in range(ROWS, 0, -1) if part(row) == wanted)


def path_without_builders(folder: Path) -> str:
    """A PATH on which a release finds git, and nothing that builds or runs images."""
    folder.mkdir()
    for name in _PROGRAMS:
        if found := shutil.which(name):
            (folder / name).symlink_to(found)
    return str(folder)


def enter(story: Story, tools: str) -> None:
    """Let this process play in the story; what it changes in the environment is undone after the
    test.
    """
    os.environ |= {
        "SLUICE_HOME": str(story.home),
        "SLUICE_PROJECT": str(story.project),
        "PATH": tools,
    }
    os.environ["SLUICE_WORKERS"] = "1"
    os.environ.setdefault("SLUICE_TRACKING_URI", "")


def copy(story: Story, folder: Path) -> Story:
    """The same, to be changed by one test alone. The manifest repo keeps its address, so it is
    seeded in place.
    """
    return Story(
        Path(shutil.copytree(story.project, folder / "project")),
        Path(shutil.copytree(story.home, folder / "home", symlinks=True)),
    )


def release(*, data: Path | None = None, no_cache: bool = False) -> Told:
    """Run a release in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run_release(settings.load(), "attrition", data, as_json=True, cache=not no_cache)
    said = err.getvalue()
    steps = {
        title: _MARKS[mark] for mark, title in re.findall(r"^([●○✕]) (.+?)  ", said, re.MULTILINE)
    }
    return Told(code, json.loads(out.getvalue()), steps, said)


def planned(data: Path | None = None) -> Plan:
    """What `sluice plan` knows."""
    return plan(begin(settings.load(), real_tools(), "attrition", data))


def keep_image() -> str:
    """Let there be an image in the registry, and a smoke run that it passed, as a machine with a
    builder leaves them.

    The builder is the drills': the image is one layer with the Bento. All around it is done for
    real.
    """
    candidate = planned().candidate
    assert candidate is not None
    candidate = with_builder(candidate)
    request = candidate.request
    here = Plainly(request.settings.home, request.model)
    packaged = perform(here, PACKAGE, candidate)
    imaged = perform(here, IMAGE, candidate, packaged)
    key, inputs = key_of(SMOKE, candidate, imaged), inputs_of(SMOKE, candidate, imaged)
    record = Record(SMOKE.name, key, inputs, {}, {}, 0.0)
    store.keep(request.settings.home, record, lambda _: Smoked(records=50, difference=0.0))
    return candidate.tag


def with_builder(candidate: Candidate) -> Candidate:
    """The candidate on a machine that has the drills' builder."""
    request = candidate.request
    images = fake_images.images(request.tools.images.requirements(ROOT))
    tools = replace(request.tools, images=images)
    return replace(candidate, request=replace(request, tools=tools))
