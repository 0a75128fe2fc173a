"""Text for a terminal, whoever wrote it: it is shown and does nothing.

A registry, a git server, a commit or a file of somebody may hold characters that steer a terminal:
they clear it, name its window, or write backwards. Everything that is printed without Rich goes
through here; what Rich prints is held to the same by `flows/views/terminal.py`. Markdown, which
Prefect, GitHub and a pull request draw, has its door here too; pages have
`sluice/served/page_text.py`.
"""

import contextlib
import io
import json
import re
import shutil
import sys
import textwrap
from typing import TextIO

from flows.adapters.typed_command import as_typed


def visible(text: str) -> str:
    """The text, what is not seen written out: `\\x1b`. Line ends and tabs stay."""
    if text.isprintable():
        return text
    return "".join(_visible(sign) for sign in text)


def _visible(sign: str) -> str:
    if sign.isprintable() or sign in "\n\t":
        return sign
    return sign.encode("unicode_escape").decode("ascii")


def say(text: str, stream: TextIO | None = None) -> None:
    """Print a line, on standard error unless another stream is named; commands in it as they are
    typed here. On a terminal it is broken between words.
    """
    to = sys.stderr if stream is None else stream
    shown = visible(as_typed(text))
    if to.isatty():
        shown = broken(shown, shutil.get_terminal_size().columns)
    print(shown, file=to, flush=True)


def broken(text: str, width: int) -> str:
    """The text in lines of at most so many characters, broken between words.

    What is indented goes on below its own beginning. A word that is longer than a line stays whole,
    so that it can be copied.
    """
    return "\n".join(_broken(line, width) for line in text.split("\n"))


def _broken(line: str, width: int) -> str:
    if len(line) <= width:
        return line
    indent = line[: len(line) - len(line.lstrip())]
    return textwrap.fill(
        line,
        max(width, len(indent) + 1),
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
        expand_tabs=False,
    )


def pour(text: str) -> None:
    """Write a table or a document to standard output: as it is for a file or a program, visible for
    a terminal.
    """
    sys.stdout.write(visible(text) if sys.stdout.isatty() else text)


def in_markdown(text: str) -> str:
    """The text as one line of Markdown that shows it and is no markup, in a table too: no link,
    picture or tag, nobody is mentioned and no issue closed. Commands stay code.
    """
    line = visible(" ".join(text.split()))
    for pattern, written in _MARKDOWN:
        line = pattern.sub(written, line)
    return line


_MARKDOWN = tuple(
    (re.compile(pattern), written)
    for pattern, written in (
        (r"&", "&amp;"),
        (r"<", "&lt;"),
        (r">", "&gt;"),
        (r"#(?=\d)", "&#35;"),
        (r"(?<![\w.])@(?=\w)", "&#64;"),
        (r"([\\*~|])", r"\\\1"),
        (r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_"),
        (r"\](?=[(\[:])", r"\\]"),
        (r"^(?=`{3})", r"\\"),
        (r"^([#+=-])", r"\\\1"),
        (r"^(\d+)([.)])(?=\s)", r"\1\\\2"),
    )
)


def as_json(document: object) -> str:
    """A document as JSON for people and programs: letters as they are, what is not seen as JSON
    writes it, `\\u001b`.
    """
    told = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    text = json.dumps(document, indent=1, ensure_ascii=not told)
    if text.replace("\n", "").isprintable():
        return text
    return "".join(_escaped(sign) for sign in text)


def _escaped(sign: str) -> str:
    return sign if sign.isprintable() or sign == "\n" else json.dumps(sign)[1:-1]


def take_any_encoding() -> None:
    """Let standard output and error write a sign that their encoding lacks as `\\u2019`.

    Otherwise a command would end with a failure because of the language of its terminal, and its
    exit code would be lost.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            with contextlib.suppress(ValueError):  # it is closed
                stream.reconfigure(errors="backslashreplace")
