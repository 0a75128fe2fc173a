"""The key of a column from its published name: what programs and expressions call it."""

import keyword
import re
import unicodedata

# What no decomposition of Unicode takes apart. Letters of other scripts have their number.
_LETTERS = {
    **dict(zip("ıøđłæœßþð", ("i", "o", "d", "l", "ae", "oe", "ss", "th", "d"), strict=True)),
    **dict(zip("абвгдезийклмнопрстуфхцы", "abvgdezijklmnoprstufhcy", strict=True)),
    **dict(zip("ёжчшщъьэюя", ("e", "zh", "ch", "sh", "sch", "", "", "e", "yu", "ya"), strict=True)),
    **dict(zip("іїєґ", ("i", "i", "e", "g"), strict=True)),
    **dict(zip("αβγδεζηικλμνοπρσςτυω", "abgdeziiklmnoprsstyo", strict=True)),
    **dict(zip("θξφχψ", ("th", "x", "f", "ch", "ps"), strict=True)),
}
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def snake_case(name: str) -> str:
    """`Work-Life Balance` -> `work_life_balance`: the key of contracts of schema 1."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def key_of(name: str) -> str:
    """The key of contracts of schema 2: `TotalCharges` -> `total_charges`, `Tür` -> `tur`.

    A word begins at a capital. Accents are dropped, Cyrillic and Greek letters written in Latin
    ones, and other letters as their number in Unicode. A key that would begin with a digit, or be a
    word of Python's, has `c_` before it. Empty where the name has neither letter nor digit.
    """
    taken_apart = unicodedata.normalize("NFKD", name)
    bare = "".join(sign for sign in taken_apart if not unicodedata.combining(sign))
    spaced = _WORDS.sub("_", bare).lower()
    key = snake_case("".join(_latin(sign) for sign in spaced))
    if key and (key[0].isdigit() or keyword.iskeyword(key)):
        return f"c_{key}"
    return key


def _latin(sign: str) -> str:
    """A lower-case sign in Latin letters."""
    if sign.isascii() or not sign.isalnum():
        return sign
    return _LETTERS.get(sign, f"u{ord(sign):x}")
