"""The pipeline image: Sluice itself, as it runs in a cluster.

Its layers, the lowest first: the base of every model image, git and ssh, the `pipeline` group of
uv.lock, what every model image is made of, and the code. It is put together from archives, so any
machine makes the same bytes of the same inputs, with or without a container tool.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from flows.adapters import machine_cache
from flows.adapters.image import base_image, carried, layers, tarball, unpacked, wheels
from flows.adapters.image.base_image import Base
from flows.adapters.image.debian_root import PYTHON
from flows.adapters.image.layers import Layer
from flows.adapters.image.pipeline import packages, programs, shelf
from flows.adapters.image.pipeline.source import Source
from flows.adapters.registry import registry
from flows.adapters.registry.layout import Layout
from sluice.errors import UsageError
from sluice.identity import file_sha256

USER = 1034  # of the process in the container, and of its group
CODE = "srv/sluice"
_SCRIPT = f"""#!/usr/bin/python{PYTHON} -P
from {{module}} import {{function}}

{{function}}()
"""
_SCRIPTS = {
    "sluice": ("sluice_command", "main"),
    "prefect": ("prefect.cli", "app"),
}
_RUN: Mapping[str, object] = {
    "User": f"{USER}:{USER}",
    "WorkingDir": "/tmp",  # noqa: S108 - the container's own, and all that need be writable
    "Env": [
        "PATH=/usr/local/bin:/usr/bin:/bin",
        "LANG=C.UTF-8",
        "HOME=/tmp",
        "XDG_CACHE_HOME=/tmp/cache",
        "SLUICE_HOME=/tmp/sluice",
        "PREFECT_HOME=/tmp/prefect",
        "PYTHONDONTWRITEBYTECODE=1",
        "PYTHONUNBUFFERED=1",
        "DO_NOT_TRACK=true",
    ],
    "Entrypoint": ["sluice"],
    "Cmd": ["--help"],
}


@dataclass(frozen=True)
class Built:
    """A pipeline image in an OCI layout: tag and digest, the sizes of its layers as they are pulled
    and as they lie on a disk, in bytes, and its labels.
    """

    place: Layout
    tag: str
    digest: str
    pulled: int
    unpacked: int
    labels: Mapping[str, str]


def build(project: Path, source: Source, cache: Path, say: Callable[[str], None]) -> Built:
    """Build the image, or take it from the machine's `cache`: what did not change since is not done
    again, and what no build used for a month goes. The first time takes four minutes and downloads
    400 MB; `say` is told what is done.

    Raises UsageError where bento/base.lock names an image, SluiceError where a part cannot be had.
    """
    base = base_image.ensure(project, cache, say)
    if base.entry.image:
        raise UsageError(
            f"bento/base.lock names the image {base.entry.image}; packages of Debian are required"
            " for the pipeline image",
            f"Write it anew: {base_image.REFRESH}",
        )
    say("Programs: git, ssh")
    tools = programs.archive(project, cache, say)
    say("Packages: the pipeline group of uv.lock")
    site = packages.archive(project, cache, base)
    say("What model images are made of")
    models = _carried(project, cache, base)
    with tempfile.TemporaryDirectory(prefix="sluice-pipeline-") as scratch:
        code = Path(scratch) / "code.tar"
        _code(source, base, Path(scratch), code)
        parts = [(base.tar, "base"), (tools, "programs"), (site, "packages")]
        found = [_layer(cache, archive, by) for archive, by in (*parts, (models, "model images"))]
        layers.compress(code, Path(scratch) / "code.gz")
        found.append(layers.layer(code, Path(scratch) / "code.gz", "Sluice"))
        labels = _labels(project, source)
        tag = _tag(found, labels)
        place = Layout(shelf.image(cache, tag))
        run = {**_RUN, "Labels": labels}
        digest = layers.assemble(place.folder, found, run, base.entry.arch, labels)
        size = sum(path.stat().st_size for path in (base.tar, tools, site, models, code))
    place.put_manifest(tag, registry.manifest(place, digest))
    for path in (tools, site, models, place.folder, *(one.file for one in found[:-1])):
        shelf.used(path)
    shelf.sweep(cache)
    pulled = sum(one.file.stat().st_size for one in found[:-1])
    return Built(place, tag, digest, pulled, size, labels)


def push(built: Built, place: registry.Place) -> bool:
    """Push the image under its tag, unless it is there; whether it was there. Raises TagTaken."""
    if registry.digest(place, built.tag) == built.digest:
        return True
    registry.push_image(place, built.tag, built.place.folder, built.digest)
    return False


def _labels(project: Path, source: Source) -> dict[str, str]:
    """Where it comes from: the commit and the lock. They depend on the inputs alone."""
    return {
        "dev.sluice.lock": file_sha256(project / "uv.lock"),
        "org.opencontainers.image.description": "Sluice: releases, judge, reconcile and monitor",
        "org.opencontainers.image.licenses": "Apache-2.0",
        "org.opencontainers.image.revision": source.commit or "none",
        "org.opencontainers.image.title": "sluice",
    }


def _tag(found: Iterable[Layer], labels: Mapping[str, str]) -> str:
    parts = repr((sorted(labels.items()), [one.content for one in found], sorted(_RUN.items())))
    return hashlib.sha256(parts.encode()).hexdigest()[:16]


def _layer(cache: Path, archive: Path, by: str) -> Layer:
    """The layer of an archive of the cache, compressed once."""
    name = file_sha256(archive)
    kept = shelf.place(cache) / f"{name}.gz"
    packed = machine_cache.kept(kept, lambda part: layers.compress(archive, part))
    return layers.layer(archive, packed, by)


def _carried(project: Path, cache: Path, base: Base) -> Path:
    """The archive of what the image carries for model images, from the machine's `cache`."""
    site = wheels.site_packages(project, cache, base.entry.arch)
    wanted = base_image.locked(project)
    key = hashlib.sha256(f"{base.entry.hash} {wanted.hash} {site.stem}".encode()).hexdigest()[:32]
    note = base_image.behind(cache, wanted)

    def make(part: Path) -> None:
        with tempfile.TemporaryDirectory(dir=part.parent) as scratch:
            folder = Path(scratch) / "carried"
            for kind, source in (("base", base.tar), ("site", site)):
                (folder / kind).mkdir(parents=True)
                carried.pack(source, folder / kind / f"{source.name}.xz")
            if base.entry != wanted:
                shutil.copyfile(note, folder / "base" / note.name)
            tarball.pack(folder, carried.PLACE.as_posix().strip("/"), part)

    return machine_cache.kept(shelf.place(cache) / f"{key}.tar", make)


def _code(source: Source, base: Base, scratch: Path, target: Path) -> None:
    """The archive of the code with its bytecode, and of the commands that start it."""
    root = scratch / "root"
    unpacked.unpack([base.tar], root)
    for name, origin in source.files.items():
        file = root / CODE / name
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(origin, file)
    made = unpacked.compile_below(root, CODE, scratch, unpacked.UNCHECKED)
    folder = scratch / "code"
    shutil.move(root / CODE, folder / CODE)
    shutil.copytree(made, folder / CODE, dirs_exist_ok=True)
    for name, (module, function) in _SCRIPTS.items():
        script = folder / packages.PLACE / "bin" / name
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(_SCRIPT.format(module=module, function=function))
        script.chmod(0o755)
    link = folder / packages.PLACE / "bin" / "python"
    link.symlink_to(f"/usr/bin/python{PYTHON}")
    found = folder / packages.PLACE / packages.SITE / "sluice.pth"
    found.parent.mkdir(parents=True)
    found.write_text(f"/{CODE}\n")
    tarball.pack_from_root(folder, target)
