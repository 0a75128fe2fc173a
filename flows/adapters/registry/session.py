"""One conversation with a registry: where it sends us, when it lets us in, how long it may take.

Each call is followed through redirects that are safe, logged in where it is asked to, repeated
where the registry asks us to wait, and ended where its answer takes too long or is too long.
"""

import contextlib
import email.utils
import functools
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flows.adapters.certificates import is_out_of_time, is_untrusted
from flows.adapters.registry import addresses, credentials, login, oci
from sluice.errors import Retryable, SluiceError, UsageError

if TYPE_CHECKING:
    import httpx2

SMALL = 4 * 2**20  # bytes of an answer that is read whole, at most
_SHOWN = 300  # characters of what a registry says when it refuses
_REFUSAL = 4 * _SHOWN  # bytes of that which are read
_SLOWEST = 2**14  # bytes a second that an answer or an upload has to reach on average
_REDIRECTS = 5
_WAITS = 3  # times that a call is repeated because the registry asks us to wait
_SENT_ELSEWHERE = (301, 302, 303, 307, 308)
_BODY_GOES_ALONG = (307, 308)

Origin = tuple[str, str, int]  # scheme, host, port


@dataclass(frozen=True)
class Body:
    """What is sent: `pieces` gives it again from its start each time that it is called."""

    kind: str
    size: int
    pieces: Callable[[], Iterator[bytes]]


@dataclass(frozen=True)
class Call:
    """One request. With `authorization` it is one for a token, which nobody is logged in for."""

    method: str
    url: "httpx2.URL"
    body: Body | None = None
    for_token: bool = False
    authorization: str = field(default="", repr=False)


@dataclass(frozen=True)
class Answer:
    """A whole answer: at which address it was given, after redirects, and what it says."""

    method: str
    url: "httpx2.URL"
    status: int
    headers: "httpx2.Headers"
    content: bytes

    @property
    def is_success(self) -> bool:
        """Whether the call did what it asked for."""
        return 200 <= self.status < 300


@dataclass
class Session:
    """What is known about the registry while one client talks to it.

    `own` is the address that its host turned out to have, `authorization` the header that let us
    in last, `sockets` what the client is connected by.
    """

    client: "httpx2.Client"
    host: str
    url: "httpx2.URL"
    repository: str
    actions: str
    timeout: float
    sleep: Callable[[float], None]
    own: addresses.Address | None = None
    authorization: str = field(default="", repr=False)
    sockets: list[socket.socket] = field(default_factory=list)

    @property
    def place(self) -> str:
        """The repository as people write it."""
        return f"{self.host}/{self.repository}"

    def at(self, path: str) -> "httpx2.URL":
        """The address of a path of the repository."""
        return self.url.join(f"{self.repository}/{path}")


@contextlib.contextmanager
def opened(
    host: str,
    repository: str,
    actions: str,
    timeout: float,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Session]:
    """A session with a repository, for these actions of the API: `pull` or `pull,push`.

    A registry that asks for a login at its front door is given it there; one that asks later, then.
    Raises Retryable where the network fails, UsageError for a certificate that is not trusted.
    """
    import httpx2

    local = addresses.is_loopback(urlsplit(f"//{host}").hostname or "")
    scheme = _scheme(host) if local else "https"
    headers = {"Accept": ", ".join(oci.READABLE), "User-Agent": "sluice"}
    try:
        with httpx2.Client(
            headers=headers,
            timeout=timeout,
            follow_redirects=False,
            verify=_authorities(os.environ.get("SLUICE_CA", "").strip() or None),
            trust_env=not local,
        ) as client:
            url = httpx2.URL(f"{scheme}://{host}/v2/")
            session = Session(client, host, url, repository, actions, timeout, sleep)
            _enter(session)
            yield session
    except httpx2.TransportError as error:
        raise _network_error(host, error) from None


def _enter(session: Session) -> None:
    """Go to the front door, and take the login there for what it is asked for.

    What it is good for shows at what is asked next: a registry need not open the front door to
    somebody who may only read one repository.
    """
    with contextlib.closing(_waited(session, Call("GET", session.url))) as front:
        if _is_challenge(session, front):
            session.authorization = _log_in(session, front)
        else:
            require_success(session, read(session, front))


def ask(session: Session, call: Call, limit: int = SMALL) -> Answer:
    """The whole answer to a call, whatever its status.

    Raises Broken for one of more than `limit` bytes, Retryable for one that takes too long.
    """
    with contextlib.closing(_sent(session, call)) as answer:
        return read(session, answer, limit)


def read(session: Session, answer: "httpx2.Response", limit: int = SMALL) -> Answer:
    """The rest of an answer: whole, or as much of a refusal as a person is shown.

    Raises Broken for one of more than `limit` bytes, Retryable for one that takes too long.
    """
    method, pieces = answer.request.method, pieces_of(session, answer, limit)
    content = b"".join(pieces) if answer.is_success else _beginning(pieces)
    return Answer(method, answer.url, answer.status_code, answer.headers, content)


@contextlib.contextmanager
def streamed(session: Session, call: Call) -> Iterator["httpx2.Response"]:
    """The answer to a call, its content still to be read by `pieces_of`."""
    with contextlib.closing(_sent(session, call)) as answer:
        yield answer


def pieces_of(session: Session, answer: "httpx2.Response", limit: int) -> Iterator[bytes]:
    """The bytes of an answer piece by piece.

    Raises Broken where there are more than `limit`, Retryable where they come too slowly.
    """
    start, got = time.monotonic(), 0
    for piece in answer.iter_bytes():
        got += len(piece)
        if got > limit:
            raise oci.Broken(f"{answer.url} gives more bytes than such a part may have")
        if time.monotonic() - start > _patience(session, got):
            raise _too_slow(session)
        yield piece


def require_success(session: Session, answer: Answer) -> Answer:
    """The answer itself, if it is a success.

    Raises UsageError where access is refused, Retryable where waiting may help, SluiceError else.
    """
    if answer.is_success:
        return answer
    return _refuse(session, answer)


def require_safe(session: Session, url: "httpx2.URL") -> None:
    """Raise SluiceError for an address where neither a login nor content may go.

    It is https; or plain http on this machine, if the registry is spoken to like that. It is in
    no network that the registry is not in itself: `addresses.allowed`.
    """
    shown = str(url.copy_with(userinfo=b""))
    loopback = addresses.is_loopback(url.host)
    plain = url.scheme == "http" and loopback and session.url.scheme == "http"
    if url.scheme != "https" and not plain:
        raise SluiceError(
            f"the registry sends us to {shown[:200]!r}, which is not https", "Ask who runs it."
        )
    if url.host == session.url.host:
        return
    written = addresses.parse(url.host)
    if written is None and loopback:
        written = addresses.parse("127.0.0.1")
    if written is not None:
        addresses.require_allowed(shown, written, session.own)


def _refuse(session: Session, answer: Answer) -> Answer:
    said = answer.content.decode(errors="replace")[:_SHOWN]
    what = f"{answer.method} {answer.url.copy_with(query=None)}: {answer.status} {said}".strip()
    if answer.status in (401, 403):
        raise UsageError(
            f"{session.host} refuses: {what}",
            f"podman login {session.host}, with the right to write {session.place}",
        )
    if answer.status == 429 or answer.status >= 500:
        asked = answer.headers.get("Retry-After")
        later = f"Run again later; it says when: {asked}." if asked else "Run again later."
        raise Retryable(f"{session.host} cannot now: {what}", later)
    raise SluiceError(what, "The registry's own log says more.")


def _beginning(pieces: Iterator[bytes]) -> bytes:
    """As much of a refusal as is shown: one without end is no reason to hide that it is one."""
    content = b""
    for piece in pieces:
        content += piece
        if len(content) >= _REFUSAL:
            break
    return content


def _sent(session: Session, call: Call) -> "httpx2.Response":
    """The answer to a call, after a login where the registry asks for one: once for each call.

    A token may have run out since the last call, or be good for less than this one wants.
    """
    answer = _waited(session, call)
    if call.for_token or not _is_challenge(session, answer):
        return answer
    authorization = _log_in(session, answer)
    if authorization == session.authorization:
        return answer  # it was asked like that already
    answer.close()
    session.authorization = authorization
    return _waited(session, call)


def _is_challenge(session: Session, answer: "httpx2.Response") -> bool:
    """Whether the registry itself asks for a login, and no server that it sent us to."""
    return answer.status_code == 401 and origin(answer.url) == origin(session.url)


def _waited(session: Session, call: Call) -> "httpx2.Response":
    """The answer to a call, repeated as often as the registry asks us to wait, within bounds."""
    for wait in range(_WAITS):
        answer = _followed(session, call)
        if answer.status_code != 429:
            return answer
        seconds = _asked_wait(answer.headers.get("Retry-After"), float(2**wait))
        if seconds > session.timeout:
            return answer  # too long to sit here: the person is told
        answer.close()
        session.sleep(seconds)
    return _followed(session, call)


def _asked_wait(value: str | None, otherwise: float) -> float:
    """The seconds that a Retry-After asks for, as a number or as a date; `otherwise` for none."""
    if value is None:
        return otherwise
    if value.strip().isdecimal():
        return float(value)
    try:
        until = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return otherwise
    return max(0.0, until.timestamp() - time.time())


def _followed(session: Session, call: Call) -> "httpx2.Response":
    """The answer to a call, through redirects to addresses that are safe.

    A request for a token follows none: a login would go along.
    """
    url = call.url
    for _ in range(_REDIRECTS + 1):
        answer = _once(session, call, url)
        place = answer.headers.get("Location", "")
        if answer.status_code not in _SENT_ELSEWHERE or not place:
            return answer
        answer.close()
        if call.for_token and call.body:
            raise SluiceError(
                f"{answer.url} sends a request for a token elsewhere", "Ask who runs it."
            )
        if call.body and answer.status_code not in _BODY_GOES_ALONG:
            raise SluiceError(
                f"{answer.url} sends an upload elsewhere without its content",
                "The registry's own log says more.",
            )
        url = joined(url, place)
        require_safe(session, url)
    raise SluiceError(f"{session.host} sends us from one address to the next", "Ask who runs it.")


def joined(url: "httpx2.URL", place: str) -> "httpx2.URL":
    """The address that a registry names, from `url` on. Raises SluiceError for what is none."""
    import httpx2

    try:
        return url.join(place)
    except (httpx2.InvalidURL, ValueError):
        raise SluiceError(
            f"{url.host} sends us to {place[:200]!r}, which is no address", "Ask who runs it."
        ) from None


def _once(session: Session, call: Call, url: "httpx2.URL") -> "httpx2.Response":
    """The answer of the server at `url`, within the time that it may take."""
    import httpx2

    headers = {}
    if call.body:
        headers = {"Content-Type": call.body.kind, "Content-Length": str(call.body.size)}
    authorization = call.authorization if call.for_token else session.authorization
    asked = origin(call.url) if call.for_token else origin(session.url)
    if authorization and origin(url) == asked:
        headers["Authorization"] = authorization  # the login is that server's alone
    request = session.client.build_request(
        call.method,
        url,
        content=call.body.pieces() if call.body else None,
        headers=headers,
        extensions={"trace": _watching(session, url)},
    )
    seconds = _patience(session, call.body.size if call.body else 0)
    late = threading.Event()
    timer = threading.Timer(seconds, _cut, [late, session.sockets])
    timer.daemon = True
    timer.start()
    try:
        # No cookie that one answer sets goes to another server.
        session.client.cookies.clear()
        return session.client.send(request, stream=True, auth=None)
    except httpx2.TransportError:
        if late.is_set():
            raise _too_slow(session) from None
        raise
    finally:
        timer.cancel()


def _patience(session: Session, size: int) -> float:
    """The seconds in which `size` bytes have to come or go."""
    return session.timeout + size / _SLOWEST


def _too_slow(session: Session) -> Retryable:
    return Retryable(
        f"{session.host} does not come to an end within {session.timeout:g} seconds",
        "Check the network and the registry, or set SLUICE_REGISTRY_TIMEOUT; then run again.",
    )


def _cut(late: threading.Event, sockets: list[socket.socket]) -> None:
    """End every connection: what waits for a byte is told that none will come."""
    late.set()
    for connected in sockets:
        with contextlib.suppress(OSError):
            connected.shutdown(socket.SHUT_RDWR)


def _watching(session: Session, url: "httpx2.URL") -> Callable[[str, Mapping[str, object]], None]:
    """What the client calls when it connects, before it has sent anything.

    Here the address is known that a name stands for. Behind a proxy it is the proxy's, and nobody
    looks: the proxy decides then where it goes.
    """
    direct = False

    def watch(event: str, found: Mapping[str, object]) -> None:
        nonlocal direct
        if event == "connection.connect_tcp.started":
            direct = _is_same_host(str(found.get("host")), url.raw_host.decode("ascii"))
        if not event.endswith((".connect_tcp.complete", ".start_tls.complete")):
            return
        connected = _socket_of(found.get("return_value"))
        if connected is None:
            return
        session.sockets.append(connected)
        if direct:
            _look_at_peer(session, url, connected)

    return watch


def _is_same_host(one: str, other: str) -> bool:
    """Whether two spellings of a host are the same."""
    return one.strip("[]").lower() == other.strip("[]").lower()


def _socket_of(stream: object) -> socket.socket | None:
    """The socket of a connection of the client."""
    tell = getattr(stream, "get_extra_info", None)
    found = tell("socket") if callable(tell) else None
    return found if isinstance(found, socket.socket) else None


def _look_at_peer(session: Session, url: "httpx2.URL", connected: socket.socket) -> None:
    """Note the registry's own address. Raises SluiceError for another one that is not allowed."""
    try:
        peer = addresses.parse(str(connected.getpeername()[0]))
    except OSError:  # it is closed already
        peer = None
    if peer is None:
        raise Retryable(f"{url.host} ends the connection", "Run again later.")
    if url.host == session.url.host:
        session.own = session.own or peer
        return
    try:
        addresses.require_allowed(str(url.copy_with(query=None)), peer, session.own)
    except SluiceError:
        connected.close()  # the client does not know it yet
        raise


def _log_in(session: Session, refused: "httpx2.Response") -> str:
    """The value of the Authorization header that a refusal asks for.

    A login is sent as it is, or given for a token where a challenge names a place for that. Raises
    UsageError where a login is needed and none is kept, SluiceError for a place that is not safe
    and for an answer without a token.
    """
    challenges = login.challenges(refused.headers.get_list("WWW-Authenticate"))
    kept = credentials.find(session.host, session.repository)
    bearer = next((each for each in challenges if each.scheme == "bearer"), None)
    if bearer is None:
        if not isinstance(kept, credentials.Login):
            raise UsageError(
                f"{session.host} asks for a login, and none is kept", f"podman login {session.host}"
            )
        return login.basic(kept)
    realm = joined(session.url, bearer.parameters.get("realm", ""))
    require_safe(session, realm)
    scope = login.scope(session.repository, session.actions, bearer.parameters.get("scope", ""))
    wanted = login.TokenRequest(realm, bearer.parameters.get("service", ""), scope)
    return f"Bearer {_token(session, wanted, kept)}"


def _token(session: Session, wanted: login.TokenRequest, kept: credentials.Kept | None) -> str:
    """The token that a server of tokens gives. Raises SluiceError where there is none."""
    if isinstance(kept, credentials.RefreshToken):
        form = login.refresh_form(wanted, kept)
        body = Body("application/x-www-form-urlencoded", len(form), lambda: iter([form]))
        call = Call("POST", wanted.realm, body, for_token=True)
    else:
        authorization = login.basic(kept) if kept else ""
        call = Call("GET", login.address(wanted), for_token=True, authorization=authorization)
    answer = require_success(session, ask(session, call, login.LIMIT))
    token = login.token_of(answer.content)
    if token is None:
        raise not_a_registry(answer)
    if not token:
        raise SluiceError(f"{session.host} answers a login without a token", "Ask who runs it.")
    return token


def not_a_registry(answer: Answer) -> SluiceError:
    """The error for JSON of another shape, without quoting it: a token may be in it."""
    return SluiceError(
        f"{answer.url.copy_with(query=None)} answers something else than a registry",
        "Check SLUICE_REGISTRY, or ask who runs it.",
    )


def origin(url: "httpx2.URL") -> Origin:
    """The server of an address: the default port is as good as none, and case says nothing."""
    port = url.port or {"https": 443, "http": 80}.get(url.scheme, 0)
    return url.scheme, url.host.lower(), port


def _network_error(host: str, error: "httpx2.TransportError") -> SluiceError:
    """What a failure of the network means to a person."""
    if is_untrusted(error):
        fix = "Name the bundle of its authority in SLUICE_CA, and check the clock of this machine."
        if is_out_of_time(error):
            fix = "Check the clock of this machine; where it is right, renew the certificate."
        return UsageError(f"the certificate of {host} is not trusted: {error}", fix)
    return Retryable(
        f"{host} does not answer: {str(error) or type(error).__name__}",
        "Check that it runs and can be reached; then run again.",
    )


@functools.cache
def _authorities(bundle: str | None) -> ssl.SSLContext:
    """Whom TLS trusts: the authorities of a bundle, or those of the system."""
    return ssl.create_default_context(cafile=bundle)


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
