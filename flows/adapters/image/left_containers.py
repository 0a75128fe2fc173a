"""Containers whose makers were killed: podman and Docker let them live on, with their mounts, and
buildah keeps what they were made of.

Who starts a container holds a folder beside its storage, with a note of its name: where nobody
holds the folder, the container goes.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.adapters import held_folder
from flows.adapters.image.containers import Containers
from flows.adapters.image.docker import Docker
from flows.adapters.image.unpacked import TOOL, Unpacked

_PREFIX = "running-"
_NOTE = "container"


@contextmanager
def folder(state: Path) -> Iterator[Path]:
    """A folder of the storage `state` for what starts a container, while the block runs; what is
    left of killed runs is removed first.
    """
    remove(state)
    path, lock = held_folder.make(state, _PREFIX)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(lock)


def note(folder: Path, tool: str, container: str) -> None:
    """Write down the container that is about to be made with this tool."""
    (folder / _NOTE).write_text(f"{tool} {container}", encoding="utf-8")


def remove(state: Path) -> None:
    """Remove the containers whose makers are dead; nothing where there is no such storage."""
    if state.is_dir():
        held_folder.sweep(state, _PREFIX, _remove_noted)


def _remove_noted(folder: Path) -> None:
    """Remove the container of a folder, if there is one by now."""
    try:
        tool, _, name = (folder / _NOTE).read_text(encoding="utf-8").partition(" ")
    except FileNotFoundError:  # its maker died before
        return
    if tool in ("podman", "buildah"):
        Containers(tool, folder.parent).remove(name)
    if tool == "docker":
        Docker(folder.parent).remove(name)
    if tool == TOOL:
        Unpacked(folder.parent).remove(name)
