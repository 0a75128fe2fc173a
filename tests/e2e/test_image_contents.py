"""What is in the model image, and what is not: unpacked and looked at."""

import io
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from flows.adapters.image import bento
from flows.adapters.registry import layout, oci
from flows.adapters.registry.layout import Layout

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
    compiled = [path.parent / "__pycache__" / f"{path.stem}.cpython-311.pyc" for path in modules]
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
    assert "python3.11" in found
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
    words = ["/usr/sbin/chroot", str(root), "python3.11", "-I", "-c", script]
    if os.geteuid() != 0:
        words = ["unshare", "--user", "--map-root-user", *words]
    env = {
        "BENTOML_DO_NOT_TRACK": "true",
        "HOME": "/tmp",
        "BENTOML_HOME": "/tmp/bentoml",
        "PATH": "/usr/bin",
    }
    tops, served = subprocess.run(
        words, capture_output=True, text=True, check=True, env=env
    ).stdout.splitlines()
    assert not {"flows", "gx", "models", "pandas", "sklearn", "scipy", "prefect", "mlflow"} & set(
        tops.split()
    )
    paths = {name.replace(".", "/") for name in served.split()}
    shipped = set(bento.served_files(project))
    assert {path for path in paths if not {f"{path}.py", f"{path}/__init__.py"} & shipped} == set()
