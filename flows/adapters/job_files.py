"""The files of a job of GitHub Actions: what is shown on its page, and what later jobs read.

The runner names each in a variable; elsewhere none is set, and nothing is written.
"""

import os
from pathlib import Path


def summarize(markdown: str) -> None:
    """Show this on the page of the run; what others have shown there stays."""
    _append("GITHUB_STEP_SUMMARY", markdown)


def hand_on(name: str, value: str) -> None:
    """Hand one line on to later steps and jobs, under this name."""
    _append("GITHUB_OUTPUT", f"{name}={value}\n")


def _append(variable: str, text: str) -> None:
    file = os.environ.get(variable)
    if file:
        with Path(file).open("a", encoding="utf-8") as opened:
            opened.write(text)
