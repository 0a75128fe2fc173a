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
    """kustomize 5 or newer: from PATH, else built once and cached. Raises SluiceError where neither
    can be had.
    """
    found = shutil.which("kustomize")
    if found and _major(run([found, "version"], check=False).stdout) >= 5:
        return Path(found)
    return golang.build("kustomize", _PACKAGE, VERSION)


def render(folder: Path) -> str:
    """The YAML documents of an overlay, as Argo CD would apply them. Raises SluiceError where it
    does not render.
    """
    try:
        return run([find(), "build", folder]).stdout
    except CommandFailed as error:
        raise SluiceError(
            f"{folder} does not render: {error.result.stderr.strip() or error.what}",
            "Repair the file that is named, then try `kustomize build` on that folder.",
        ) from error


def _major(version: str) -> int:
    """`v5.8.1` as 5; 0 where it says something else."""
    found = re.match(r"\s*v?(\d+)\.\d+\.\d+", version)
    return int(found[1]) if found else 0
