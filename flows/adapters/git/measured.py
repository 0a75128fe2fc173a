"""What is measured of a call of git that failed: by protocols and system calls, not by words."""

import os
import re
import shutil
import socket
import ssl
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from flows.adapters import process
from flows.adapters.certificates import is_untrusted
from flows.adapters.git.access import Access, uses_ssh
from flows.adapters.git.configured import Configured, folder_of

_LEAST = 1 << 20  # bytes that a folder must take, for a clone to be possible
_GREETING = b"SSH-"  # what every server of ssh begins its line with (RFC 4253)
_FIRST = 4096  # bytes that may stand before it
# The lines of a head, as git traces them; data and what curl says are left out.
_SENT = re.compile(r"=> Send header: ([A-Z]+) \S")
_GOT = re.compile(r"<= Recv header: HTTP/[\d.]+ (\d{3})\b")
_PROXY_LOGIN = 407
_END = b"end of the trace\n"


@contextmanager
def traced(url: str, folder: Path) -> Iterator[dict[str, str]]:
    """The variables that have git tell what is measured, which is in this folder when the block has
    ended: over ssh the packets that come, over HTTP methods and statuses.

    What git traces of HTTP names the user of a login, who may be a token. So it goes through a
    pipe, and no more of it than methods and statuses is kept.
    """
    if uses_ssh(Access(url)):
        yield {"GIT_TRACE_PACKET": str(folder / "packets")}
        return
    if not url.startswith(("http://", "https://")):
        yield {}
        return
    reading, writing = os.pipe()
    heads: list[str] = []
    reader = threading.Thread(target=_read_heads, args=(reading, heads))
    reader.start()
    try:
        yield {
            "GIT_TRACE_CURL": f"/proc/{os.getpid()}/fd/{writing}",
            "GIT_TRACE_CURL_NO_DATA": "1",
            "GIT_TRACE_REDACT": "1",
        }
    finally:
        # A helper of git that lives on may hold the pipe open, so its end is said; a git that was
        # killed may have left half of a line.
        os.write(writing, b"\n" + _END)
        reader.join()
        os.close(writing)
        with suppress(OSError):
            (folder / "http").write_text("".join(heads), encoding="utf-8")


def _read_heads(reading: int, heads: list[str]) -> None:
    """Keep the first lines of requests and answers, as git traces them, until the end is said."""
    with open(reading, "rb") as lines:
        for line in lines:
            if line == _END:
                return
            text = line.decode("utf-8", "replace")
            if sent := _SENT.search(text):
                heads.append(f"=> Send header: {sent[1]} /\n")
            elif got := _GOT.search(text):
                heads.append(f"<= Recv header: HTTP/1.1 {got[1]}\n")


def status(folder: Path) -> int:
    """The status of the last answer over HTTP, 0 for none. That a proxy lets us through is none."""
    try:
        lines = (folder / "http").read_text("utf-8", "replace").splitlines()
    except OSError:
        return 0
    last, method = 0, ""
    for line in lines:
        if sent := _SENT.search(line):
            method = sent[1]
        elif got := _GOT.search(line):
            code = int(got[1])
            if method != "CONNECT" or code == _PROXY_LOGIN:
                last = code
    return last


def is_closed(to: Access, url: str, folder: Path) -> bool:
    """Whether a host that listens ended a connection of ssh before a word of git came from it."""
    if not uses_ssh(Access(url)):
        return False
    packets = folder / "packets"
    spoken = packets.exists() and packets.stat().st_size > 0
    return not spoken and _listens(to, url)


def _listens(to: Access, url: str) -> bool:
    """Whether a server of ssh greets at an address; True where only a way of its own leads there,
    which is not asked again.
    """
    place = _place(to, url)
    if place is None:
        return True
    try:
        with socket.create_connection(place, timeout=to.timeout) as connection:
            heard = b""
            while _GREETING not in heard and len(heard) < _FIRST:
                piece = connection.recv(_FIRST)
                if not piece:
                    break
                heard += piece
    except OSError:
        return False
    return _GREETING in heard


def _place(to: Access, url: str) -> tuple[str, int] | None:
    """Host and port that ssh connects to for an address; None where it goes another way."""
    host, port = _named(url)
    own = ["-F", os.devnull] if to.files.key else []
    at = ["-p", str(port)] if port else []
    printed = process.run_bytes(["ssh", *own, "-G", *at, "--", host]).text("utf-8").stdout
    found = dict(line.split(" ", 1) for line in printed.splitlines() if " " in line)
    if {"proxyjump", "proxycommand"} & {name for name in found if found[name] != "none"}:
        return None
    return found.get("hostname", host), int(found.get("port", port or 22))


def _named(url: str) -> tuple[str, int]:
    """Host and port of an address of ssh, in both ways that git writes one; 0 for no port."""
    if "://" in url:
        parts = urlsplit(url)
        return parts.hostname or "", parts.port or 0
    return url.partition(":")[0].rpartition("@")[2], 0


def is_untrusted_here(to: Access, url: str, configured: Configured) -> bool:
    """Whether the certificate of a host does not hold by the authorities that git was told of.

    False where git looks at certificates in a way of its own, and where nobody answers.
    """
    if not url.startswith("https://") or not configured.verifies:
        return False
    import httpx2

    try:
        context = ssl.create_default_context(cafile=to.files.authorities or None)
        httpx2.get(url, verify=context, timeout=to.timeout, follow_redirects=False)
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        return is_untrusted(error)
    return False


def full_folder(*folders: Path | None) -> str:
    """The first of these folders, or of the one for temporary files, that takes no more bytes."""
    for folder in (*folders, Path(tempfile.gettempdir())):
        if folder is None or not folder.is_dir():
            continue
        if shutil.disk_usage(folder).free < _LEAST:
            return str(folder)
    return ""


def locked(url: str) -> str:
    """The local repository of this address, if it may not be written to; empty otherwise."""
    path = folder_of(url)
    if path is None:
        return ""
    places = [path / "objects", path / ".git" / "objects"]
    return (
        str(path)
        if any(place.is_dir() and not os.access(place, os.W_OK) for place in places)
        else ""
    )


def foreign(url: str, configured: Configured) -> str:
    """The local repository of this address, if it belongs to another user; empty otherwise."""
    path = folder_of(url)
    if path is None:
        return ""
    owners = [place.stat().st_uid for place in (path, path / ".git") if place.exists()]
    if all(owner == os.geteuid() for owner in owners):
        return ""
    return "" if "*" in configured.safe or str(path) in configured.safe else str(path)
