"""A registry over HTTP, by the OCI distribution API.

TLS is checked against the system's authorities, or those in SLUICE_CA; plain HTTP is for the
loopback interface alone. What may work later is raised as Retryable; a call is repeated only where
the registry asks us to wait. The API: https://github.com/opencontainers/distribution-spec.
"""

import contextlib
import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from flows.adapters.failpoints import boundary
from flows.adapters.registry import layout, oci, referrers, session
from flows.adapters.registry.referrers import Referrer
from flows.adapters.registry.session import Answer, Body, Call, Session
from sluice.errors import SluiceError, UsageError

if TYPE_CHECKING:
    import httpx2

_CHUNK = 2**20  # bytes that are read and written at a time
_PAGES = 1000  # of tags, at most
_TAGS = 10**6  # of all pages, at most
_REFERRER_TRIES = 5  # to be named in a list that others write too
# What a registry answers to a manifest of which it does not know a part, and the seconds before it
# is asked again.
_UNKNOWN_PART = (400, 404)
_PART_WAITS = (0.1, 0.3, 1.0)
# What a registry answers that does not know the question: by the specification 404.
_NO_REFERRERS = (404, 405)
# What a store beside a registry answers that signs addresses for GET alone: nothing is known then.
_NO_HEAD = (403, 405)
TIMEOUT = 60.0  # seconds without a byte
_LAYER_LIMIT = 16 * 2**30  # bytes of a layer
_REPOSITORY = re.compile(r"[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*")
_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?|\[[0-9a-fA-F:]+\](:[0-9]{1,5})?")
_Answer = TypeVar("_Answer", bound=msgspec.Struct)


class _TagList(msgspec.Struct, frozen=True):
    """A page of tags; some registries write null for none."""

    tags: list[str] | None = None


@dataclass(frozen=True)
class Remote:
    """A repository of a registry: `registry.Place` over the functions of this module.

    It may be silent for `timeout` seconds; an answer may take as long, and longer by its size.
    `sleep` waits where the registry asks for it.
    """

    host: str
    repository: str
    timeout: float = TIMEOUT
    sleep: Callable[[float], None] = field(default=time.sleep, compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.host}/{self.repository}"

    def digest(self, tag: str) -> str | None:
        """The digest that a tag names; None where it names nothing."""
        return _digest(self, tag)

    def manifest(self, reference: str) -> bytes | None:
        """The bytes of a manifest by tag or digest (then checked); None where there is none."""
        return _manifest(self, reference)

    def blob(self, digest: str) -> bytes:
        """The bytes of a blob, digest checked. Raises Broken."""
        return _fetch_blob(self, digest)

    def lacking(self, digests: Sequence[str]) -> list[str]:
        """Those of these digests that the registry says it has no blob of."""
        return _lacking(self, digests)

    def tags(self) -> list[str]:
        """Every tag of the repository; none where there is no such repository."""
        return _tags(self)

    def pull_blob(self, digest: str, target: Path) -> None:
        """Put a blob into the layout `target`, digest checked, without holding it in memory."""
        _pull_blob(self, digest, target)

    def put_blob(self, content: bytes) -> None:
        """Upload these bytes unless the registry has them."""
        _upload(self, oci.digest_of(content), content)

    def copy_blob(self, source: Path, digest: str) -> None:
        """Upload a blob of the layout `source` unless the registry has it."""
        _upload(self, digest, layout.blob_path(source, digest))

    def put_manifest(self, tag: str, content: bytes) -> None:
        """Tag a manifest whose blobs are there, unless the tag names something."""
        if _digest(self, tag) is None:
            _put_manifest(self, tag, content)

    def check_index(self, named: Sequence[str]) -> None:
        """A registry shows no index: what it says of its tags is asked tag by tag."""

    def put_referrer(self, subject: str, content: bytes) -> None:
        """Keep a manifest whose blobs are there, so that it is found by its subject's digest."""
        _put_referrer(self, subject, content)

    def referrers(self, subject: str) -> list[Referrer]:
        """What is listed as being about this manifest: by the registry, and in the list that
        clients keep where it does not, or did not once.
        """
        listed = {found.digest: found for found in _listed_by_clients(self, subject)}
        listed |= {found.digest: found for found in _listed(self, subject)}
        return list(listed.values())


def remote(host: str, repository: str, timeout: float = TIMEOUT) -> Remote:
    """The repository of that name. Raises UsageError for a name that no registry takes."""
    if not _HOST.fullmatch(host) or not _REPOSITORY.fullmatch(repository):
        name = f"{host}/{repository}"
        raise UsageError(
            f"{name!r} is not a name for an image",
            "Set SLUICE_REGISTRY to host[:port]/path, lower case.",
        )
    server = "registry-1.docker.io" if host == "docker.io" else host
    return Remote(server, repository, timeout)


def require_writable(place: Remote) -> str:
    """Raise what an upload would be refused with: one is begun and given up, and nothing is kept.

    Returns the time that the registry told, as HTTP writes it; empty where it told none.
    """
    with _opened(place, "pull,push") as opened:
        started = session.ask(opened, Call("POST", opened.at("blobs/uploads/")))
        target = _upload_address(opened, session.require_success(opened, started))
        session.ask(opened, Call("DELETE", target))  # who cannot give it up lets it run out
        return started.headers.get("Date") or ""


@boundary("registry.digest")
def _digest(place: Remote, tag: str) -> str | None:
    """The digest that a tag names; None where it names nothing."""
    with _opened(place, "pull") as opened:
        url = opened.at(f"manifests/{oci.check_reference(tag)}")
        answer = session.ask(opened, Call("HEAD", url))
        if answer.status == 404:
            return None
        session.require_success(opened, answer)
    digest = answer.headers.get("Docker-Content-Digest")
    if oci.is_digest(digest):
        return str(digest)
    # A registry need not name the digest in its headers: then it is that of the bytes.
    content = _manifest(place, tag)
    return None if content is None else oci.digest_of(content)


def _tags(place: Remote) -> list[str]:
    """Every tag of the repository, page by page; none where there is no such repository."""
    tags: list[str] = []
    with _opened(place, "pull") as opened:
        following: httpx2.URL | None = opened.at("tags/list")
        for _ in range(_PAGES):
            if following is None or len(tags) > _TAGS:
                break
            answer = session.ask(opened, Call("GET", following))
            if answer.status == 404:
                break
            tags += _read(opened, answer, _TagList).tags or ()
            following = _next_page(opened, answer)
    return tags


def _next_page(opened: Session, answer: Answer) -> "httpx2.URL | None":
    """The address of the next page, None after the last one.

    Raises SluiceError for an address at another server: the login is not sent there.
    """
    place = _next_link(answer)
    if not place:
        return None
    target = session.joined(answer.url, place)
    session.require_safe(opened, target)
    if session.origin(target) != session.origin(opened.url):
        raise SluiceError(
            f"{opened.host} sends us to {target.host} for its tags", "Ask who runs it."
        )
    return target


def _next_link(answer: Answer) -> str:
    """What an answer names as its next page; empty where it names none."""
    import httpx2

    found = httpx2.Response(200, headers=answer.headers).links.get("next", {})
    return str(found.get("url") or "")


@boundary("registry.manifest")
def _manifest(place: Remote, reference: str) -> bytes | None:
    """The bytes of a manifest by tag or digest (then checked); None where there is none."""
    with _opened(place, "pull") as opened:
        url = opened.at(f"manifests/{oci.check_reference(reference)}")
        answer = session.ask(opened, Call("GET", url), oci.MANIFEST_LIMIT)
        if answer.status == 404:
            return None
        content = session.require_success(opened, answer).content
    return oci.verified(content, reference) if oci.is_digest(reference) else content


@boundary("registry.blob")
def _fetch_blob(place: Remote, digest: str) -> bytes:
    """The bytes of a blob, digest checked."""
    return oci.verified(b"".join(_download(place, digest, oci.FILE_LIMIT)), digest)


@boundary("registry.has")
def _lacking(place: Remote, digests: Sequence[str]) -> list[str]:
    """The digests that the registry has no blob of, asked for over one connection."""
    lacking = []
    with _opened(place, "pull") as opened:
        for digest in digests:
            oci.hex_of(digest)  # before it is part of an address
            answer = session.ask(opened, Call("HEAD", opened.at(f"blobs/{digest}")))
            if answer.status == 404:
                lacking.append(digest)
            elif answer.status not in _NO_HEAD:
                session.require_success(opened, answer)
    return lacking


@boundary("registry.pull")
def _pull_blob(place: Remote, digest: str, folder: Path) -> None:
    """Put a blob into the layout `folder`, digest checked, without holding it in memory."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".{oci.hex_of(digest)}.{os.getpid()}.part"
    hasher = hashlib.sha256()
    try:
        with part.open("wb") as file:
            for piece in _download(place, digest, _LAYER_LIMIT):
                hasher.update(piece)
                file.write(piece)
        if hasher.hexdigest() != oci.hex_of(digest):
            raise oci.Broken(f"{place} gave other bytes for {digest}")
        layout.put_blob_file(folder, digest, part)
    finally:
        part.unlink(missing_ok=True)


@boundary("registry.upload")
def _upload(place: Remote, digest: str, source: bytes | Path) -> None:
    """Upload a blob, bytes or a file, unless the registry has it.

    The bytes may go to a store beside the registry; the login is the registry's alone.
    """
    with _opened(place, "pull,push") as opened:
        if session.ask(opened, Call("HEAD", opened.at(f"blobs/{digest}"))).status == 200:
            return
        started = session.ask(opened, Call("POST", opened.at("blobs/uploads/")))
        target = _upload_address(opened, session.require_success(opened, started))
        body = _body("application/octet-stream", source)
        put = Call("PUT", target.copy_merge_params({"digest": digest}), body)
        session.require_success(opened, session.ask(opened, put))


def _upload_address(opened: Session, started: Answer) -> "httpx2.URL":
    """Where the bytes of an upload go. Raises SluiceError where none is named, or no safe one."""
    location = started.headers.get("Location")
    if not location:
        raise SluiceError(
            f"{opened.host} names no address for an upload", "The registry's own log says more."
        )
    target = session.joined(started.url, location)
    session.require_safe(opened, target)
    return target


@boundary("registry.tag")
def _put_manifest(place: Remote, tag: str, content: bytes) -> None:
    """Tag a manifest whose blobs are there."""
    with _opened(place, "pull,push") as opened:
        _tagged(opened, tag, content)


def _tagged(opened: Session, reference: str, content: bytes) -> Answer:
    """The answer to a manifest whose blobs are there.

    It is sent again where a part is said to be unknown: while somebody else uploads the same blob,
    a registry that keeps its files on a disk (CNCF Distribution) writes the name of the blob anew,
    and for that moment finds it empty. A manifest that is wrong in itself stays refused.
    """
    put = Call("PUT", opened.at(f"manifests/{reference}"), _body(oci.MANIFEST, content))
    answer = session.ask(opened, put)
    for seconds in _PART_WAITS:
        if answer.status not in _UNKNOWN_PART:
            break
        opened.sleep(seconds)
        answer = session.ask(opened, put)
    return session.require_success(opened, answer)


@boundary("registry.refer")
def _put_referrer(place: Remote, subject: str, content: bytes) -> None:
    """Keep a manifest under its digest. A registry that knows referrers says so in its answer; for
    another one the list of the subject is written.
    """
    with _opened(place, "pull,push") as opened:
        answer = _tagged(opened, oci.digest_of(content), content)
    if answer.headers.get("OCI-Subject") == subject:
        return
    tag = referrers.tag(subject)
    # There is no compare-and-swap: who wrote between our look and our writing is seen by looking
    # again, and named too.
    for _ in range(_REFERRER_TRIES):
        before = _manifest(place, tag)
        after = referrers.with_added(before, content)
        if after == before:
            return
        with _opened(place, "pull,push") as opened:
            put = Call("PUT", opened.at(f"manifests/{tag}"), _body(oci.INDEX, after))
            session.require_success(opened, session.ask(opened, put))


def _listed_by_clients(place: Remote, subject: str) -> tuple[Referrer, ...]:
    """The list under the tag of a subject; nothing where there is none. Raises Broken."""
    content = _manifest(place, referrers.tag(subject))
    return () if content is None else referrers.listed(content)


@boundary("registry.referrers")
def _listed(place: Remote, subject: str) -> list[Referrer]:
    """What the registry itself lists, page by page; nothing where it lists none. Raises Broken."""
    found: list[Referrer] = []
    oci.hex_of(subject)  # before it is part of an address
    with _opened(place, "pull") as opened:
        following: httpx2.URL | None = opened.at(f"referrers/{subject}")
        for _ in range(_PAGES):
            if following is None or len(found) > referrers.LIMIT:
                break
            answer = session.ask(opened, Call("GET", following), oci.MANIFEST_LIMIT)
            if answer.status in _NO_REFERRERS:
                break
            found += referrers.listed(session.require_success(opened, answer).content)
            following = _next_page(opened, answer)
    return found


def _opened(place: Remote, actions: str) -> contextlib.AbstractContextManager[Session]:
    """A session with the repository, for these actions."""
    return session.opened(place.host, place.repository, actions, place.timeout, place.sleep)


def _read(opened: Session, answer: Answer, kind: type[_Answer]) -> _Answer:
    """A successful answer as what it is to be. Raises SluiceError for JSON of another shape."""
    content = session.require_success(opened, answer).content
    try:
        return msgspec.json.decode(content, type=kind)
    except (ValueError, RecursionError):
        raise session.not_a_registry(answer) from None


def _download(place: Remote, digest: str, limit: int) -> Iterator[bytes]:
    """The bytes of a blob piece by piece, unchecked. Raises Broken where there is none, or more."""
    oci.hex_of(digest)  # before it is part of an address
    with (
        _opened(place, "pull") as opened,
        session.streamed(opened, Call("GET", opened.at(f"blobs/{digest}"))) as answer,
    ):
        if answer.status_code == 404:
            raise oci.Broken(f"{place} has no blob {digest}")
        if not answer.is_success:
            session.require_success(opened, session.read(opened, answer))
        yield from session.pieces_of(opened, answer, limit)


def _body(kind: str, source: bytes | Path) -> Body:
    """Bytes or a file as what is sent; a file is never whole in memory."""
    if isinstance(source, bytes):
        content = source
        return Body(kind, len(content), lambda: iter([content]))
    path = source
    return Body(kind, path.stat().st_size, lambda: _chunks(path))


def _chunks(path: Path) -> Iterator[bytes]:
    """The bytes of a file piece by piece, so that it is never whole in memory."""
    with path.open("rb") as file:
        piece = file.read(_CHUNK)
        while piece:
            yield piece
            piece = file.read(_CHUNK)
