"""Logins as registries ask for them, where they may send us, and how long an answer may take."""

import base64
import contextlib
import http.server
import ipaddress
import itertools
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.logins import nobody_is_logged_in
from support.registries import BASIC, PASSWORD, REFRESH, USER, World, serving

from flows.adapters.registry import addresses, credentials, login, oci, registry
from flows.adapters.registry.remote import Remote
from sluice.errors import Retryable, SluiceError, UsageError

TYPE = "application/vnd.sluice.model.v1"
FILES = {"model.onnx": b"\0" * 3000, "card.md": b"# card\n"}


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody_is_logged_in(tmp_path, monkeypatch)


def keep(folder: Path, host: str, **entry: str) -> None:
    """Leave a login behind as `podman login` does; without an entry, user and password."""
    known = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    (folder / "auth.json").write_text(json.dumps({"auths": {host: entry or {"auth": known}}}))


def there_and_back(place: Remote) -> None:
    digest = registry.push_files(place, "t", FILES, TYPE, {"a": "b"})
    assert registry.digest(place, "t") == digest
    assert registry.pull_files(place, digest) == FILES
    assert registry.tags(place) == ["t"]
    assert registry.missing(place, digest) == []


WORLDS = [
    World(login=kind, open_door=door, open_reads=reads)
    for kind, door, reads in itertools.product(
        ("none", "basic", "bearer", "refresh"), (False, True), (False, True)
    )
]


def named(world: World) -> str:
    door = "open-door" if world.open_door else "closed-door"
    return f"{world.login}-{door}-{'open' if world.open_reads else 'closed'}-reads"


@pytest.mark.parametrize("world", WORLDS, ids=named)
def test_a_login_is_given_whenever_it_is_asked_for(world: World, tmp_path: Path) -> None:
    with serving(World(world.login, world.open_door, world.open_reads)) as host:
        if world.login == "refresh":
            keep(tmp_path, host, auth=base64.b64encode(b"0-0:").decode(), identitytoken=REFRESH)
        else:
            keep(tmp_path, host)
        there_and_back(Remote(host, "team/attrition"))


@pytest.mark.parametrize(
    "challenges", [("BOTH",), ("BASIC", "BEARER"), ("BEARER", "BASIC"), ("BASIC",)]
)
def test_of_several_ways_to_log_in_a_token_is_taken(
    challenges: tuple[str, ...], tmp_path: Path
) -> None:
    kind = "basic" if challenges == ("BASIC",) else "bearer"
    with serving(World(login=kind, challenges=challenges)) as host:
        keep(tmp_path, host)
        there_and_back(Remote(host, "team/attrition"))


def test_a_token_that_ran_out_is_asked_for_again(tmp_path: Path) -> None:
    world = World(login="bearer", runs_out=2)
    with serving(world) as host:
        keep(tmp_path, host)
        there_and_back(Remote(host, "team/attrition"))
    assert len(world.tokens) > 5


@pytest.mark.parametrize("kind", ["basic", "bearer", "refresh"])
@pytest.mark.parametrize("door", [False, True])
def test_a_wrong_login_is_refused_and_asked_for_a_few_times_at_most(
    kind: str, door: bool, tmp_path: Path
) -> None:
    world = World(login=kind, open_door=door)
    with serving(world) as host:
        keep(tmp_path, host, auth=base64.b64encode(b"sluice:s3cret-wrong").decode())
        with pytest.raises(UsageError, match="refuses") as refused:
            registry.digest(Remote(host, "team/attrition"), "t")
    assert "s3cret-wrong" not in str(refused.value)
    assert len(world.asked) <= 5


def test_a_refresh_token_of_a_helper_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = tmp_path / "docker-credential-kept"
    answer = json.dumps({"ServerURL": "x", "Username": "<token>", "Secret": REFRESH})
    helper.write_text(f"#!/bin/sh\necho '{answer}'\n")
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with serving(World(login="refresh")) as host:
        (tmp_path / "auth.json").write_text(json.dumps({"credHelpers": {host: "kept"}}))
        there_and_back(Remote(host, "team/attrition"))


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A credential store that knows one server; the keys that it was asked for, in a file."""
    asked, answer = tmp_path / "asked", json.dumps({"Username": USER, "Secret": PASSWORD})
    helper = tmp_path / "docker-credential-store"
    helper.write_text(
        f'#!/bin/sh\nread key\necho "$key" >> {asked}\n'
        f"grep -qxF \"$key\" {tmp_path}/knows || exit 1\necho '{answer}'\n"
    )
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return asked


@pytest.mark.parametrize("auths", [{}, {"auths": {}}, {"auths": {"other.example": {}}}])
@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("123.dkr.ecr.eu-west-1.amazonaws.com", "123.dkr.ecr.eu-west-1.amazonaws.com"),
        ("reg.example:5000", "reg.example:5000"),
        ("reg.example:443", "reg.example"),
        ("registry-1.docker.io", "https://index.docker.io/v1/"),
    ],
)
def test_a_store_is_asked_for_a_server_that_the_file_does_not_name(
    host: str, key: str, auths: dict[str, object], store: Path, tmp_path: Path
) -> None:
    """As `ecr-login` wants it: the file names the store, and no server."""
    (tmp_path / "knows").write_text(f"{key}\n")
    (tmp_path / "auth.json").write_text(json.dumps({"credsStore": "store", **auths}))
    assert credentials.find(host, "team/attrition") == (USER, PASSWORD)
    assert credentials.find("unknown.example", "team/attrition") is None
    assert "unknown.example" in store.read_text().splitlines()


def test_the_login_in_the_file_goes_before_the_store(store: Path, tmp_path: Path) -> None:
    (tmp_path / "knows").write_text("reg.example\n")
    known = base64.b64encode(b"other:word").decode()
    (tmp_path / "auth.json").write_text(
        json.dumps({"credHelpers": {}, "auths": {"reg.example": {"auth": known}}})
    )
    assert credentials.find("reg.example", "team/attrition") == ("other", "word")
    assert not store.exists()


def test_a_password_that_was_filled_up_is_read_without_that(tmp_path: Path) -> None:
    keep(tmp_path, "reg.example", auth=base64.b64encode(b"other:word\0\0\0").decode())
    assert credentials.find("reg.example", "team/attrition") == ("other", "word")


@pytest.mark.parametrize(
    "key",
    [
        "reg.example",
        "REG.example",
        "reg.example:443",
        "https://reg.example",
        "https://reg.example:443",
        "https://reg.example/",
        "https://reg.example/v1/",
        "https://reg.example/v2/",
        "http://reg.example/v2",
        "reg.example/team",
        "https://reg.example:443/team/attrition",
    ],
)
@pytest.mark.parametrize("host", ["reg.example", "reg.example:443", "Reg.Example"])
def test_a_login_is_found_however_its_server_is_spelled(
    key: str, host: str, tmp_path: Path
) -> None:
    keep(tmp_path, key)
    assert credentials.find(host, "team/attrition") == (USER, PASSWORD)
    assert credentials.find("reg.example:5000", "team/attrition") is None
    assert credentials.find("eg.example", "team/attrition") is None


@pytest.mark.parametrize("wait", ["0", " 0 ", formatdate(0, usegmt=True)])
def test_a_registry_that_asks_to_wait_is_waited_for(wait: str, tmp_path: Path) -> None:
    with serving(World(login="bearer", busy=3, wait=wait)) as host:
        keep(tmp_path, host)
        there_and_back(Remote(host, "team/attrition"))


@pytest.mark.parametrize("status", [400, 404])
@pytest.mark.parametrize("lists_referrers", [True, False])
def test_a_part_that_somebody_else_uploads_too_may_be_unknown_for_a_moment(
    status: int, lists_referrers: bool
) -> None:
    waits: list[float] = []
    world = World(unknown=2, unknown_status=status, lists_referrers=lists_referrers)
    with serving(world) as host:
        place = Remote(host, "team/attrition", sleep=waits.append)
        subject = registry.push_files(place, "t", {"a": b"1"}, "application/x", {})
        assert registry.digest(place, "t") == subject
        assert len(waits) == 2
        world.unknown = 2
        about = registry.push_about(place, subject, "application/x", b"2", {"name": "x"})
        assert [one.digest for one in place.referrers(subject)] == [about]
        assert len(waits) == 4


def test_a_manifest_that_stays_refused_is_told_after_a_few_times() -> None:
    waits: list[float] = []
    world = World(unknown=10**6)
    with serving(world) as host:
        place = Remote(host, "team/attrition", sleep=waits.append)
        with pytest.raises(SluiceError, match=r"400 .*MANIFEST_BLOB_UNKNOWN"):
            registry.push_files(place, "t", {"a": b"1"}, "application/x", {})
    sent = [path for method, path, _ in world.asked if (method, path[-2:]) == ("PUT", "/t")]
    assert len(sent) == 4
    assert sum(waits) < 2


def test_nobody_waits_longer_or_more_often_than_is_bounded() -> None:
    waits: list[float] = []
    world = World(busy=1, wait="7")
    with serving(world) as host:
        with pytest.raises(Retryable, match="429"):
            registry.digest(Remote(host, "team/x", sleep=waits.append), "t")
        assert waits == [7.0] * 3
        assert len(world.asked) == 4
        world.wait = "3600"
        with pytest.raises(Retryable, match="3600"):
            registry.digest(Remote(host, "team/x", sleep=waits.append), "t")
        world.wait = "soon"
        with pytest.raises(Retryable, match="429"):
            registry.digest(Remote(host, "team/x", sleep=waits.append), "t")
    assert waits == [7.0] * 3 + [1.0, 2.0, 4.0]


def test_a_blob_may_be_read_at_another_server_without_the_login(tmp_path: Path) -> None:
    store = World()
    world = World(login="basic", blobs=store.blobs)
    with serving(store) as elsewhere, serving(world) as host:
        keep(tmp_path, host)
        world.elsewhere = f"http://{elsewhere}"
        there_and_back(Remote(host, "team/attrition"))
    assert {authorization for _, _, authorization in store.asked} == {""}
    assert BASIC in {authorization for _, _, authorization in world.asked}


SOMEWHERE_ELSE = [
    "http://192.0.2.1",
    "http://registry.example",
    "http://169.254.169.254/latest/meta-data",
    "https://169.254.169.254/latest/meta-data",
    "https://[fe80::1]",
    "https://[::ffff:169.254.169.254]",
    "https://[64:ff9b::a9fe:a9fe]",
    "https://[64:ff9b:1::a9fe:a9fe]",
    "https://[::169.254.169.254]",
    "https://[::ffff:0:a9fe:a9fe]",
    "https://[2002:a9fe:a9fe::1]",
    "https://[fe80::1%25lo]",
    "https://[fec0::1]",
    "https://[fd00:ec2::254]",
    "https://168.63.129.16",
    "https://192.0.0.192",
    "https://10.0.0.1",
    "https://192.168.1.1:8443",
    "https://172.16.0.1",
    "https://[fd00::1]",
    "https://100.64.0.1",
    "https://0.0.0.0",
    "https://224.0.0.1",
    "ftp://127.0.0.1",
    "file:///etc/passwd",
    "//192.0.2.1",
    "https://[::1",
    "http://127.0.0.1@192.0.2.1",
]


@pytest.mark.parametrize("target", SOMEWHERE_ELSE)
def test_no_redirect_leads_where_nothing_may_go(target: str, tmp_path: Path) -> None:
    world = World(login="basic", elsewhere=target)
    with serving(world) as host:
        keep(tmp_path, host)
        place = Remote(host, "team/attrition", timeout=5)
        digest = registry.push_files(place, "t", FILES, TYPE, {})
        with pytest.raises(SluiceError, match=r"sends us to .*(https|address|network)"):
            registry.pull_files(place, digest)


def test_a_chain_of_redirects_has_an_end() -> None:
    world = World(blobs={oci.digest_of(b"x"): b"x"})
    with serving(world) as host:
        world.elsewhere = f"http://{host}"
        with pytest.raises(SluiceError, match="from one address to the next"):
            registry.blob(Remote(host, "team/x"), oci.digest_of(b"x"))
    assert len(world.asked) < 10


PUBLIC, PRIVATE, HERE, LINK = "198.35.26.96", "10.1.2.3", "127.0.0.1", "169.254.169.254"


@pytest.mark.parametrize(
    ("own", "target", "may"),
    [
        (PUBLIC, PUBLIC, True),
        (PUBLIC, "2620:0:861:ed1a::1", True),
        (PUBLIC, PRIVATE, False),
        (PUBLIC, HERE, False),
        (PUBLIC, LINK, False),
        (PRIVATE, PRIVATE, True),
        (PRIVATE, "192.168.0.9", True),
        (PRIVATE, PUBLIC, True),
        (PRIVATE, HERE, False),
        (PRIVATE, LINK, False),
        (HERE, "127.0.0.2", True),
        (HERE, PUBLIC, True),
        (HERE, PRIVATE, False),
        (HERE, LINK, False),
        (LINK, LINK, True),
        (None, PUBLIC, True),
        (None, PRIVATE, False),
        (None, HERE, False),
    ],
)
def test_a_registry_sends_us_into_no_network_but_its_own(
    own: str | None, target: str, may: bool
) -> None:
    known = None if own is None else ipaddress.ip_address(own)
    assert addresses.allowed(ipaddress.ip_address(target), known) is may


@given(st.ip_addresses(v=4), st.ip_addresses(v=4))
def test_an_address_is_judged_alike_however_it_is_written(
    own: ipaddress.IPv4Address, target: ipaddress.IPv4Address
) -> None:
    high, low = f"{int(target) >> 16:x}", f"{int(target) & 0xFFFF:x}"
    written = [f"[::ffff:{target}]", f"::ffff:{high}:{low}", f"[64:ff9b::{target}]"]
    written += [f"::ffff:0:{high}:{low}", f"[2002:{high}:{low}::1]"]
    written += [f"[::{target}]"] if int(target) > 1 else []
    for host in written:
        assert addresses.parse(host) == target
        assert addresses.is_loopback(host) == target.is_loopback
    if target != own and (target.is_link_local or (target.is_loopback and not own.is_loopback)):
        assert not addresses.allowed(target, own)


@given(st.ip_addresses(v=6), st.sampled_from([PUBLIC, PRIVATE, "fd12::1", "2620:0:861::1", HERE]))
def test_of_ipv6_a_registry_sends_us_to_what_is_public_or_its_own_kind(
    target: ipaddress.IPv6Address, own: str
) -> None:
    """Whatever the ranges are used for that nobody has listed here."""
    known = ipaddress.ip_address(own)
    found = addresses.parse(str(target))
    if found != target or not addresses.allowed(target, known):
        return
    inside = target in ipaddress.ip_network("fc00::/7") and own in (PRIVATE, "fd12::1")
    inside = inside or (target.is_loopback and own == HERE)
    assert (target.is_global and target in ipaddress.ip_network("2000::/3")) or inside


METADATA = ["fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192", LINK, "fe80::a9fe"]


@pytest.mark.parametrize("target", METADATA)
@pytest.mark.parametrize("own", [PUBLIC, PRIVATE, "fd12::1", "100.64.1.1", HERE, None])
def test_none_sends_us_where_clouds_give_out_secrets(own: str | None, target: str) -> None:
    known = None if own is None else ipaddress.ip_address(own)
    assert not addresses.allowed(ipaddress.ip_address(target), known)


def test_a_zone_belongs_to_an_address() -> None:
    one, other = addresses.parse("[fe80::1%25eth0]"), addresses.parse("fe80::1%eth1")
    assert one is not None
    assert other is not None
    assert addresses.allowed(one, addresses.parse("fe80::1%eth0"))
    assert not addresses.allowed(one, other)
    assert addresses.is_loopback("::1%lo")


@pytest.mark.parametrize(
    "name", ["127.0.0.1%evil.example", "127.0.0.1%25x", "127.0.0.1.evil.example"]
)
def test_a_name_that_begins_like_this_machine_is_another_one(name: str) -> None:
    assert addresses.parse(name) is None
    assert not addresses.is_loopback(name)


def test_the_address_behind_a_name_is_looked_at_before_anything_is_sent(tmp_path: Path) -> None:
    """A name that stands for this machine, asked for by a registry that is not on it."""
    from flows.adapters.registry import session

    heard: list[bytes] = []
    with (
        serving(World()) as host,
        listening(lambda it: heard.append(it.recv(100))) as port,
        session.opened(host, "team/x", "pull", 5) as opened,
    ):
        opened.own = ipaddress.ip_address(PUBLIC)
        # curl, browsers and the system take this for 127.0.0.1; it is no address as we read it
        url = opened.url.copy_with(host="127.1", port=port, scheme="https")
        with pytest.raises(SluiceError, match="another network than its own"):
            session.ask(opened, session.Call("GET", url))
    assert heard in ([], [b""])


@contextlib.contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server of one kind of behaviour, for each connection in a thread of its own."""
    end = threading.Event()
    threads: list[threading.Thread] = []

    def one(connected: socket.socket) -> None:
        with connected, contextlib.suppress(OSError):
            serve(connected)

    def accept() -> None:
        while not end.is_set():
            with contextlib.suppress(OSError):
                connected, _ = server.accept()
                connected.settimeout(30)
                threads.append(threading.Thread(target=one, args=[connected]))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield int(server.getsockname()[1])
        finally:
            end.set()
            accepting.join()
            for thread in threads:
                thread.join()


def asks_for_tls(connected: socket.socket) -> bool:
    """Whether the client asks if this is TLS, which is told that it is not."""
    if not connected.recv(10, socket.MSG_PEEK).startswith(b"\x16"):
        return False
    connected.recv(10**4)
    connected.sendall(b"HTTP/1.1 400 No\r\n\r\n")
    return True


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"


@pytest.mark.parametrize("before", [b"", HEAD], ids=["head", "content"])
def test_an_answer_that_drips_is_not_waited_for(before: bytes) -> None:
    """Each byte comes in time, and the whole never."""
    pause = threading.Event()

    def drip(connected: socket.socket) -> None:
        connected.recv(10**4)
        connected.sendall(before)
        for sign in itertools.repeat(b"H"):
            connected.sendall(sign)
            pause.wait(0.05)

    def first_whole(connected: socket.socket) -> None:
        if not asks_for_tls(connected):
            drip(connected)

    with listening(first_whole) as port, pytest.raises(Retryable, match="come to an end"):
        registry.digest(Remote(f"127.0.0.1:{port}", "team/x", timeout=0.5), "t")


def test_a_refusal_without_end_is_a_refusal() -> None:
    def refuse(connected: socket.socket) -> None:
        if asks_for_tls(connected):
            return
        connected.recv(10**4)
        connected.sendall(b"HTTP/1.1 403 No\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            connected.sendall(b"no " * 1000)

    with listening(refuse) as port, pytest.raises(UsageError, match="no no no"):
        registry.digest(Remote(f"127.0.0.1:{port}", "team/x"), "t")


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("", []),
        ("Basic", [("basic", {})]),
        ('BASIC realm="x"', [("basic", {"realm": "x"})]),
        (
            'bearer realm="https://a/t",service=b',
            [("bearer", {"realm": "https://a/t", "service": "b"})],
        ),
        (
            'Bearer Realm = "a" , scope="a:b:c,d e"',
            [("bearer", {"realm": "a", "scope": "a:b:c,d e"})],
        ),
        (
            'Bearer realm="a",Basic realm="b"',
            [("bearer", {"realm": "a"}), ("basic", {"realm": "b"})],
        ),
        (
            'Basic realm="say \\"a, b\\"", Bearer realm=c',
            [("basic", {"realm": 'say "a, b"'}), ("bearer", {"realm": "c"})],
        ),
        ('Bearer service="",realm="a"', [("bearer", {"service": "", "realm": "a"})]),
        ("Bearer service=,realm=a", [("bearer", {"service": "", "realm": "a"})]),
    ],
)
def test_a_challenge_is_read(header: str, wanted: list[tuple[str, dict[str, str]]]) -> None:
    found = [(each.scheme, dict(each.parameters)) for each in login.challenges([header])]
    assert found == wanted


@given(st.text(max_size=200) | st.text('," =Bx\\', max_size=5000))
def test_reading_a_challenge_never_fails(header: str) -> None:
    login.challenges([header])


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ("", "repository:a/b:pull,push"),
        ("repository:a/b:pull", "repository:a/b:pull,push"),
        ("repository:a/b:pull,delete", "repository:a/b:delete,pull,push"),
        ("repository:c:pull repository:a/b:push", "repository:a/b:pull,push repository:c:pull"),
    ],
)
def test_a_token_is_asked_for_what_is_done_and_what_the_registry_wants(
    asked: str, wanted: str
) -> None:
    assert login.scope("a/b", "pull,push", asked) == wanted


def test_a_blob_that_the_registry_lost_is_missing(tmp_path: Path) -> None:
    world = World(login="bearer")
    with serving(world) as host:
        keep(tmp_path, host)
        place = Remote(host, "team/attrition")
        registry.push_files(place, "t", FILES, TYPE, {})
        lost = next(iter(world.blobs))
        del world.blobs[lost]
        assert registry.missing(place, "t") == [lost]


@pytest.mark.parametrize("status", [403, 405])
def test_of_a_store_that_takes_no_head_nothing_is_called_missing(
    status: int, tmp_path: Path
) -> None:
    """Where blobs are read at a store, the address that it is sent to may be good for GET alone."""

    class Store(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Store) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.05])
        thread.start()
        world = World(elsewhere=f"http://127.0.0.1:{server.server_port}")
        with serving(world) as host:
            place = Remote(host, "team/attrition")
            registry.push_files(place, "t", FILES, TYPE, {})
            assert registry.missing(place, "t") == []
        server.shutdown()
        thread.join()
