"""Set-up shows that it is still at work: on a terminal in one line, elsewhere now and then."""

import io
import threading
from collections.abc import Callable

import pytest

from scripts.working import working


class Screen(io.StringIO):
    """Text that says whether it is a terminal."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


def ticks(number: int) -> tuple[Callable[[float], bool], threading.Event]:
    """A wait that is over at once, so many times; and what is set when it was."""
    done = threading.Event()
    left = number

    def waited(_seconds: float) -> bool:
        nonlocal left
        if left == 0:
            done.set()
            return True
        left -= 1
        return False

    return waited, done


def test_on_a_terminal_the_seconds_go_by_in_one_line_that_is_gone_afterwards() -> None:
    screen = Screen(terminal=True)
    waited, done = ticks(3)
    with working("installing", screen, waited):
        assert done.wait(60)
    lines = [line.rstrip() for line in screen.getvalue().split("\r")]
    assert lines == ["", "/ installing  1 s", "- installing  2 s", "\\ installing  3 s", "", ""]
    assert "\n" not in screen.getvalue()


def test_elsewhere_it_is_a_line_every_half_a_minute() -> None:
    screen = Screen(terminal=False)
    waited, done = ticks(2)
    with working("installing", screen, waited):
        assert done.wait(60)
    said = "setup: installing: 30 s so far\nsetup: installing: 60 s so far\n"
    assert screen.getvalue() == said


def test_a_line_is_never_wider_than_a_terminal() -> None:
    screen = Screen(terminal=True)
    waited, done = ticks(1)
    with working("x" * 200, screen, waited):
        assert done.wait(60)
    assert max(len(line) for line in screen.getvalue().split("\r")) < 80


def test_what_is_quick_says_nothing_elsewhere_and_what_fails_is_told_as_before() -> None:
    screen = Screen(terminal=False)
    with pytest.raises(ZeroDivisionError), working("installing", screen):
        raise ZeroDivisionError
    assert screen.getvalue() == ""
