"""`sluice reproduce`: a release is trained again from what is on record, and what differs is
named.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import tomli_w
from support import releases
from support.command_line import Sluice
from support.releases import Story, Told

from flows.adapters.git import git
from flows.adapters.git.checkout import checkout
from flows.audit import rebuild
from flows.audit.reproduce import Reproduced
from flows.project import settings
from flows.project.root import ROOT
from sluice.errors import UsageError
from sluice.gitops.evidence import Provenance
from sluice.gitops.reproduction import agree, differences
from sluice.gitops.trailers import Trailers
from sluice.identity import file_sha256, interpreter, sha256


@pytest.fixture
def here(promoted: tuple[Story, Told], tools: str, tmp_path: Path) -> Story:
    own = releases.copy(promoted[0], tmp_path)
    releases.enter(own, tools)
    return own


def told(sluice: Sluice, code: int, *words: object) -> dict[str, Any]:
    ended = sluice("reproduce", "latest", "--json", *words)
    assert ended.code == code, ended.err
    assert "training again" in ended.err
    found: dict[str, Any] = json.loads(ended.out)
    return found


def test_a_release_is_reproduced_from_its_data_and_nothing_of_its_store(
    here: Story, sluice: Sluice
) -> None:
    import shutil

    kept = next((here.home / "data").iterdir())
    data = Path(shutil.copyfile(kept, here.project / "found again.csv"))
    for name in ("store", "data"):
        shutil.rmtree(here.home / name)
    here.rows.unlink()
    found = told(sluice, 0, "--data", data)
    assert (found["equal"], found["golden"]["rows"], found["golden"]["differing"]) == (True, 50, 0)
    assert found["holdout"]["rows"] > 400
    assert max(found[part]["largest"] for part in ("golden", "holdout")) <= 1e-6
    assert found["differs"] == []
    assert not (here.home / "store").exists()


def test_where_it_differs_the_input_that_does_is_named(here: Story, sluice: Sluice) -> None:
    """No commit is on record here, so the policy of today is used; another seed makes another
    model.
    """
    releases.change_policy(here.project, search={"seed": 7})
    found = told(sluice, 3)
    assert not found["equal"]
    assert found["holdout"]["differing"] > 400
    names = {one["name"] for one in found["differs"]}
    assert {"policy", "seeds"} <= names <= {"policy", "seeds", "search"}
    from rich.console import Console

    from flows.views.past import reproduce as reproduce_view

    with Console(width=200).capture() as _, (out := Console(width=200)).capture() as shown:
        reproduce_view.show(out, msgspec.convert(found, Reproduced))
    assert shown.get().splitlines()[-1].startswith("Not reproduced: release 1 of attrition, ")
    assert "what differs is policy" in shown.get()


def test_what_is_asked_wrongly_is_said(here: Story, sluice: Sluice, tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_bytes(b"x")
    for words, said in {
        ("latest", "--data", tmp_path / "other.csv"): "hashes to ",
        ("latest", "--data", tmp_path / "none.csv"): "there is no file ",
        ("abcdef",): "there is no release 'abcdef'",
    }.items():
        ended = sluice("reproduce", *words)
        assert (ended.code, ended.out, said in ended.err) == (2, "", True)


@pytest.fixture
def project(tmp_path: Path) -> tuple[Path, str]:
    """A project under git, and the commit of a release; the policy was changed since."""
    place = releases.write(tmp_path / "project")
    for words in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "-m", "One")):
        git.git("-c", "user.name=A", "-c", "user.email=a@x", *words, cwd=place)
    commit = git.head(place)
    releases.change_policy(place, search={"trials": 9})
    return place, commit


def given(project: Path) -> settings.Settings:
    return settings.load().model_copy(update={"project": project})


def inputs(project: Path) -> Provenance:
    folder = project / "models" / "attrition"
    named = {name: file_sha256(folder / f"{name}.toml") for name in ("contract", "policy")}
    return Provenance(inputs={"train": {**named, "code": "unknown"}})


def test_the_commit_is_checked_out_and_the_working_tree_left_alone(
    project: tuple[Path, str], tmp_path: Path
) -> None:
    place, commit = project
    trailers = Trailers(source_commit=commit, code_commit="none")
    found = rebuild.sources(given(place), trailers, Provenance(), tmp_path / "out", "attrition")
    assert found.project == tmp_path / "out" / "project"
    assert "trials = 2" in (found.project / "models" / "attrition" / "policy.toml").read_text()
    assert "trials = 9" in (place / "models" / "attrition" / "policy.toml").read_text()
    assert (found.code, f"commit {commit[:12]}, checked out" in found.words) == (ROOT, True)


def test_what_was_not_committed_is_used_where_it_is_the_same_by_its_hash(
    project: tuple[Path, str], tmp_path: Path
) -> None:
    place, commit = project
    trailers = Trailers(source_commit=f"{commit}-dirty", code_commit="none")
    same = rebuild.sources(given(place), trailers, inputs(place), tmp_path / "a", "attrition")
    assert same.project == place
    releases.change_policy(place, search={"trials": 10})
    other = rebuild.sources(given(place), trailers, inputs(ROOT), tmp_path / "b", "attrition")
    assert other.project == tmp_path / "b" / "project"
    assert "without changes it had" in other.words


def test_a_commit_is_fetched_from_the_origin_or_said_to_be_missing(
    project: tuple[Path, str], tmp_path: Path
) -> None:
    place, commit = project
    git.git("clone", "--quiet", place, tmp_path / "clone")
    git.git(
        "-c", "user.name=A", "-c", "user.email=a@x", "commit", "--quiet", "-am", "Two", cwd=place
    )
    newer = git.head(place)
    assert (
        checkout(tmp_path / "clone" / "data", newer, tmp_path / "one") / "attrition.toml"
    ).is_file()
    assert "trials = 9" in (tmp_path / "one" / "models" / "attrition" / "policy.toml").read_text()
    git.git("remote", "remove", "origin", cwd=tmp_path / "clone")
    with pytest.raises(UsageError, match=f"commit {newer[:12]} is not in"):
        checkout(tmp_path / "clone", newer, tmp_path / "two")
    assert checkout(tmp_path / "clone", commit, tmp_path / "three") == tmp_path / "three"


def test_data_are_found_by_their_hash(project: tuple[Path, str], tmp_path: Path) -> None:
    place, _ = project
    rows = (place / "rows.csv").read_bytes()
    here = given(place).model_copy(update={"home": tmp_path / "home"})
    named = rebuild.data(here, "attrition", sha256(rows), place, None)
    assert named == ((place / "rows.csv").resolve(), "rows.csv, as the pointer names it")
    kept = tmp_path / "home" / "data" / sha256(rows)
    kept.parent.mkdir(parents=True)
    kept.write_bytes(rows)
    assert rebuild.data(here, "attrition", sha256(rows), place, None) == (
        kept,
        "kept on this machine",
    )
    kept.write_bytes(rows + b"x")  # what is kept is believed by its hash alone
    assert rebuild.data(here, "attrition", sha256(rows), place, None) == named
    pointer = place / "data" / "attrition.toml"
    named = {"reference": "sample:models.attrition.sample", "sha256": "1" * 64, "rows": 9}
    pointer.write_text(tomli_w.dumps(named), encoding="utf-8")
    assert rebuild.data(here, "attrition", "1" * 64, place, None)[0] is None
    with pytest.raises(UsageError, match="the data 222222222222 are not here") as raised:
        rebuild.data(here, "attrition", "2" * 64, place, None)
    assert "--data" in raised.value.fix


def test_the_environment_of_here_is_used_where_it_is_the_recorded_one(tmp_path: Path) -> None:
    python, said = rebuild.python(ROOT, interpreter(), tmp_path)
    assert (python.name[:6], said) == (
        "python",
        "this one: lock and interpreter are the recorded ones",
    )


def test_another_version_of_sluice_alone_needs_no_environment_of_its_own(tmp_path: Path) -> None:
    named = re.compile(r'(name = "sluice"\nversion = )"[^"]*"')
    text, count = named.subn(r'\1"99.0"', (ROOT / "uv.lock").read_text(encoding="utf-8"))
    (tmp_path / "uv.lock").write_text(text, encoding="utf-8")
    python, words = rebuild.python(tmp_path, interpreter(), tmp_path / "made")
    assert count == 1
    assert (python, words[:8]) == (Path(sys.executable), "this one")
    assert not (tmp_path / "made").exists()


def test_an_interpreter_that_is_not_to_be_had_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    (tmp_path / "code").mkdir()
    for name in ("pyproject.toml", "uv.lock"):
        (tmp_path / "code" / name).write_bytes((ROOT / name).read_bytes())
    python, said = rebuild.python(tmp_path / "code", "cpython-3.13.99", tmp_path)
    assert subprocess.run([python, "-c", ""], check=False).returncode == 0
    assert said.startswith(
        "this one, although cpython-3.13.99 was used then: the other could not be made ("
    )


def test_predictions_are_compared_row_by_row() -> None:
    recorded = np.array([0.1, 0.2, 0.3, 0.4])
    assert agree(recorded, recorded, (0.25, 0.25)).equal
    same = agree(recorded, recorded + 9e-7, (0.25, 0.25))
    assert (same.equal, same.differing, same.largest > 8e-7) == (True, 0, True)
    apart = agree(recorded, recorded + np.array([0, 0.1, 0, 0]), (0.25, 0.25))
    assert (apart.equal, apart.rows, apart.differing, apart.answers) == (False, 4, 1, 1)
    assert agree(recorded, recorded, (0.25, 0.35)).answers == 1
    assert not agree(recorded, np.full(4, np.nan), (0.25, 0.25)).equal
    assert agree(recorded[:0], recorded[:0], (0.5, 0.5)).rows == 0


PROVENANCE: dict[str, Any] = {
    "lock": "l",
    "interpreter": "cpython-3.11.7",
    "platform": "linux-x86_64",
    "blas": ["openblas 1"],
    "seeds": {"search": 1},
    "hardware": "h",
    "versions": {"numpy": "2"},
    "inputs": {
        "validate": {"data": "d", "code": "v"},
        "train": {"policy": "p", "train": "t", "code": "c"},
    },
}


def provenance(document: dict[str, Any]) -> Provenance:
    return msgspec.convert(document, Provenance)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"lock": "m"}, "lock"),
        ({"interpreter": "cpython-3.12.1"}, "interpreter"),
        ({"platform": "darwin"}, "platform"),
        ({"blas": ["mkl 2"]}, "blas"),
        ({"seeds": {"search": 2}}, "seeds"),
        ({"hardware": "i"}, "hardware"),
        ({"inputs": {"validate": {"data": "e"}}}, "data"),
        ({"inputs": {"train": {"policy": "q"}}}, "policy"),
        ({"inputs": {"train": {"train": "u"}}}, "training rows"),
        ({"inputs": {"train": {"code": "x"}}}, "code"),
        ({"versions": {"numpy": "3"}}, "versions"),
    ],
)
def test_the_input_that_differs_is_named(change: dict[str, Any], name: str) -> None:
    now = provenance({**PROVENANCE, **change})
    assert [one.name for one in differences(provenance(PROVENANCE), now)] == [name]


def test_what_is_not_on_record_is_not_compared() -> None:
    recorded = provenance(PROVENANCE)
    assert (
        differences(recorded, recorded)
        == differences(Provenance(), recorded)
        == differences(recorded, Provenance())
        == []
    )
