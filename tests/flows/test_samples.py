"""The inputs that an earlier version failed on, one for each kind of fault, as they were reported.

They lie in tests/fixtures/samples, byte for byte, and each is used as its reporter used it: by the
command line, wherever there is a command. The kinds are tested beside what they belong to; the
table at the end says where.
"""

import contextlib
import datetime
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import by_hand, releases
from support.command_line import Sluice
from support.git_repos import OVERLAY, QUARANTINE, edit, seeded
from support.logins import nobody_is_logged_in
from support.releases import Story, Told
from support.signing import IDENTITY, commit, git, key, project_of

from bento.page import rows as page_rows
from flows.adapters.git import git as adapter
from flows.adapters.registry import registry
from flows.adapters.registry.remote import Remote
from flows.adapters.server import free_port
from flows.decision import override, protected_base
from flows.engine.request import begin
from flows.gitops import manifest_repo
from flows.orchestration.real_tools import real_tools
from flows.predict.rows_file import read_rows
from flows.project import settings
from flows.project.root import ROOT
from gx.validation import validate
from models.attrition import sample
from sluice.errors import UsageError
from sluice.gitops.trailers import commit_message, read_trailers
from sluice.model.data.table import read_table
from sluice.served.contract import load_contract

SAMPLES = ROOT / "tests" / "fixtures" / "samples"
TEMPLATE = ROOT / "deploy" / "argocd"
TODAY = datetime.date(2026, 11, 20)
BAD = f"sha256:{'a' * 64}"


def text(name: str) -> str:
    return (SAMPLES / name).read_text(encoding="utf-8")


def script(name: str, *words: object, env: dict[str, str] | None = None) -> str:
    """Run the script of a sample; what it printed."""
    done = subprocess.run(
        ["sh", SAMPLES / name, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **(env or {})},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def configured(name: str, folder: Path) -> None:
    """Let the user's git be set up as the sample says."""
    folder.mkdir()
    (folder / ".gitconfig").write_text(text(name))
    os.environ["HOME"] = str(folder)


def changed(repo: Path) -> list[str]:
    """The files that the newest commit changes."""
    return adapter.git("show", "--name-only", "--format=", "main", bare=repo).split()


@contextlib.contextmanager
def served(name: str, port: int, *words: object) -> Iterator[list[str]]:
    """The server of a sample on a port, while the block runs; the lines that it printed, after."""
    command = [sys.executable, "-u", SAMPLES / name, port, *words]
    lines: list[str] = []
    with subprocess.Popen(
        [str(word) for word in command], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            while True:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
                time.sleep(0.02)
            yield lines
        finally:
            process.terminate()
            lines += str(process.communicate()[0]).splitlines()


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A state folder whose manifest repo is seeded, which commands look at."""
    os.environ |= {"SLUICE_HOME": str(tmp_path), "SLUICE_MODEL": "attrition"}
    return Path(seeded(tmp_path).manifest_url)


def add(sluice: Sluice) -> None:
    """Put an image into quarantine, and see it there."""
    added = sluice("quarantine", "add", BAD, "--reason", "trained on the broken export")
    assert added.code == 0, added.err
    listed = json.loads(sluice("quarantine", "--json").out)
    assert [entry["digest"] for entry in listed] == [BAD]


def test_what_a_repo_ignores_is_committed(here: Path, sluice: Sluice) -> None:
    by_hand.write(here, {".gitignore": text("01-gitignore-swallows-state.gitignore")})
    add(sluice)
    assert changed(here) == [QUARANTINE]


def test_files_that_attributes_would_rewrite_stay(tmp_path: Path, sluice: Sluice) -> None:
    repo = tmp_path / "saved-on-windows.git"
    script("02-make.sh", TEMPLATE, repo)
    attributes = adapter.git("show", "main:.gitattributes", bare=repo)
    assert attributes == text("02-attributes-normalise.gitattributes")
    os.environ |= {"SLUICE_MANIFESTS": str(repo), "SLUICE_MODEL": "attrition"}
    add(sluice)
    assert changed(repo) == [QUARANTINE]


def test_a_user_who_forbids_bare_repositories_gets_one(tmp_path: Path, sluice: Sluice) -> None:
    configured("03-safe-bare.gitconfig", tmp_path / "user")
    os.environ |= {"SLUICE_HOME": str(tmp_path / "home"), "SLUICE_MODEL": "attrition"}
    manifest_repo.seed(settings.load())
    add(sluice)


def test_an_override_is_read_where_git_shows_signatures(tmp_path: Path) -> None:
    tag = "c" * 16
    anna = key(tmp_path, "anna")
    project = project_of(anna, tmp_path / "project")
    given = f'candidate = "{tag}"\nrule = "recall_floor"\nreason = "why"\nexpires = 2026-12-24\n'
    commit(project, given, anna, f"overrides/attrition/{tag}.toml")
    request = begin(settings.load(), real_tools(), "attrition")
    before = override.find(request, tag, TODAY)
    configured("04-show-signature.gitconfig", tmp_path / "user")
    assert override.find(request, tag, TODAY) == before
    assert before.signer == "anna@example.com"


def test_history_shows_edits_where_git_shows_no_prefix(
    here: Path, tmp_path: Path, sluice: Sluice
) -> None:
    edit(settings.load(), OVERLAY, digest=("sha256:" + "0" * 64, "sha256:" + "7" * 64))
    before = json.loads(sluice("history", "--json").out)
    configured("05-noprefix.gitconfig", tmp_path / "user")
    assert json.loads(sluice("history", "--json").out) == before
    assert [event["kind"] for event in before["events"]] == ["start", "edit"]


@pytest.mark.parametrize("mode", ["gh013", "gh007", "gh006"])
def test_a_refusal_by_rules_of_a_host_is_one_push(mode: str, here: Path, sluice: Sluice) -> None:
    port = free_port()
    with served("07-git-hosts-that-refuse.py", port, here, mode) as said:
        os.environ["SLUICE_MANIFESTS"] = f"http://127.0.0.1:{port}/r.git"
        added = sluice("quarantine", "add", BAD, "--reason", "why")
    assert added.code == 1
    assert "refused by 127.0.0.1: " in added.err
    assert "SLUICE_MODE=branch" in added.err
    assert [line for line in said if "push" in line] == [said[0]]


@pytest.mark.parametrize("mode", ["anon200", "identity", "basic", "bearer", "open"])
def test_a_registry_is_given_the_login_that_it_asks_for(
    mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody_is_logged_in(tmp_path, monkeypatch)
    port = free_port()
    entry = {"auth": "cm9ib3Q6c2VjcmV0LXBhc3N3b3Jk"}  # robot and its password, as the sample says
    if mode == "identity":
        entry = {"auth": "MDAwMDow", "identitytoken": "identity-token"}
    logins = tmp_path / "logins.json"
    logins.write_text(json.dumps({"auths": {f"127.0.0.1:{port}": entry}}))
    os.environ["REGISTRY_AUTH_FILE"] = str(logins)
    files = {"a.txt": b"a"}
    with served("08-registries.py", port, mode):
        place = Remote(f"127.0.0.1:{port}", "team/attrition")
        pushed = registry.push_files(place, "t", files, "application/x", {})
        assert registry.pull_files(place, pushed) == files
        assert registry.tags(place) == ["t"]


def test_a_kustomization_with_a_tab_before_a_comment_is_read(here: Path, sluice: Sluice) -> None:
    by_hand.write(here, {OVERLAY: text("09-tab-before-comment.kustomization.yaml")})
    told = sluice("status")
    assert told.code == 0, told.err
    add(sluice)


def test_a_squash_merge_with_a_co_author_is_a_release(
    promoted: tuple[Story, Told], tools: str, tmp_path: Path, sluice: Sluice
) -> None:
    """The text of the sample around what a real release wrote at its end."""
    story = releases.copy(promoted[0], tmp_path)
    releases.enter(story, tools)
    os.environ["SLUICE_MODEL"] = "attrition"
    repo = story.home / "manifests.git"
    url = promoted[0].home / "manifests.git"
    message = adapter.git("log", "-1", "--format=%B", "main", bare=url)
    written = read_trailers(message)
    block = commit_message("x", "y", written).rpartition("\n\n")[2].strip()
    around = text("10-squash-merge-message.txt")
    squashed = re.sub(r"(?ms)^Promotion-Id: .*?(?=\n\n---)", lambda _: block, around)
    assert squashed != around
    who = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com")
    made = by_hand.git(repo, *who, "commit-tree", "main^{tree}", "-p", "main~1", "-m", squashed)
    by_hand.git(repo, "update-ref", "refs/heads/main", made)
    os.environ["SLUICE_MANIFESTS"] = str(repo)
    told = sluice("history", "--json")
    kinds = [event["kind"] for event in json.loads(told.out)["events"]]
    assert kinds == ["start", "release"]
    for command in ("lineage", "verify"):
        ended = sluice(command, "latest")
        assert ended.code == 0, ended.out + ended.err


CONTRACT = load_contract((ROOT / "models" / "attrition" / "contract.toml").read_text("utf-8"))
GOOD = sample.to_csv(sample.generate(40)).decode().splitlines()


def with_sample(name: str, end: str = "\n", separator: str = ",") -> bytes:
    """A good table, which begins or ends as the sample does."""
    given = (SAMPLES / name).read_text(encoding="utf-8").splitlines()
    rows = [line.replace(",", separator) for line in GOOD[3:]]
    if name.startswith("12"):
        return (end.join([*given[:-1], *rows, *given[-1:] * 3]) + end).encode()
    if name.startswith("13"):
        rows = [f"{row}," for row in rows]
    return (end.join([*given, *rows]) + end).encode()


@pytest.mark.parametrize(
    ("name", "end", "separator"),
    [
        ("11-sep-line.csv", "\r\n", ";"),
        ("12-blank-rows-of-commas.csv", "\n", ","),
        ("13-trailing-comma.csv", "\n", ","),
        ("14-blank-cell.csv", "\n", ","),
    ],
)
def test_a_table_of_a_spreadsheet_is_judged_alike_at_every_door(
    name: str, end: str, separator: str, tmp_path: Path
) -> None:
    data = with_sample(name, end, separator)
    file = tmp_path / "x.csv"
    file.write_bytes(data)
    checked = validate(CONTRACT, read_table(data, CONTRACT, name), minimum_rows=1)
    page, asked = page_rows.read(data, CONTRACT, name), read_rows(file, CONTRACT)
    assert not checked.refused
    assert (page.problems, asked.problems) == ((), ())
    assert [row.record for row in page.rows] == [row.record for row in asked.rows]
    assert len(page.rows) == len(GOOD) - 1


@pytest.mark.parametrize("name", [one.name for one in sorted(SAMPLES.glob("1[1-4]-*.csv"))])
def test_the_sample_itself_is_too_small_and_nothing_else(name: str) -> None:
    data = (SAMPLES / name).read_bytes()
    checked = validate(CONTRACT, read_table(data, CONTRACT, name), minimum_rows=100)
    assert [finding.rule for finding in checked.findings if finding.severity == "critical"] == [
        "too few rows"
    ]


def test_a_column_to_be_ignored_is_described_as_it_is() -> None:
    contract = load_contract(text("15-contract-ignored.toml"))
    ignored = [column.name for column in contract.columns if column.role == "ignored"]
    assert ignored == ["Standard Hours", "Over 18", "Full Name"]


def told_of_the_policy(project: Path, ref: str) -> str:
    """What the gate is told of the policy of a project, or with what it is refused."""
    os.environ |= {"SLUICE_PROJECT": str(project), "SLUICE_PROTECTED_REF": ref}
    try:
        request = begin(settings.load(), real_tools(), "attrition")
        return str(protected_base.policy_changes(request, None))
    except UsageError as error:
        return error.what


def test_a_lowered_floor_is_told_or_the_base_is_named(tmp_path: Path) -> None:
    """What the script of the sample does; it asks a function of another version."""
    asked = text("16-policy-base.sh")
    assert 'for ref in ("HEAD^", "0" * 40, "deadbeef" * 5)' in asked
    [lower] = re.findall(r"^sed -i '(.*)' models/attrition/policy.toml$", asked, re.MULTILINE)
    project, shallow = releases.write(tmp_path / "whole"), tmp_path / "shallow"
    policy = project / "models" / "attrition" / "policy.toml"
    policy.write_bytes((releases.MODEL / "policy.toml").read_bytes())
    os.environ |= IDENTITY
    git(project, "init", "--quiet", "--initial-branch=main")
    commit(project, "x", None, "notes")
    subprocess.run(["sed", "-i", lower, policy], check=True)
    commit(project, "y", None, "notes")
    git(tmp_path, "clone", "--quiet", "--depth=1", project.as_uri(), shallow)
    assert "gate.recall_floor 0.72 -> 0.6" in told_of_the_policy(project, "HEAD^")
    assert protected_base.UNKNOWN in told_of_the_policy(project, "0" * 40)
    assert protected_base.UNKNOWN in told_of_the_policy(shallow, "0" * 40)
    for place, ref in ((project, "deadbeef" * 5), (shallow, "deadbeef" * 5), (shallow, "HEAD^")):
        assert told_of_the_policy(place, ref).startswith("SLUICE_PROTECTED_REF is ")


def test_a_link_in_the_place_of_the_state_leads_nowhere(tmp_path: Path, sluice: Sluice) -> None:
    repo, outside = tmp_path / "linked.git", tmp_path / "outside"
    script("17-symlink-state.sh", TEMPLATE, repo, outside)
    tip = by_hand.git(repo, "rev-parse", "main")
    os.environ |= {"SLUICE_MANIFESTS": str(repo), "SLUICE_MODEL": "attrition"}
    added = sluice("quarantine", "add", BAD, "--reason", "x")
    assert added.code == 1
    assert "symbolic link" in added.err
    assert list(outside.iterdir()) == []
    assert by_hand.git(repo, "rev-parse", "main") == tip


def test_packages_of_others_with_our_names_are_not_imported(tmp_path: Path) -> None:
    program = tmp_path / "sluice"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.append({str(ROOT)!r})\n"
        "from sluice_command import main\nmain()\n"
    )
    program.chmod(0o755)
    said = script("18-pythonpath.sh", program, env={"TMPDIR": str(tmp_path)})
    assert re.findall(r"^exit (\d+)$", said, re.MULTILINE) == ["0", "0"]
    assert "Traceback" not in said


# Where the kind of each sample is tested with more members, of our own.
KINDS = {
    "01": "tests/flows/adapters/git/test_tree.py",
    "02": "tests/flows/adapters/git/test_tree.py",
    "03": "tests/flows/adapters/git/test_calls.py",
    "04": "tests/flows/decision/test_signature.py",
    "05": "tests/flows/adapters/git/test_calls.py",
    "07": "tests/flows/gitops/test_hosts_that_refuse.py",
    "08": "tests/flows/adapters/registry/test_session.py",
    "09": "tests/sluice/gitops/test_manifest.py",
    "10": "tests/support/merge_styles.py",
    "11": "tests/flows/predict/test_doors.py",
    "12": "tests/flows/predict/test_doors.py",
    "13": "tests/flows/predict/test_doors.py",
    "14": "tests/flows/predict/test_doors.py",
    "15": "tests/sluice/served/test_contract.py",
    "16": "tests/flows/project/test_protected_branch.py",
    "17": "tests/flows/adapters/git/test_tree.py",
    "18": "tests/sluice_command/test_sluice_command.py",
}


def test_each_sample_is_used_and_its_kind_has_a_test() -> None:
    names = {path.name for path in SAMPLES.iterdir()}
    used = set(re.findall(r'"(\d\d-[\w.-]+)"', Path(__file__).read_text(encoding="utf-8")))
    assert used == names
    assert {name[:2] for name in names} == set(KINDS)
    for place in KINDS.values():
        assert (ROOT / place).is_file(), place
