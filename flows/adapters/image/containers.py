"""buildah and podman, with a storage and a configuration of the project's own: nothing in /etc is
read or changed.
"""

import hashlib
import os
import resource
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import tomli_w

from flows.adapters import machine_cache
from flows.adapters.failpoints import boundary
from flows.adapters.process import CommandFailed, run

_POLICY = (
    # digests are checked by flows/adapters/registry/registry.py
    '{"default": [{"type": "insecureAcceptAnything"}]}\n'
)
_REGISTRIES = 'unqualified-search-registries = []\nshort-name-mode = "disabled"\n'


def works(tool: str, state: Path) -> bool:
    """Whether this tool is there and can use a storage below `state`; without overlay it falls back
    to plain copies.
    """
    if not shutil.which(tool):
        return False
    for driver in ("overlay", "vfs"):
        _configure(state, driver)
        try:
            run([tool, "info"], env=environment(state), timeout=60)
            return True
        except CommandFailed:
            continue
    return False


def environment(state: Path) -> dict[str, str]:
    """What makes a tool use the configuration below `state`, which is written if it is not
    there.
    """
    if not (state / "storage.conf").is_file():
        _configure(state, "overlay")
    return {
        "CONTAINERS_STORAGE_CONF": str(state / "storage.conf"),
        "CONTAINERS_CONF": str(state / "containers.conf"),
        "CONTAINERS_REGISTRIES_CONF": str(state / "registries.conf"),
        "REGISTRY_AUTH_FILE": str(state / "auth.json"),
    }


@boundary("image.build")
def build(
    tool: str, state: Path, context: Path, name: str, base: str, labels: Mapping[str, str]
) -> None:
    """Build the context's Containerfile as `name`; equal inputs give equal bytes. Needs no network
    and no runtime.
    """
    words = [
        "build",
        "--isolation",
        "chroot",
        "--layers",
        "--timestamp",
        "0",
        "--format",
        "oci",
        "--pull-never",
    ]
    words += ["--identity-label=false"] if tool == "buildah" else []
    for key in sorted(labels):
        words += ["--label", f"{key}={labels[key]}"]
    words += [
        "--build-arg",
        f"BASE={base}",
        "--quiet",
        "--tag",
        name,
        "--file",
        str(context / "Containerfile"),
    ]
    if base != "scratch":
        run(
            [tool, "pull", "--quiet", "--signature-policy", state / "policy.json", base],
            env=environment(state),
        )
    run([tool, *words, context], env=environment(state), timeout=1800)


@boundary("image.export")
def export(tool: str, state: Path, name: str, folder: Path, tag: str) -> None:
    """Write an image of the storage to an OCI layout, its layers compressed."""
    # a killed export may have left half of one; the blobs are reused
    (folder / "index.json").unlink(missing_ok=True)
    words = [
        tool,
        "push",
        "--quiet",
        "--signature-policy",
        str(state / "policy.json"),
        "--format",
        "oci",
    ]
    run([*words, name, f"oci:{folder}:{tag}"], env=environment(state), timeout=1800)


@boundary("image.load")
def load(tool: str, state: Path, folder: Path, tag: str) -> str:
    """Read an image of an OCI layout into the storage; return its id: the hex digest of its
    configuration.
    """
    words = [tool, "pull", "--quiet", "--signature-policy", str(state.resolve() / "policy.json")]
    # podman makes the image's name of the path as it is given, and refuses one with a hidden folder
    # or capitals in it.
    place = f"oci:{folder.name}:{tag}"
    return run(
        [*words, place], cwd=folder.parent, env=environment(state), timeout=1800
    ).stdout.split()[-1]


def _configure(state: Path, driver: str) -> None:
    """Write the configuration, unless it is there."""
    state.mkdir(parents=True, exist_ok=True)
    # Sockets live below the run root, and the path of a socket has room for about a hundred
    # characters.
    short = hashlib.sha256(str(state.resolve()).encode()).hexdigest()[:8]
    run_root = Path(tempfile.gettempdir()) / f"sluice-{os.getuid()}-{short}"
    storage = (
        f'[storage]\ndriver = "{driver}"\ngraphroot = "{state.resolve() / driver}"\nrunroot ='
        f' "{run_root}"\n'
    )
    for name, text in (
        ("storage.conf", storage),
        ("containers.conf", _containers_conf()),
        ("registries.conf", _REGISTRIES),
        ("policy.json", _POLICY),
        ("auth.json", "{}"),
    ):
        if not (state / name).is_file() or (state / name).read_text() != text:
            machine_cache.write(state / name, text.encode())


def _containers_conf() -> str:
    # podman asks for more open files than a process without CAP_SYS_RESOURCE may have, and then
    # starts nothing.
    files = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 65536)
    containers = {
        "default_ulimits": [f"nofile={files}:{files}", "nproc=4096:4096"],
        "netns": "host",
    }
    engine = {"cgroup_manager": "cgroupfs", "events_logger": "file"}
    if shutil.which("runc"):
        engine["runtime"] = (
            "runc"  # crun refuses machines with both kinds of control groups mounted
        )
    return tomli_w.dumps({"containers": containers, "engine": engine})
