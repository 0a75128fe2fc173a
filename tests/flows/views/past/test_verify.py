"""What was checked of a release, on the terminal."""

import msgspec
import pytest
from support.terminal import shown

from flows.audit.verify import Problem, Verified
from flows.views.past import verify
from flows.views.terminal import console

SOUND = Verified(
    schema=1,
    model="attrition",
    release=3,
    tag="1" * 16,
    digest="sha256:a",
    sound=True,
    checked={
        "evidence": {"evidence.json": 1200, "summary.md": 300},
        "image": {"manifest": 2_000_000},
    },
    problems=[],
)


def lines(verified: Verified, capsys: pytest.CaptureFixture[str]) -> list[str]:
    verify.show(console(stderr=False), verified)
    return shown(capsys)


def test_each_part_has_its_files_and_their_size(capsys: pytest.CaptureFixture[str]) -> None:
    assert lines(SOUND, capsys) == [
        "Image manifest 2.0 MB",
        "Evidence evidence.json, summary.md 1.5 kB",
        "Not compared service code: the image names other code than is here",
        "Not compared base and packages: no image of these and this code was built here",
        "Not compared statements: no commit names the key that signed them",
        "Verified: release 3 of attrition, 3 files, every hash agrees.",
    ]


def test_what_has_no_size_shows_none(capsys: pytest.CaptureFixture[str]) -> None:
    bare = msgspec.structs.replace(SOUND, checked={"manifest repo": {"commit": 0}})
    assert lines(bare, capsys)[0] == "Manifest repo commit"


def test_every_problem_is_shown_and_each_file_named_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    problems = [Problem("a [b]json[/]", "it is gone"), Problem("a [b]json[/]", "it is other")]
    wrong = msgspec.structs.replace(SOUND, problems=problems, sound=False)
    *_, first, second, last = lines(wrong, capsys)
    assert first == "Wrong a [b]json[/] it is gone"
    assert second == "Wrong a [b]json[/] it is other"
    assert last == "Refused: release 3 of attrition is not what was promoted: a [b]json[/]."


def test_an_image_that_was_never_released_goes_by_its_tag(
    capsys: pytest.CaptureFixture[str],
) -> None:
    unknown = msgspec.structs.replace(SOUND, release=0)
    assert lines(unknown, capsys)[-1].startswith(f"Verified: attrition:{'1' * 16}, ")
