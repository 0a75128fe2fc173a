"""A registry over HTTP, by the OCI distribution API.

TLS is checked against the system's authorities, or those in SLUICE_CA; plain HTTP is for the
loopback interface alone. What may work later is raised as Retryable, not repeated. The API:
https://github.com/opencontainers/distribution-spec.
"""

import contextlib
import functools
import hashlib
import ipaddress
import os
import re
import socket
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import msgspec

from flows.adapters.failpoints import boundary
from flows.adapters.registry import credentials, layout, oci
from sluice.errors import Retryable, SluiceError, UsageError

if TYPE_CHECKING:
    import httpx2

_CHUNK = 2**20  # bytes that are read and written at a time
_PAGES = 1000  # of tags, at most
TIMEOUT = 60.0  # seconds without a byte
_ENDLESS = 2**40  # bytes of a layer, at most
_REPOSITORY = re.compile(r"[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*")
_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?|\[[0-9a-fA-F:]+\](:[0-9]{1,5})?")
# One parameter of a challenge for a login: `realm="https://..."`.
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
_Answer = TypeVar("_Answer", bound=msgspec.Struct)


class _TagList(msgspec.Struct, frozen=True):
    """A page of tags; some registries write null for none."""

    tags: list[str] | None = None


class _Token(msgspec.Struct, frozen=True):
    """A token for one repository, under one of its two names."""

    token: str | None = None
    access_token: str | None = None


@dataclass(frozen=True)
class Remote:
    """A repository of a registry: `registry.Place` over the functions of this module.

    It may be silent for `timeout` seconds.
    """

    host: str
    repository: str
    timeout: float = TIMEOUT

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


@boundary("registry.digest")
def _digest(place: Remote, tag: str) -> str | None:
    """The digest that a tag names; None where it names nothing."""
    with _client(place, "pull") as client:
        answer = client.head(f"manifests/{oci.check_reference(tag)}")
    if answer.status_code == 404:
        return None
    _check(place, answer)
    digest = answer.headers.get("Docker-Content-Digest")
    if oci.is_digest(digest):
        return str(digest)
    # A registry need not name the digest in its headers: then it is that of the bytes.
    content = _manifest(place, tag)
    return None if content is None else oci.digest_of(content)


def _tags(place: Remote) -> list[str]:
    """Every tag of the repository, page by page; none where there is no such repository."""
    tags: list[str] = []
    with _client(place, "pull") as client:
        answer = client.get("tags/list")
        for _ in range(_PAGES):
            if answer.status_code == 404:
                break
            tags += _read(place, answer, _TagList).tags or ()
            following = _next_page(place, answer)
            if following is None:
                break
            answer = client.get(following)
    return tags


def _next_page(place: Remote, answer: "httpx2.Response") -> "httpx2.URL | None":
    """The address of the next page, None after the last one.

    Raises SluiceError for an address at another server: the login is not sent there.
    """
    link = answer.links.get("next")
    if not link or not link.get("url"):
        return None
    target = answer.url.join(link["url"])
    _require_safe(str(target))
    if target.netloc != answer.url.netloc:
        raise SluiceError(
            f"{place.host} sends us to {target.host} for its tags", "Ask who runs it."
        )
    return target


@boundary("registry.manifest")
def _manifest(place: Remote, reference: str) -> bytes | None:
    """The bytes of a manifest by tag or digest (then checked); None where there is none."""
    with _client(place, "pull") as client:
        request = client.build_request("GET", f"manifests/{oci.check_reference(reference)}")
        answer = client.send(request, stream=True)
        if answer.status_code == 404:
            return None
        _check(place, answer)
        content = b"".join(_pieces(answer, oci.MANIFEST_LIMIT))
    return oci.verified(content, reference) if oci.is_digest(reference) else content


@boundary("registry.blob")
def _fetch_blob(place: Remote, digest: str) -> bytes:
    """The bytes of a blob, digest checked."""
    return oci.verified(b"".join(_download(place, digest, oci.FILE_LIMIT)), digest)


@boundary("registry.pull")
def _pull_blob(place: Remote, digest: str, folder: Path) -> None:
    """Put a blob into the layout `folder`, digest checked, without holding it in memory."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".{oci.hex_of(digest)}.{os.getpid()}.part"
    hasher = hashlib.sha256()
    try:
        with part.open("wb") as file:
            for piece in _download(place, digest, _ENDLESS):
                hasher.update(piece)
                file.write(piece)
        if hasher.hexdigest() != oci.hex_of(digest):
            raise oci.Broken(f"{place} gave other bytes for {digest}")
        layout.put_blob_file(folder, digest, part)
    finally:
        part.unlink(missing_ok=True)


@boundary("registry.upload")
def _upload(place: Remote, digest: str, source: bytes | Path) -> None:
    """Upload a blob, bytes or a file, unless the registry has it."""
    with _client(place, "pull,push") as client:
        if client.head(f"blobs/{digest}").status_code == 200:
            return
        target = _upload_address(place, _check(place, client.post("blobs/uploads/")))
        content: bytes | Iterator[bytes]
        if isinstance(source, bytes):
            size = len(source)
            content = source
        else:
            size = source.stat().st_size
            content = _chunks(source)
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        request = client.build_request(
            "PUT", target.copy_merge_params({"digest": digest}), content=content, headers=headers
        )
        if target.netloc.decode() != place.host:
            # A store beside the registry takes the bytes; the login is the registry's alone.
            request.headers.pop("Authorization", None)
        _check(place, client.send(request))


def _upload_address(place: Remote, started: "httpx2.Response") -> "httpx2.URL":
    """Where the bytes of an upload go. Raises SluiceError where none is named, or no safe one."""
    location = started.headers.get("Location")
    if not location:
        raise SluiceError(
            f"{place.host} names no address for an upload", "The registry's own log says more."
        )
    target = started.url.join(location)
    _require_safe(str(target))
    return target


@boundary("registry.tag")
def _put_manifest(place: Remote, tag: str, content: bytes) -> None:
    """Tag a manifest whose blobs are there."""
    headers = {"Content-Type": oci.MANIFEST}
    with _client(place, "pull,push") as client:
        _check(place, client.put(f"manifests/{tag}", content=content, headers=headers))


@contextlib.contextmanager
def _client(place: Remote, actions: str) -> Iterator["httpx2.Client"]:
    """A client for the repository, logged in for these actions where the registry asks for it.

    Raises Retryable where the network fails, UsageError for a certificate that is not trusted.
    """
    import httpx2

    local = _is_loopback(place.host)
    scheme = _scheme(place.host) if local else "https"
    url = f"{scheme}://{place.host}/v2/"
    headers = {"Accept": ", ".join(oci.READABLE), "User-Agent": "sluice"}
    try:
        with httpx2.Client(
            headers=headers,
            timeout=place.timeout,
            follow_redirects=True,
            verify=_authorities(os.environ.get("SLUICE_CA") or None),
            trust_env=not local,
        ) as client:
            answer = client.get(url)
            if answer.status_code == 401:
                client.headers["Authorization"] = _log_in(client, place, actions, answer)
            else:
                _check(place, answer)
            client.base_url = httpx2.URL(f"{url}{place.repository}/")
            yield client
    except httpx2.TransportError as error:
        raise _network_error(place, error) from None


def _network_error(place: Remote, error: "httpx2.TransportError") -> SluiceError:
    """What a failure of the network means to a person."""
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return UsageError(
            f"the certificate of {place.host} is not trusted: {error}",
            "Name the bundle of its authority in SLUICE_CA, and check the clock of this machine.",
        )
    return Retryable(
        f"{place.host} does not answer: {str(error) or type(error).__name__}",
        "Check that it runs and can be reached; then run again.",
    )


def _log_in(
    client: "httpx2.Client", place: Remote, actions: str, refused: "httpx2.Response"
) -> str:
    """The value of the Authorization header that this challenge asks for.

    A login is sent as it is, or given for a token where the challenge names a place for that.
    Raises UsageError where a login is needed and none is kept, SluiceError for a place that is not
    safe and for an answer without a token.
    """
    import httpx2

    challenge = refused.headers.get("WWW-Authenticate", "")
    login = credentials.find(place.host, place.repository)
    basic = httpx2.BasicAuth(*login) if login else None
    if not challenge.lower().startswith("bearer"):
        if not basic:
            raise UsageError(
                f"{place.host} asks for a login, and none is kept", f"podman login {place.host}"
            )
        return next(basic.auth_flow(httpx2.Request("GET", refused.url))).headers["Authorization"]
    parameters: dict[str, str] = dict(_PARAMETER.findall(challenge))
    realm = parameters.get("realm", "")
    _require_safe(realm)
    query = {
        "service": parameters.get("service", ""),
        "scope": f"repository:{place.repository}:{actions}",
    }
    return f"Bearer {_token(place, client.get(realm, params=query, auth=basic))}"


def _token(place: Remote, answer: "httpx2.Response") -> str:
    """The token in an answer. Raises SluiceError where there is none."""
    tokens = _read(place, answer, _Token)
    token = tokens.token or tokens.access_token
    if not token:
        raise SluiceError(f"{place.host} answers a login without a token", "Ask who runs it.")
    return token


def _read(place: Remote, answer: "httpx2.Response", kind: type[_Answer]) -> _Answer:
    """A successful answer as what it is to be.

    Raises SluiceError for JSON of another shape, without quoting it: a token may be in it.
    """
    content = _check(place, answer).content
    try:
        return msgspec.json.decode(content, type=kind)
    except (ValueError, RecursionError):
        raise SluiceError(
            f"{answer.request.url.copy_with(query=None)} answers something else than a registry",
            "Check SLUICE_REGISTRY, or ask who runs it.",
        ) from None


def _check(place: Remote, answer: "httpx2.Response") -> "httpx2.Response":
    """The answer itself, if it is a success.

    Raises UsageError where access is refused, Retryable where waiting may help, SluiceError else.
    """
    code = answer.status_code
    if answer.is_success:
        return answer
    address = answer.request.url.copy_with(query=None)
    body = answer.read().decode(errors="replace")[:300]
    what = f"{answer.request.method} {address}: {code} {body}".strip()
    if code in (401, 403):
        raise UsageError(
            f"{place.host} refuses: {what}",
            f"podman login {place.host}, with the right to write {place}",
        )
    if code == 429 or code >= 500:
        raise Retryable(f"{place.host} cannot now: {what}", "Run again later.")
    raise SluiceError(what, "The registry's own log says more.")


def _download(place: Remote, digest: str, limit: int) -> Iterator[bytes]:
    """The bytes of a blob piece by piece, unchecked. Raises Broken where there is none, or more."""
    oci.hex_of(digest)  # before it is part of an address
    with _client(place, "pull") as client:
        answer = client.send(client.build_request("GET", f"blobs/{digest}"), stream=True)
        if answer.status_code == 404:
            raise oci.Broken(f"{place} has no blob {digest}")
        yield from _pieces(_check(place, answer), limit)


def _pieces(answer: "httpx2.Response", limit: int) -> Iterator[bytes]:
    """The bytes of an answer piece by piece. Raises Broken where there are more than `limit`."""
    left = limit
    for piece in answer.iter_bytes(_CHUNK):
        left -= len(piece)
        if left < 0:
            raise oci.Broken(f"{answer.request.url} gives more bytes than such a part may have")
        yield piece


def _chunks(path: Path) -> Iterator[bytes]:
    """The bytes of a file piece by piece, so that it is never whole in memory."""
    with path.open("rb") as file:
        piece = file.read(_CHUNK)
        while piece:
            yield piece
            piece = file.read(_CHUNK)


@functools.cache
def _authorities(bundle: str | None) -> ssl.SSLContext:
    """Whom TLS trusts: the authorities of a bundle, or those of the system."""
    return ssl.create_default_context(cafile=bundle)


def _is_loopback(host: str) -> bool:
    """Whether a host, with its port or without, is this machine."""
    name = urlsplit(f"//{host}").hostname or ""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _require_safe(url: str) -> None:
    """Raise SluiceError for an address that is neither https nor on this machine.

    Logins and content go nowhere else, whatever a registry answers.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.netloc)):
        raise SluiceError(
            f"the registry sends us to {url[:200]!r}, which is not https", "Ask who runs it."
        )


@functools.cache
def _scheme(host: str) -> str:
    """The scheme of a server on this machine: whether it speaks TLS.

    Raises Retryable where none listens.
    """
    parts = urlsplit(f"//{host}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # A question only: nothing is sent over this connection, so its certificate is not checked.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((parts.hostname, parts.port or 443), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname=parts.hostname),
        ):
            return "https"
    except ssl.SSLError:
        return "http"
    except OSError as error:
        raise Retryable(
            f"nothing answers at {host}: {error}", "Start the registry, or change SLUICE_REGISTRY."
        ) from None
