"""Looking for secrets: in the arguments of processes, in files while they are there and after, in
git, in databases.
"""

import base64
import gzip
import os
import shutil
import subprocess
import threading
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

Corpus = dict[str, bytes]


def forms(secret: str, user: str = "") -> set[bytes]:
    """A secret as it is, as in a URL, and as a header has it; in base64 also in the middle of
    something longer.
    """
    plain = {secret, quote(secret, safe="")}
    encoded = {base64.b64encode(f"{user}:{secret}".encode()).decode()} if user else set()
    for shift in range(3):
        inner = base64.b64encode(b"\0" * shift + secret.encode()).decode()
        encoded.add(inner[4 if shift else 0 : -4])
    return {word.encode() for word in plain | encoded if len(word) > 7}


def found(secrets: Iterable[tuple[str, str]], corpus: Corpus) -> set[tuple[str, str]]:
    """Which secret (given as user and secret) is where."""
    return {
        (secret, place)
        for user, secret in secrets
        for place, content in corpus.items()
        if any(form in content for form in forms(secret, user))
    }


def files(folder: Path) -> Corpus:
    """Every file below a folder, unpacked where it is packed."""
    corpus: Corpus = {}
    for path in folder.rglob("*"):
        with suppress(OSError):
            if path.is_file() and not path.is_symlink():
                corpus[str(path)] = _unpacked(path.read_bytes())
    return corpus


def _unpacked(content: bytes) -> bytes:
    with suppress(OSError, EOFError, zlib.error):
        return content + gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    return content


def objects(repository: Path) -> Corpus:
    """Every object of a git repository."""
    words = ["git", "-c", "safe.directory=*", "cat-file", "--batch-all-objects", "--batch"]
    return {
        f"git:{repository}": subprocess.run(
            words, cwd=repository, capture_output=True, check=True
        ).stdout
    }


@contextmanager
def watching(scratch: Path) -> Iterator[Corpus]:
    """While the block runs, note the command line of every process, and every small file that comes
    up in `scratch`.
    """
    seen: Corpus = {}
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                with suppress(OSError):
                    line = path.read_bytes()
                    seen[f"command:{line[:200]!r}:{hash(line)}"] = line
            for folder, _, names in os.walk(scratch):
                for path in (Path(folder) / name for name in names):
                    with suppress(OSError):
                        if path.stat().st_size < 2**16:
                            content = path.read_bytes()
                            seen[f"scratch:{path}:{hash(content)}"] = content
            time.sleep(0.01)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


_GIT = """#!/bin/sh
printf '%s\\n' "$0" "$@" > {folder}/command.$$
[ ! -f .git/config ] || cat .git/config > {folder}/config.$$
exec {git} "$@"
"""


def recording(folder: Path) -> Path:
    """A folder for PATH whose git notes in `folder` every call of it and the configuration it then
    met.

    Looking at processes every few milliseconds can miss a short one; this cannot.
    """
    tools = folder / "bin"
    tools.mkdir(parents=True)
    script = tools / "git"
    script.write_text(_GIT.format(folder=folder, git=shutil.which("git")))
    script.chmod(0o755)
    return tools
