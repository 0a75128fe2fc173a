"""Text of others as it is shown in a terminal: it neither sets a colour nor steers the terminal."""

import re

from flows.adapters.plain_text import visible

# Backslashes to which Rich may give a meaning: what comes behind them may be markup.
_BACKSLASHES = re.compile(r"(\\+)(?=\[|\Z)")


def escape(text: str) -> str:
    """The text with Rich's markup taken as text, and every character that is not seen written out:
    `\\x1b`.

    Every bracket is escaped, where Rich's own `escape` leaves those that are not closed: what is
    put behind them in a line may close them.
    """
    parts = _BACKSLASHES.split(visible(text))
    # every second part is a run of backslashes
    parts[::2] = [part.replace("[", r"\[") for part in parts[::2]]
    parts[1::2] = [_literal(part) for part in parts[1::2]]
    return "".join(parts)


def _literal(backslashes: str) -> str:
    """Rich takes two backslashes for one where markup follows, and each for itself where none does.
    Here markup always follows: the end of a style that changes nothing.
    """
    return f"[none]{backslashes}{backslashes}[/none]"
