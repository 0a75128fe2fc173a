"""The demo on a hostile machine: all at once what other people's machines have one by one.

It is another user's checkout, git is configured to change everything, the proxy answers nothing,
PYTHONPATH is full of namesakes, the locale is not UTF-8, the umask is 077, the paths have blanks
and letters outside of ASCII, and TMPDIR is on another file system.
"""

import json
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support import hostile_git, hostile_machine
from support.clones import (
    Clone,
    Demo,
    Finished,
    clone,
    done,
    environment,
    git,
    manifests,
    run,
    serving,
)
from support.readme import commands

from flows.adapters.server import free_port

PROXIES = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
PLAIN = ("http_proxy", "HTTP_PROXY")
DEMO = "Demo of generated rows, in .sluice/demo; your own data go to .sluice."


@dataclass(frozen=True)
class Machine:
    """A clone on it, its variables, and the folders in which its user's git, their packages and
    the temporary files of others show what was done there.
    """

    clone: Clone
    given: dict[str, str]
    user: Path
    packages: Path
    temporary: Path

    def typed(self, command: str) -> Finished:
        """How a command that a person types there ends."""
        return run(self.clone, f"umask 077; {command}", **self.given)


@pytest.fixture(scope="module")
def machine(demo: Demo, scratch: Path) -> Iterator[Machine]:
    """It has the caches of the first demo, and nothing else of it."""
    folder = scratch / "Zoë's 100% machine"
    folder.mkdir()
    place = clone(folder, folder / "home of Zoë")
    user = hostile_git.user(folder / "of git", place.home / ".gitconfig")
    # Filters that fail on every file would leave no checkout to anybody.
    (user / "attributes").write_text("")
    packages = hostile_machine.namesakes(folder / "my packages")
    hostile_machine.belong_to_somebody_else(place.path, place.bin, environment(place)["PATH"])
    elsewhere = hostile_machine.another_file_system(folder)
    with (
        tempfile.TemporaryDirectory(prefix="tmp of Zoë ", dir=elsewhere) as temporary,
        hostile_machine.silent_proxy() as proxy,
    ):
        given = {
            **dict.fromkeys(PROXIES, proxy),
            **hostile_machine.iso_locale(folder / "locales"),
            "PYTHONPATH": f"{packages}:",
            "TMPDIR": temporary,
            "XDG_CACHE_HOME": str(demo.clone.home / ".cache"),
        }
        yield Machine(place, given, user, packages, Path(temporary))


@pytest.fixture(scope="module")
def refused(machine: Machine) -> Finished:
    """The first demo there. Packages come through https, so only that proxy has to answer."""
    plain = {name: value for name, value in machine.given.items() if name not in PROXIES}
    plain |= {name: machine.given[name] for name in PLAIN}
    done(machine.clone, "umask 077; make setup", **plain)
    return machine.typed("make demo")


@pytest.fixture(scope="module")
def ended(machine: Machine, refused: Finished) -> Finished:
    """The demo after what the refusal of the first one asks for."""
    allowed = machine.typed('git config --global --add safe.directory "$PWD"')
    assert allowed.code == 0, allowed.stderr
    return machine.typed("make demo")


def test_the_checkout_of_another_user_is_refused_until_it_is_trusted(refused: Finished) -> None:
    assert refused.code
    assert "Error 2" in refused.stderr
    assert "git config --global --add safe.directory" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert "Promoted" not in refused.stdout


def test_the_demo_ends_as_the_readme_says(demo: Demo, ended: Finished, machine: Machine) -> None:
    assert ended.code == 0, ended.stdout[-6000:] + ended.stderr[-6000:]
    assert ended.shown("Verdict") == demo.ended.shown("Verdict")
    assert ended.shown("Image") == demo.ended.shown("Image")
    assert ended.last == demo.ended.last
    assert "Traceback" not in ended.stderr + ended.stdout
    assert "Warning" not in ended.stderr


def test_the_manifest_repo_has_the_release_and_where_it_comes_from(
    ended: Finished, machine: Machine
) -> None:
    repo = manifests(machine.clone)
    lines = git(repo, "log", "--format=%s", "main").splitlines()
    [(tag, digest)] = re.findall(r"attrition:([0-9a-f]{16})@(\S+)", ended.shown("Image"))
    assert lines == [f"Release 1 of attrition: {tag}", "Start from the template"]
    message = git(repo, "log", "-1", "--format=%B", "main").splitlines()
    head = git(machine.clone.path, "-c", "safe.directory=*", "rev-parse", "HEAD")
    assert f"Source-Commit: {head}" in message
    assert f"Image-Digest: {digest}" in message


def test_nothing_of_others_ran(ended: Finished, machine: Machine) -> None:
    programs, imported = machine.user / "programs", machine.packages / "imported"
    assert not programs.exists(), programs.read_text()
    assert not imported.exists(), imported.read_text()


def test_nothing_is_left_in_the_folder_for_temporary_files(
    ended: Finished, machine: Machine
) -> None:
    left = [path.name for path in machine.temporary.iterdir()]
    # Locks of uv's own, and where the builder of a user keeps what it has mounted.
    kept = ("uv-", f"sluice-{os.getuid()}-")
    assert [name for name in left if not name.startswith(kept)] == []


def test_the_model_answers_as_the_readme_says(ended: Finished, machine: Machine) -> None:
    [ask] = [command for command in commands() if command.startswith("curl ")]
    port = free_port()
    command = f".venv/bin/sluice serve --port {port}"
    with serving(machine.clone, command, port, "/readyz", **machine.given):
        typed = ask.replace(":3000/", f":{port}/").replace("curl ", "curl --noproxy '*' ", 1)
        answer = json.loads(machine.typed(typed).stdout)
    assert answer["label"] == ("Leave" if answer["prediction"] else "Stay")


def test_what_the_tables_of_the_readme_name_works_there_too(
    ended: Finished, machine: Machine
) -> None:
    for command, last in (
        ("status", "Live: release 1 of attrition, since "),
        ("history", "Live: release 1 of attrition, since "),
        ("verify latest", "Verified: release 1 of attrition, "),
        ("plan", "Nothing to do: "),
    ):
        told = machine.typed(f".venv/bin/sluice {command}")
        assert told.code == 0, command
        # Which rows it looks at stands beside a table, and is part of a status.
        where = "" if command == "status" else f"{DEMO}\n"
        assert told.stderr == where, command
        assert last in told.last
