"""The `pipeline` group of uv.lock, installed for the Python of the image, and its bytecode: an
archive of what lies below /usr/local, where Debian's Python looks by itself.
"""

import hashlib
import shutil
import tempfile
from pathlib import Path

from flows.adapters import machine_cache
from flows.adapters.image import base_image, tarball, unpacked, wheels
from flows.adapters.image.base_image import Base
from flows.adapters.image.debian_root import PYTHON
from flows.adapters.image.pipeline import shelf

PLACE = "usr/local"
SITE = f"lib/python{PYTHON}/dist-packages"
GROUP = "pipeline"
# What no command of Sluice needs in a pod: start scripts but for uv, notebooks, servers' pages,
# sources and tests of packages, and Arrow's parts for other programs.
_UNUSED = (
    ".lock",
    "bin",
    "evidently/ui/service",
    "include",
    "jupyterlab_plotly",
    "mlflow/server/js",
    "onnx/backend/test",
    "onnxruntime/tools",
    "onnxruntime/transformers",
    "plotly/labextension",
    "pyarrow/include",
    "pyarrow/src",
    "share",
)
_UNUSED_LIKE = (
    *("pyarrow/_flight*", "pyarrow/_s3fs*"),
    *("pyarrow/libarrow_*flight*", "pyarrow/libarrow_s3*"),
    *("prefect/server/ui*", "**/*.ipynb"),
)
# Packages whose folders `tests` are tests; elsewhere a package may be called so.
_TESTED = (
    *("altair", "fontTools", "matplotlib", "mpl_toolkits", "networkx", "nltk", "numpy", "pandas"),
    *("plotly", "pyarrow", "scipy", "skl2onnx", "sklearn", "sqlalchemy"),
)
_KEPT = (".sh",)  # `bentoml build` copies one
# Ten thousand modules of which a report loads a few.
_UNCOMPILED = "plotly"
_PROGRAM = "uv"


def key(locked: str, base: Base) -> str:
    """The identity of the archive, 32 hexadecimal digits: requirements, base, what is left out."""
    left_out = (_UNUSED, _UNUSED_LIKE, _TESTED, _KEPT, _UNCOMPILED, _PROGRAM)
    parts = (locked, base.entry.hash, PLACE, SITE, left_out)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def archive(project: Path, cache: Path, base: Base) -> Path:
    """The archive, from the machine's `cache`, else installed and compiled now (three minutes).

    Raises SluiceError where a wheel cannot be had.
    """
    locked = wheels.requirements(project, GROUP)
    kept = shelf.place(cache) / f"{key(locked, base)}.tar"
    return machine_cache.kept(kept, lambda part: _make(locked, base, part))


def _make(locked: str, base: Base, target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        scratch = Path(folder)
        root = scratch / "root"
        unpacked.unpack([base.tar], root)
        site = root / PLACE / SITE
        site.parent.mkdir(parents=True, exist_ok=True)
        wheels.put_into(site, locked, wheels.PLATFORMS[base_image.arch()])
        program = root / PLACE / "bin" / _PROGRAM
        program.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(site / "bin" / _PROGRAM, program)
        _trim(site)
        within = f"{PLACE}/{SITE}"
        compiled = unpacked.compile_below(root, within, scratch, unpacked.UNCHECKED)
        shutil.rmtree(compiled / _UNCOMPILED)
        shutil.copytree(compiled, site, dirs_exist_ok=True, copy_function=_move)
        tarball.pack(root / PLACE, PLACE, target)


def _move(source: str, target: str) -> None:
    Path(source).replace(target)


def _trim(site: Path) -> None:
    """Remove what no command needs."""
    unused = [site / name for name in _UNUSED]
    unused += [path for pattern in _UNUSED_LIKE for path in sorted(site.glob(pattern))]
    for package in _TESTED:
        unused += sorted((site / package).rglob("tests"))
    unused += sorted(site.rglob("__pycache__"))
    for path in unused:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    wheels.trim_files(site, _KEPT)
