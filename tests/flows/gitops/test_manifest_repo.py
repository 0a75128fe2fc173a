"""The manifest repo, for real: one entry and its state in one commit, or an outcome that says why
there is none.
"""

import json
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import yaml
from support import by_hand
from support.git_repos import (
    FOUR,
    ONE,
    OVERLAY,
    STATE,
    THREE,
    TWO,
    document,
    edit,
    hook,
    image,
    promotion,
    seeded,
    shown,
    template,
    tip,
    use,
)
from support.manifest_repos import OVERLAYS, documents, one

from flows.adapters.git import git, kustomize
from flows.gitops import ledger as numbers
from flows.gitops import manifest_repo, writer
from flows.gitops.ledger import reserve
from flows.gitops.promotion import Promotion, promote, promotion_id
from flows.project.root import ROOT
from flows.project.settings import Settings
from sluice.errors import Retryable, SluiceError, UsageError
from sluice.gitops import trailers
from sluice.gitops.trailers import read_trailers


@pytest.fixture
def given(tmp_path: Path) -> Settings:
    return seeded(tmp_path)


def test_the_template_is_seeded_once_with_its_own_address(given: Settings) -> None:
    before = tip(given)
    manifest_repo.seed(given)
    assert tip(given) == before
    listed = set(
        git.git("ls-tree", "-r", "--name-only", "main", cwd=Path(given.manifest_url)).split()
    )
    assert listed == {
        path.relative_to(ROOT / "deploy" / "argocd").as_posix()
        for path in (ROOT / "deploy" / "argocd").rglob("*")
        if path.is_file()
    }
    application = yaml.safe_load(shown(given, "applications/production.yaml"))
    assert application["spec"]["source"]["repoURL"] == template().as_uri()


def test_a_repo_of_the_users_own_is_never_seeded(tmp_path: Path) -> None:
    own = tmp_path / "own.git"
    git.git("init", "--quiet", "--bare", "--initial-branch", "main", own)
    given = Settings(home=tmp_path / "home", manifests=str(own))
    manifest_repo.seed(given)
    assert git.tip(str(own), "main") == ""
    with pytest.raises(UsageError, match=f"has no {OVERLAY} on branch main") as raised:
        manifest_repo.live(given, "attrition")
    assert "SLUICE_OVERLAY" in raised.value.fix


def test_before_the_first_release_nothing_is_live(given: Settings, tmp_path: Path) -> None:
    now = manifest_repo.live(given, "attrition")
    assert now is not None
    assert (now.tip, now.champion, now.entry.tag) == (tip(given), None, "unreleased")
    assert manifest_repo.live(Settings(home=tmp_path / "nothing"), "attrition") is None


def test_nothing_of_a_model_without_an_entry_is_live(given: Settings) -> None:
    now = manifest_repo.live(given, "other")
    assert now is not None
    assert (now.champion, now.entry.digest, now.by_hand) == (None, "", False)


def test_one_entry_and_its_state_change_in_one_commit(given: Settings) -> None:
    before, text = tip(given), shown(given, OVERLAY)
    written = promote(given, promotion(ONE, 1, recall=0.75))
    assert (written.outcome, written.commit, written.release) == ("committed", tip(given), 1)
    assert git.git("rev-parse", "main^", cwd=Path(given.manifest_url)).strip() == before
    assert git.git("diff", "--name-only", before, "main", cwd=Path(given.manifest_url)).split() == [
        OVERLAY,
        "state/attrition/anchor.json",
        STATE,
    ]

    changed = [
        pair
        for pair in zip(text.splitlines(), shown(given, OVERLAY).splitlines(), strict=True)
        if pair[0] != pair[1]
    ]
    assert [new.split()[0] for _, new in changed] == ["newTag:", "digest:"]
    assert image(given) == {
        "name": "sluice.local/attrition",
        "newName": "sluice.local/attrition",
        "newTag": ONE,
        "digest": f"sha256:{ONE * 4}",
    }
    assert document(given, STATE) == {
        "schema": 1,
        "tag": ONE,
        "digest": f"sha256:{ONE * 4}",
        "image": "sluice.local/attrition",
        "release": 1,
        "recall": 0.75,
        "precision": 0.7,
        "model": f"model of {ONE}",
        "data": "",
        "training": "",
        "evidence": "",
        "against": None,
        "anchored": None,
        "standing": {
            "uses": 0,
            "fresh": False,
            "champion_days": 0,
            "override": {},
            "policy_changes": {},
        },
        "promotion": promotion(ONE, 1).trailers.promotion_id,
    }


def test_the_commit_says_why_and_who_and_ends_in_trailers(given: Settings) -> None:
    given = given.model_copy(update={"author": "Release Bot <bot@example.com>"})
    promote(given, promotion(ONE, 1))
    [(_, _, message), _] = git.log(given.manifest_url, "main")
    assert message.startswith("Release 1\n\nWhy.\n\n")
    assert read_trailers(message) == trailers.pairs(promotion(ONE, 1).trailers)
    found = subprocess.run(
        ["git", "interpret-trailers", "--parse"],
        input=message,
        text=True,
        capture_output=True,
        check=True,
    ).stdout
    assert dict(line.split(": ") for line in found.splitlines()) == trailers.pairs(
        promotion(ONE, 1).trailers
    )
    who = git.git("log", "-1", "--format=%an <%ae>", "main", cwd=Path(given.manifest_url))
    assert who.strip() == "Release Bot <bot@example.com>"


def test_the_overlay_of_the_settings_is_written_and_no_other(given: Settings) -> None:
    promote(given.model_copy(update={"overlay": "staging"}), promotion(ONE, 1))
    assert image(given, "overlays/staging/kustomization.yaml")["newTag"] == ONE
    assert image(given)["newTag"] == "unreleased"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_is_promoted_runs_and_says_which_image_it_is(overlay: str, given: Settings) -> None:
    given = given.model_copy(update={"overlay": overlay})
    for tag, number, against in ((ONE, 1, ""), (TWO, 2, ONE)):
        promote(given, promotion(tag, number, against))
        with by_hand.clone(given.manifest_url, "main") as repo:
            found = documents(kustomize.render(repo.path / "overlays" / overlay))
        [container] = one(found, "Rollout")["spec"]["template"]["spec"]["containers"]
        assert container["image"] == f"sluice.local/attrition:{tag}@sha256:{tag * 4}"
        assert {"name": "SLUICE_IMAGE_DIGEST", "value": f"sha256:{tag * 4}"} in container["env"]


def test_the_same_again_is_no_commit_and_keeps_its_number(given: Settings) -> None:
    promote(given, promotion(ONE, 1))
    before = tip(given)
    written = promote(given, promotion(ONE, 7, against=ONE))
    assert (written.outcome, written.commit, written.release) == ("already there", before, 1)
    assert tip(given) == before


def test_a_better_one_takes_the_place_of_the_champion_it_was_compared_with(given: Settings) -> None:
    promote(given, promotion(ONE, 1))
    assert promote(given, promotion(TWO, 2, against=ONE)).outcome == "committed"
    assert document(given, STATE)["tag"] == image(given)["newTag"] == TWO


@pytest.mark.parametrize(
    ("late", "said"),
    [
        (promotion(TWO, 2, against=ONE), "release 3 is live, newer than release 2"),
        (promotion(TWO, 2, against=FOUR), "release 3 is live, newer than release 2"),
        (promotion(TWO, 4, against=ONE), f"the champion is {THREE} by now, not {ONE}"),
        (promotion(TWO, 4), f"the champion is {THREE} by now, not none"),
    ],
)
def test_a_release_that_was_overtaken_is_superseded(
    late: Promotion, said: str, given: Settings
) -> None:
    promote(given, promotion(FOUR, 2))
    promote(given, promotion(THREE, 3, against=FOUR))
    before = tip(given)
    written = promote(given, late)
    assert (written.outcome, written.sentence, written.commit) == ("superseded", said, "")
    assert tip(given) == before


@pytest.mark.parametrize(
    "change",
    [
        {"digest": (f"digest: sha256:{ONE * 4}", f"digest: sha256:{THREE * 4}")},
        {"tag": (f'newTag: "{ONE}"', f'newTag: "{THREE}"')},
        {"name": ("newName: sluice.local/attrition", "newName: registry.example.com/attrition")},
    ],
    ids=lambda change: str(*change),
)
def test_what_a_person_wrote_into_the_entry_is_left_alone(
    change: Mapping[str, tuple[str, str]], given: Settings
) -> None:
    promote(given, promotion(ONE, 1))
    by_hand = edit(given, **change)
    written = promote(given, promotion(TWO, 2, against=ONE))
    assert written.outcome == "held"
    assert "a person set" in written.sentence
    assert f"set it back to sluice.local/attrition:{ONE}@sha256:{ONE * 4}" in written.sentence
    assert tip(given) == by_hand


def test_an_image_that_a_person_set_before_the_first_release_is_left_alone(given: Settings) -> None:
    by_hand = edit(given, digest=(f"sha256:{'0' * 64}", f"sha256:{THREE * 4}"))
    assert promote(given, promotion(ONE, 1)).outcome == "held"
    assert tip(given) == by_hand


def test_other_lines_of_a_person_survive(given: Settings) -> None:
    edit(given, images=("images:\n", "# Ask Anna first.\nimages:   # ours\n"))
    assert promote(given, promotion(ONE, 1)).outcome == "committed"
    assert "# Ask Anna first.\nimages:   # ours\n" in shown(given, OVERLAY)


def test_an_edit_that_comes_between_survives_the_race(given: Settings) -> None:
    """A person pushes while a release does: it decides anew from the new tip, and both are
    there.
    """
    bare = Path(given.manifest_url)
    start = tip(given)
    by_hand = edit(given, images=("images:\n", "# Ask Anna first.\nimages:\n"))
    git.git("update-ref", "refs/heads/main", start, cwd=bare)
    once = f"[ -e {bare}/raced ] && exit 0\ntouch {bare}/raced\n"
    hook(given, f"{once}unset GIT_QUARANTINE_PATH\ngit update-ref refs/heads/main {by_hand}")
    written = promote(given, promotion(ONE, 1))
    assert (bare / "raced").exists()
    assert written.outcome == "committed"
    assert git.git("rev-parse", "main^", cwd=bare).strip() == by_hand
    assert "# Ask Anna first." in shown(given, OVERLAY)
    assert image(given)["newTag"] == ONE


def test_of_two_that_were_compared_with_the_same_the_higher_number_wins_whichever_comes_first(
    given: Settings,
) -> None:
    promote(given, promotion(ONE, 1))
    assert promote(given, promotion(TWO, 2, against=ONE)).outcome == "committed"
    assert promote(given, promotion(FOUR, 4, against=ONE)).outcome == "committed"
    assert promote(given, promotion(THREE, 3, against=ONE)).outcome == "superseded"
    assert image(given)["newTag"] == FOUR


def test_of_two_at_once_the_higher_number_is_live(given: Settings) -> None:
    promote(given, promotion(ONE, 1))
    late = [promotion(TWO, 2, against=ONE), promotion(THREE, 3, against=ONE)]
    with ThreadPoolExecutor(2) as pool:
        written = list(pool.map(lambda wanted: promote(given, wanted), late))
    assert written[0].outcome in ("committed", "superseded")
    assert written[1].outcome == "committed"
    assert image(given)["newTag"] == document(given, STATE)["tag"] == THREE


def test_a_race_that_is_lost_over_and_over_ends(
    given: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Somebody is always faster: another commit on the tip before every push is let in.
    hook(
        given,
        "export GIT_AUTHOR_NAME=x GIT_AUTHOR_EMAIL=x GIT_COMMITTER_NAME=x GIT_COMMITTER_EMAIL=x\n"
        "unset GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY\n"
        'git update-ref refs/heads/main $(git commit-tree -p main -m "Faster $$" main^{tree})',
    )
    monkeypatch.setattr(writer, "MINUTES", 0)
    with pytest.raises(Retryable, match="races lost for branch main in 0 minutes: 1"):
        promote(given, promotion(ONE, 1))
    assert image(given)["newTag"] == "unreleased"


def test_a_protected_branch_is_permanent_and_leaves_no_number_behind(given: Settings) -> None:
    hook(given, "exit 1")
    for write in (
        lambda: promote(given, promotion(ONE, 1)),
        lambda: reserve(given, "attrition", use("a")),
    ):
        with pytest.raises(SluiceError, match="hook declined") as raised:
            write()
        assert not isinstance(raised.value, Retryable)
    assert tip(given, numbers.LEDGER) == ""


WHOLE = {"tag": "x", "digest": "y", "image": "z", "release": 1, "model": "m"}


def broken(given: Settings, path: str, content: bytes, branch: str = "main") -> None:
    with by_hand.clone(given.manifest_url, branch) as repo:
        file = repo.path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        by_hand.commit(repo, "Break\n", given.author)
        by_hand.push(repo)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("champion", "{", "champion.json is not JSON"),
        ("champion", "[" * 9000, "champion.json is not JSON"),
        ("champion", "[]", "champion.json holds no JSON object"),
        ("champion", '{"tag": "x"}', "champion.json lacks digest, image, model"),
        (
            "champion",
            json.dumps({**WHOLE, "release": "x"}),
            "champion.json says that release is 'x', which is no whole",
        ),
        (
            "anchor",
            json.dumps({**WHOLE, "release": True}),
            "anchor.json says that release is True, which is no whole",
        ),
        (
            "quarantine",
            '{"entries": null}',
            "quarantine.json says that entries is None, which is no list",
        ),
        (
            "quarantine",
            '{"entries": [{}]}',
            "entry 1 of state/attrition/quarantine.json lacks digest, release, tag",
        ),
        (
            "quarantine",
            '{"entries": [3]}',
            "entry 1 of state/attrition/quarantine.json is 3, which is no object",
        ),
        (
            "parked",
            '{"entries": [{"digest": 3}]}',
            "entry 1 of state/attrition/parked.json lacks attempts, next",
        ),
        (
            "champion",
            json.dumps({**WHOLE, "shadow": {}}),
            "champion.json has what this version of Sluice does not know: shadow",
        ),
        (
            "anchor",
            json.dumps({**WHOLE, "schema": 2}),
            "schema of state/attrition/anchor.json is 2; this version of Sluice reads 1",
        ),
        (
            "champion",
            json.dumps({**WHOLE, "against": {"tag": "x"}}),
            "against of state/attrition/champion.json lacks digest, model",
        ),
        ("champion", "\u00fc", "champion.json of branch main is not UTF-8"),
    ],
)
def test_a_state_that_is_broken_is_named(
    name: str, content: str, said: str, given: Settings
) -> None:
    promote(given, promotion(ONE, 1))
    broken(given, f"state/attrition/{name}.json", content.encode("latin-1"))
    with pytest.raises(SluiceError, match=said):
        manifest_repo.live(given, "attrition")


def test_a_kustomization_in_another_encoding_is_named(given: Settings) -> None:
    broken(given, OVERLAY, "# f\u00fcr alle\nimages: []\n".encode("latin-1"))
    with pytest.raises(SluiceError, match=f"{OVERLAY} of branch main is not UTF-8: byte 3 is 0xfc"):
        promote(given, promotion(ONE, 1))


def test_it_is_known_since_when_a_champion_is_live(given: Settings) -> None:
    promote(given, promotion(ONE, 1))
    edit(given, images=("images:\n", "# Ask Anna first.\nimages:\n"))
    now = manifest_repo.live(given, "attrition")
    assert now is not None
    assert now.champion is not None
    date = git.git("log", "-1", "--format=%cI", "main^", cwd=Path(given.manifest_url)).strip()
    assert manifest_repo.since(given, now.champion) == date
    unheard = msgspec.structs.replace(now.champion, promotion="unheard")
    assert manifest_repo.since(given, unheard) == ""


def test_numbers_are_consecutive_and_a_candidate_keeps_its_own(given: Settings) -> None:
    before = tip(given)
    found = [reserve(given, "attrition", use(candidate)) for candidate in ("a", "a", "b", "b", "a")]
    assert found == [(1, (0, 0)), (1, (0, 0)), (2, (1, 0)), (2, (1, 0)), (3, (0, 0))]
    assert reserve(given, "other", use("a")) == (1, (0, 0))
    assert tip(given) == before
    ledger = document(given, "attrition.json", numbers.LEDGER)
    assert [entry["candidate"] for entry in ledger["releases"]] == ["a", "b", "a"]


def test_a_look_spends_nothing(given: Settings) -> None:
    assert numbers.peek(given, "attrition", use("a")) == (0, 0)
    assert tip(given, numbers.LEDGER) == ""
    reserve(given, "attrition", use("a"))
    assert [numbers.peek(given, "attrition", use(candidate)).uses for candidate in "ab"] == [0, 1]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "attrition.json of branch sluice-ledger is not JSON"),
        ("[]", "attrition.json of branch sluice-ledger holds no JSON object"),
        ('{"releases": null}', "says that releases is None, which is no list"),
        (
            '{"releases": [{"number": "x", "candidate": "a"}]}',
            "number is 'x', which is no whole number",
        ),
        (
            '{"holdouts": {"s": {}}}',
            "holdout s of attrition.json of branch sluice-ledger lacks candidates, carried",
        ),
    ],
)
def test_a_ledger_that_is_broken_is_named(content: str, said: str, given: Settings) -> None:
    broken(given, "attrition.json", content.encode(), numbers.LEDGER)
    with pytest.raises(SluiceError, match=said):
        reserve(given, "attrition", use("b"))


def test_a_ledger_that_was_lost_is_said_and_can_be_begun_anew(given: Settings) -> None:
    """It would begin at one: what is live would be newer than all that comes, and no use of a
    holdout would count.
    """
    with pytest.raises(
        SluiceError,
        match="release 7 of attrition is live, and branch sluice-ledger ends with release 0",
    ):
        reserve(given, "attrition", use("a"), 7)
    assert tip(given, numbers.LEDGER) == ""
    broken(
        given,
        "attrition.json",
        b'{"releases": [{"number": 7, "candidate": "lost"}]}',
        numbers.LEDGER,
    )
    assert reserve(given, "attrition", use("a"), 7) == (8, (0, 0))


def test_numbers_reserved_at_once_differ(given: Settings) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(
            pool.map(lambda candidate: reserve(given, "attrition", use(candidate)), "abcd")
        )
    assert sorted(number for number, _ in found) == [1, 2, 3, 4]


def test_a_promotion_is_named_by_what_it_is() -> None:
    entry = promotion(ONE, 1).entry
    name = promotion_id("attrition", entry, 1)
    assert name == promotion_id("attrition", entry, 1)
    assert (
        len(
            {
                name,
                promotion_id("attrition", entry, 2),
                promotion_id("other", entry, 1),
                promotion_id("attrition", replace(entry, tag=TWO), 1),
            }
        )
        == 4
    )
