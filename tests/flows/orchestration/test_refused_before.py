"""What a release is refused for before it does anything, a plan is refused for with the same
sentence and the same exit code.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from support import by_hand, releases
from support.command_line import Ended, Sluice
from support.git_repos import ONE, OVERLAY, edit, promotion, seeded, use
from support.releases import Story, Told

from flows.adapters import process
from flows.adapters.git import git
from flows.adapters.server import free_port
from flows.gitops import ledger, manifest_repo, quarantine
from flows.gitops.ledger import LEDGER
from flows.gitops.promotion import promote
from flows.project import settings
from flows.project.settings import Settings
from sluice.gitops.manifest import ImageEntry

Change = Callable[[Story], object]


def model(here: Story, name: str) -> Path:
    return here.project / "models" / "attrition" / name


def broken(name: str) -> Change:
    return lambda here: model(here, name).write_text("[x\n")


def given(name: str, value: str) -> Change:
    """A setting; `{}` in its value is the folder of the project."""

    def change(here: Story) -> None:
        os.environ[name] = value.format(here.project)

    return change


def file_in(name: str, text: str = "no key\n") -> Change:
    """A setting that names a file which holds something else than it should."""

    def change(here: Story) -> None:
        path = here.project / "file"
        path.write_text(text)
        path.chmod(0o600)
        os.environ[name] = str(path)

    return change


def made_key_damaged(here: Story) -> None:
    (here.home / "keys").mkdir()
    (here.home / "keys" / "statements.pem").write_text("no key\n")


def repo_lost(here: Story) -> None:
    (here.home / "manifests.seeded").touch()


def registry_away(_: Story) -> None:
    os.environ["SLUICE_REGISTRY"] = f"127.0.0.1:{free_port()}/team"


def seeded_here(here: Story) -> Settings:
    return seeded(here.home)


def with_setting(name: str, value: str) -> Change:
    """The same beside a manifest repo."""

    def change(here: Story) -> None:
        seeded_here(here)
        os.environ[name] = value

    return change


def no_such_entry(here: Story) -> None:
    """In a repo of a team; the embedded one is given what is lacking."""
    settings = seeded_here(here)
    edit(settings, images=("name: sluice.local/attrition", "name: sluice.local/other"))
    os.environ["SLUICE_MANIFESTS"] = settings.remote.url


def in_git(ref: str) -> Change:
    """A project in git that lacks the branch that is named, as a shallow clone does."""

    def change(here: Story) -> None:
        git.git("init", "--quiet", "--initial-branch=work", cwd=here.project)
        us = ("-c", "user.name=A", "-c", "user.email=a@x")
        git.git("add", ".", cwd=here.project)
        git.git(*us, "commit", "--quiet", "-m", "All", cwd=here.project)
        os.environ["SLUICE_PROTECTED_REF"] = ref

    return change


def ledger_gone(here: Story) -> None:
    promote(seeded_here(here), promotion(ONE, 1))


def ledger_damaged(here: Story) -> None:
    repo = seeded_here(here)
    ledger.reserve(repo, "attrition", use("x"))
    with by_hand.clone(repo.manifest_url, LEDGER) as clone:
        path = clone.path / "attrition.json"
        path.write_text(path.read_text().replace('"releases"', '"released"'))
        by_hand.commit(clone, "By hand\n", "Anna <anna@example.com>")
        by_hand.push(clone)


def ledger_changed(here: Story) -> None:
    repo = seeded_here(here)
    for name in ("x", "y"):
        ledger.reserve(repo, "attrition", use(name))
    with by_hand.clone(repo.manifest_url, LEDGER) as clone:
        path = clone.path / "attrition.json"
        path.write_text(path.read_text().replace('"candidate": "x"', '"candidate": "z"'))
        by_hand.commit(clone, "By hand\n", "Anna <anna@example.com>")
        by_hand.push(clone)


def ledger_behind(here: Story) -> None:
    seeded_here(here)
    (here.home / "ledger" / "attrition").mkdir(parents=True)
    (here.home / "ledger" / "attrition" / "release.3").write_bytes(b"1")


def secret_gone(here: Story) -> None:
    ledger.reserve(seeded_here(here), "attrition", use("x"))
    for path in (here.home / "ledger" / "attrition").glob("key.*"):
        path.unlink()


def champion_gone(here: Story) -> None:
    repo = seeded_here(here)
    ledger.reserve(repo, "attrition", use("x"))
    promote(repo, promotion(ONE, 1))


@dataclass(frozen=True)
class Case:
    """What is wrong, what is said of it, the exit code, and what is typed after the command."""

    change: Change
    said: str
    code: int = 2
    words: tuple[str, ...] = ()


NOTHING: Change = lambda _: None  # noqa: E731
CASES = {
    "no table": Case(lambda here: here.rows.unlink(), "rows.csv"),
    "no file": Case(NOTHING, "nothing.csv", words=("--data", "nothing.csv")),
    "another table": Case(lambda here: here.rows.write_bytes(b"x\n"), "the data hash to"),
    "no pointer": Case(lambda here: (here.project / "data" / "attrition.toml").unlink(), "data/"),
    "no such model": Case(NOTHING, "there is no model 'other'", words=("other",)),
    "policy": Case(broken("policy.toml"), "models/attrition/policy.toml"),
    "contract": Case(broken("contract.toml"), "models/attrition/contract.toml"),
    "no key for git": Case(given("SLUICE_GIT_KEY", "{}/nothing"), "SLUICE_GIT_KEY names no file"),
    "author": Case(given("SLUICE_AUTHOR", "nobody"), "SLUICE_AUTHOR is 'nobody'"),
    "key of statements": Case(file_in("SLUICE_STATEMENT_KEY"), "does not hold the key"),
    "made key of statements": Case(made_key_damaged, "does not hold the key that signs"),
    "key that signs commits": Case(file_in("SLUICE_SIGNING_KEY"), "the commit could not be made"),
    "manifest repo lost": Case(repo_lost, "is gone"),
    "manifest repo elsewhere is none": Case(given("SLUICE_MANIFESTS", "{}"), "git repository", 1),
    "no such branch": Case(with_setting("SLUICE_BRANCH", "other"), "on branch other"),
    "no such overlay": Case(with_setting("SLUICE_OVERLAY", "qa"), "overlays/qa"),
    "no entry": Case(no_such_entry, "sluice.local/attrition"),
    "registry does not answer": Case(registry_away, "nothing answers at", 1),
    "protected branch is not there": Case(in_git("origin/main"), "which git cannot find"),
    "no git at all": Case(given("SLUICE_PROTECTED_REF", "main"), "is not in git"),
    "ledger gone": Case(ledger_gone, "it was lost or reset", 1),
    "ledger is no ledger": Case(ledger_damaged, f"branch {LEDGER}", 1),
    "ledger changed": Case(ledger_changed, "was changed by somebody else than Sluice", 1),
    "ledger behind its marks": Case(ledger_behind, "was lost or reset", 1),
    "secret of the ledger gone": Case(secret_gone, "was written with the secret", 1),
    "champion's artifact gone": Case(champion_gone, f"has no {ONE}.model", 1),
}


def error(ended: Ended) -> str:
    """What a command said from its error on."""
    _, found, text = ended.err.partition("Error: ")
    assert found, ended
    return text


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_plan_and_release_say_the_same(case: Case, unreleased: Story, sluice: Sluice) -> None:
    os.environ["SLUICE_TRACKING_URI"] = ""
    case.change(unreleased)
    planned, released = (sluice(command, *case.words) for command in ("plan", "release"))
    assert case.said in error(planned)
    assert error(released) == error(planned)
    assert (planned.code, released.code) == (case.code, case.code)
    assert not (unreleased.home / "store").exists()
    assert not (unreleased.home / "outcomes").exists()


@pytest.fixture
def here(promoted: tuple[Story, Told], tools: str, tmp_path: Path) -> Settings:
    """A story of this test's own, in which a release is live and nothing is left to do."""
    releases.enter(releases.copy(promoted[0], tmp_path), tools)
    return settings.load()


def by_a_person(given: Settings) -> None:
    live = manifest_repo.live(given, "attrition")
    assert live is not None
    edit(given, OVERLAY, digest=(live.entry.digest, "sha256:" + "7" * 64))


def barred(given: Settings) -> None:
    live = manifest_repo.live(given, "attrition")
    assert live is not None
    assert isinstance(live.entry, ImageEntry)
    quarantine.add(given, "attrition", live.entry.digest, "why")


@pytest.mark.parametrize(
    ("change", "word", "code"), [(by_a_person, "Held: ", 0), (barred, "Refused: ", 3)]
)
def test_what_the_manifest_repo_forbids_is_planned(
    here: Settings, sluice: Sluice, change: Callable[[Settings], None], word: str, code: int
) -> None:
    change(here)
    planned, released = sluice("plan"), sluice("release")
    assert (planned.code, released.code) == (code, code)
    assert planned.out.splitlines()[-1].startswith(word)
    sentence = planned.out.splitlines()[-1].removeprefix(word).removesuffix(".")
    assert sentence.lower() in released.out.lower()
    assert "MISS" not in planned.out


def test_a_persons_edit_is_told_before_there_is_anything_to_commit(
    unreleased: Story, sluice: Sluice
) -> None:
    """The steps would run, and nothing would be committed after them."""
    repo = seeded(unreleased.home)
    edit(repo, OVERLAY, digest=("sha256:" + "0" * 64, "sha256:" + "7" * 64))
    planned = sluice("plan")
    assert "Held: a person set " in planned.out
    assert planned.out.splitlines()[-1] == "11 steps would run."
    assert planned.code == 0


def test_the_program_of_keys_is_here() -> None:
    """Without it, the case of the key that signs would be told by another sentence."""
    assert process.run(["ssh-keygen", "-?"], check=False).code != 127
