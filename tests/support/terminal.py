"""What a view printed, as a test compares it."""

import pytest


def shown(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines on standard output, spaces in a row taken as one, without empty ones."""
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    return [line for line in lines if line]
