"""Git servers on this machine, for real: `git http-backend` behind HTTP(S), and sshd with a deploy
key. And what fails.

A `Hosted` is told by its `fault` to misbehave: see FAULTS.
"""

import base64
import contextlib
import getpass
import gzip
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flows.adapters.server import free_port
from flows.drills.crash import git_server

FAULTS = {
    "slow": "answers after a while",
    "silent": "takes the connection and never answers",
    "gone": "hangs up in the middle of a push, before anything is written",
    "lost": "hangs up after a push was written, before it says so",
    "read-only": "takes no push",
    "talkative": "refuses, and repeats the login that it was given",
    "elsewhere": "sends everybody to another address",
    "rules": "takes a push, and says that its rules refuse it",
}


@dataclass
class Hosted:
    """A server for the repositories below `root`."""

    root: Path
    users: dict[str, str] = field(default_factory=dict)  # nobody: open to all
    fault: str = ""
    times: int = 10**9  # how often the fault still happens
    seconds: float = 0.0
    elsewhere: str = ""
    reason: str = ""  # of the rules
    banner: str = ""
    meanwhile: Callable[[], object] | None = None  # what happens just before they refuse
    url: str = ""
    seen: list[tuple[str, str]] = field(default_factory=list)
    hit: int = 0

    def trips(self, *faults: str) -> bool:
        """Whether one of these faults happens now; counts it."""
        if self.fault in faults and self.hit < self.times:
            self.hit += 1
            return True
        return False


class _Handler(git_server.Handler):
    hosted: Hosted

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        if (
            "git-receive-pack" in self.path
            and self.hosted.fault == "gone"
            and self.hosted.trips("gone")
        ):
            self.rfile.read(10)
            self._hang_up()
            return
        body = git_server.body(self)
        if "git-receive-pack" in self.path and self.hosted.fault == "rules" and body != b"0000":
            self._refuse(body)
            return
        self._serve(body)

    def _refuse(self, body: bytes) -> None:
        """Say `ng` as the protocol has it, with the words of the host."""
        hosted = self.hosted
        hosted.trips("rules")
        if hosted.meanwhile:
            hosted.meanwhile()
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        # Behind what a shallow clone says of its border.
        name = body.split(b"\0")[0].rpartition(b" ")[2]
        status = _packet(b"unpack ok\n") + _packet(b"ng %s %s\n" % (name, hosted.reason.encode()))
        banner = _packet(b"\2" + hosted.banner.encode()) if hosted.banner else b""
        content = banner + _packet(b"\1" + status + b"0000") + b"0000"
        self.send_response(200)
        self.send_header("Content-Type", "application/x-git-receive-pack-result")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _hang_up(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _say(self, code: int, text: str = "", **headers: str) -> None:
        content = text.encode()
        self.send_response(code)
        for name, value in {
            "Content-Type": "text/plain",
            "Content-Length": str(len(content)),
            **headers,
        }.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def _user(self) -> str | None:
        """Who asks; None where that is nobody we know."""
        if not self.hosted.users:
            return "anybody"
        given = self.headers.get("Authorization", "")
        if given.startswith("Bearer "):
            return next(
                (user for user, secret in self.hosted.users.items() if secret == given[7:]), None
            )
        user, _, password = base64.b64decode(given.removeprefix("Basic ")).decode().partition(":")
        return user if self.hosted.users.get(user) == password else None

    def _serve(self, body: bytes) -> None:
        hosted, given = self.hosted, self.headers.get("Authorization", "")
        hosted.seen.append((self.path, given))
        if hosted.trips("silent"):
            time.sleep(hosted.seconds)
            return self._hang_up()
        if hosted.trips("slow"):
            time.sleep(hosted.seconds)
        if hosted.trips("elsewhere"):
            return self._say(302, Location=f"{hosted.elsewhere}{self.path}")
        user = self._user()
        if hosted.fault == "talkative" and given:
            said = base64.b64decode(given.removeprefix("Basic ")).decode()
            return self._say(403, f"no: {said} ({given})")
        if user is None:
            return self._say(401, "who are you?", WWW_Authenticate='Basic realm="git"')
        if "receive-pack" in self.path and hosted.trips("read-only"):
            return self._say(403, "read-only")
        answer = self.backend(user, body)
        if self.command == "POST" and "receive-pack" in self.path and hosted.trips("lost"):
            return self._hang_up()
        return self.pass_on(answer)


def _packet(content: bytes) -> bytes:
    return b"%04x" % (len(content) + 4) + content


@contextlib.contextmanager
def serving(hosted: Hosted, tls: tuple[Path, Path] | None = None) -> Iterator[Hosted]:
    """Serve while the block runs, over TLS where there are certificate and key; sets its URL."""
    handler = type("Handler", (_Handler,), {"hosted": hosted, "root": hosted.root})
    with git_server.Server(("127.0.0.1", 0), handler) as server:
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        hosted.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
        try:
            yield hosted
        finally:
            server.shutdown()
            thread.join()


def certificate(folder: Path, shift: str = "") -> tuple[Path, Path, Path]:
    """Authority, certificate and key of a server on 127.0.0.1; `shift` moves the clock at which
    they are made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    authority, cert, key = folder / "ca.pem", folder / "cert.pem", folder / "cert.key"
    clock = ["faketime", shift] if shift else []
    new = ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    (folder / "extension").write_text("subjectAltName=IP:127.0.0.1\n")
    own = [
        "-x509",
        "-days",
        "30",
        "-subj",
        "/CN=test authority",
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
    ]
    request = ["-subj", "/CN=127.0.0.1", "-keyout", "cert.key", "-out", "cert.csr"]
    signed = [
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-days",
        "30",
        "-extfile",
        "extension",
    ]
    sign = ["openssl", "x509", "-req", "-in", "cert.csr", *signed, "-out", "cert.pem"]
    for words in ([*new, *own], [*new, *request], sign):
        subprocess.run([*clock, *words], cwd=folder, check=True, capture_output=True)
    return authority, cert, key


@dataclass(frozen=True)
class Ssh:
    """An sshd that lets one deploy key in, for git alone."""

    port: int
    key: Path
    known_hosts: Path
    folder: Path

    def url(self, repository: Path) -> str:
        """The address of a repository."""
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}{repository}"


@contextlib.contextmanager
def sshd(folder: Path) -> Iterator[Ssh]:
    """Run sshd on a port of its own while the block runs."""
    folder.mkdir(parents=True)
    for name in ("host", "deploy"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True
        )
    public = (folder / "deploy.pub").read_text()
    (folder / "authorized").write_text(
        f'command="git-shell -c \\"$SSH_ORIGINAL_COMMAND\\"",restrict {public}'
    )
    port = free_port()
    host = (folder / "host.pub").read_text()
    (folder / "known").write_text(f"[127.0.0.1]:{port} {host}")
    settings = {
        "Port": port,
        "ListenAddress": "127.0.0.1",
        "HostKey": folder / "host",
        "PidFile": "none",
        "AuthorizedKeysFile": folder / "authorized",
        "UsePAM": "no",
        "StrictModes": "no",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "PermitRootLogin": "forced-commands-only",
    }
    (folder / "config").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with (folder / "log").open("wb") as log:
        words = [
            str(shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")),
            "-D",
            "-e",
            "-f",
            folder / "config",
        ]
        process = subprocess.Popen(words, stdout=log, stderr=log)
    try:
        _await(port, process)
        yield Ssh(port, folder / "deploy", folder / "known", folder)
    finally:
        process.kill()
        process.wait()


def _await(port: int, process: "subprocess.Popen[Any]") -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
