"""What a release needs from outside to make a model image: the real tools by default, or those of
a drill or a test.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from flows.adapters.image import (
    base_image,
    bentoml_build,
    carried,
    containers,
    docker,
    unpacked,
    wheels,
)
from flows.adapters.image.base_image import Base
from flows.adapters.image.container_engine import ContainerEngine

BUILDERS = ("buildah", "podman", "docker", unpacked.TOOL)
RUNNERS = ("podman", "docker", "buildah", unpacked.TOOL)
# The files whose code shapes the bytes of an image without being in it. base_image.py is not one:
# its recipe is a part of the hash of the base.
SHAPED_BY = (
    "bento/bentofile.yaml",
    "bento/Containerfile",
    "flows/adapters/image/bento.py",
    "flows/adapters/image/bentoml_build.py",
    "flows/adapters/image/container_engine.py",
    "flows/adapters/image/containers.py",
    "flows/adapters/image/debian_root.py",
    "flows/adapters/image/docker.py",
    "flows/adapters/image/image_contents.py",
    "flows/adapters/image/layers.py",
    "flows/adapters/image/model_image.py",
    "flows/adapters/image/tarball.py",
    "flows/adapters/image/unpacked.py",
    "flows/adapters/image/wheels.py",
    "flows/adapters/registry/oci.py",
)


def builder(state: Path, tools: Sequence[str] = BUILDERS) -> ContainerEngine | None:
    """The first of these tools that builds images here, with a storage below `state`; None where
    there is none. A client without an engine does not count.
    """
    return _first(state, tools)


def runner(state: Path, tools: Sequence[str] = RUNNERS) -> ContainerEngine | None:
    """The first of these tools that runs images here, with a storage below `state`; None where
    there is none.
    """
    return _first(state, tools)


def installed() -> bool:
    """Whether a program is here that may build and run images; nothing is started or written."""
    return carried.there() or any(shutil.which(tool) for tool in BUILDERS)


@dataclass(frozen=True)
class ImageTools:
    """The outside of an image, from the Bento to the container.

    `requirements(project)` is the pinned and hashed text that the image installs;
    `build_bento(source, name, version, home)` returns the folder of the Bento in the store `home`;
    `ensure_base(project, cache, say)` is the base of the lock file, `say` is told a sentence where
    it is another one; `site_packages(project, cache, arch)` is the archive of the installed
    requirements; `builder(state)` and `runner(state)` are None where nothing builds or runs here;
    `installed()` says whether there is a program that may, and starts none.
    """

    requirements: Callable[[Path], str] = wheels.requirements
    build_bento: Callable[[Path, str, str, Path], Path] = bentoml_build.build_bento
    ensure_base: Callable[[Path, Path, Callable[[str], None]], Base] = base_image.ensure
    site_packages: Callable[[Path, Path, str], Path] = wheels.site_packages
    builder: Callable[[Path], ContainerEngine | None] = builder
    runner: Callable[[Path], ContainerEngine | None] = runner
    installed: Callable[[], bool] = installed


REAL = ImageTools()


def _first(state: Path, tools: Sequence[str]) -> ContainerEngine | None:
    for tool in tools:
        engine = _found(tool, state)
        if engine is not None:
            return engine
    return None


def _found(tool: str, state: Path) -> ContainerEngine | None:
    if tool == unpacked.TOOL:
        return unpacked.find(state)
    return docker.find(state) if tool == "docker" else containers.find(tool, state)
