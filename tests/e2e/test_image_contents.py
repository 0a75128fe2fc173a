"""What is in the model image, and what is not: unpacked and looked at."""

import io
import os
import re
import shutil
import subprocess
import tarfile
from importlib import metadata
from pathlib import Path

import pytest
from support.bills import bill_faults

from flows.adapters.image import bento, debian_root
from flows.adapters.image.base_image import Base
from flows.adapters.registry import layout, oci
from flows.adapters.registry.layout import Layout
from flows.steps import promote
from sluice.gitops.bill_of_materials import bill

pytestmark = pytest.mark.skipif(
    not shutil.which("buildah"), reason="needs buildah (apt-get install buildah runc)"
)


@pytest.fixture(scope="module")
def root(work: Path, built: tuple[Layout, str]) -> Path:
    """The image, unpacked."""
    place, digest = built
    folder = work / "root"
    folder.mkdir()
    document = oci.parse_manifest(layout.manifest(place.folder, digest) or b"")
    for layer in document.layers:
        with tarfile.open(fileobj=io.BytesIO(layout.blob(place.folder, layer.digest))) as tar:
            tar.extractall(folder, filter="fully_trusted")
    return folder


def test_it_is_small(root: Path) -> None:
    size = sum(path.lstat().st_size for path in root.rglob("*") if not path.is_symlink())
    print(f"unpacked: {size / 1e6:.0f} MB")
    assert size < 350e6


def test_bytecode_is_in_it_and_stays_valid(root: Path) -> None:
    modules = [
        path
        for path in (root / "srv" / "site-packages").rglob("*.py")
        if path.parent.name.isidentifier()
    ]
    compiled = [path.parent / "__pycache__" / f"{path.stem}.cpython-313.pyc" for path in modules]
    assert sum(path.is_file() for path in compiled) > 0.98 * len(modules) > 1000
    files = [*(path for path in compiled if path.is_file()), *(root / "usr" / "lib").rglob("*.pyc")]
    assert {path.read_bytes()[4:8] for path in files} == {b"\x01\x00\x00\x00"}


def test_nothing_that_trains_or_releases_is_in_it(root: Path) -> None:
    names = {path.name.lower() for path in (root / "srv" / "site-packages").iterdir()}
    forbidden = {
        "prefect",
        "great_expectations",
        "evidently",
        "mlflow",
        "pandas",
        "sklearn",
        "scipy",
        "onnx",
        "optuna",
    }
    assert {"bentoml", "numpy", "onnxruntime"} <= names
    assert not names & forbidden
    source = root / "srv" / "bento" / "src"
    assert {path.name for path in source.iterdir()} == {
        "bento",
        "sluice",
        "model",
        "bentofile.yaml",
    }
    assert not {"training.py", "decide.py", "sample.py"} & {path.name for path in source.rglob("*")}


def programs(root: Path) -> set[str]:
    """What can be started: all that is in the folders of programs, and whatever else the kernel
    would run, but libraries and modules of Python.
    """
    folders = ("bin", "sbin", "usr/bin", "usr/sbin", "usr/local/bin", "usr/libexec")
    found = {path for folder in folders for path in (root / folder).glob("*")}
    for path in root.rglob("*"):
        may_run = path.is_file() and not path.is_symlink() and path.stat().st_mode & 0o111
        if not may_run or path.suffix == ".py" or ".so" in path.name:
            continue
        if path.read_bytes()[:2] in (b"\x7fE", b"#!"):
            found.add(path)
    return {path.resolve().relative_to(root.resolve()).as_posix() for path in found}


def test_python_is_the_only_program(root: Path) -> None:
    """Neither a shell nor a package manager, and no script that would need one."""
    assert programs(root) == {"usr/bin/python3.13"}


def test_every_library_finds_those_that_it_needs(root: Path) -> None:
    """What was left out is missed by none: asked of the loader in the image itself."""
    libraries = [
        f"/{path.relative_to(root)}"
        for path in root.rglob("*.so*")
        if path.is_file() and path.read_bytes()[:4] == b"\x7fELF"
    ]
    assert len(libraries) > 100
    script = (
        "import ctypes, sys\n"
        "for name in sys.argv[1:]:\n"
        "    try: ctypes.CDLL(name)\n"
        "    except OSError as error:\n"
        "        if 'undefined symbol' not in str(error): print(error)"
    )
    assert in_image(root, script, *libraries) == ""


PRIVATE_KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=\s]{40}")


def test_no_private_key_and_no_test_is_in_it(root: Path) -> None:
    files = [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]
    assert [path for path in files if PRIVATE_KEY.search(path.read_bytes())] == []
    kinds = {".key", ".p12", ".pfx", ".jks", ".der"}
    assert [path for path in files if path.suffix in kinds] == []
    folders = {"test", "tests", "_tests", "testdata"}
    inside = [path for path in files if folders & set(path.relative_to(root).parts[:-1])]
    assert inside == []


def test_its_list_of_packages_is_that_of_the_lock(root: Path, built_base: Base) -> None:
    """What a scanner of images reads is what was locked."""
    status = (root / debian_root.STATUS).read_text(encoding="utf-8")
    assert debian_root.installed(status) == built_base.entry.packages
    release = (root / "etc" / "os-release").read_text(encoding="utf-8")
    assert 'VERSION_ID="13"' in release


def test_its_bill_of_materials_names_all_that_is_installed(
    root: Path, built: tuple[Layout, str], built_base: Base, project: Path
) -> None:
    place, digest = built
    software = promote.software(place, digest)
    debian = {f"{package.name}={package.version}" for package in software.debian}
    assert debian == set(built_base.entry.packages)
    folders = (root / "srv" / "site-packages").glob("*.dist-info")
    installed = {
        (one.metadata["Name"], one.version) for one in map(metadata.Distribution.at, folders)
    }
    assert {(package.name, package.version) for package in software.python} == installed
    assert len(installed) > 30
    document = bill("registry.example/attrition:tag", software)
    assert bill_faults(document) == []
    assert document == bill("registry.example/attrition:tag", promote.software(place, digest))


def in_image(root: Path, script: str, *arguments: str) -> str:
    """What a script prints where the unpacked image is the root."""
    words = ["/usr/sbin/chroot", str(root), "python3.13", "-I", "-c", script, *arguments]
    if os.geteuid() != 0:
        words = ["unshare", "--user", "--map-root-user", *words]
    env = {"HOME": "/tmp", "BENTOML_HOME": "/tmp/bentoml", "PATH": "/usr/bin"}
    env["BENTOML_DO_NOT_TRACK"] = "true"
    return subprocess.run(words, capture_output=True, text=True, check=True, env=env).stdout


def test_nothing_that_builds_is_in_it(root: Path) -> None:
    tools = {
        "gcc",
        "cc",
        "c++",
        "g++",
        "cpp",
        "ld",
        "as",
        "make",
        "pip",
        "pip3",
        "uv",
        "apt",
        "apt-get",
        "perl",
        "curl",
    }
    found = {path.name for path in root.rglob("*bin/*")}
    assert "python3.13" in found
    assert not found & tools
    assert not any(
        (root / "srv" / "site-packages" / name).exists()
        for name in ("pip", "setuptools", "numpy/f2py")
    )
    assert not list(root.rglob("*.h"))


def test_nothing_of_this_machine_is_in_it(root: Path) -> None:
    # empty places where a container's own are mounted
    for name in ("resolv.conf", "hostname", "hosts"):
        assert not (root / "etc" / name).exists() or (root / "etc" / name).stat().st_size == 0
    assert not any(
        (root / path).exists() for path in ("etc/machine-id", "etc/apt", "var/lib/apt/lists")
    )
    strange = [
        path
        for path in root.rglob("*")
        if path.is_file() and not path.is_symlink() and path.stat().st_mode & 0o6000
    ]
    assert strange == []
    host = Path.cwd().as_posix().encode()
    records = [path for path in root.rglob("RECORD") if host in path.read_bytes()]
    assert records == []


def test_the_service_imports_with_the_serving_dependencies_alone(project: Path, root: Path) -> None:
    """What the worker holds after the model is loaded; the site-packages of the image, not ours."""
    script = (
        "import sys; sys.path[:0] = ['/srv/bento/src', '/srv/site-packages']; import"
        " bento.service\nfrom pathlib import Path; from sluice.served.scoring import load_model;"
        " load_model(Path('/srv/bento/src/model'))\nprint(*sorted({name.partition('.')[0] for name"
        " in sys.modules}))\nprint(*sorted(name for name in sys.modules if"
        " name.startswith('sluice.')))\n"
    )
    tops, served = in_image(root, script).splitlines()
    assert not {"flows", "gx", "models", "pandas", "sklearn", "scipy", "prefect", "mlflow"} & set(
        tops.split()
    )
    paths = {name.replace(".", "/") for name in served.split()}
    shipped = set(bento.served_files(project))
    assert {path for path in paths if not {f"{path}.py", f"{path}/__init__.py"} & shipped} == set()
