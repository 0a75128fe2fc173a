"""The data of a release: those that were meant, kept by their hash, and errors that name what is
wrong with them.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import tomli_w
from support import strange_tables
from support.releases import Story

from flows.adapters.files import read_stable
from flows.project import settings
from flows.project.data_source import Data, from_file, from_pointer, generated
from models.attrition import sample
from sluice.draft.drafting import draft
from sluice.draft.generated import generate
from sluice.draft.proposals import Choices
from sluice.draft.sample_file import read_sample
from sluice.errors import UsageError
from sluice.identity import sha256
from sluice.served.contract import load_contract


@pytest.fixture
def here(unreleased: Story) -> Story:
    return unreleased


def data(path: Path | None = None) -> Data:
    if path is None:
        return from_pointer(settings.load(), "attrition")
    return from_file(settings.load(), path)


def pointer(here: Story, text: str) -> None:
    (here.project / "data" / "attrition.toml").write_text(text)


def test_it_reads_what_the_pointer_names(here: Story) -> None:
    content = here.rows.read_bytes()
    found = data()
    assert (found.reference, found.sha256) == ("file:rows.csv", sha256(content))
    assert found.path.read_bytes() == content


def test_the_data_are_kept_for_this_user_alone(here: Story) -> None:
    assert data().path.stat().st_mode & 0o777 == 0o600


def test_data_that_were_kept_need_no_file(here: Story) -> None:
    before = data()
    here.rows.unlink()
    assert data() == before


def test_data_that_were_kept_are_not_believed_unseen(here: Story) -> None:
    content = here.rows.read_bytes()
    data().path.write_bytes(content[:-1])
    assert data().path.read_bytes() == content


def test_a_file_that_is_named_is_known_by_its_name_alone(here: Story, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_bytes(b"a,b\n1,2\n")
    assert data(other) == Data(
        "other.csv", here.home / "data" / sha256(b"a,b\n1,2\n"), sha256(b"a,b\n1,2\n")
    )


def test_a_pointer_may_name_a_sample(here: Story) -> None:
    content = sample.to_csv(sample.generate(5))
    named = {"reference": "sample:models.attrition.sample", "sha256": sha256(content), "rows": 5}
    pointer(here, tomli_w.dumps(named))
    assert data().path.read_bytes() == content


def churning(here: Story) -> bytes:
    """A model with a sample.toml in the project; the rows that this describes."""
    drafted = draft(strange_tables.churn(400), "churn.csv", "churn", Choices())
    folder = here.project / "models" / "churn"
    folder.mkdir()
    (folder / "contract.toml").write_text(drafted.contract)
    (folder / "sample.toml").write_text(drafted.sample)
    contract = load_contract(drafted.contract)
    return generate(read_sample(drafted.sample, "sample.toml", contract), contract)


def test_shares_are_a_sample_by_pointer_and_by_name(here: Story) -> None:
    rows = churning(here)
    reference = "sample:models/churn/sample.toml"
    (here.project / "data" / "churn.toml").write_text(
        f'reference = "{reference}"\nsha256 = "{sha256(rows)}"\n'
    )
    named = from_file(settings.load(), here.project / "models/churn/sample.toml")
    pointed = from_pointer(settings.load(), "churn")
    assert named == pointed
    assert (named.reference, named.path.read_bytes()) == (reference, rows)
    assert generated(named.reference)


def test_without_the_file_of_a_pointer_its_sample_is_named(here: Story) -> None:
    churning(here)
    pointer = here.project / "data" / "churn.toml"
    pointer.write_text('reference = "file:churn.csv"\nsha256 = "1"\n')
    with pytest.raises(UsageError, match=r"names churn\.csv, and there is no such") as raised:
        from_pointer(settings.load(), "churn")
    assert "--data models/churn/sample.toml" in raised.value.fix


def test_shares_without_a_contract_beside_them_are_refused(here: Story, tmp_path: Path) -> None:
    churning(here)
    alone = tmp_path / "alone.toml"
    alone.write_bytes((here.project / "models/churn/sample.toml").read_bytes())
    with pytest.raises(UsageError, match=r"alone\.toml has no contract\.toml beside it"):
        from_file(settings.load(), alone)


def test_the_shipped_pointer_names_the_whole_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLUICE_PROJECT", raising=False)
    assert data().reference == "sample:models.attrition.sample"


def test_data_that_are_not_what_the_pointer_says_are_refused_with_both_hashes(here: Story) -> None:
    wanted = sha256(here.rows.read_bytes())
    here.rows.write_bytes(b"other")
    with pytest.raises(UsageError, match=sha256(b"other")) as raised:
        data()
    assert wanted in raised.value.what
    assert "data/attrition.toml" in raised.value.what
    assert not (here.home / "data").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("reference = [", "is not TOML"),
        ("reference = 3", "data/attrition.toml: Expected `str`, got `int` - at `$.reference`"),
        ('reference = "file:rows.csv"\nsha256 = true', "got `bool` - at `$.sha256`"),
        ('reference = "rows.csv"\nsha256 = "0"', "reference is 'rows.csv'"),
        ("", "reference is ''"),
        ('reference = "file:missing.csv"\nsha256 = "0"', "there is no file"),
        ('reference = "sample:models.attrition.sample"\nsha256 = "0"', "rows is None"),
        ('reference = "sample:models.attrition.sample"\nsha256 = "0"\nrows = "5"', "rows is '5'"),
        ('reference = "sample:models.attrition.sample"\nsha256 = "0"\nrows = -1', "rows is -1"),
        (
            'reference = "sample:models.unheard.of"\nsha256 = "0"\nrows = 5',
            "'models.unheard.of' generates no sample",
        ),
        (
            'reference = "sample:sluice.errors"\nsha256 = "0"\nrows = 5',
            "'sluice.errors' generates no sample",
        ),
    ],
)
def test_a_pointer_that_points_nowhere_says_how(text: str, said: str, here: Story) -> None:
    pointer(here, text)
    with pytest.raises(UsageError) as raised:
        data()
    assert said in raised.value.what
    assert raised.value.fix


def test_a_missing_pointer_is_named(here: Story) -> None:
    (here.project / "data" / "attrition.toml").unlink()
    with pytest.raises(UsageError, match=r"data/attrition\.toml cannot be read"):
        data()


def test_a_file_that_is_not_there_is_said_with_the_nearest_folder(
    here: Story, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"there is no file .*missing\.csv") as raised:
        data(tmp_path / "no" / "missing.csv")
    assert str(tmp_path.resolve()) in raised.value.fix


def test_a_folder_is_no_table(here: Story, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder"):
        data(tmp_path)


def test_a_pipe_is_no_table(here: Story, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    holder = os.open(pipe, os.O_RDWR)  # a reader does not have to wait for a writer
    try:
        with pytest.raises(UsageError, match="not a regular file"):
            data(pipe)
    finally:
        os.close(holder)


@pytest.fixture
def secret(tmp_path: Path) -> None:
    (tmp_path / "secret.csv").touch(mode=0o000)


@pytest.fixture
def nobody() -> Iterator[None]:
    """Root may read every file: be somebody else for a while."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield
    os.seteuid(user)


@pytest.mark.usefixtures("secret", "nobody")
def test_a_file_that_may_not_be_read_says_what_helps(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="may not be read") as raised:
        read_stable(tmp_path / "secret.csv")
    assert "chmod" in raised.value.fix
