"""Who may ask: whoever sends one of the keys in a file, which stands in no setting and no log.

Only hashes of the keys are kept in memory, and each of them is compared to its end, so the time of
an answer tells nothing about a key.
"""

import hashlib
import hmac
from collections.abc import Mapping
from pathlib import Path

from bento.http.request_body import Refusal
from sluice.errors import UsageError

_FEWEST = 24  # characters of a key: 128 bits in base64 have 24
_SCHEME = b"bearer"

Keys = tuple[bytes, ...]


def read_keys(file: str) -> Keys:
    """The hashes of the keys in a file, one key a line; none where `file` is empty.

    Raise UsageError, without a key in it, where the file cannot be read, holds no key, or one that
    can be guessed: an empty file must not open the service to everybody.
    """
    if not file:
        return ()
    try:
        lines = Path(file).read_text("ascii").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        cause = getattr(error, "strerror", "") or "not ASCII text"
        what = f"SLUICE_API_KEYS is {file!r}: {cause}"
        raise UsageError(what, "Name a file with one key a line.") from None
    keys = [line.strip() for line in lines if line.strip()]
    if not keys:
        what = f"SLUICE_API_KEYS is {file!r}: it holds no key; at least one is required"
        raise UsageError(what, "Write one into it: openssl rand -base64 32.")
    for number, key in enumerate(keys, 1):
        if len(key) < _FEWEST or " " in key:
            what = f"SLUICE_API_KEYS is {file!r}: key {number} has {len(key)} characters or a blank"
            fix = f"At least {_FEWEST} without a blank are required: openssl rand -base64 32."
            raise UsageError(what, fix)
    return tuple(_hashed(key.encode()) for key in keys)


def require_key(keys: Keys, headers: Mapping[bytes, bytes]) -> None:
    """Raise Refusal (401) unless the request carries one of these keys; with no keys anybody may.

    The key stands in the header `authorization`, behind the word Bearer.
    """
    if not keys:
        return
    scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
    hashed = _hashed(given.strip())
    known = [hmac.compare_digest(hashed, key) for key in keys]
    if scheme.lower() != _SCHEME or not any(known):
        raise Refusal(
            401,
            "credential",
            "who asks is not known here",
            allowed="the header authorization: Bearer, and a key of this service",
        )


def _hashed(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
