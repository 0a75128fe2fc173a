"""buildah and podman, with a storage and a configuration of the project's own: nothing in /etc is
read or changed.
"""

import contextlib
import hashlib
import os
import resource
import shutil
import stat
import tempfile
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import tomli_w

from flows.adapters import machine_cache
from flows.adapters.image import container_engine
from flows.adapters.image.container_engine import BENTO, USER, Command, Container, Recipe
from flows.adapters.image.debian_root import PYTHON
from flows.adapters.process import CommandFailed, run
from flows.adapters.registry import oci
from flows.adapters.registry.registry import Pulled
from sluice.errors import UsageError

# Digests are checked by flows/adapters/registry/registry.py.
_POLICY = '{"default": [{"type": "insecureAcceptAnything"}]}\n'
_REGISTRIES = 'unqualified-search-registries = []\nshort-name-mode = "disabled"\n'


_DEADLINE = 1800.0  # seconds that a build, an export or a load may take
# Seconds after which podman itself ends a smoke run, also where this process was killed.
_LONGEST_SMOKE_RUN = "600"


@dataclass(frozen=True)
class Containers:
    """buildah or podman with their storage below the folder `state`: a ContainerEngine."""

    tool: str
    state: Path

    def build(self, context: Path, recipe: Recipe) -> None:
        """Build the context's Containerfile; equal inputs give equal bytes.

        Needs no runtime, and no network unless the recipe starts from another image.
        """
        if recipe.base != "scratch":
            self._run("pull", "--quiet", *self._policy(), recipe.base)
        words = ["--isolation", "chroot", "--layers", "--timestamp", "0"]
        words += ["--format", "oci", "--pull-never", "--quiet"]
        if self.tool == "buildah":
            words.append("--identity-label=false")
        for key in sorted(recipe.labels):
            words += ["--label", f"{key}={recipe.labels[key]}"]
        words += ["--build-arg", f"BASE={recipe.base}", "--tag", recipe.name]
        self._run("build", *words, "--file", context / "Containerfile", context)

    def export(self, name: str, folder: Path, tag: str) -> str:
        """Write an image of the storage to an OCI layout, its layers compressed; return `tag`."""
        # A killed export may have left half an index. Its blobs are used again.
        (folder / "index.json").unlink(missing_ok=True)
        words = ["--quiet", *self._policy(), "--format", "oci"]
        self._run("push", *words, name, f"oci:{folder}:{tag}")
        return tag

    def load(self, pulled: Pulled) -> str:
        """Read an image of an OCI layout into the storage; return its id, the hexadecimal digest of
        its configuration.

        Raises Broken where that is not the configuration that was pulled.
        """
        # podman makes the image's name of the path as it is given, and refuses one with a hidden
        # folder or capitals in it.
        source = f"oci:{pulled.folder.name}:{pulled.tag}"
        printed = self._run("pull", "--quiet", *self._policy(), source, cwd=pulled.folder.parent)
        image = printed.split()[-1]
        if image != oci.hex_of(pulled.config):
            raise oci.Broken(
                f"{self.tool} loaded {pulled.digest} as image {image}; {pulled.config} is required"
            )
        return image

    def prepare(self, image: str, container: Container) -> Command:
        """The command that runs the image in the foreground. buildah makes the container now,
        podman when it runs.
        """
        env = environment(self.state)
        if self.tool == "buildah":
            self._run("from", "--pull-never", "--name", container.name, image)
            words = ["buildah", "run", "--isolation", "chroot", "--user", f"{USER}:{USER}"]
            serve = [f"python{PYTHON}", "-m", "bentoml", "serve", f"/{BENTO}", *container.address]
            return Command([*words, container.name, "--", *serve], env)
        words = container_engine.run_words(self.tool, container)
        # Without root, limits need a delegation that few machines have.
        if os.geteuid() == 0:
            words += container_engine.limits(container)
        words += ["--timeout", _LONGEST_SMOKE_RUN, "--log-driver", "none"]
        return Command([*words, image, *container.address], env)

    def running(
        self, command: Command, container: Container, log: Path, deadline: float
    ) -> AbstractContextManager[str]:
        """Run it in the foreground while the block runs, which gets its URL."""
        return container_engine.run_in_foreground(command, container, log, deadline)

    def remove(self, container: str) -> None:
        """Remove a container; one that is gone is no error."""
        words = ["rm"] if self.tool == "buildah" else ["rm", "--force"]
        with contextlib.suppress(CommandFailed):
            self._run(*words, container)

    def _run(self, *words: str | Path, cwd: Path | None = None) -> str:
        """What the tool prints. Raises CommandFailed."""
        env = environment(self.state)
        return run([self.tool, *words], cwd=cwd, env=env, timeout=_DEADLINE).stdout

    def _policy(self) -> list[str]:
        # Absolute: a load runs in another folder.
        return ["--signature-policy", str(self.state.resolve() / "policy.json")]


def find(tool: str, state: Path) -> Containers | None:
    """This tool with a storage below `state`, None where it is missing or does not work there.

    Without overlay it falls back to plain copies.
    """
    if not shutil.which(tool):
        return None
    for driver in ("overlay", "vfs"):
        _configure(state, driver)
        with contextlib.suppress(CommandFailed):
            run([tool, "info"], env=environment(state), timeout=60)
            return Containers(tool, state)
    return None


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
        # conmon refuses a path with a letter that the locale has not; LANG alone is not enough.
        "LC_ALL": "C.UTF-8",
    }


def _configure(state: Path, driver: str) -> None:
    """Write the configuration files that are missing or say something else."""
    files = {
        "storage.conf": _storage_conf(state.resolve(), driver),
        "containers.conf": _containers_conf(),
        "registries.conf": _REGISTRIES,
        "policy.json": _POLICY,
        "auth.json": "{}",
    }
    state.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = state / name
        if not path.is_file() or path.read_text() != text:
            machine_cache.write(path, text.encode())


def _storage_conf(state: Path, driver: str) -> str:
    storage = {"driver": driver, "graphroot": str(state / driver), "runroot": str(_run_root(state))}
    return tomli_w.dumps({"storage": storage})


def _run_root(state: Path) -> Path:
    """The folder of what runs, made if it is not there. Raises UsageError where somebody else put
    something in its place: its name is known before, and the system's temporary folder is open.
    """
    # Sockets live below it, and the path of a socket has room for about a hundred characters.
    short = hashlib.sha256(str(state).encode()).hexdigest()[:8]
    run_root = Path(tempfile.gettempdir()) / f"sluice-{os.getuid()}-{short}"
    with contextlib.suppress(FileExistsError):
        run_root.mkdir(0o700)
    found = run_root.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise UsageError(
            f"{run_root} is a link, or can be written to by others; a folder of yours is required",
            "Remove it, or set TMPDIR to a folder of your own.",
        )
    return run_root


def _containers_conf() -> str:
    # podman asks for more open files than a process without CAP_SYS_RESOURCE may have, and then
    # starts nothing.
    files = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 65536)
    limits = [f"nofile={files}:{files}", "nproc=4096:4096"]
    engine = {"cgroup_manager": "cgroupfs", "events_logger": "file"}
    if shutil.which("runc"):
        engine["runtime"] = "runc"  # crun refuses machines with both kinds of control groups
    containers = {"default_ulimits": limits, "netns": "host"}
    return tomli_w.dumps({"containers": containers, "engine": engine})
