"""kustomize: what Argo CD renders from a folder of the manifest repository."""

import re
import shutil
from pathlib import Path

from flows.adapters.image import golang
from flows.adapters.process import CommandFailed, run
from sluice.errors import SluiceError

VERSION = "5.8.1"  # the one that Argo CD 3.5 ships
_PACKAGE = "sigs.k8s.io/kustomize/kustomize/v5"


def find() -> Path:
    """kustomize 5 or newer: the program on PATH, else one that is built once and cached.

    Raises SluiceError where neither can be had.
    """
    program = shutil.which("kustomize")
    if program and _major(run([program, "version"], check=False).stdout) >= 5:
        return Path(program)
    return golang.build("kustomize", _PACKAGE, VERSION)


def render(folder: Path) -> str:
    """The YAML documents of an overlay, as Argo CD would apply them.

    Raises SluiceError where it does not render.
    """
    try:
        return run([find(), "build", folder]).stdout
    except CommandFailed as error:
        raise SluiceError(
            f"{folder} does not render: {error.result.stderr.strip() or error.what}",
            "Repair the file that is named, then try `kustomize build` on that folder.",
        ) from error


def _major(version: str) -> int:
    """The 5 of `v5.8.1`; 0 for any other text."""
    numbers = re.match(r"\s*v?(\d+)\.\d+\.\d+", version)
    return int(numbers[1]) if numbers else 0
