"""Refusals of a push: the status of the protocol and the tip of the branch say what they are, and
no word of a host does.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support import by_hand
from support.git_repos import ONE, commits, promotion, seeded, tip
from support.git_servers import Hosted, serving

from flows.gitops.promotion import promote
from flows.project.settings import Settings
from sluice.errors import Retryable, SluiceError

RULES = (
    "error: GH013: Repository rule violations found for refs/heads/main.\n- Use a pull request.\n"
)
# What hosts say, and what git says where somebody was faster: here nobody was.
REASONS = [
    ("push declined due to repository rule violations", RULES),
    ("push declined due to email privacy restrictions", "error: GH007: a private address.\n"),
    ("protected branch hook declined", "error: GH006: Protected branch update failed.\n"),
    ("pre-receive hook declined", "GitLab: You are not allowed to push code to this project.\n"),
    ("TF402455: Pushes to this branch are not permitted", ""),
    ("unpacker error", "error: file write error: Read-only file system\n"),
    ("repository is archived", ""),
    ("cannot lock ref 'refs/heads/main': Unable to create main.lock: File exists.", ""),
    ("failed to update ref", ""),
    ("non-fast-forward", "fetch first, cannot lock ref, stale info\n"),
    ("réservé aux mainteneurs", "certificate of good conduct missing: 401\n"),
    ("", ""),
]


@pytest.fixture
def local(tmp_path: Path) -> Settings:
    return seeded(tmp_path)


@pytest.fixture
def hosted(tmp_path: Path) -> Iterator[Hosted]:
    with serving(Hosted(tmp_path, fault="rules")) as hosted:
        yield hosted


def over_http(local: Settings, hosted: Hosted) -> Settings:
    return local.model_copy(update={"manifests": f"{hosted.url}/manifests.git"})


@pytest.mark.parametrize(("reason", "banner"), REASONS)
def test_a_refusal_by_rules_is_one_push_and_the_sentence_of_the_host(
    reason: str, banner: str, local: Settings, hosted: Hosted
) -> None:
    hosted.reason, hosted.banner = reason, banner
    before = commits(local)
    with pytest.raises(SluiceError) as raised:
        promote(over_http(local, hosted), promotion(ONE, 1))
    assert not isinstance(raised.value, Retryable)
    assert hosted.hit == 1
    assert raised.value.what.startswith("refused by 127.0.0.1: ")
    assert raised.value.what.endswith(reason)
    assert " ".join(banner.split()) in raised.value.what
    assert commits(local) == before


def test_the_way_out_is_a_proposal(local: Settings, hosted: Hosted) -> None:
    hosted.reason, hosted.banner = REASONS[0]
    with pytest.raises(SluiceError) as raised:
        promote(over_http(local, hosted), promotion(ONE, 1))
    assert "SLUICE_MODE=branch" in raised.value.fix


@pytest.mark.parametrize("reason", [reason for reason, _ in REASONS])
def test_whatever_the_host_says_a_branch_that_moved_is_a_lost_race(
    reason: str, local: Settings, hosted: Hosted
) -> None:
    def move() -> None:
        by_hand.write(local.manifest_url, {"notes.txt": "x"})
        hosted.fault = ""

    hosted.reason, hosted.meanwhile = reason, move
    written = promote(over_http(local, hosted), promotion(ONE, 1))
    assert (written.outcome, written.lost) == ("committed", 1)
    assert tip(local) == written.commit
    assert by_hand.git(Path(local.manifest_url), "show", "main:notes.txt") == "x"


def test_a_refusal_that_names_no_branch_is_no_refusal_of_ours(
    local: Settings, hosted: Hosted
) -> None:
    """The server is gone in mid-push: what became of it, nobody said."""
    hosted.fault = "gone"
    with pytest.raises(Retryable, match="did not answer"):
        promote(over_http(local, hosted), promotion(ONE, 1))
