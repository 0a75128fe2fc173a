"""A machine on which everything is set up in another way than anybody who wrote Sluice has it."""

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from flows.adapters import process

# Packages that others have on PYTHONPATH, by names of ours, of what we import, and of what stands
# beside us in a checkout. (Whoever names `sluice_command` has another checkout of Sluice in mind.)
NAMESAKES = (
    *("flows", "models", "gx", "bento", "sluice", "scripts", "tests", "data", "benchmarks"),
    *("prefect", "prefect_shell", "bentoml", "mlflow", "evidently", "great_expectations"),
    *("numpy", "pandas", "sklearn", "onnx", "onnxruntime", "optuna", "pyarrow", "matplotlib"),
    *("typer", "click", "rich", "yaml", "jinja2", "httpx", "httpx2", "requests", "pydantic"),
    *("uvicorn", "starlette", "msgspec", "uv", "utils", "config", "settings", "service"),
)
_NAMESAKE = """\
import os
folder = os.path.dirname(os.path.dirname(__file__))
open(os.path.join(folder, "imported"), "a").write("{name} ")
raise SystemExit("another {name}")
"""
_FOREIGN = 65534
# Where git itself can be told that a repository belongs to somebody else: in the checkout alone,
# and not in the repository that Sluice makes below it.
_GIT = """#!/bin/sh
case " $* " in
*manifests.git*) ;;
*) case "$PWD/" in "{checkout}"/*) export GIT_TEST_ASSUME_DIFFERENT_OWNER=1 ;; esac ;;
esac
exec "{git}" "$@"
"""


def namesakes(folder: Path) -> Path:
    """A new folder for PYTHONPATH; the name of each package that was imported from it is in
    `folder / "imported"`.
    """
    for name in NAMESAKES:
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(_NAMESAKE.format(name=name))
    return folder


def belong_to_somebody_else(checkout: Path, programs: Path, path: str) -> None:
    """Let a checkout be that of another user.

    Root gives it away. Nobody else can: for them the `git` that is put into `programs`, which comes
    first on `path`, takes it for another user's, by the switch that git's own tests have.
    """
    if os.geteuid() == 0:
        for place in (checkout, *checkout.rglob("*")):
            os.chown(place, _FOREIGN, _FOREIGN, follow_symlinks=False)
        return
    found = process.run(["sh", "-c", "command -v git"], env={"PATH": path}).stdout.strip()
    stand_in = programs / "git"
    stand_in.write_text(_GIT.format(checkout=checkout, git=found), encoding="utf-8")
    stand_in.chmod(0o755)


@contextmanager
def silent_proxy() -> Iterator[str]:
    """The URL of a proxy that takes every connection, and answers none while the block runs."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def iso_locale(folder: Path) -> Mapping[str, str]:
    """The variables of an ISO 8859-1 locale. It is made in `folder` where its sources are here; the
    name alone is as far as it goes elsewhere.
    """
    folder.mkdir()
    words = ["localedef", "-i", "en_US", "-f", "ISO-8859-1", folder / "en_US.ISO-8859-1"]
    process.run(words, check=False)
    name = "en_US.ISO-8859-1"
    return {"LOCPATH": str(folder), "LC_ALL": name, "LANG": name, "PYTHONIOENCODING": "ascii"}


def another_file_system(than: Path) -> Path:
    """A folder that may be written to, on another file system than that of `than`."""
    device = than.stat().st_dev
    for place in map(Path, ("/dev/shm", "/run/shm", "/var/tmp", "/tmp", "/run")):
        if place.is_dir() and place.stat().st_dev != device and os.access(place, os.W_OK):
            return place
    raise AssertionError(f"no folder is on another file system than {than}")
