"""Text on a page, whoever wrote it: it is read as it is written.

A category, a file's name, a commit or a column may hold characters that nobody sees and that turn
around what stands behind them, split a word or end a line. Every template writes its values through
here.
"""

import re
from typing import TypeVar

T = TypeVar("T")

# Controls but tab and line ends, soft hyphen, marks of direction, invisible joints, line
# separators, halves of characters and tags. Not the two joiners that Persian, Hindi and emoji need.
_UNSEEN = re.compile(
    "[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f\\xad\\u061c\\u180e\\u200b\\u200e\\u200f"
    "\\u2028-\\u202e\\u2060-\\u206f\\ufeff\\ufff0-\\uffff\\ud800-\\udfff"
    "\\U0001bca0-\\U0001bca3\\U0001d173-\\U0001d17a\\U000e0000-\\U000e0fff]"
)


def on_page(value: T) -> T:
    """A value as a template writes it: of a text what is not seen is written out, `\\u202e`.

    Markup stays markup; whatever is no text is as it was.
    """
    if not isinstance(value, str) or not _UNSEEN.search(value):
        return value
    return type(value)(_UNSEEN.sub(_written_out, value))


def _written_out(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
