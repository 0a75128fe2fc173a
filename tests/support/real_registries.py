"""Registries that others wrote, each behind a password: Debian's, CNCF distribution 3, and the one
of go-containerregistry. The last two are built once from `tests/e2e/registries`, and kept.
"""

import contextlib
import hashlib
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flows.adapters.image import golang
from flows.adapters.process import run
from flows.adapters.registry.remote import Remote
from flows.adapters.server import free_port

SOURCE = Path(__file__).parents[1] / "e2e" / "registries"
KINDS = ("docker-registry", "distribution", "go-containerregistry")
USER, PASSWORD = "sluice", "right"
HTPASSWD = f"{USER}:$2y$05$SU58SQPBFZoIURbqeXpcEueq/TfwaZZzsvwvEgYvRYgRrrkMHJZ2a\n"  # of PASSWORD
_GO = (1, 26)  # the `go` line of its go.mod


def program() -> Path:
    """The program with the two registries in Go, built unless the cache has it: two minutes of a
    processor. Its name follows from its sources.
    """
    hashed = hashlib.sha256()
    for path in sorted(SOURCE.iterdir()):
        hashed.update(path.read_bytes())
    place = golang.cache() / f"registries-{hashed.hexdigest()[:16]}"
    with golang.alone(place):
        if not place.exists():
            work = place.with_name(f".{place.name}.build")
            shutil.rmtree(work, ignore_errors=True)  # of a run that was killed
            try:
                go = golang.compiler(work, _GO)
                env = golang.environment(work) | {"GOGC": "800"}
                flags = ("-buildvcs=false", "-gcflags=all=-dwarf=false", "-ldflags", "-s -w")
                run([go, "build", *flags, "-o", work / "registries", "."], cwd=SOURCE, env=env)
                (work / "registries").replace(place)
            finally:
                shutil.rmtree(work, ignore_errors=True)
    return place


@contextlib.contextmanager
def serving(kind: str, folder: Path) -> Iterator[Remote]:
    """One of KINDS with a new storage in `folder`, behind the password, while the block runs."""
    port = free_port()
    folder.mkdir(parents=True)
    # They take every REGISTRY_* for a setting of their own.
    env = {key: value for key, value in os.environ.items() if not key.startswith("REGISTRY_")}
    env |= {"OTEL_TRACES_EXPORTER": "none", "LOGIN": f"{USER}:{PASSWORD}"}
    words = _words(kind, folder, port)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(words, env=env, stdout=log, stderr=log)
    try:
        while not _answers(port):
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.05)
        yield Remote(f"127.0.0.1:{port}", "team/attrition")
    finally:
        process.kill()
        process.wait()


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _words(kind: str, folder: Path, port: int) -> list[str]:
    """The command of a registry."""
    if kind == "go-containerregistry":
        return [str(program()), kind, f"127.0.0.1:{port}"]
    (folder / "htpasswd").write_text(HTPASSWD)
    settings: dict[str, Any] = {
        "version": 0.1,
        "log": {"level": "error"},
        "storage": {
            "filesystem": {"rootdirectory": str(folder / "storage")},
            "delete": {"enabled": True},
        },
        "http": {"addr": f"127.0.0.1:{port}"},
        "auth": {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}},
    }
    (folder / "config.yml").write_text(json.dumps(settings))
    if kind == "docker-registry":
        return ["docker-registry", "serve", str(folder / "config.yml")]
    return [str(program()), kind, str(folder / "config.yml")]
