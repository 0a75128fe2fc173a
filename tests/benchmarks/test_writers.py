"""The race of writers: everybody gets through, and a round in which somebody does not is seen."""

import json

import pytest

from benchmarks.writers import Round, main


def test_three_write_beside_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--rounds", "1", "--writers", "3"]) == 0
    said = capsys.readouterr()
    (found,) = json.loads(said.out)
    assert found["committed"] == 3
    assert len(found["seconds"]) == len(found["lost"]) == 3
    assert said.err.startswith("3 of 3 wrote, in ")


@pytest.mark.parametrize(
    ("lost", "committed", "wrong"),
    [((0, 1), 2, False), ((0, 3), 2, False), ((0, 4), 2, True), ((0, 1), 1, True)],
)
def test_who_lost_to_no_push_or_did_not_write_is_wrong(
    lost: tuple[int, ...], committed: int, wrong: bool
) -> None:
    one = Round(seconds=(1.0, 2.0), lost=lost, committed=committed, pushes=2, refused=0)
    assert one.wrong is wrong
