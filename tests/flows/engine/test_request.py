"""What a release begins with, read once; errors name what is wrong with it."""

from pathlib import Path

import pytest
from support.releases import Story

from flows.adapters.registry.layout import Layout
from flows.engine.request import Request, begin
from flows.orchestration.real_tools import real_tools
from flows.project import settings
from sluice.errors import SluiceError, UsageError
from sluice.identity import file_sha256, sha256


@pytest.fixture
def here(unreleased: Story) -> Story:
    return unreleased


def asked(model: str = "attrition", data: Path | None = None) -> Request:
    return begin(settings.load(), real_tools(), model, data)


def test_it_reads_what_the_pointer_names(here: Story) -> None:
    data = asked().data
    assert (data.reference, data.sha256) == ("file:rows.csv", file_sha256(here.rows))


def test_a_file_that_is_named_comes_before_the_pointer(here: Story, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_bytes(b"a,b\n1,2\n")
    data = asked(data=other).data
    assert (data.reference, data.sha256) == ("other.csv", sha256(b"a,b\n1,2\n"))


def test_contract_and_policy_are_known_by_their_bytes(here: Story) -> None:
    request = asked()
    folder = here.project / "models" / "attrition"
    assert request.contract_sha256 == file_sha256(folder / "contract.toml")
    assert request.policy_sha256 == file_sha256(folder / "policy.toml")


def test_the_hours_at_which_runs_begin_are_no_part_of_the_policy(here: Story) -> None:
    before = asked()
    policy = here.project / "models" / "attrition" / "policy.toml"
    for hours in ("0 3 * * *", "every 6 hours"):
        policy.write_text(f'{before.policy_text}\n[schedule]\nrelease = "{hours}"\n')
        after = asked()
        assert (after.policy_text, after.policy) == (before.policy_text, before.policy)
    policy.write_text(f'{before.policy_text}\n[schedule]\nrelease = "nightly"\n')
    with pytest.raises(UsageError, match=r"\[schedule\] release is 'nightly'"):
        asked()


@pytest.mark.parametrize("name", ["unheard", "../models/attrition", "", "attrition/"])
def test_an_unknown_model_names_those_there_are(name: str, here: Story) -> None:
    with pytest.raises(UsageError, match="there is no model") as raised:
        asked(name)
    assert raised.value.fix.endswith("holds: attrition.")


@pytest.mark.parametrize("name", ["contract.toml", "policy.toml"])
def test_a_broken_file_of_the_model_is_named(name: str, here: Story) -> None:
    (here.project / "models" / "attrition" / name).write_text("schema = [\n")
    with pytest.raises(SluiceError, match=f"models/attrition/{name}"):
        asked()


def test_a_model_without_a_policy_says_so(here: Story) -> None:
    (here.project / "models" / "attrition" / "policy.toml").unlink()
    with pytest.raises(UsageError, match=r"models/attrition/policy\.toml cannot be read"):
        asked()


def test_it_begins_without_a_champion(here: Story) -> None:
    request = asked()
    assert (request.live, request.champion, request.frozen) == (None, None, None)
    assert request.image == "sluice.local/attrition"
    assert request.place == Layout(here.home / "registry" / "attrition")
