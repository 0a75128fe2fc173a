"""Set-up: which Python will do, and what of the user's environment uv takes over."""

import ast
import base64
import hashlib
import io
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import threading
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest

from flows.project.root import ROOT
from scripts.bootstrap import refusal
from scripts.environment import inherited

SOURCE = (ROOT / "scripts" / "bootstrap.py").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("version", "will_do"),
    [
        ((2, 7, 18, "final", 0), False),
        ((3, 4, 0), False),
        ((3, 6, 15), False),
        ((3, 9, 2), False),
        ((3, 10, 14), False),
        ((3, 11, 0), True),
        ((3, 12, 9), True),
        ((3, 13, 0), True),
        ((3, 14, 0), False),
        ((4, 0, 0), False),
    ],
)
def test_a_python_that_will_not_do_is_told(version: tuple[int, ...], will_do: bool) -> None:
    told = refusal(version)
    assert bool(told) is not will_do
    if told:
        assert (
            f"Python is {version[0]}.{version[1]}.{version[2]}; 3.11 to 3.13 is required." in told
        )


def test_the_question_is_put_in_words_that_every_python_knows() -> None:
    """Nothing newer than 2.7 in the file itself, and nothing imported before the answer."""
    tree = ast.parse(SOURCE, feature_version=(3, 4))
    newer = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.Nonlocal, ast.AsyncFunctionDef)
    assert not [node for node in ast.walk(tree) if isinstance(node, newer)]
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for function in functions:
        assert function.returns is None
        assert not function.args.kwonlyargs
        assert all(argument.annotation is None for argument in function.args.args)
    imported = re.findall(r"^(?:import|from) (\w+)", SOURCE, re.MULTILINE)
    assert imported == ["os", "sys"]
    assert SOURCE.isascii()


def test_a_python_of_this_machine_that_is_too_old_is_told(tmp_path: Path) -> None:
    """The file itself, told that its Python is another one."""
    code = (
        "import runpy, sys; sys.version_info = (3, 9, 2, 'final', 0);"
        " runpy.run_path(sys.argv[1], run_name='__main__')"
    )
    words = [sys.executable, "-c", code, str(ROOT / "scripts" / "bootstrap.py")]
    ended = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[0] == ("Error: Python is 3.9.2; 3.11 to 3.13 is required.")
    assert "Traceback" not in ended.stderr


ELSEWHERE = [
    "UV_PROJECT_ENVIRONMENT",
    "UV_PROJECT",
    "UV_PYTHON",
    "UV_PYTHON_PREFERENCE",
    "UV_MANAGED_PYTHON",
    "UV_SYSTEM_PYTHON",
    "UV_LOCKED",
    "UV_FROZEN",
    "UV_NO_SYNC",
    "UV_NO_DEV",
    "UV_NO_BINARY",
    "UV_ONLY_GROUP",
    "UV_WORKING_DIR",
    "UV_OVERRIDE",
    "UV_CONSTRAINT",
    "UV_EXCLUDE_NEWER",
    "UV_DRY_RUN",
    "VIRTUAL_ENV",
    "PYTHONPATH",
    "PYTHONHOME",
]
KEPT = [
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_INDEX_MIRROR_PASSWORD",
    "UV_DEFAULT_INDEX",
    "UV_EXTRA_INDEX_URL",
    "UV_KEYRING_PROVIDER",
    "UV_HTTP_TIMEOUT",
    "UV_NATIVE_TLS",
    "UV_CACHE_DIR",
    "UV_OFFLINE",
    "HTTPS_PROXY",
    "SSL_CERT_FILE",
    "PATH",
    "HOME",
]


def test_the_environment_of_uv_has_what_says_how_to_fetch_and_not_where_to_put_it() -> None:
    given = dict.fromkeys([*ELSEWHERE, *KEPT], "x")
    assert inherited(given) == dict.fromkeys(KEPT, "x")
    assert "PATH" in inherited(os.environ)


SOURCES = (
    *("scripts/bootstrap.py", "scripts/environment.py", "flows/__init__.py"),
    *("scripts/working.py", "flows/adapters/__init__.py", "flows/adapters/package_index.py"),
)
UV = """#!/bin/sh
env >> "$OUT"
echo "uv $@" >> "$OUT"
[ "$1 $2" = "pip sync" ] && [ -n "$FAILS" ] && exit 2
mkdir -p "$UV_PROJECT_ENVIRONMENT/bin"
printf '#!/bin/sh\\ncase "$*" in *"$UNLOADABLE"*) exit "${ENDS:-0}"; esac\\n' \\
  > "$UV_PROJECT_ENVIRONMENT/bin/python"
chmod +x "$UV_PROJECT_ENVIRONMENT/bin/python"
"""


def copied(project: Path) -> Path:
    """What set-up reads of this project, elsewhere."""
    for name in ("pyproject.toml", "uv.lock", *SOURCES):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, project / name)
    (project / "scripts" / "__init__.py").touch()
    return project


def test_the_environment_is_made_where_it_belongs_whatever_uv_is_told(tmp_path: Path) -> None:
    """The whole set-up as `make setup` calls it, with a stand-in for uv that notes what it gets."""
    project = copied(tmp_path / "a project")
    lock = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
    version = next(entry["version"] for entry in lock["package"] if entry["name"] == "uv")
    uv = project / ".sluice" / "tools" / f"uv-{version}"
    uv.parent.mkdir(parents=True)
    uv.write_text(UV)
    uv.chmod(0o755)
    theirs = tmp_path / "theirs"
    (theirs / "scripts").mkdir(parents=True)
    (theirs / "scripts" / "__init__.py").write_text("raise SystemExit('another package')")
    env = {
        **os.environ,
        "OUT": str(tmp_path / "seen"),
        "PYTHONPATH": str(theirs),
        "SLUICE_NO_APT": "1",
        "UV_DEFAULT_INDEX": "https://mirror.example/simple",
        "UV_LOCKED": "1",
        "UV_PROJECT_ENVIRONMENT": str(tmp_path / "elsewhere"),
    }
    words = [sys.executable, str(project / "scripts" / "bootstrap.py")]
    ended = subprocess.run(
        words, cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert (project / ".venv" / "sluice-lock").is_file()
    assert not (tmp_path / "elsewhere").exists()
    seen = (tmp_path / "seen").read_text()
    assert "UV_DEFAULT_INDEX=https://mirror.example/simple" in seen
    assert "UV_LOCKED" not in seen
    assert "PYTHONPATH" not in seen
    assert "--group s3" not in seen

    def again(*stores: str) -> str:
        """What uv is asked for then."""
        (tmp_path / "seen").write_text("")
        ended = subprocess.run([*words, *stores], cwd=tmp_path, env=env, capture_output=True)
        assert ended.returncode == 0, ended.stderr
        return (tmp_path / "seen").read_text()

    assert again() == ""
    assert "sync --frozen --quiet --no-default-groups --group pipeline --group s3" in again("s3")
    (project / "data").mkdir()
    (project / "data" / "a.toml").write_text("reference = 'az://box/rows.csv'\n")
    assert "--group pipeline --group az --group s3" in again()  # what was there stays
    assert again() == again("az") == ""


def test_a_store_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    project = copied(tmp_path)
    words = [sys.executable, str(project / "scripts" / "bootstrap.py"), "ftp"]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "STORES is 'ftp'; of az, gs, s3 each is known" in ended.stderr


def locked_uv(project: Path) -> tuple[str, bytes]:
    """A uv.lock that names a small wheel for this machine: the name of its file, and its bytes."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("uv-1.0.data/scripts/uv", UV)
    machine = platform.machine()
    file = f"uv-1.0-py3-none-manylinux_2_17_{machine}.whl"
    digest = hashlib.sha256(content.getvalue()).hexdigest()
    (project / "uv.lock").write_text(
        '[[package]]\nname = "uv"\nversion = "1.0"\nwheels = [{ url ='
        f' "https://files.invalid/{file}", hash = "sha256:{digest}" }}]\n'
    )
    return file, content.getvalue()


@dataclass
class Mirror:
    """A package index on this machine that asks for a login, and what it was asked for; `links`
    is how its page says where files are.
    """

    files: dict[str, bytes]
    links: str = "../../files/{file}"
    asked: list[str] = field(default_factory=list)
    url: str = ""


LOGIN = "robot:s3cret%2Fword"


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    served = Mirror({})
    expected = "Basic " + base64.b64encode(unquote(LOGIN).encode()).decode()

    def host() -> str:
        return served.url.partition("/")[0]

    class Index(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append(self.path)
            name = self.path.rpartition("/")[2]
            links = [served.links.format(file=one, host=host()) for one in served.files]
            page = "".join(f'<a href="{link}#sha256=0">x</a>' for link in links)
            known = name in served.files or self.path == "/simple/uv/"
            granted = self.headers.get("Authorization") == expected
            code = (200 if known else 404) if granted else 401
            self.send_response(code)
            self.end_headers()
            if code == 200:
                self.wfile.write(served.files.get(name, page.encode()))

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Index) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        served.url = f"127.0.0.1:{server.server_port}/simple"
        yield served
        server.shutdown()


def set_up(
    project: Path, out: Path, home: Path, **given: str
) -> "subprocess.CompletedProcess[str]":
    """`make setup` in a project, without the settings of whoever runs the tests."""
    plain = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("UV_", "PIP_")) and not name.lower().endswith("_proxy")
    }
    env = {**plain, "HOME": str(home), "OUT": str(out), "SLUICE_NO_APT": "1", **given}
    env["XDG_CONFIG_HOME"] = str(home / ".config")
    return subprocess.run(
        [sys.executable, str(project / "scripts" / "bootstrap.py")],
        cwd=home,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )


def _variable(name: str) -> Callable[[Path, str], dict[str, str]]:
    return lambda home, address: {name: f"http://{LOGIN}@{address}"}


def _file(path: str, text: str) -> Callable[[Path, str], dict[str, str]]:
    def write(home: Path, address: str) -> dict[str, str]:
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(text.format(url=f"http://{LOGIN}@{address}"))
        return {}

    return write


def _netrc(home: Path, address: str) -> dict[str, str]:
    (home / ".netrc").write_text(f"machine 127.0.0.1 login robot password {unquote(LOGIN)[6:]}\n")
    (home / ".netrc").chmod(0o600)
    return {"PIP_INDEX_URL": f"http://{address}"}


def _named_file(home: Path, address: str) -> dict[str, str]:
    (home / "my.toml").write_text(f'index-url = "http://{LOGIN}@{address}/"\n')
    return {"UV_CONFIG_FILE": str(home / "my.toml")}


WAYS: dict[str, Callable[[Path, str], dict[str, str]]] = {
    "UV_DEFAULT_INDEX": _variable("UV_DEFAULT_INDEX"),
    "UV_INDEX_URL": _variable("UV_INDEX_URL"),
    "PIP_INDEX_URL": _variable("PIP_INDEX_URL"),
    "pip.conf": _file(".config/pip/pip.conf", "[global]\nindex-url = {url}\n"),
    "pip.conf of install": _file(".config/pip/pip.conf", "[install]\nindex_url: {url}/\n"),
    "old pip.conf": _file(".pip/pip.conf", "[global]\ntimeout = 60\nindex-url={url}\n"),
    "uv.toml": _file(".config/uv/uv.toml", '[[index]]\nurl = "{url}"\ndefault = true\n'),
    "old uv.toml": _file(".config/uv/uv.toml", 'index-url = "{url}"\n'),
    "UV_CONFIG_FILE": _named_file,
    "netrc": _netrc,
}


@pytest.mark.parametrize("way", WAYS)
def test_packages_come_from_the_mirror_that_is_set(
    way: str, mirror: Mirror, tmp_path: Path
) -> None:
    project, home = copied(tmp_path / "project"), tmp_path / "home"
    home.mkdir()
    file, content = locked_uv(project)
    mirror.files[file] = content
    given = WAYS[way](home, mirror.url)
    ended = set_up(project, tmp_path / "seen", home, **given)
    assert ended.returncode == 0, ended.stderr
    assert (project / ".sluice").stat().st_mode & 0o777 == 0o700  # as `sluice doctor` requires
    assert mirror.asked == ["/simple/uv/", f"/files/{file}"]
    lines = (tmp_path / "seen").read_text().splitlines()
    called = [line.split(" ")[1:3] for line in lines if line.startswith("uv ")]
    assert [words[0] for words in called] == ["export", "venv", "pip", "sync"]
    if "pip" in way.lower():
        assert any(line.startswith("UV_DEFAULT_INDEX=http") for line in lines)
    argv = "".join(line for line in lines if line.startswith("uv "))
    for secret in ("s3cret", unquote(LOGIN)[6:]):
        assert secret not in argv + ended.stdout + ended.stderr


@pytest.mark.parametrize(
    "links", ["/files/{file}", "http://{host}/files/{file}", "//{host}/files/{file}"]
)
def test_a_mirror_that_links_in_another_form_gets_its_login_too(
    links: str, mirror: Mirror, tmp_path: Path
) -> None:
    project, home = copied(tmp_path / "project"), tmp_path / "home"
    home.mkdir()
    file, content = locked_uv(project)
    mirror.files[file], mirror.links = content, links
    given = WAYS["PIP_INDEX_URL"](home, mirror.url)
    ended = set_up(project, tmp_path / "seen", home, **given)
    assert ended.returncode == 0, ended.stderr
    assert mirror.asked == ["/simple/uv/", f"/files/{file}"]


@pytest.mark.parametrize("package", ["mlflow", "prefect.server"])
def test_what_cannot_be_imported_is_no_environment(
    package: str, mirror: Mirror, tmp_path: Path
) -> None:
    """What is compiled in two processes: one of them that fails is enough."""
    project, home = copied(tmp_path / "project"), tmp_path / "home"
    home.mkdir()
    file, content = locked_uv(project)
    mirror.files[file] = content
    given = {"UV_DEFAULT_INDEX": f"http://{LOGIN}@{mirror.url}", "UNLOADABLE": package, "ENDS": "7"}
    ended = set_up(project, tmp_path / "seen", home, **given)
    assert ended.returncode == 1
    assert "the environment could not be made: python -W ended with exit code 7" in ended.stderr
    assert not (project / ".venv" / "sluice-lock").exists()


def test_a_login_goes_to_no_other_port(mirror: Mirror, tmp_path: Path) -> None:
    project, home = copied(tmp_path / "project"), tmp_path / "home"
    home.mkdir()
    file, content = locked_uv(project)
    seen: list[str | None] = []

    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers.get("Authorization"))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Other) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        mirror.files[file] = content
        mirror.links = f"http://127.0.0.1:{server.server_port}/{{file}}"
        given = WAYS["PIP_INDEX_URL"](home, mirror.url)
        ended = set_up(project, tmp_path / "seen", home, **given)
        server.shutdown()
    assert ended.returncode == 0, ended.stderr
    assert seen == [None]


@pytest.mark.parametrize("way", ["UV_DEFAULT_INDEX", "PIP_INDEX_URL", "pip.conf", "uv.toml"])
def test_an_address_that_is_not_reached_is_named_without_its_login(
    way: str, tmp_path: Path
) -> None:
    project, home = copied(tmp_path / "project"), tmp_path / "home"
    home.mkdir()
    locked_uv(project)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    ended = set_up(project, tmp_path / "seen", home, **WAYS[way](home, f"127.0.0.1:{port}/simple"))
    assert ended.returncode == 1
    assert f"http://127.0.0.1:{port}/simple/uv/ was not reached" in ended.stderr
    assert "HTTPS_PROXY" in ended.stderr
    assert "s3cret" not in ended.stderr
    assert "Traceback" not in ended.stderr


def test_where_uv_fails_the_mirror_and_its_setting_are_named(
    mirror: Mirror, tmp_path: Path
) -> None:
    project, home = copied(tmp_path / "project"), tmp_path / "home"
    home.mkdir()
    file, content = locked_uv(project)
    mirror.files[file] = content
    given = WAYS["PIP_INDEX_URL"](home, mirror.url)
    ended = set_up(project, tmp_path / "seen", home, FAILS="1", **given)
    assert ended.returncode == 1
    assert f"packages come from http://{mirror.url} (PIP_INDEX_URL)" in ended.stderr
    assert "s3cret" not in ended.stderr


def test_a_wheel_that_is_another_one_is_refused(mirror: Mirror, tmp_path: Path) -> None:
    project, home = copied(tmp_path / "project"), tmp_path / "home"
    home.mkdir()
    file, content = locked_uv(project)
    mirror.files[file] = content + b"x"
    given = WAYS["UV_DEFAULT_INDEX"](home, mirror.url)
    ended = set_up(project, tmp_path / "seen", home, **given)
    assert ended.returncode == 1
    assert "uv.lock says sha256:" in ended.stderr
    assert not (tmp_path / "seen").exists()
