"""The key that signs what is stated about images.

Its public half stands in the commit of each release, in the manifest repo. So the registry, where
the statements lie, never has what it takes to write another one; and whoever has the manifest repo
can check them without being handed a key.
"""

import os
from pathlib import Path

from flows.adapters import dsse, machine_cache
from flows.adapters.failpoints import boundary
from flows.adapters.private_files import make_private_folder
from flows.project.settings import Settings
from sluice.errors import UsageError, cause

_MADE = Path("keys", "statements.pem")  # below the state folder


def key(settings: Settings) -> dsse.SigningKey:
    """The key of SLUICE_STATEMENT_KEY, or the one of this machine, made at the first use.

    Raises UsageError for a file that holds no such key.
    """
    if settings.statement_key:
        return _read(Path(settings.statement_key), "Name another file in SLUICE_STATEMENT_KEY.")
    path = settings.home / _MADE
    if not path.is_file():
        _make(path)
    return _read(path, f"Delete {path}: the next release makes a new one.")


def found(settings: Settings) -> dsse.SigningKey | None:
    """The same where there is one already; None is made. Raises UsageError as `key`."""
    if settings.statement_key or (settings.home / _MADE).is_file():
        return key(settings)
    return None


def require(settings: Settings) -> None:
    """Raise UsageError where the file that is named, or was made, holds no such key."""
    found(settings)


def _read(path: Path, fix: str) -> dsse.SigningKey:
    try:
        return dsse.read_key(path.read_bytes())
    except (OSError, dsse.BadKey) as error:
        raise UsageError(
            f"{path} does not hold the key that signs statements: {cause(error)}",
            f"{fix} `openssl genpkey -algorithm ed25519` makes one.",
        ) from None


@boundary("key.make")
def _make(path: Path) -> None:
    """Write a new key whole, readable by its owner alone, unless somebody was faster."""
    make_private_folder(path.parent)
    with machine_cache.locked(path.with_name(".lock")):
        if path.is_file():
            return
        part = path.with_name(".part")  # of a killed process: the lock is ours
        part.unlink(missing_ok=True)
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(dsse.new_key())
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
