"""What a training is repeated with: data are believed by their hash alone, and what is not here is
said with where it was looked for.
"""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.audit import rebuild
from flows.project.settings import Settings
from sluice.errors import UsageError
from sluice.gitops.evidence import Provenance
from sluice.gitops.trailers import Trailers
from sluice.identity import file_sha256, sha256

ROWS = b"a,b\n1,2\n"


def here(folder: Path) -> Settings:
    return Settings(home=folder / "home", project=folder / "project")


def point(project: Path, reference: str, digest: str) -> None:
    (project / "data").mkdir(parents=True, exist_ok=True)
    text = f'reference = "{reference}"\nsha256 = "{digest}"\n'
    (project / "data" / "attrition.toml").write_text(text)


@given(st.binary(max_size=20))
@settings(
    deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_file_that_a_person_names_is_taken_where_its_hash_is_the_one_of_the_release(
    tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes(content)
    found = rebuild.data(here(tmp_path), "attrition", sha256(content), tmp_path, file)
    assert found == (file.resolve(), f"{file}, by its hash")
    with pytest.raises(UsageError) as raised:
        rebuild.data(here(tmp_path), "attrition", "f" * 64, tmp_path, file)
    assert raised.value.what == (f"{file} hashes to {sha256(content)}; {'f' * 64} is required")
    assert raised.value.fix == "Name the file that the release was trained on."


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    file = tmp_path / "away.csv"
    with pytest.raises(UsageError) as raised:
        rebuild.data(here(tmp_path), "attrition", sha256(ROWS), tmp_path, file)
    assert raised.value.what == f"there is no file {file}"


@pytest.mark.parametrize(
    "pointer", [None, "", "reference = ", "reference = 3\n", 'reference = "ftp:x"\n', "\xff"]
)
def test_data_that_are_nowhere_say_where_it_was_looked_for(
    pointer: str | None, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    if pointer is not None:
        (project / "data").mkdir(parents=True)
        (project / "data" / "attrition.toml").write_bytes(pointer.encode("latin-1"))
    with pytest.raises(UsageError) as raised:
        rebuild.data(here(tmp_path), "attrition", sha256(ROWS), project, None)
    assert raised.value.what == (
        f"the data {sha256(ROWS)[:12]} are not here: looked at {tmp_path / 'home' / 'data'} and"
        " data/attrition.toml of its commit"
    )
    assert raised.value.fix == "Name the file with --data."


def test_a_file_of_the_pointer_is_looked_for_at_the_commit_and_then_here(tmp_path: Path) -> None:
    old, now = tmp_path / "old", tmp_path / "project"
    point(old, "file:rows.csv", sha256(ROWS))
    now.mkdir()
    (now / "rows.csv").write_bytes(ROWS)
    found = rebuild.data(here(tmp_path), "attrition", sha256(ROWS), old, None)
    assert found[0] == (now / "rows.csv").resolve()
    (old / "rows.csv").write_bytes(ROWS)
    found = rebuild.data(here(tmp_path), "attrition", sha256(ROWS), old, None)
    assert found[0] == (old / "rows.csv").resolve()


def test_a_file_of_the_pointer_with_other_bytes_is_not_taken(tmp_path: Path) -> None:
    point(tmp_path / "project", "file:rows.csv", sha256(ROWS))
    (tmp_path / "project" / "rows.csv").write_bytes(ROWS + b"3,4\n")
    with pytest.raises(UsageError, match="are not here"):
        rebuild.data(here(tmp_path), "attrition", sha256(ROWS), tmp_path / "project", None)


def test_a_sample_of_another_hash_is_not_generated(tmp_path: Path) -> None:
    point(tmp_path / "project", "sample:models.attrition.sample", "1" * 64)
    found = rebuild.data(here(tmp_path), "attrition", "1" * 64, tmp_path / "project", None)
    assert found == (None, "generated anew by models.attrition.sample")
    with pytest.raises(UsageError, match="are not here"):
        rebuild.data(here(tmp_path), "attrition", "2" * 64, tmp_path / "project", None)


def model(project: Path, policy: str) -> Provenance:
    """The files of a model, and a provenance that names them."""
    folder = project / "models" / "attrition"
    folder.mkdir(parents=True)
    (folder / "contract.toml").write_text("a = 1\n")
    (folder / "policy.toml").write_text(policy)
    named = {name: file_sha256(folder / f"{name}.toml") for name in ("contract", "policy")}
    return Provenance(inputs={"train": named})


@pytest.mark.parametrize("commit", ["", "none"])
def test_without_a_commit_what_is_here_is_used_and_said_to_be_the_same_or_not(
    commit: str, tmp_path: Path
) -> None:
    provenance = model(tmp_path / "project", "b = 1\n")
    named = Trailers(source_commit=commit, code_commit="none")
    found = rebuild.sources(here(tmp_path), named, provenance, tmp_path / "out", "attrition")
    assert found.project == tmp_path / "project"
    assert found.words == (
        "code: no commit is on record: what is here, which is not the same; project: no commit is"
        " on record: what is here, which is the same"
    )
    (tmp_path / "project" / "models" / "attrition" / "policy.toml").write_text("b = 2\n")
    found = rebuild.sources(here(tmp_path), named, provenance, tmp_path / "out", "attrition")
    assert found.words == "no commit is on record: what is here, which is not the same"
    assert not (tmp_path / "out").exists()
