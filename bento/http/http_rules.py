"""What the rules of HTTP/1.1 ask of a head beyond its form, so that nothing in it has two meanings.

The parser refuses what is no HTTP at all. What is named here it lets through, and two programs on
the way of a request may read it differently.
"""

import re
from collections.abc import Sequence

from bento.http.request_parameters import OLD_ROW_ID, ROW_ID

_VERSIONS = ("1.0", "1.1")
_HOST = re.compile(rb"[A-Za-z0-9._~%!$&'()*+,;=:\[\]-]*")
# What is read of a request, and has one value. A second one would be taken in the place of the
# first, or beside it.
ONCE = frozenset(
    name.encode()
    for name in (
        "host",
        "content-length",
        "transfer-encoding",
        "content-type",
        "content-encoding",
        "authorization",
        "expect",
        "origin",
        "upgrade",
        "sec-fetch-site",
        "x-request-id",
        ROW_ID,
        OLD_ROW_ID,
    )
)


def broken_rule(version: str, headers: Sequence[tuple[bytes, bytes]]) -> str:
    """The sentence on the first rule that a head breaks, in ASCII without quotes; empty for none.

    `headers` are (name in lower case, value). HTTP/1.0 needs no host: health checks of proxies
    speak it.
    """
    if version not in _VERSIONS:
        return f"HTTP/{version} is not read here; HTTP/1.1 or 1.0 is required"
    names = [name for name, _ in headers]
    twice = sorted({name for name in names if name in ONCE and names.count(name) > 1})
    if twice:
        return f"the header {twice[0].decode()} stands more than once; once is allowed"
    given = dict(headers)
    if version == "1.1" and b"host" not in given:
        return "the header host is missing; HTTP/1.1 requires it"
    if not _HOST.fullmatch(given.get(b"host", b"")):
        return "the header host is no name of a host"
    return _wrong_coding(version, given.get(b"transfer-encoding"))


def _wrong_coding(version: str, coding: bytes | None) -> str:
    """What is wrong with how the body is sent; empty for nothing."""
    if coding is None:
        return ""
    if version == "1.0":
        return "the header transfer-encoding is of HTTP/1.1; this is HTTP/1.0"
    if coding.strip().lower() != b"chunked":
        return "the header transfer-encoding is not chunked; chunked alone is read"
    return ""
