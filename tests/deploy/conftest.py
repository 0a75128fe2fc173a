"""The real schemas of what is deployed."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def crds() -> Path:
    folder = os.environ.get("SLUICE_CRDS")
    if not folder:
        pytest.skip("needs the CRDs of Argo CD and Argo Rollouts: SLUICE_CRDS names their folder")
    return Path(folder)
