"""Set-up: which Python will do, and what of the user's environment uv takes over."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

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


UV = """#!/bin/sh
env > "$OUT"
echo "$@" >> "$OUT"
mkdir -p "$UV_PROJECT_ENVIRONMENT/bin"
printf '#!/bin/sh\\nexit 0\\n' > "$UV_PROJECT_ENVIRONMENT/bin/python"
chmod +x "$UV_PROJECT_ENVIRONMENT/bin/python"
"""


def test_the_environment_is_made_where_it_belongs_whatever_uv_is_told(tmp_path: Path) -> None:
    """The whole set-up as `make setup` calls it, with a stand-in for uv that notes what it gets."""
    project = tmp_path / "a project"
    for name in (
        "pyproject.toml",
        "uv.lock",
        "scripts/bootstrap.py",
        "scripts/environment.py",
        "scripts/working.py",
    ):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, project / name)
    (project / "scripts" / "__init__.py").touch()
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
