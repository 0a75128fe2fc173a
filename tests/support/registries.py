"""A small OCI registry in memory that asks for logins, redirects and refuses as the ones of the
world do: each trait by its name.
"""

import base64
import contextlib
import hashlib
import http.server
import json
import re
import threading
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field

USER, PASSWORD, REFRESH = "sluice", "right", "a-refresh-token"
BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
_PATH = re.compile(r"/v2/(.+)/(blobs|manifests|tags|referrers)/(.*)")


@dataclass
class World:
    """What a registry holds, how it behaves, and what it was asked.

    `login`: none, basic, bearer or refresh. `open_door`: GET /v2/ is 200 for anybody.
    `open_reads`: so is everything that is read. `busy`: each so many-th request is told to wait.
    `runs_out`: tokens are good for so many requests. `elsewhere`: blobs are read at this server.
    `lists_referrers`: it knows what is about a manifest. `written_over`: what somebody else writes
    over a tag, each time that we have written it. `unknown`: so many manifests that are sent are
    refused with `unknown_status`, as if a part of them were not there.
    """

    login: str = "none"
    open_door: bool = False
    open_reads: bool = False
    busy: int = 0
    wait: str = "0"
    runs_out: int = 0
    elsewhere: str = ""
    lists_referrers: bool = False
    written_over: dict[str, list[bytes]] = field(default_factory=dict)
    unknown: int = 0
    unknown_status: int = 400
    challenges: tuple[str, ...] = ()
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[tuple[str, str], bytes] = field(default_factory=dict)
    tokens: dict[str, tuple[str, int]] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    world: World

    def log_message(self, *_: object) -> None:
        pass

    def say(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def any(self) -> None:
        world = self.world
        size = int(self.headers.get("Content-Length") or 0)
        data = self.rfile.read(size)
        parts = urllib.parse.urlsplit(self.path)
        authorization = self.headers.get("Authorization", "")
        world.asked.append((self.command, self.path, authorization))
        if world.busy and len(world.asked) % world.busy == 0:
            self.say(429, b"slowly", Retry_After=world.wait)
        elif parts.path == "/token":
            self.token(parts.query, data, authorization)
        elif not self.may(parts.path, authorization):
            self.challenge()
        elif parts.path == "/v2/":
            self.say(200, b"{}")
        else:
            self.answer(parts, data)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = any

    def token(self, query: str, data: bytes, authorization: str) -> None:
        form = urllib.parse.parse_qs(data.decode() if self.command == "POST" else query)
        if self.world.login == "refresh":
            known = (
                self.command == "POST"
                and form["grant_type"] == ["refresh_token"]
                and form["refresh_token"] == [REFRESH]
            )
        else:
            known = self.command == "GET" and authorization == BASIC
        if not known or form["service"] != ["here"]:
            self.say(401, b'{"errors":[{"code":"UNAUTHORIZED"}]}')
            return
        name = f"token-{len(self.world.tokens)}"
        self.world.tokens[name] = (form["scope"][0], self.world.runs_out or 10**6)
        self.say(200, json.dumps({"access_token": name}).encode())

    def may(self, path: str, authorization: str) -> bool:
        world = self.world
        if world.login == "none" or (world.open_door and path == "/v2/"):
            return True
        if world.open_reads and self.command in ("GET", "HEAD"):
            return True
        if world.login == "basic":
            return authorization == BASIC
        scope, left = world.tokens.get(authorization.removeprefix("Bearer "), ("", 0))
        if not left:
            return False
        world.tokens[authorization.removeprefix("Bearer ")] = scope, left - 1
        found = _PATH.fullmatch(path)
        wanted = "pull" if self.command in ("GET", "HEAD") else "push"
        return found is None or (
            f"repository:{found[1]}:" in scope and wanted in scope.rpartition(":")[2].split(",")
        )

    def challenge(self) -> None:
        host = self.headers["Host"]
        bearer = f'Bearer realm="http://{host}/token",service="here"'
        kinds = self.world.challenges
        if not kinds:
            kinds = ("BASIC",) if self.world.login == "basic" else ("BEARER",)
        texts = {"BASIC": 'BASIC realm="x"', "BEARER": bearer, "BOTH": f'{bearer}, Basic realm="x"'}
        self.send_response(401)
        for kind in kinds:
            self.send_header("WWW-Authenticate", texts[kind])
        self.send_header("Content-Length", "0")
        self.end_headers()

    def answer(self, parts: urllib.parse.SplitResult, data: bytes) -> None:
        world, found = self.world, _PATH.fullmatch(parts.path)
        if not found:
            self.say(404)
            return
        repository, kind, name = found.groups()
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        if kind == "tags":
            tags = sorted(tag for at, tag in world.manifests if at == repository and ":" not in tag)
            self.say(200, json.dumps({"tags": tags or None}).encode())
        elif kind == "manifests" and self.command == "PUT" and world.unknown:
            world.unknown -= 1
            self.say(world.unknown_status, b'{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN"}]}')
        elif kind == "manifests" and self.command == "PUT":
            world.manifests[repository, name] = world.manifests[repository, digest] = data
            if world.written_over.get(name):
                world.manifests[repository, name] = world.written_over[name].pop()
            about = json.loads(data).get("subject", {}).get("digest")
            listed = {"OCI_Subject": about} if about and world.lists_referrers else {}
            self.say(201, **listed)
        elif kind == "referrers":
            self.referrers(repository, name)
        elif kind == "manifests":
            content = world.manifests.get((repository, name))
            self.say(404) if content is None else self.say(200, content)
        elif self.command == "POST":
            self.say(202, Location=f"/v2/{repository}/blobs/uploads/u?state=a%2Bb")
        elif self.command == "PUT":
            query = urllib.parse.parse_qs(parts.query)
            if query != {"state": ["a+b"], "digest": [digest]}:
                self.say(400, b"DIGEST_INVALID")
                return
            world.blobs[digest] = data
            self.say(201)
        elif name not in world.blobs:
            self.say(404)
        elif world.elsewhere:
            self.say(307, Location=world.elsewhere + self.path)
        else:
            self.say(200, world.blobs[name])

    def referrers(self, repository: str, subject: str) -> None:
        if not self.world.lists_referrers:
            self.say(404)
            return
        found = []
        for (at, digest), content in sorted(self.world.manifests.items()):
            read = json.loads(content)
            if (at, read.get("subject", {}).get("digest")) != (repository, subject):
                continue
            kept = {name: read[name] for name in ("artifactType", "annotations") if name in read}
            described = {"digest": digest, "size": len(content), "mediaType": read["mediaType"]}
            found.append({**described, **kept})
        self.say(200, json.dumps({"schemaVersion": 2, "manifests": found}).encode())


@contextlib.contextmanager
def serving(world: World) -> Iterator[str]:
    """A registry on a free port of this machine that holds this world; its host and port."""
    handler = type("Handler", (_Handler,), {"world": world})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.05])
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
