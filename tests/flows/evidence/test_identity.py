"""Head and foot of the evidence: which release it is, and what was known of it when."""

import pytest
from msgspec import structs

from flows.engine.outcome import EXIT
from flows.evidence.identity import Identity, before, ended
from flows.evidence.page import render, title_of, with_identity
from sluice.gitops.evidence import Data, Evidence, Provenance

TAG, DIGEST, COMMIT = "6f7432d362138870", f"sha256:{'d' * 64}", "c" * 40
EVIDENCE = Evidence(
    model="churn",
    verdict={"verdict": "PROMOTE", "sentence": "It is better.", "rules": []},
    data=Data(source="customers.csv", sha256="ab" * 32),
    provenance=Provenance(source_commit="5" * 40 + "-dirty"),
)
NUMBERED = Identity(TAG, release=7, day="2026-11-29")
RELEASED = ended(NUMBERED, "promoted", image=f"churn@{DIGEST}", commit=COMMIT)


def parts(page: str) -> tuple[str, str]:
    """Head and foot."""
    head = page[page.index("<header") : page.index("</header>")]
    return head, page[page.index("<footer>") :]


def test_head_and_foot_say_which_release_it_is() -> None:
    head, foot = parts(render(EVIDENCE, {}, RELEASED))
    for part in ("7, released", "2026-11-29", "customers.csv", TAG, "of the manifest repo"):
        assert part in head and part in foot, part
    for whole in ("ab" * 32, DIGEST, COMMIT, "5" * 40 + "-dirty"):
        assert whole in foot
    for short in ("abababababab", f"sha256:{'d' * 12}", "c" * 12, "5" * 12 + "-dirty"):
        assert f"{short}</span>" in head


def test_before_a_number_was_taken_it_says_so() -> None:
    for part in parts(render(EVIDENCE, {}, before(TAG))):
        assert "not released yet" in part
        assert "Judged" not in part
        assert TAG in part


def test_evidence_beside_an_image_names_the_command_that_shows_its_commit() -> None:
    """The commit holds the hash of this page, so the page cannot hold the commit's."""
    lying = Identity(TAG, "released", 7, "2026-11-29", f"churn@{DIGEST}", names_it=True)
    for part in parts(render(EVIDENCE, {}, lying)):
        assert "sluice lineage 7" in part


@pytest.mark.parametrize("outcome", sorted(EXIT))
def test_each_outcome_says_whether_it_was_released(outcome: str) -> None:
    state = ended(NUMBERED, outcome, image="", commit="").state
    assert state.startswith("not released") is (
        outcome not in ("promoted", "nothing to do", "proposed")
    )
    assert "not released" in state or outcome in ("promoted", "nothing to do")


@pytest.mark.parametrize("now", [NUMBERED, RELEASED, before(TAG), before("0" * 16)])
def test_a_page_that_learns_more_is_the_page_that_is_rendered_with_it(now: Identity) -> None:
    early = render(EVIDENCE, {}, before(TAG))
    assert with_identity(early, EVIDENCE, before(TAG), now) == render(EVIDENCE, {}, now)


def test_a_page_that_does_not_say_what_was_known_is_not_changed() -> None:
    page = render(EVIDENCE, {}, NUMBERED)
    with pytest.raises(ValueError, match="does not say"):
        with_identity(page, EVIDENCE, before(TAG), RELEASED)


def test_names_in_head_and_foot_cannot_become_markup() -> None:
    evil = "<script>alert(1)</script>"
    odd = structs.replace(EVIDENCE, model=evil, data=Data(source=evil, sha256=evil))
    page = render(odd, {}, before(evil))
    assert "<script" not in page
    told = ended(Identity(evil, evil, 7, evil), "promoted", image=evil, commit=evil)
    assert with_identity(page, odd, before(evil), told) == render(odd, {}, told)
    assert "<script" not in render(odd, {}, told)


def test_a_window_is_called_by_verdict_model_and_number() -> None:
    assert title_of(EVIDENCE, RELEASED) == "PROMOTE: churn, release 7"
    assert title_of(EVIDENCE, before(TAG)) == "PROMOTE: churn"
