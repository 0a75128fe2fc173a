"""What a container tool does for a model image. buildah, podman and docker implement it, and so
does whatever a drill or a test hands in.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from flows.adapters import server
from flows.adapters.registry.registry import Pulled

USER = 1034  # of the process in the container, and of its group
BENTO = "srv/bento"  # where the image has its Bento


@dataclass(frozen=True)
class Recipe:
    """One image to be built: its name in the tool's storage, the image that it starts from
    (`scratch` for none), and its labels.
    """

    name: str
    base: str
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Container:
    """One container to be started: its name, the loopback port that it answers on, and its memory
    limit as the tools write it (`1g`).
    """

    name: str
    port: int
    memory: str

    @property
    def address(self) -> list[str]:
        """The options of `bentoml serve` for that port."""
        return ["--host", "127.0.0.1", "--port", str(self.port)]


@dataclass(frozen=True)
class Command:
    """A program in the foreground, and what is added to its environment."""

    argv: list[str]
    env: Mapping[str, str] = field(default_factory=dict)


class ContainerEngine(Protocol):
    """A container tool with its storage. Every call raises CommandFailed where the tool fails."""

    @property
    def tool(self) -> str:
        """Its name: what a container that is left behind is removed with."""

    @property
    def state(self) -> Path:
        """The folder of storage and configuration; builds and smoke runs put their own files there
        too.
        """

    def build(self, context: Path, recipe: Recipe) -> None:
        """Build the Containerfile of the folder `context`. Equal inputs give equal layers."""

    def export(self, name: str, folder: Path, tag: str) -> str:
        """Write an image of the storage to the OCI layout `folder`.

        Returns its reference there: `tag`, or the digest of its manifest.
        """
        ...

    def load(self, pulled: Pulled) -> str:
        """Read an image into the storage; return the name under which it can be started.

        Raises Broken where the tool made another image of it than the one that was pulled.
        """
        ...

    def prepare(self, image: str, container: Container) -> Command:
        """The command that runs a loaded image as it will run: read-only, without capabilities, as
        USER.
        """
        ...

    def running(
        self, command: Command, container: Container, log: Path, deadline: float
    ) -> AbstractContextManager[str]:
        """Start what `prepare` returned; the block runs with its URL once /readyz answers.

        Raises SluiceError with the end of `log` if it is not ready after `deadline` seconds.
        """
        ...

    def remove(self, container: str) -> None:
        """Remove a container; one that is gone is no error."""


def run_words(tool: str, container: Container) -> list[str]:
    """`podman run` and `docker run` up to the limits, the image and its arguments."""
    words = [tool, "run", "--rm", "--name", container.name]
    words += ["--read-only", "--cap-drop", "all", "--user", f"{USER}:{USER}"]
    words += ["--security-opt", "no-new-privileges", "--network", "host"]
    words += ["--tmpfs", "/tmp:rw,mode=1777"]  # noqa: S108 - the container's own
    return words


def limits(container: Container) -> list[str]:
    """The limits of memory and processes as options of `podman run` and `docker run`."""
    return ["--memory", container.memory, "--pids-limit", "256"]


def run_in_foreground(
    command: Command, container: Container, log: Path, deadline: float
) -> AbstractContextManager[str]:
    """Start the command as a server on the container's port, and stop it when the block ends."""
    return server.running(command.argv, container.port, log, env=command.env, deadline=deadline)
