"""The model image: built from a Bento with the tool that is here, pushed, and started from where it
was pushed to.
"""

import contextlib
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from flows.adapters import machine_cache, server
from flows.adapters.failpoints import boundary
from flows.adapters.image import containers, docker, tarball
from flows.adapters.image.base_image import Base
from flows.adapters.process import CommandFailed, run
from flows.adapters.registry import layout, oci, registry
from sluice.errors import SluiceError

USER = 1034
BENTO = "srv/bento"
_BUILDERS = ("buildah", "podman", "docker")
_RUNNERS = ("podman", "docker", "buildah")
_MEMORY = "1g"


def builder(state: Path, tools: Sequence[str] = _BUILDERS) -> str | None:
    """The first tool that builds here; None where there is none. A client without an engine does
    not count.
    """
    return next((tool for tool in tools if _works(tool, state)), None)


def runner(state: Path, tools: Sequence[str] = _RUNNERS) -> str | None:
    """The first tool that runs images here; None where there is none."""
    return next((tool for tool in tools if _works(tool, state)), None)


def build(
    tool: str,
    bento: Path,
    base: Base,
    site: Path,
    place: registry.Place,
    tag: str,
    labels: Mapping[str, str],
    state: Path,
) -> str:
    """Build the image of a Bento and push it to `place` under `tag`; return the digest that is read
    back from there.

    `labels` become labels and annotations and may depend on nothing but the inputs. `state` holds
    storage and configuration. Raises TagTaken where the tag names something else.
    """
    name = f"localhost/sluice:{tag}"
    context, exported = state / "context", state / "layout"
    with machine_cache.locked(state / ".lock"):
        shutil.rmtree(context, ignore_errors=True)  # a killed build leaves one
        context.mkdir()
        _lay_out(bento, base, site, context)
        if tool == "docker":
            docker.build(context, name, base.entry.image or "scratch", labels)
            built = docker.export(name, exported)
        else:
            containers.build(tool, state, context, name, base.entry.image or "scratch", labels)
            containers.export(tool, state, name, exported, tag)
            built = tag
        shutil.rmtree(context)
        return registry.push_image(place, tag, exported, _sealed(exported, built, labels))


@contextlib.contextmanager
def smoke(
    tool: str,
    place: registry.Place,
    digest: str,
    state: Path,
    *,
    deadline: float = 60.0,
    memory: str = _MEMORY,
) -> Iterator[str]:
    """Start exactly the image `digest` of `place` as it will run (read-only, no capabilities, user
    1034), on loopback.

    Yields the URL once /readyz answers. Raises SluiceError with the container's log if it does not
    within `deadline` seconds. The container is gone when the block ends.
    """
    state.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="smoke-", dir=state) as folder:
        pulled = registry.pull_image(place, digest, Path(folder) / "layout")
        image = _load(tool, state, pulled)
        name, port = f"sluice-smoke-{secrets.token_hex(4)}", server.free_port()
        argv, env = _start(tool, state, image, name, port, memory)
        try:
            with server.running(
                argv, port, Path(folder) / "log", env=env, deadline=deadline
            ) as url:
                yield url
        finally:
            _remove(tool, name, env)


def _works(tool: str, state: Path) -> bool:
    return docker.works() if tool == "docker" else containers.works(tool, state)


@boundary("image.context")
def _lay_out(bento: Path, base: Base, site: Path, context: Path) -> None:
    """The three archives and the Containerfile, side by side."""
    for name, source in (("base.tar", base.tar), ("site.tar", site)):
        _link(source, context / name)
    tarball.pack(bento, BENTO, context / "bento.tar")
    containerfile = Path(__file__).resolve().parents[3] / "bento" / "Containerfile"
    shutil.copyfile(containerfile, context / "Containerfile")


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


@boundary("image.seal")
def _sealed(folder: Path, reference: str, labels: Mapping[str, str]) -> str:
    """Reduce an exported image to what follows from its inputs: builders add times, versions and
    ids of their own.
    """
    found = layout.manifest(folder, reference)
    if not found:
        raise SluiceError(
            f"the builder wrote no image {reference} to {folder}",
            "Delete that folder and run again.",
        )
    manifest = oci.parse_manifest(found)
    config = json.loads(layout.blob(folder, manifest["config"]["digest"]))
    config["config"]["Labels"] = dict(labels)
    for entry in (config, *config["history"]):
        entry.pop("comment", None)
        entry["created"] = "1970-01-01T00:00:00Z"
    content = oci.encode(config)
    layout.put_blob(folder, content)
    parts = {
        "config": oci.descriptor(manifest["config"]["mediaType"], content),
        "layers": manifest["layers"],
    }
    sealed = oci.encode(
        {"schemaVersion": 2, "mediaType": oci.MANIFEST, "annotations": dict(labels)} | parts
    )
    layout.put_blob(folder, sealed)
    return oci.digest_of(sealed)


@boundary("smoke.load")
def _load(tool: str, state: Path, pulled: registry.Pulled) -> str:
    """Bring the image into the tool's storage. Raises Broken unless it is the one that was
    pulled.
    """
    if tool == "docker":
        return docker.load(pulled.folder, pulled.digest)
    with machine_cache.locked(state / ".lock"):
        image = containers.load(tool, state, pulled.folder, pulled.tag)
    if image != oci.hex_of(pulled.config):
        raise oci.Broken(
            f"{tool} made image {image} of {pulled.digest}, whose configuration is {pulled.config}"
        )
    return image


@boundary("smoke.prepare")
def _start(
    tool: str, state: Path, image: str, name: str, port: int, memory: str
) -> tuple[list[str], dict[str, str]]:
    """The command that runs the image in the foreground, and its environment."""
    env = {} if tool == "docker" else containers.environment(state)
    ask = ["--host", "127.0.0.1", "--port", str(port)]
    if tool == "buildah":
        run(["buildah", "from", "--pull-never", "--name", name, image], env=env)
        entry = ["python3.11", "-m", "bentoml", "serve", f"/{BENTO}"]
        return [
            "buildah",
            "run",
            "--isolation",
            "chroot",
            "--user",
            f"{USER}:{USER}",
            name,
            "--",
            *entry,
            *ask,
        ], env
    words = [
        tool,
        "run",
        "--rm",
        "--name",
        name,
        "--read-only",
        "--cap-drop",
        "all",
        "--user",
        f"{USER}:{USER}",
    ]
    words += ["--security-opt", "no-new-privileges", "--network", "host"]
    words += ["--tmpfs", "/tmp:rw,mode=1777"]  # noqa: S108 - the container's own
    # without root, limits need a delegation that few machines have
    if os.geteuid() == 0 or tool == "docker":
        words += ["--memory", memory, "--pids-limit", "256"]
    if tool == "podman":
        # ends it even where this process was killed
        words += ["--timeout", "600", "--log-driver", "none"]
    return [*words, image, *ask], env


@boundary("smoke.remove")
def _remove(tool: str, name: str, env: Mapping[str, str]) -> None:
    words = ["buildah", "rm"] if tool == "buildah" else [tool, "rm", "--force"]
    with contextlib.suppress(CommandFailed):
        run([*words, name], env=env)
