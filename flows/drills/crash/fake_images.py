"""Image tools that work at once: a made-up Bento, base and image, with the real folders, archives,
layouts and registry around them.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flows.adapters import machine_cache
from flows.adapters.image import base_image, tarball
from flows.adapters.image.base_image import Base
from flows.adapters.image.container_engine import Command, Container, Recipe
from flows.adapters.image.image_tools import ImageTools
from flows.adapters.registry import layout, oci
from flows.adapters.registry.registry import Pulled

NO_SERVICE = "http://127.0.0.1:1"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"


def images(requirements: str, url: str = NO_SERVICE) -> ImageTools:
    """Tools that give these requirements, and at `url` the service of each started container."""

    def engine(state: Path) -> FakeEngine:
        return FakeEngine(state, url)

    return ImageTools(
        requirements=lambda _project: requirements,
        build_bento=_build_bento,
        ensure_base=_ensure_base,
        site_packages=lambda _project, cache, _arch: _empty_archive(cache),
        builder=engine,
        runner=engine,
        installed=lambda: True,
    )


@dataclass(frozen=True)
class FakeEngine:
    """A container engine without a storage: an image is one layer that holds the Bento, and a
    container is what answers at `url` already.
    """

    state: Path
    url: str = NO_SERVICE
    tool: str = "drill"

    def build(self, context: Path, recipe: Recipe) -> None:
        """The context stays as it is: `export` reads the Bento from there."""

    def export(self, name: str, folder: Path, tag: str) -> str:
        """Write the image to a layout; return `tag`. A promotion looks for the model in its
        layer.
        """
        layer = (self.state / "context" / "bento.tar").read_bytes()
        config = json.dumps({"config": {}, "history": [], "os": "linux"}).encode()
        layout.put_blob(folder, config)
        layout.put_blob(folder, layer)
        layers = [oci.descriptor(_LAYER, layer)]
        manifest = oci.image_manifest(oci.descriptor(_CONFIG, config), layers)
        (folder / "index.json").unlink(missing_ok=True)
        layout.put_manifest(folder, tag, manifest)
        return tag

    def load(self, pulled: Pulled) -> str:
        """The hexadecimal digest of the image's configuration."""
        manifest = oci.parse_manifest(layout.manifest(pulled.folder, pulled.tag) or b"")
        return oci.hex_of(manifest.config.digest)

    def prepare(self, image: str, container: Container) -> Command:
        """A command that nobody starts."""
        return Command(["drill", container.name, image])

    @contextmanager
    def running(
        self, command: Command, container: Container, log: Path, deadline: float
    ) -> Iterator[str]:
        """The block runs with the URL that was given."""
        yield self.url

    def remove(self, container: str) -> None:
        """There is none."""


def _build_bento(source: Path, name: str, version: str, home: Path) -> Path:
    built = home / "bentos" / name / version
    shutil.copytree(source, built / "src")
    (built / "bento.yaml").write_text("service: drill\n")
    return built


def _ensure_base(project: Path, cache: Path, _say: Callable[[str], None]) -> Base:
    return Base(base_image.locked(project), _empty_archive(cache))


def _empty_archive(cache: Path) -> Path:
    return machine_cache.kept(cache / "empty.tar", tarball.empty)
