"""Hashes, dates and counts as people read them."""

import re

from msgspec import UNSET, UnsetType

from sluice.moment import when as when


def short(text: str) -> str:
    """The first twelve characters of a hash, and whether its tree was dirty; anything else as it
    is.
    """
    bare = text.removeprefix("sha256:")
    if not re.fullmatch(r"[0-9a-f]{32,}(-dirty)?", bare):
        return text
    return f"{bare[:12]}-dirty" if bare.endswith("-dirty") else bare[:12]


def count(number: int, noun: str) -> str:
    """A number with its noun: `1 release`, `2,400 rows`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def measured(
    recall: float | UnsetType, precision: float | UnsetType, skill: float | UnsetType = UNSET
) -> str:
    """Recall and precision, or the skill of a number, as a manifest repo records them; unset where
    its policy tells none.
    """
    if skill is not UNSET:
        return f"skill {skill:.4f}"
    if recall is UNSET or precision is UNSET:
        return "not told: its policy tells words alone"
    return f"recall {recall:.4f}, precision {precision:.4f}"


def person(author: str) -> str:
    """The name of an author without the address."""
    return author.partition(" <")[0] or "somebody"


def upper_first(text: str) -> str:
    """The text as a sentence begins; the rest is left as it is."""
    return text[:1].upper() + text[1:]
