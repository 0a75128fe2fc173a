"""Set-up on a machine that has Python, git and make: uv by hash, the environment, and what builds
images.

Called by `scripts/bootstrap.py` with any Python from 3.11 to 3.13, before there is an environment:
standard library alone. Packages come from the index that the user has set for uv or pip, else from
the addresses of uv.lock; their hashes are those of uv.lock either way. Doing it again changes
nothing.
"""

import hashlib
import io
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flows.adapters import package_index
from flows.adapters.package_index import Index
from scripts.working import working

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "sluice-lock"
# Groups of pyproject.toml; the second contains the first.
RELEASE, DEVELOPMENT = "pipeline", "dev"
STORES = (
    "az",
    "gs",
    "s3",
)  # what reads an object store, a group for each; the second contains them
LOGINS = "stack"  # what makes the logins of a stack for a team
_NAMES_STORE = re.compile(r"""(?m)^\s*reference\s*=\s*["'](az|gs|s3)://""")
# What a release imports, in two parts that take about as long and are imported side by side: Python
# keeps the bytecode of that, a third of what compiling every package would take.
IMPORTED = (
    (
        "mlflow",
        "mlflow.server.fastapi_app",
        "mlflow.store.model_registry.sqlalchemy_store",
        "mlflow.store.tracking.sqlalchemy_store",
        "bentoml._internal.bento.bento",
        "evidently.presets",
        "optuna",
    ),
    (
        "prefect.server.api.server",
        "great_expectations",
        "matplotlib.backends.backend_svg",
        "onnxruntime",
        "pyarrow.parquet",
        "questionary",
        "skl2onnx",
        "sklearn.ensemble",
        "flows.release",
    ),
)
BUILDERS = ("buildah", "podman", "runc", "mmdebstrap")
# uv asks a Python for its folders in UTF-8, whichever language the terminal speaks.
_LOCALE = {"LC_ALL": "C.UTF-8"}
_DROPPED = ("VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONHOME")
# Settings of uv that say where packages come from and how they are fetched.
_FETCHING = (
    "UV_CACHE_DIR",
    "UV_CONCURRENT_",
    "UV_CONFIG_FILE",
    "UV_CREDENTIALS_DIR",
    "UV_DEFAULT_INDEX",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_HTTP_",
    "UV_INDEX",
    "UV_INSECURE_HOST",
    "UV_KEYRING_PROVIDER",
    "UV_LINK_MODE",
    "UV_NATIVE_TLS",
    "UV_OFFLINE",
    "UV_REQUEST_TIMEOUT",
    "UV_SYSTEM_CERTS",
)
# What the slow tests start, by the package that it comes from.
SERVERS = {
    "chromium": "chromium",
    "docker-registry": "docker-registry",
    "faketime": "faketime",
    "gnupg": "gpg",
    "haproxy": "haproxy",
    "npm": "npm",
    "openssh-server": "sshd",
    "openssl": "openssl",
    "postgresql": "pg_ctlcluster",
    "prometheus": "prometheus",
    "wrk": "wrk",
}
# What the test cluster starts besides what it builds.
CLUSTER = {
    "docker-registry": "docker-registry",
    "haproxy": "haproxy",
    "iproute2": "ip",
    "prometheus": "prometheus",
    "redis-server": "redis-server",
}


def main(arguments: list[str]) -> int:
    """`scripts/bootstrap.py [--dev | --e2e | --cluster] [STORE ...]`: the environment of a release
    and the container tools.

    With --dev also what checks and tests need, with --e2e also the servers that the slow tests
    start, with --cluster those of the test cluster. With a store (s3, gs, az) also what reads it;
    one that a pointer of the project names needs no word. With `stack` what `make stack` needs.
    """
    index = package_index.chosen(os.environ)
    stores = {word for word in arguments if not word.startswith("--")}
    if stores - {*STORES, LOGINS}:
        return _stop(
            f"STORES is {' '.join(sorted(stores))!r}; of {', '.join(STORES)} each is known",
            "Write it as `make setup STORES=s3`.",
        )
    testing = {"--dev", "--e2e", "--cluster"} & set(arguments)
    group = DEVELOPMENT if testing else RELEASE
    stores |= named_stores(ROOT) | named_stores(Path(os.environ.get("SLUICE_PROJECT") or ROOT))
    try:
        _environment(group, stores, index)
    except subprocess.CalledProcessError as error:
        return _stop(
            f"the environment could not be made: {_told(error)}; packages come from {_from(index)}",
            f"{package_index.ADVICE} Is there space on the disk?",
        )
    except OSError as error:
        return _stop(f"the environment could not be made: {error}", package_index.ADVICE)
    except KeyError as error:
        return _stop(
            f"the environment could not be made: {error.args[0]}",
            "Check uv.lock with `git status`.",
        )
    chosen = {"--e2e": SERVERS, "--cluster": CLUSTER}
    servers = [chosen[name] for name in arguments if name in chosen]
    _packages(_missing({name: one[name] for one in servers for name in one}))
    return 0


def _stop(what: str, fix: str) -> int:
    print(f"Error: {what}\n  {fix}", file=sys.stderr)
    return 1


def _from(index: Index | None) -> str:
    """Where packages come from, in words."""
    if index is None:
        return "the addresses of uv.lock (https://files.pythonhosted.org)"
    return f"{index.shown} ({index.setting})"


def _told(error: subprocess.CalledProcessError) -> str:
    """Which program failed, in words: its own error stands above."""
    words = [str(word) for word in error.cmd]
    return f"{Path(words[0]).name} {words[1]} ended with exit code {error.returncode}"


def _say(text: str) -> None:
    print(f"setup: {text}", file=sys.stderr, flush=True)


def named_stores(project: Path) -> set[str]:
    """The stores that the pointers of a project name: a runner that a push started needs them."""
    found: set[str] = set()
    for file in sorted((project / "data").glob("*.toml")):
        found |= set(_NAMES_STORE.findall(file.read_text(encoding="utf-8", errors="replace")))
    return found


def _environment(group: str, stores: set[str], index: Index | None) -> None:
    """`.venv` with a group of uv.lock and what reads these stores; a stamp says which lock and
    which groups it holds, as `pipeline+s3`.

    An environment for tests stays one when a release needs less, and a store stays, so that nobody
    waits for going back and forth.
    """
    locked = hashlib.sha256(
        (ROOT / "uv.lock").read_bytes() + (ROOT / "pyproject.toml").read_bytes()
    ).hexdigest()
    held_lock, held_group = _stamped()
    if held_group == DEVELOPMENT:
        group = DEVELOPMENT
    if group == RELEASE:
        group = "+".join([RELEASE, *sorted(stores | set(held_group.split("+")[1:]))])
    if (held_lock, held_group) == (locked, group):
        return
    uv = _uv(index)
    size = "2 GB" if group == DEVELOPMENT else "1.3 GB"
    _say(f"installing the locked packages of the group {group} into .venv (about {size}, once)")
    names = {**inherited(os.environ), **package_index.variables(os.environ), **_LOCALE}
    ours = {"UV_PYTHON_DOWNLOADS": "never", "UV_PROJECT_ENVIRONMENT": str(VENV)}
    how: list[str] = []
    if VENV.exists() and held_lock != locked:
        # Packages that share files, as those of MLflow do, cannot take each other's place one by
        # one.
        how.append("--reinstall")
    if group == DEVELOPMENT:
        how.append("--compile-bytecode")
    STAMP.unlink(missing_ok=True)
    python = sys.executable
    if index is not None:
        with working("installing packages"):
            _from_index(uv, group, how, {**names, **ours})
        # Of another Python uv would make the environment anew.
        python = str(VENV / "bin" / "python")
        how = [word for word in how if word != "--reinstall"]
    words = ["sync", "--frozen", "--quiet", *_groups(group), "--python", python, *how]
    with working("installing packages"):
        subprocess.run([uv, *words], cwd=ROOT, check=True, env={**names, **ours})
    if group != DEVELOPMENT:
        _compile(names)
    STAMP.write_text(f"{locked} {group}\n", encoding="utf-8")


def _groups(group: str) -> list[str]:
    """The options of uv for these groups and no other."""
    named = [word for name in group.split("+") for word in ("--group", name)]
    return ["--no-default-groups", *named]


def _from_index(uv: Path, group: str, how: Sequence[str], env: Mapping[str, str]) -> None:
    """Install the locked packages by name, version and hash from the index of the user.

    `uv sync --frozen` goes to the addresses in uv.lock, whatever index is set. It finds everything
    there afterwards, and adds Sluice itself.
    """
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "requirements.txt"
        export: list[str | Path] = ["export", "--frozen", "--quiet", *_groups(group)]
        export += ["--no-emit-project", "--output-file", listed]
        make: list[str | Path] = ["venv", "--quiet", "--allow-existing"]
        make += ["--python", sys.executable, VENV]
        install: list[str | Path] = ["pip", "sync", "--quiet", "--require-hashes"]
        install += ["--python", VENV, *how, listed]
        for words in (export, make, install):
            subprocess.run([uv, *words], cwd=ROOT, check=True, env=env, stdout=subprocess.DEVNULL)


def inherited(names: Mapping[str, str]) -> dict[str, str]:
    """What uv and Python take over from the user's environment.

    Of uv's own settings: where packages come from and how they are fetched. What would put the
    environment elsewhere, or other packages into it, is left out; so is what Python imports from.
    """
    return {
        name: value
        for name, value in names.items()
        if name not in _DROPPED and (not name.startswith("UV_") or name.startswith(_FETCHING))
    }


def _stamped() -> tuple[str, str]:
    """The lock and the group that `.venv` holds; empty where nobody knows."""
    try:
        lock, group = STAMP.read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        return "", ""
    return lock, group


def _compile(names: dict[str, str]) -> None:
    """Import what a release imports, in homes of their own, so that nothing is left but the
    bytecode. Python writes each file of it whole, so two may write the same.
    """
    _say("compiling what a release imports")
    with tempfile.TemporaryDirectory() as folder, working("compiling"):
        running = []
        for place, part in enumerate(IMPORTED):
            env = {**names, **_away(f"{folder}/{place}")}
            running.append(subprocess.Popen(_importing(part), cwd=ROOT, env=env))
        codes = [process.wait() for process in running]
    for process, code in zip(running, codes, strict=True):
        if code:
            raise subprocess.CalledProcessError(code, process.args)


def _importing(modules: Sequence[str]) -> list[str]:
    """The words that import modules with the Python of the environment."""
    return [str(VENV / "bin" / "python"), "-W", "ignore", "-c", f"import {', '.join(modules)}"]


def _away(home: str) -> dict[str, str]:
    """What keeps an import away from the home of the user, and from telling anybody."""
    return {
        "HOME": home,
        "PREFECT_HOME": f"{home}/prefect",
        "BENTOML_HOME": f"{home}/bentoml",
        "DO_NOT_TRACK": "true",
        "BENTOML_DO_NOT_TRACK": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


def _uv(index: Index | None) -> Path:
    """The uv that uv.lock names, its wheel checked against the hash there."""
    lock: dict[str, Any] = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
    package = next(entry for entry in lock["package"] if entry["name"] == "uv")
    target = ROOT / ".sluice" / "tools" / f"uv-{package['version']}"
    if target.is_file():
        return target
    wheel = _wheel(package["wheels"])
    _say(f"fetching uv {package['version']}")
    with working("fetching uv"):
        if index is None:
            content = package_index.fetch(wheel["url"], os.environ)
        else:
            file = wheel["url"].rpartition("/")[2]
            content = package_index.fetched(index, "uv", file, os.environ)
    found = f"sha256:{hashlib.sha256(content).hexdigest()}"
    if found != wheel["hash"]:
        raise OSError(f"{wheel['url']} hashes to {found}, uv.lock says {wheel['hash']}")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        name = next(name for name in archive.namelist() if name.endswith("/scripts/uv"))
        (ROOT / ".sluice").mkdir(mode=0o700, exist_ok=True)  # the state folder of releases, later
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}-{os.getpid()}")
        part.write_bytes(archive.read(name))
    part.chmod(0o755)
    part.replace(target)
    return target


def _wheel(wheels: list[dict[str, Any]]) -> dict[str, Any]:
    """The wheel for this machine, by its file name."""
    machine = {"AMD64": "x86_64", "aarch64": "aarch64", "arm64": "arm64"}.get(
        platform.machine(), platform.machine()
    )
    system = {"linux": "manylinux", "darwin": "macosx"}.get(sys.platform, sys.platform)
    if sys.platform == "linux" and platform.libc_ver()[0] != "glibc":
        system = "musllinux"
    names = [
        wheel
        for wheel in wheels
        if system in wheel["url"] and machine in wheel["url"].rsplit("-", 1)[1]
    ]
    if not names:
        raise KeyError(f"uv.lock has no uv for {sys.platform} {machine}")
    return names[0]


def _missing(servers: Mapping[str, str]) -> list[str]:
    """The Debian packages that are wanted and whose program is not there; `servers` names those of
    tests, with their programs.
    """
    wanted = [] if any(_works(tool) for tool in ("podman", "buildah", "docker")) else list(BUILDERS)
    wanted += [] if "mmdebstrap" in wanted or shutil.which("mmdebstrap") else ["mmdebstrap"]
    if servers:
        wanted += [name for name in BUILDERS if not shutil.which(name)]
        path = f"{os.environ.get('PATH', '')}:/usr/sbin"
        wanted += [
            package for package, program in servers.items() if not shutil.which(program, path=path)
        ]
    return sorted(set(wanted))


def _works(tool: str) -> bool:
    """Whether the program is there; docker's client alone, without an engine, is not."""
    if not shutil.which(tool):
        return False
    if tool != "docker":
        return True
    try:
        return (
            subprocess.run([tool, "info"], capture_output=True, timeout=20, check=False).returncode
            == 0
        )
    except subprocess.TimeoutExpired:
        return False


def _root() -> list[str] | None:
    """What makes a command run as root; in CI that may be sudo without a password, elsewhere a
    person's root alone.
    """
    if os.geteuid() == 0:
        return []
    if os.environ.get("CI") and shutil.which("sudo"):
        free = (
            subprocess.run(
                ["sudo", "--non-interactive", "true"], capture_output=True, check=False
            ).returncode
            == 0
        )
        return ["sudo", "--preserve-env=DEBIAN_FRONTEND"] if free else None
    return None


def _packages(names: list[str]) -> None:
    """Install Debian packages, if this is Debian, root runs it and nobody forbade it; else say what
    is left out.
    """
    if not names:
        return
    root = _root()
    if os.environ.get("SLUICE_NO_APT") or not shutil.which("apt-get") or root is None:
        _say(
            f"not installed: {', '.join(names)} (SLUICE_NO_APT is set, or this is not root on"
            " Debian)"
        )
        return
    _say(f"installing Debian's {', '.join(names)} with apt-get (SLUICE_NO_APT=1 forbids it)")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = [
        *root,
        "apt-get",
        "install",
        "--yes",
        "--quiet",
        "--quiet",
        "--no-install-recommends",
        *names,
    ]
    tolerant = ["-o", "Acquire::Check-Valid-Until=false", "-o", "Acquire::Check-Date=false"]
    update = [*root, "apt-get", "update", "-qq", *tolerant]
    with working("installing Debian's packages"):
        subprocess.run(update, env=quiet, check=False, stdout=subprocess.DEVNULL)
        done = subprocess.run(install, env=quiet, check=False, stdout=subprocess.DEVNULL)
    if done.returncode:
        _say(f"apt-get could not install {', '.join(names)}: releases will stop before the image")
