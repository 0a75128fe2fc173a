"""TOML that somebody wrote, read within bounds: what is hostile or broken ends in a sentence."""

import re
import tomllib
from typing import Any

from sluice.errors import UsageError

_CHARACTERS = 2**20  # of a file
_PARTS = 100  # of one dotted key: reading takes the square of their number
_DOTTED = re.compile(r"""[\w"'-]+(?:[ \t]*\.[ \t]*[\w"'-]+)+""")


def read_toml(text: str, source: str) -> dict[str, Any]:
    """The tables of a text; `source` is what errors call its file.

    Raises UsageError for what is no TOML, and for what is too long or nested too deeply to be read.
    """
    if len(text) > _CHARACTERS:
        raise UsageError(
            f"{source} is {len(text):,} characters long; at most {_CHARACTERS:,} are allowed",
            "Write in it only what it is for.",
        )
    parts = max((key.group().count(".") + 1 for key in _DOTTED.finditer(text)), default=0)
    if parts > _PARTS:
        raise UsageError(
            f"{source}: a key has {parts:,} parts; at most {_PARTS} are allowed", "Write it flat."
        )
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{source} is not TOML: {error}", "Correct the line it names.") from None
    except RecursionError:
        raise UsageError(
            f"{source} is nested too deeply to be read", "Take the brackets away that nobody needs."
        ) from None
