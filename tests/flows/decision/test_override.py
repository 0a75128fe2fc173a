"""An override holds where somebody whom the protected base allows has signed it, and nowhere
else.
"""

import datetime
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from support import releases
from support.releases import Story
from support.signing import commit, git, key, project_of, signer

from flows.decision import override, protected_base, signed_file
from flows.decision.signature import KEYS, SIGNERS
from flows.engine.request import Request, begin
from flows.orchestration.plan import plan
from flows.orchestration.real_tools import real_tools
from flows.project import settings
from sluice.errors import Refused, UsageError
from sluice.gate.classes.rules import CLASS_FLOORS
from sluice.gate.decide import MAY_BE_WAIVED, NEVER_WAIVED
from sluice.gate.number.rules import NUMBER_GOOD_ENOUGH
from sluice.gitops.state import Override, Reference

TAG, TODAY = "c" * 16, datetime.date(2026, 11, 20)
GOOD = (
    f'candidate = "{TAG}"\nrule = "recall_floor"\nreason = "the union agreed"\nexpires ='
    " 2026-12-24\n"
)
FILE = f"overrides/attrition/{TAG}.toml"


@pytest.fixture
def anna(tmp_path: Path) -> Path:
    return key(tmp_path, "anna")


@pytest.fixture
def project(anna: Path, tmp_path: Path) -> Path:
    return project_of(anna, tmp_path / "project")


def asked() -> Request:
    return begin(settings.load(), real_tools(), "attrition")


def test_one_that_is_signed_by_who_may_holds(project: Path, anna: Path) -> None:
    allowing = git(project, "rev-parse", "main")[:12]
    commit(project, GOOD, anna, FILE)
    assert override.find(asked(), TAG, TODAY) == Override(
        rule="recall_floor",
        reason="the union agreed",
        expires="2026-12-24",
        signer="anna@example.com",
        commit=git(project, "rev-parse", "HEAD").strip(),
        ref=f"main at {allowing}",
    )


def test_without_a_file_there_is_none(project: Path) -> None:
    assert override.find(asked(), TAG, TODAY) == Override()


def test_one_that_nobody_or_somebody_else_signed_is_refused(project: Path, tmp_path: Path) -> None:
    for sign in (None, key(tmp_path, "mallory")):
        commit(project, f"{GOOD}# {sign}\n", sign, FILE)
        with pytest.raises(Refused, match="is signed by nobody whom overrides/allowed_signers"):
            override.find(asked(), TAG, TODAY)


def test_who_adds_their_own_key_in_the_same_change_allows_nobody(
    project: Path, tmp_path: Path
) -> None:
    mallory = key(tmp_path, "mallory")
    commit(project, signer("mallory", mallory), None, SIGNERS)
    commit(project, GOOD, mallory, FILE)
    with pytest.raises(Refused, match="signed by nobody"):
        override.find(asked(), TAG, TODAY)


def test_once_the_key_is_on_the_protected_branch_it_may(project: Path, tmp_path: Path) -> None:
    berta = key(tmp_path, "berta")
    commit(project, signer("berta", berta), None, SIGNERS)
    git(project, "branch", "--force", "main", "work")
    commit(project, GOOD, berta, FILE)
    assert override.find(asked(), TAG, TODAY).signer == "berta@example.com"


def test_a_key_of_openpgp_may_be_allowed_too(project: Path, tmp_path: Path) -> None:
    home = tmp_path / "gnupg"
    home.mkdir(mode=0o700)
    os.environ["GNUPGHOME"] = str(home)
    who = "Carla <carla@example.com>"
    subprocess.run(
        [
            "gpg",
            "--batch",
            "--quiet",
            "--passphrase",
            "",
            "--quick-generate-key",
            who,
            "ed25519",
            "sign",
        ],
        check=True,
        capture_output=True,
    )
    public = subprocess.run(
        ["gpg", "--armor", "--export", who], check=True, capture_output=True, text=True
    ).stdout
    commit(project, GOOD, None, FILE)
    git(
        project,
        "-c",
        "gpg.format=openpgp",
        "-c",
        f"user.signingkey={who}",
        "commit",
        "-S",
        "--amend",
        "--no-edit",
        "--quiet",
    )
    with pytest.raises(Refused, match="signed by nobody"):
        override.find(asked(), TAG, TODAY)
    git(project, "checkout", "--quiet", "main")
    commit(project, public, None, KEYS)
    git(project, "checkout", "--quiet", "work")
    git(project, "merge", "--quiet", "--no-edit", "main")
    assert override.find(asked(), TAG, TODAY).signer == who
    subprocess.run(["gpgconf", "--kill", "all"], check=True)


def test_what_is_not_committed_does_not_count(project: Path, anna: Path) -> None:
    (project / FILE).parent.mkdir(parents=True)
    (project / FILE).write_text(GOOD)
    with pytest.raises(UsageError, match="is not committed as it stands"):
        override.find(asked(), TAG, TODAY)
    commit(project, GOOD, anna, FILE)
    (project / FILE).write_text(GOOD.replace("recall", "precision"))
    with pytest.raises(UsageError, match="is not committed as it stands"):
        override.find(asked(), TAG, TODAY)


def test_what_somebody_else_changed_after_the_signature_is_refused(
    project: Path, anna: Path
) -> None:
    commit(project, GOOD, anna, FILE)
    commit(project, GOOD.replace("2026-12-24", "2036-12-24"), None, FILE)
    with pytest.raises(Refused, match="signed by nobody"):
        override.find(asked(), TAG, TODAY)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("recall_floor", "finite"), "rule 'finite' can never be waived"),
        (("2026-12-24", "2026-11-19"), "expires is 2026-11-19"),
        (("2026-12-24", '"soon"'), "expires is soon"),
        (("2026-12-24", "2026-12-24T12:00:00Z"), "expires is 2026-12-24 12:00:00"),
        (("recall_floor", "recal_floor"), "there is no rule 'recal_floor'"),
        (('"recall_floor"', '["recall_floor"]'), "there is no rule"),
        (("2026-12-24", ""), "is not TOML"),
        (('reason = "the union agreed"\n', ""), "lacks reason"),
        ((f'"{TAG}"', f'"{"d" * 16}"'), "names candidate 'dddddddddddddddd'"),
    ],
    ids=lambda value: str(value[1]) if isinstance(value, tuple) else "",
)
def test_one_that_is_wrong_is_usage_and_says_where(
    change: tuple[str, str], said: str, project: Path, anna: Path
) -> None:
    commit(project, GOOD.replace(*change), anna, FILE)
    with pytest.raises(UsageError, match=said) as raised:
        override.find(asked(), TAG, TODAY)
    assert FILE in raised.value.what


def test_a_name_that_no_rule_has_is_told_with_those_that_may_be_waived(
    project: Path, anna: Path
) -> None:
    commit(project, GOOD.replace("recall_floor", "recal_floor"), anna, FILE)
    with pytest.raises(UsageError) as raised:
        override.find(asked(), TAG, TODAY)
    named = raised.value.fix.removeprefix("Write one of ").removesuffix(".").split(", ")
    assert named == [*MAY_BE_WAIVED, CLASS_FLOORS, *NUMBER_GOOD_ENOUGH]
    assert len(set(named)) == len(named)
    assert all(re.fullmatch("[a-z_]+", name) for name in named)


def test_without_a_protected_base_there_are_none(project: Path, anna: Path) -> None:
    commit(project, GOOD, anna, FILE)
    for ref in ("", "0" * 40):
        os.environ["SLUICE_PROTECTED_REF"] = ref
        with pytest.raises(Refused, match=f"{FILE} needs a protected branch"):
            override.find(asked(), TAG, TODAY)


def test_what_the_policy_changed_since_the_protected_base_is_known(project: Path) -> None:
    assert protected_base.policy_changes(asked(), None) == {}
    releases.change_policy(project, gate={"recall_floor": 0.45})
    changed = {"in this change set": ["gate.recall_floor 0.5 -> 0.45"]}
    assert protected_base.policy_changes(asked(), None) == changed
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "Lower the floor")
    assert protected_base.policy_changes(asked(), None) == changed
    os.environ["SLUICE_PROTECTED_REF"] = ""
    unknown = "because the clone has no origin/HEAD and SLUICE_PROTECTED_REF is not set"
    assert protected_base.policy_changes(asked(), None) == {unknown: ["base unknown"]}


def test_what_the_policy_changed_since_the_champion_is_known_too(project: Path) -> None:
    champion = Reference("c" * 16, "sha256:1", "model")
    asked_for = asked()
    kept = asked_for.model_of("model")
    assert protected_base.policy_changes(asked_for, champion) == {}
    kept.mkdir(parents=True)
    assert protected_base.policy_changes(asked_for, champion) == {}
    older = asked_for.policy_text.replace("recall_floor = 0.5", "recall_floor = 0.4")
    (kept / "policy.toml").write_text(older, encoding="utf-8")
    since = "since the champion was released"
    changed = {since: ["gate.recall_floor 0.4 -> 0.5"]}
    assert protected_base.policy_changes(asked_for, champion) == changed
    (kept / "policy.toml").write_text("schema = 1\n", encoding="utf-8")
    [(name, [said])] = protected_base.policy_changes(asked_for, champion).items()
    assert name == since
    assert said.startswith("all of it: the older policy cannot be read (policy")


def test_a_project_that_is_not_in_git_has_no_policy_before(tmp_path: Path) -> None:
    os.environ["SLUICE_PROJECT"] = str(releases.write(tmp_path / "project"))
    assert protected_base.policy_changes(asked(), None) == {}


def test_what_git_cannot_find_ends_a_plan_before_anything_is_looked_up(project: Path) -> None:
    """A release would train first, and end with this minutes later."""
    for ref in ("nowhere", "HEAD"):
        os.environ["SLUICE_PROTECTED_REF"] = ref
        with pytest.raises(UsageError, match=f"SLUICE_PROTECTED_REF is '{ref}'") as raised:
            plan(asked())
        assert raised.value.exit_code == 2


def test_a_release_goes_on_with_it_and_everybody_sees_it(
    promoted: tuple[Story, object], tools: str, anna: Path, tmp_path: Path
) -> None:
    """The same model under a policy that was changed is not better than its champion; a signed
    override lets it by.
    """
    here = releases.copy(promoted[0], tmp_path / "here")
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "ssh-keygen").symlink_to(str(shutil.which("ssh-keygen")))
    releases.enter(here, f"{tools}:{programs}")
    os.environ |= {
        "GIT_AUTHOR_NAME": "x",
        "GIT_AUTHOR_EMAIL": "x@example.com",
        "GIT_COMMITTER_NAME": "x",
        "GIT_COMMITTER_EMAIL": "x@example.com",
        "SLUICE_PROTECTED_REF": "main",
    }
    git(here.project, "init", "--quiet", "--initial-branch", "main")
    commit(here.project, signer("anna", anna), None, SIGNERS)
    git(here.project, "checkout", "--quiet", "-b", "work")
    releases.change_policy(here.project, gate={"flagged_ceiling": 0.86})
    told = releases.release()
    assert told.outcome["verdict"] == "HOLD"
    assert "gate.flagged_ceiling 0.85 -> 0.86 in this change set" in told.outcome["policy_changed"]
    tag = told.outcome["tag"]
    content = (
        GOOD.replace(TAG, tag).replace("recall_floor", "better").replace("2026-12-24", "2099-12-24")
    )
    commit(here.project, content, anna, f"overrides/attrition/{tag}.toml")

    found = releases.planned()
    assert next(step.step for step in found.steps if not step.hit) == "gate"
    told = releases.release()
    allowing = git(here.project, "rev-parse", "main")[:12]
    said = (
        "better waived by anna@example.com until 2099-12-24, allowed by main at"
        f" {allowing}: the union agreed"
    )
    assert (told.outcome["verdict"], told.outcome["override"]) == ("PROMOTE", said)
    folder = here.home / "evidence" / "attrition"
    assert said in (folder / "evidence.html").read_text()
    assert f"**Override**: {said}" in (folder / "summary.md").read_text()
    assert json.loads((folder / "verdict.json").read_text())["sentence"].endswith(
        ". Rule better is waived"
    )
    releases.keep_image()
    told = releases.release()
    assert told.outcome["outcome"] == "promoted"
    message = subprocess.run(
        ["git", "log", "-1", "--format=%B", "main"],
        cwd=here.home / "manifests.git",
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert f"Override: {said}\n" in message
    assert "Policy-Changed: gate.flagged_ceiling 0.85 -> 0.86 in this change set" in message


def test_no_rule_that_tells_whether_numbers_can_be_believed_is_waived() -> None:
    assert {"finite", "metrics_match", "no_duplicates", "ledger"} <= set(NEVER_WAIVED)


def test_a_past_day_is_named_with_what_to_write() -> None:
    with pytest.raises(UsageError) as refused:
        signed_file.until("it.toml", datetime.date(2026, 11, 19), TODAY)
    assert (refused.value.what, refused.value.fix) == (
        "it.toml: expires is 2026-11-19",
        "Write a date that has not passed, such as 2027-01-31.",
    )
    assert signed_file.until("it.toml", TODAY, TODAY) == TODAY
