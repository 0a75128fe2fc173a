"""Whatever a registry lost of the release that is live: a plan says MISS with its cause, a release
puts it back, and `sluice verify` is content again.
"""

import os
import shutil
from pathlib import Path

import pytest
from support import releases
from support.command_line import Sluice
from support.releases import Story, Told, release

from flows.adapters import dsse
from flows.adapters.git import git
from flows.adapters.registry import layout, oci, referrers, registry
from flows.adapters.registry.layout import Layout
from flows.engine.perform import Plainly
from flows.gitops import ledger
from flows.orchestration.plan import PUT_BACK
from flows.release import carry_out, without_prefect
from flows.steps import promote
from sluice.errors import Refused

# The image is made anew where something of these is lost, and takes the others with it.
OF_THE_IMAGE = ("image", "model")
FIELDS = ("NAME", "EMAIL")


@pytest.fixture
def here(promoted: tuple[Story, Told], tools: str, tmp_path: Path) -> Story:
    own = releases.copy(promoted[0], tmp_path)
    releases.enter(own, tools)
    return own


def place(here: Story) -> Layout:
    return Layout(here.home / "registry" / "attrition")


def left_by_a_release(folder: Path) -> dict[str, str]:
    """Each file that a release leaves in a registry: what it belongs to."""
    registered = Layout(folder)
    found = {"index.json": "image", "oci-layout": "index"}

    def claim(digest: str, owner: str) -> None:
        found.setdefault(f"blobs/sha256/{oci.hex_of(digest)}", owner)

    listed = []
    for tag in registered.tags():
        digest = str(registered.digest(tag))
        if tag.startswith(referrers.PREFIX):
            claim(digest, "statements")
            listed += registered.referrers(referrers.subject_of_tag(tag))
            continue
        owner = tag.rpartition(".")[2] if "." in tag else "image"
        claim(digest, owner)
        for part in oci.parse_manifest(registry.manifest(registered, tag)).parts:
            # What model, evidence and statements share: the empty configuration.
            shared = part.digest == oci.digest_of(oci.EMPTY)
            claim(part.digest, "model" if shared else owner)
    for one in listed:
        claim(one.digest, "statement")
        for part in oci.parse_manifest(registry.manifest(registered, one.digest)).parts:
            claim(part.digest, "statement")
    return found


def misses() -> dict[str, str]:
    return {step.step: step.cause for step in releases.planned().steps if not step.hit}


def put_back() -> str:
    """Release on a machine that has the drills' builder; the sentence that it ends with."""
    candidate = releases.planned().candidate
    assert candidate is not None
    request = releases.with_builder(candidate).request
    outcome = carry_out(request, Plainly(request.settings.home, request.model))
    assert (outcome.outcome, outcome.exit_code) == ("nothing to do", 0)
    return outcome.sentence


def tag() -> str:
    """The tag of what is live."""
    candidate = releases.planned().candidate
    assert candidate is not None
    return candidate.tag


def unlink(here: Story, name: str) -> None:
    """Lose the manifest that a tag names."""
    layout.blob_path(place(here).folder, str(place(here).digest(name))).unlink()


def tips(here: Story) -> list[str]:
    repo = str(here.home / "manifests.git")
    return [git.tip(repo, branch) for branch in ("main", ledger.LEDGER)]


def require_verified(sluice: Sluice) -> None:
    ended = sluice("verify", "live")
    assert ended.code == 0, ended.out


def test_every_file_that_a_release_leaves_is_put_back_one_at_a_time(
    here: Story, sluice: Sluice
) -> None:
    folder, before = place(here).folder, tips(here)
    left = left_by_a_release(folder)
    files = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    }
    # Beside these there are the shorter lists that the list of statements was before.
    shorter = [referrers.listed((folder / file).read_bytes()) for file in files - set(left)]
    assert set(left) <= files
    assert sorted(len(listed) for listed in shorter) == [1, 2]
    assert {*left.values()} == {"image", "model", "evidence", "statements", "statement", "index"}
    for file, owner in left.items():
        kept = (folder / file).read_bytes()
        (folder / file).unlink()
        found = misses()
        if owner in OF_THE_IMAGE:
            assert set(found) == {"image", "smoke"}, file
            put_back()
        else:
            assert set(found) == {PUT_BACK}, file
            assert found[PUT_BACK].startswith("the registry does not have the "), file
            outcome = without_prefect("attrition", None, True)
            assert (outcome.exit_code, outcome.outcome) == (0, "nothing to do"), file
            assert "; put back in the registry: " in outcome.sentence, file
        assert misses() == {}, file
        require_verified(sluice)
        if file != "index.json":
            assert (folder / file).read_bytes() == kept, file
    assert tips(here) == before


def test_a_command_says_what_it_put_back(here: Story, sluice: Sluice) -> None:
    unlink(here, f"{tag()}.evidence")
    told = release()
    assert (told.code, told.outcome["outcome"], told.outcome["release"]) == (0, "nothing to do", 1)
    assert told.outcome["sentence"].endswith("; put back in the registry: evidence")
    assert set(told.steps.values()) == {"hit"}
    require_verified(sluice)


def test_statements_of_another_key_are_not_signed_again_with_ours(
    here: Story, sluice: Sluice
) -> None:
    """The release was made on another machine."""
    unlink(here, referrers.tag(str(place(here).digest(tag()))))
    key = here.home / "keys" / "statements.pem"
    kept = key.read_bytes()
    for content in (dsse.new_key(), None):
        key.unlink()
        if content:
            key.write_bytes(content)
        outcome = without_prefect("attrition", None, True)
        assert (outcome.outcome, outcome.exit_code) == ("refused", 3)
        assert "signed verdict, signed bill of materials), and its key is not" in outcome.sentence
        assert key.exists() == bool(content)
        key.write_bytes(kept)
    named = here.home / "named.pem"
    key.rename(named)
    os.environ["SLUICE_STATEMENT_KEY"] = str(named)
    assert without_prefect("attrition", None, True).outcome == "nothing to do"
    require_verified(sluice)


def test_evidence_that_cannot_be_made_again_is_refused_with_where_to_take_it_from(
    here: Story,
) -> None:
    """Its page may be made by another version now, and the commit names it by hash."""
    unlink(here, f"{tag()}.evidence")
    planned = releases.planned()
    assert planned.beside is not None
    kept = sorted(place(here).folder.rglob("*"))
    with pytest.raises(Refused) as raised:
        promote.put_back(planned.request, planned.beside, {"evidence.json": b"{}"})
    assert "does not have the evidence of release 1 any more, and what is made" in raised.value.what
    assert f"Copy {planned.beside.tag}.evidence back" in raised.value.fix
    assert sorted(place(here).folder.rglob("*")) == kept


def test_a_lost_image_is_put_back_with_what_its_commit_states(here: Story, sluice: Sluice) -> None:
    """Although a release of today would state another source commit."""
    shutil.rmtree(here.home / "registry")
    person = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in FIELDS}
    for words in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "-m", "Begin")):
        git.git(*words, cwd=here.project, env=person)
    assert put_back().startswith("the manifest repo names this image already; put back in")
    require_verified(sluice)
