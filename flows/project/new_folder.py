"""Files that are written where none is yet: nothing of a person's is written over."""

from collections.abc import Mapping
from pathlib import Path

from sluice.errors import SluiceError, UsageError, cause


def require_new(folder: Path, names: Mapping[str, str]) -> None:
    """Raise UsageError where one of these files is there already."""
    for name in names:
        if (folder / name).exists():
            raise UsageError(
                f"{folder / name} is there already", "Take it away, or choose another name."
            )


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write texts by their path below a folder. Raises as `require_new`, before anything is
    written, and SluiceError where a file cannot be written.
    """
    require_new(folder, files)
    for name, text in files.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
        except OSError as error:
            what = f"{path} cannot be written: {cause(error)}"
            raise SluiceError(what, "Make room there, or name another folder.") from None
