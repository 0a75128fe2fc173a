"""Prefect's server on PostgreSQL, as Debian packs it, does what it does on a file: a refused run is
told once, and one that was killed with its worker is shown as crashed.
"""

import os
import pwd
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.prefect_up import kill_a_release, listening, running, told_of
from support.releases import Story

from flows.adapters import process, server

_PROGRAMS = next(
    iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), Path("none")
)

pytestmark = pytest.mark.skipif(
    not (_PROGRAMS / "initdb").exists(), reason="needs PostgreSQL (apt-get install postgresql)"
)


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """The URL of an empty database; its server refuses to be run by root."""
    folder = Path(tempfile.mkdtemp(prefix="sluice-postgresql-"))
    port = server.free_port()
    other: list[str] = []
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
        other = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    data = folder / "data"
    process.run([*other, _PROGRAMS / "initdb", "-D", data, "-A", "trust", "-U", "sluice"])
    settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
    words = [_PROGRAMS / "postgres", "-D", data, "-p", str(port)]
    for name, value in settings.items():
        words += ["-c", f"{name}={value}"]
    started = server.start([*other, *words], port, folder.with_suffix(".log"))
    try:
        _wait(port)
        yield f"postgresql+asyncpg://sluice@127.0.0.1:{port}/postgres"
    finally:
        started.stop()
        shutil.rmtree(folder)


def _wait(port: int) -> None:
    end = time.monotonic() + 60
    while not server.taken(port):
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_refused_run_is_told_and_a_killed_one_is_crashed(
    database: str, written: Story, tools: str, tmp_path: Path
) -> None:
    table = tmp_path / "few.csv"
    table.write_bytes(b"".join(written.rows.read_bytes().splitlines(keepends=True)[:500]))
    given = {"PREFECT_API_DATABASE_CONNECTION_URL": database}
    with (
        listening() as webhook,
        running(written, webhook, tools, tmp_path / "namesakes", **given) as up,
    ):
        run = up.until(
            up.run("release/attrition-release", model="attrition", data=str(table)), "Refused"
        )
        assert told_of(up, run, "refused") == ["refused"]
        kill_a_release(up)
        after = up.until(up.run("release/attrition-release", model="attrition"))
        assert after.state is not None
        assert after.state.name == "No builder"
    assert not (written.home / "prefect" / "prefect.db").exists()
