"""Errors that a person can act on: what happened, what to do next, and how the command ends."""

import errno
import os

import pytest

from sluice.errors import Refused, Retryable, SluiceError, UsageError, cause, disk

CODES = {SluiceError: 1, Retryable: 1, UsageError: 2, Refused: 3}


@pytest.mark.parametrize("kind", CODES)
def test_an_error_has_its_sentence_its_next_step_and_its_exit_code(kind: type[SluiceError]) -> None:
    error = kind("Recall is 0.71; 0.72 is required", "Bring more rows.")
    assert str(error) == "Recall is 0.71; 0.72 is required\n  Bring more rows."
    assert (error.what, error.fix) == ("Recall is 0.71; 0.72 is required", "Bring more rows.")
    assert error.exit_code == CODES[kind]
    assert str(kind("It failed")) == "It failed"


def _undecodable() -> UnicodeDecodeError:
    return UnicodeDecodeError("utf-8", b"a\xff", 1, 2, "invalid start byte")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (FileNotFoundError(2, "No such file or directory", "x"), "there is no such file"),
        (IsADirectoryError(21, "Is a directory", "x"), "it is a folder"),
        (NotADirectoryError(20, "Not a directory", "x"), "there is no such folder"),
        (PermissionError(13, "Permission denied", "x"), "it may not be read"),
        (OSError(errno.EIO, "Input/output error"), "the system says: Input/output error"),
        (ConnectionRefusedError(111, "Connection refused"), "the system says: Connection refused"),
        (_undecodable(), "byte 1 is not UTF-8"),
        (KeyError("model"), "'model' is missing"),
        (TypeError("list indices must be integers"), "it has another form than is required"),
        (ValueError("it has no rows"), "it has no rows"),
        (TimeoutError(), "it ended with TimeoutError"),
    ],
)
def test_a_cause_is_told_in_words(error: Exception, words: str) -> None:
    assert cause(error) == words


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS])
def test_a_disk_that_is_full_or_broken_is_named_with_the_file(number: int) -> None:
    told = disk(OSError(number, os.strerror(number), "state/store/x"))
    assert told
    assert told.what == f"the system says: {os.strerror(number)} (state/store/x)"
    assert told.fix.startswith("Free space there, or look after that disk; then run")
    assert told.exit_code == 1
    nameless = disk(OSError(number, os.strerror(number)))
    assert nameless
    assert nameless.what == f"the system says: {os.strerror(number)}"


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(errno.ENOENT, "none", "x"),
        PermissionError(errno.EACCES, "no", "x"),
        OSError("without a number"),
        ValueError(errno.ENOSPC),
        SluiceError("No space left on device"),
    ],
)
def test_any_other_error_is_not_one_of_the_disk(error: Exception) -> None:
    assert disk(error) is None
