"""What fails in a drill instead of being killed: every fault is tried, is named, and can happen."""

from collections import Counter

import pytest

from flows.drills.crash import bad_servers
from flows.drills.crash.boundaries import POINTS
from flows.drills.crash.faults import DISK, ERRORS, Fault, faults
from flows.drills.crash.scenarios import SCENES, TO_COMMIT, TO_IMAGE

ALL = list(faults())


def test_every_fault_has_a_name_of_its_own() -> None:
    names = [fault.name for fault in ALL]
    assert Counter(names).most_common(1)[0][1] == 1


def test_every_kind_of_fault_that_a_server_can_have_is_tried_on_both() -> None:
    tried = {(fault.server, fault.kind) for fault in ALL}
    assert tried == {(server, kind) for server in ("git", "registry") for kind in bad_servers.KINDS}


@pytest.mark.parametrize("server", ["git", "registry"])
def test_each_server_fails_once_and_for_good_when_it_is_written_to(server: str) -> None:
    writes = {fault.part for fault in ALL if fault.server == server and fault.method != "GET"}
    for part in writes:
        times = {fault.times for fault in ALL if (fault.server, fault.part) == (server, part)}
        assert times == {0, 1}


def test_a_fault_of_the_registry_begins_before_the_image_and_one_of_git_before_the_commit() -> None:
    begins = {(fault.server, fault.begin) for fault in ALL}
    assert begins == {("registry", TO_IMAGE), ("git", TO_COMMIT)}
    assert {begin.partition(":")[0] for _, begin in begins} == {SCENES[0].name}


@pytest.mark.parametrize(("times", "often"), [(0, "always"), (1, "once"), (3, "3 times")])
def test_a_fault_says_what_happens_to_which_request_and_how_often(times: int, often: str) -> None:
    fault = Fault("git", "lost", "POST", "git-receive-pack", times, TO_COMMIT)
    assert fault.name == f"git lost: POST git-receive-pack, {often}"


@pytest.mark.parametrize("beginning", DISK)
def test_every_boundary_of_the_disk_is_one_that_there_is(beginning: str) -> None:
    assert any(name.startswith(beginning) for name in POINTS)


@pytest.mark.parametrize("name", ["git.push", "registry.upload", "smoke.load", "ledger.reserve"])
def test_what_only_talks_to_others_is_no_boundary_of_the_disk(name: str) -> None:
    assert name in POINTS
    assert not name.startswith(DISK)


def test_the_errors_of_the_disk_are_those_that_a_person_is_told_about() -> None:
    from sluice.errors import disk

    for code in ERRORS.values():
        told = disk(OSError(code, "full", "a/file"))
        assert told is not None
        assert told.what == "the system says: full (a/file)"
        assert told.exit_code == 1
