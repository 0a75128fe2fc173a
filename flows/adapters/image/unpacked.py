"""Images without a container tool: built from archives, and started from unpacked files as a
process of this user.

That is what a pod can do whose rights are restricted: it makes no namespace, changes no root and
mounts nothing. The Python of the image runs, with the libraries of the image, by its own loader.
"""

import os
import re
import shlex
import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from flows.adapters.image import base_image, carried, container_engine, layers, tarball
from flows.adapters.image.container_engine import Command, Container, Recipe
from flows.adapters.image.debian_root import PYTHON
from flows.adapters.image.layers import Layer
from flows.adapters.process import run
from flows.adapters.registry import layout, oci
from flows.adapters.registry.registry import Pulled
from sluice.errors import SluiceError, UsageError
from sluice.model.json_file import decode_json, parse_json

TOOL = "unpacked"
_DEADLINE = 1800.0  # seconds that the bytecode of all packages may take
_COMPILE = (f"python{PYTHON}", "-m", "compileall")
# Bytecode that checks no times stays valid when all times are zero.
UNCHECKED = ("-q", "--invalidation-mode", "unchecked-hash")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Of the image, the folders that a process reads; what it writes goes to one of its own.
_READ, _WRITTEN = "/srv/", "/tmp"  # noqa: S108 - the container's own


@dataclass
class _Draft:
    """An image while its Containerfile is followed."""

    layers: list[Layer] = field(default_factory=list)
    archives: list[Path] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, str] = field(default_factory=dict)
    run: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Unpacked:
    """Archives and unpacked files below the folder `state`: a ContainerEngine."""

    state: Path

    @property
    def tool(self) -> str:
        """How what it leaves behind is noted; no program is called so."""
        return TOOL

    def build(self, context: Path, recipe: Recipe) -> None:
        """Follow the Containerfile of a context. Equal inputs give equal bytes.

        Raises UsageError where it starts from another image, SluiceError for an instruction that
        ours does not have.
        """
        if recipe.base != "scratch":
            raise UsageError(
                f"the base of the image is {recipe.base}; without a container tool, packages of"
                " Debian are required",
                "Name packages in bento/base.lock, or install podman.",
            )
        folder = self._built(recipe.name)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        draft = _Draft()
        for word, rest in instructions((context / "Containerfile").read_text(encoding="utf-8")):
            _follow(draft, word, rest, context, folder)
        draft.run["Env"] = [f"{name}={value}" for name, value in draft.env.items()]
        digest = layers.assemble(folder / "layout", draft.layers, draft.run, base_image.arch())
        (folder / "digest").write_text(digest)

    def export(self, name: str, folder: Path, tag: str) -> str:
        """Put an image that was built into an OCI layout; return the digest of its manifest."""
        del tag  # the layout names it by digest
        built = self._built(name)
        digest = (built / "digest").read_text()
        content = layout.manifest(built / "layout", digest) or b""
        for part in oci.parse_manifest(content).parts:
            layout.copy_blob(built / "layout", part.digest, folder)
        layout.put_blob(folder, content)
        shutil.rmtree(built)
        return digest

    def load(self, pulled: Pulled) -> str:
        """The manifest as it was pulled, every digest checked: `<layout>@<digest>`."""
        return f"{pulled.folder.resolve()}@{pulled.digest}"

    def prepare(self, image: str, container: Container) -> Command:
        """Unpack the image, and return the command that starts it as this user, with nothing of
        this process's environment.
        """
        source, _, digest = image.rpartition("@")
        folder = self._of(container.name)
        root, written = folder / "root", folder / "tmp"
        written.mkdir(parents=True)
        manifest = oci.parse_manifest(layout.manifest(Path(source), digest) or b"")
        unpack([layout.blob_path(Path(source), one.digest) for one in manifest.layers], root)
        config = parse_json(layout.blob(Path(source), manifest.config.digest), "a configuration")
        started = config["config"]
        env = dict(entry.split("=", 1) for entry in started["Env"])
        place = {name: _here(value, root, written) for name, value in env.items()}
        program, *words = started["Entrypoint"]
        _require_python(program)
        start = starting(python_of(root, folder), place, without=os.environ)
        return Command(
            [str(start), *(_here(word, root, written) for word in words), *container.address]
        )

    def running(
        self, command: Command, container: Container, log: Path, deadline: float
    ) -> AbstractContextManager[str]:
        """Run it in the foreground while the block runs, which gets its URL."""
        return container_engine.run_in_foreground(command, container, log, deadline)

    def remove(self, container: str) -> None:
        """Remove what was unpacked; what is gone is no error."""
        shutil.rmtree(self._of(container), ignore_errors=True)

    def _of(self, container: str) -> Path:
        return self.state / TOOL / container

    def _built(self, name: str) -> Path:
        return self.state / TOOL / "built" / re.sub(r"[^A-Za-z0-9.-]", "_", name)


def find(state: Path) -> Unpacked | None:
    """Images without a container tool, in the pipeline image alone: elsewhere a container shows
    more, and what it lacks there is for a person to install.
    """
    return Unpacked(state) if carried.there() else None


def instructions(text: str) -> list[tuple[str, str]]:
    """The instructions of a Containerfile: word and rest, lines that go on joined."""
    kept = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(kept))
    found = []
    for line in joined.splitlines():
        word, _, rest = line.strip().partition(" ")
        if word:
            found.append((word, rest.strip()))
    return found


def unpack(archives: Iterable[Path], root: Path) -> None:
    """Unpack archives, compressed or not, one over the other into the folder `root`.

    Raises tarfile.TarError for a member that would lie outside.
    """
    root.mkdir(parents=True, exist_ok=True)
    for archive in archives:
        with tarfile.open(archive) as tar:
            tar.extractall(root, filter="tar")


def python_of(root: Path, folder: Path) -> Path:
    """A program in `folder` that is the Python of an unpacked image.

    Raises SluiceError where the image has no loader.
    """
    found = sorted((root / "usr" / "lib").glob("*-linux-gnu*/ld-linux-*.so.*"))
    if not found:
        raise SluiceError(f"{root} has no loader of Linux", "Delete the image and run again.")
    loader, program = found[0], folder / f"python{PYTHON}"
    # Python starts itself again by the name that it was called by.
    words = [loader, "--argv0", program, "--library-path", loader.parent]
    words.append(root / "usr" / "bin" / f"python{PYTHON}")
    home = shlex.quote(str(root / "usr"))
    line = shlex.join(str(word) for word in words)
    _write_program(program, f'PYTHONHOME={home} exec {line} "$@"\n')
    return program


def starting(program: Path, env: Mapping[str, str], without: Iterable[str]) -> Path:
    """A program beside another one that starts it with `env` and without the variables named in
    `without`.
    """
    dropped = sorted(name for name in without if _NAME.fullmatch(name))
    lines = [f"unset {name}" for name in dropped]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in env.items()]
    lines.append(f'exec {shlex.quote(str(program))} "$@"')
    start = program.with_name("start")
    _write_program(start, "\n".join(lines) + "\n")
    return start


def _write_program(path: Path, lines: str) -> None:
    path.write_text(f"#!/bin/sh\n{lines}", encoding="utf-8")
    path.chmod(0o700)


def compile_below(root: Path, folder: str, scratch: Path, options: Sequence[str]) -> Path:
    """Compile the modules below a folder of an unpacked image with its own Python; return a folder
    with the bytecode alone, at the same relative paths.

    The bytecode names the files as they will lie in the image.
    """
    python = python_of(root, scratch)
    within = root / folder
    words: list[str | Path] = [python, *_COMPILE[1:], *options]
    words += ["-s", root, "-p", "/", within]
    run(words, env={"PYTHONHASHSEED": "0"}, timeout=_DEADLINE)
    made = scratch / "bytecode"
    for cache in sorted(within.rglob("__pycache__")):
        target = made / cache.relative_to(within)
        target.parent.mkdir(parents=True, exist_ok=True)
        cache.rename(target)
    made.mkdir(exist_ok=True)
    return made


def _follow(draft: _Draft, word: str, rest: str, context: Path, folder: Path) -> None:
    """Do what one instruction says."""
    match word:
        case "FROM":
            pass  # nothing is below
        case "ARG":
            name, _, value = rest.partition("=")
            draft.arguments[name] = value
        case "ADD":
            archive, _, target = rest.partition(" ")
            if target.strip() != "/":
                raise _unknown(f"{word} {rest}")
            _add(draft, context / archive, folder, f"{word} {rest}")
        case "ENV":
            draft.env |= dict(part.split("=", 1) for part in shlex.split(rest))
        case "RUN":
            _add(draft, _compiled(draft, _words(word, rest), folder), folder, f"{word} {rest}")
        case "USER":
            draft.run["User"] = rest
        case "EXPOSE":
            draft.run["ExposedPorts"] = {f"{rest}/tcp": {}}
        case "ENTRYPOINT":
            draft.run["Entrypoint"] = _words(word, rest)
        case "CMD":
            draft.run["Cmd"] = _words(word, rest)
        case _:
            raise _unknown(f"{word} {rest}")


def _words(word: str, rest: str) -> list[str]:
    """The words of a command that is written as a list. Raises SluiceError for one for a shell."""
    if not rest.startswith("["):
        raise _unknown(f"{word} {rest}")
    return decode_json(rest.encode(), list[str], f"{word} of the Containerfile")


def _add(draft: _Draft, archive: Path, folder: Path, by: str) -> None:
    packed = folder / f"layer-{len(draft.layers)}.gz"
    layers.compress(archive, packed)
    draft.archives.append(archive)
    draft.layers.append(layers.layer(archive, packed, by))


def _compiled(draft: _Draft, words: Sequence[str], folder: Path) -> Path:
    """The archive of the bytecode that a RUN makes: ours runs the compiler, and nothing else."""
    if tuple(words[: len(_COMPILE)]) != _COMPILE:
        raise _unknown(f"RUN {words}")
    options, target = words[len(_COMPILE) : -1], words[-1].strip("/")
    archive = folder / "bytecode.tar"
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        root = Path(scratch) / "root"
        unpack(draft.archives, root)
        tarball.pack(compile_below(root, target, Path(scratch), options), target, archive)
    return archive


def _unknown(instruction: str) -> SluiceError:
    return SluiceError(
        f"the Containerfile says {instruction!r}, which only a container tool does",
        "Install podman, or take it out of bento/Containerfile.",
    )


def _require_python(program: str) -> None:
    if program != f"python{PYTHON}":
        raise SluiceError(
            f"the image starts {program!r}; python{PYTHON} is required", "Build it anew."
        )


def _here(value: str, root: Path, written: Path) -> str:
    """A path of the image as a path of this machine; other text as it is."""
    if value.startswith(_READ):
        return f"{root}{value}"
    if value == _WRITTEN or value.startswith(f"{_WRITTEN}/"):
        return f"{written}{value.removeprefix(_WRITTEN)}"
    return value
