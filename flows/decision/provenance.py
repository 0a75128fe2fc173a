"""Where a release was made, and what each step took.

That is commits, lock, interpreter, platform, BLAS, hardware and seeds.
"""

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, cast

from flows.project.root import ROOT
from flows.project.source_commit import source_commit
from sluice.gitops.evidence import Provenance
from sluice.identity import file_sha256, interpreter, machine

if TYPE_CHECKING:
    from flows.engine.phases import Candidate

_NUMERIC = ("numpy", "scipy", "scikit-learn", "optuna", "onnx", "onnxruntime", "skl2onnx")


class _Pool(TypedDict, total=False):
    """What threadpoolctl says of a library that is loaded."""

    user_api: str
    internal_api: str
    version: str | None
    architecture: str
    threading_layer: str


def gather(candidate: "Candidate") -> Provenance:
    """Everything that predictions may depend on; hashes, names and numbers, no path and no row."""
    request = candidate.request
    results = (candidate.validated, candidate.split, candidate.tuned, candidate.trained)
    return Provenance(
        source_commit=source_commit(request.settings.project) or "none",
        code_commit=source_commit(ROOT) or "none",
        lock=file_sha256(ROOT / "uv.lock"),
        interpreter=interpreter(),
        platform=machine(),
        system=f"{platform.system()} {platform.release()}",
        blas=blas(),
        hardware=hardware(),
        versions={name: importlib.metadata.version(name) for name in _NUMERIC},
        seeds={"search": request.policy.search.seed, "split": request.policy.split.salt},
        inputs={result.step: dict(result.inputs) for result in results},
    )


def blas() -> list[str]:
    """The BLAS libraries that numpy and SciPy run on, such as `openblas 0.3.30 (Haswell,
    pthreads)`.
    """
    import scipy.linalg  # noqa: F401 - loaded, and numpy with it, so that their libraries are found
    import threadpoolctl

    pools = cast(list[_Pool], threadpoolctl.threadpool_info())
    return sorted({_library(pool) for pool in pools if pool.get("user_api") == "blas"})


def _library(pool: _Pool) -> str:
    details = [pool.get("architecture"), pool.get("threading_layer")]
    known = ", ".join(detail for detail in details if detail)
    version = pool.get("version") or "of unknown version"
    return f"{pool['internal_api']} {version} ({known})"


def hardware() -> str:
    """The processor and how many of it."""
    return f"{_processor()}, {os.cpu_count() or 1} cores"


def _processor() -> str:
    """The model of the processor, which neither psutil nor `platform` tells on Linux."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
