"""Text of others as it is shown in a terminal: it neither sets a colour nor steers the terminal."""

from rich.markup import escape as _escape


def escape(text: str) -> str:
    """The text with Rich's markup taken as text, and every character that is not seen written out:
    `\\x1b`.
    """
    return _escape("".join(_visible(sign) for sign in text))


def _visible(sign: str) -> str:
    if sign.isprintable() or sign in "\n\t":
        return sign
    return sign.encode("unicode_escape").decode("ascii")
