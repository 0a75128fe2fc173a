"""A file at an https address, brought here piece by piece: what was cut off goes on where it ended.

The address was reviewed, so nothing is taken from another host than the one that it names.
"""

import hashlib
import os
import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from flows.adapters.private_files import make_private_folder
from sluice.errors import Refused, Retryable, SluiceError, UsageError

if TYPE_CHECKING:
    import httpx2

_TRIES = 3  # of a transfer that is cut off, each from where the one before ended
_REDIRECTS = 5
_PATIENCE = 60.0  # seconds without a byte
_TOLD = 64_000_000  # bytes after which a line is told
_ELSEWHERE = (301, 302, 303, 307, 308)
_MORE, _WHOLE, _NOT_THERE = 206, 200, 416
_WRITTEN = re.compile(r"[!-~]+")  # what may stand in an address
# What signed addresses and addresses with a key have in their query.
_SECRET = re.compile(
    r"(x-(amz|goog)-)?(signature|credential|security-token)|sig|.*(token|key|secret|password|passwd|pwd)"
)
_BYTES = re.compile(r"bytes (\d+)-\d+/")

Progress = Callable[[int, int], None]  # bytes so far, and of the whole (0: not known)


def require_address(url: str) -> None:
    """Raise UsageError for what is no https address, and for one with a login: it is committed."""
    try:
        parts = urlsplit(url)
        named = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
    except ValueError:
        named = False
    if not named or not _WRITTEN.fullmatch(url):
        raise UsageError(f"{url[:200]!r} is no https address", "Write it as https://host/path.")
    names = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
    secret = [name for name in names if _SECRET.fullmatch(name.lower())]
    if secret or parts.username is not None or parts.password is not None:
        raise UsageError(
            f"the address at {parts.hostname} holds a login{_called(secret)}, and a pointer is"
            " committed",
            "Name an address that needs none.",
        )


def _called(names: list[str]) -> str:
    return f" ({names[0]})" if names else ""


def place(folder: Path, url: str) -> Path:
    """Where the bytes of an address lie in a folder until they are whole, and after that."""
    return folder / f"{hashlib.sha256(url.encode()).hexdigest()[:32]}.part"


def told(say: Callable[[str], None]) -> Progress:
    """Tells a line for each 64 MB; a small file is here before there is anything to tell."""
    lines = 0

    def at(done: int, size: int) -> None:
        nonlocal lines
        if done // _TOLD > lines:
            lines = done // _TOLD
            of = f" of {size / 1e6:,.0f}" if size else ""
            say(f"  {done / 1e6:,.0f}{of} MB are here")

    return at


def fetch(url: str, part: Path, limit: int, progress: Progress = lambda _done, _all: None) -> None:
    """Bring the bytes at an address into the file `part`, and go on where it ends if it is there
    and the server still has the same file.

    At most `limit` bytes. Raises UsageError for an address that leads to nothing or to another
    host, Refused for more bytes, Retryable where the transfer was cut off: what is here stays.
    """
    import httpx2

    require_address(url)
    make_private_folder(part.parent)
    bundle = os.environ.get("SLUICE_CA", "").strip() or None
    trusted = ssl.create_default_context(cafile=bundle)
    failed: Exception | None = None
    with httpx2.Client(timeout=_PATIENCE, follow_redirects=False, verify=trusted) as client:
        for _ in range(_TRIES):
            try:
                _once(client, url, part, limit, progress)
                return
            except httpx2.TransportError as error:
                failed = error
    here = part.stat().st_size if part.exists() else 0
    raise Retryable(
        f"{url} was cut off: {failed}; {here:,} bytes are here",
        "Run it again: it goes on from there.",
    )


def _once(client: "httpx2.Client", url: str, part: Path, limit: int, progress: Progress) -> None:
    """One transfer, to its end or until it is cut off."""
    tag = recalled(part)
    begun = part.stat().st_size if tag else 0
    headers = {"Accept-Encoding": "identity", "User-Agent": "sluice"}
    if begun:
        headers |= {"Range": f"bytes={begun}-", "If-Range": tag}
    with _answered(client, url, headers) as answer:
        if answer.status_code == _NOT_THERE and begun and _whole(answer) == begun:
            return  # it was whole already
        at = _begin_of(answer) if answer.status_code == _MORE else 0
        if answer.status_code not in (_MORE, _WHOLE) or at not in (0, begun):
            raise _refusal(url, answer)
        size = int(answer.headers.get("Content-Length") or 0) + at
        require_small(url, size, limit)
        name = answer.headers.get("ETag") or ""
        remember(part, name if name.startswith('"') else "")  # a weak name lets nothing go on
        with part.open("ab" if at else "wb") as file:
            for piece in answer.iter_raw():
                at += len(piece)
                require_small(url, at, limit)
                file.write(piece)
                progress(at, size)


@contextmanager
def _answered(
    client: "httpx2.Client", url: str, headers: Mapping[str, str]
) -> Iterator["httpx2.Response"]:
    """The answer at an address, after redirects within its host. Raises UsageError for others."""
    at = first = client.build_request("GET", url).url
    for _ in range(_REDIRECTS):
        with client.stream("GET", at, headers=headers) as answer:
            if answer.status_code not in _ELSEWHERE:
                yield answer
                return
            at = at.join(answer.headers.get("Location") or "")
        if (at.scheme, at.host, at.port) != (first.scheme, first.host, first.port):
            raise UsageError(
                f"{url} sends us to {at.scheme}://{at.host}, and the address that was reviewed"
                f" names {first.host}",
                "Name the address at which the file lies.",
            )
    raise UsageError(f"{url} sends us on {_REDIRECTS} times", "Name where the file lies.")


def _begin_of(answer: "httpx2.Response") -> int:
    """The first byte that a part of a file begins with; -1 where the answer does not say."""
    found = _BYTES.match(answer.headers.get("Content-Range") or "")
    return int(found[1]) if found else -1


def _whole(answer: "httpx2.Response") -> int:
    """The size of the whole file, as a server says it that was asked for more; -1 for no size."""
    size = (answer.headers.get("Content-Range") or "").rpartition("/")[2]
    return int(size) if size.isdecimal() else -1


def require_small(url: str, size: int, limit: int) -> None:
    """Raise Refused for more bytes than the limit."""
    if size > limit:
        raise Refused(
            f"the size of {url} is {size:,} bytes or more; at most {limit:,} is required",
            "Set a higher SLUICE_DATA_LIMIT where it is meant.",
        )


def remember(part: Path, tag: str) -> None:
    """Keep what names these bytes at the server; without a name nothing goes on."""
    note = part.with_suffix(".etag")
    if tag and tag.isascii():
        note.write_text(tag, encoding="ascii")
    else:
        note.unlink(missing_ok=True)


def recalled(part: Path) -> str:
    """What names the bytes that are here already; empty where nothing goes on."""
    note = part.with_suffix(".etag")
    return note.read_text(encoding="ascii") if note.is_file() and part.is_file() else ""


def forget(part: Path) -> None:
    """Remove what was brought here."""
    part.unlink(missing_ok=True)
    part.with_suffix(".etag").unlink(missing_ok=True)


def _refusal(url: str, answer: "httpx2.Response") -> SluiceError:
    code = answer.status_code
    if code == 429 or code >= 500:
        return Retryable(f"{url} answers {code}", "Run it again later.")
    return UsageError(f"{url} answers {code}", "Name an address at which anybody may read it.")
