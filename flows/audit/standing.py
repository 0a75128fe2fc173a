"""What surrounds the release that is live: data, repo, registry, quarantine, proposals, and what
would help next.
"""

import csv
import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from flows.adapters.git import git
from flows.adapters.process import without_login
from flows.adapters.typed_command import line
from flows.decision import approved
from flows.engine.outcome import Outcome
from flows.gitops import manifest_repo
from flows.gitops.manifest_repo import Live
from flows.project.data_source import pointer_of
from flows.project.settings import Settings
from sluice.gitops.state import Champion
from sluice.identity import file_sha256
from sluice.moment import age

_VERBS = (
    "release",
    "rollback",
    "anchor",
    "quarantine",
    "canary",
)  # what begins the name of a branch of ours


@dataclass(frozen=True)
class DataNow:
    """The data that a release would be made from now.

    `rows` is None where nobody knows them without reading the whole. `changed` is when the file was
    written, in ISO 8601, and `ago` how long ago that is; both are empty for a sample. `released`
    says whether the release that is live was made from these very bytes, `missing` that the pointer
    leads to no file.
    """

    name: str
    rows: int | None = None
    changed: str = ""
    ago: str = ""
    released: bool = False
    missing: bool = False


@dataclass(frozen=True)
class Standing:
    """What `sluice status` shows besides the release that is live.

    `tip` is the commit at the tip of the branch, empty where there is no repo yet; `proposals` are
    the branches that wait for a person, `help` is the command that would help next. `anchor` says
    how the record of the anchor was edited, and is empty where it was not. `approvals` says which
    release waits for people, or that they rejected it, and is empty where none asked for them.
    """

    data: DataNow
    repo: str
    branch: str
    tip: str
    registry: str
    quarantined: int
    proposals: tuple[str, ...]
    help: str
    anchor: str = ""
    approvals: str = ""


def standing(
    settings: Settings,
    model: str,
    live: Live | None,
    refused: Outcome | None,
    now: datetime.datetime,
) -> Standing:
    """Gather it; `now` is for ages. The manifest repo is asked for its branches, and nothing is
    written.

    Raises UsageError where the pointer to the data cannot be read.
    """
    champion = live.champion if live else None
    data = _data(settings, model, champion, now)
    barred = live.quarantine.entries if live else ()
    proposed = _proposals(settings, model, champion) if live else ()
    waits = _waits(settings, model, live, now) if live else ""
    return Standing(
        data=data,
        repo=near(without_login(settings.manifest_url)),
        branch=settings.branch,
        tip=live.tip if live else "",
        registry=near(settings.registry or str(settings.home / "registry")),
        quarantined=sum(1 for entry in barred if entry.lifted is None),
        proposals=proposed,
        help=line(["approvals", model]) if waits else helps(model, data, live, refused, proposed),
        anchor=live.anchor_fault if live else "",
        approvals=waits,
    )


def _waits(settings: Settings, model: str, live: Live, now: datetime.datetime) -> str:
    """Which release waits for approvals, and for how many, or who rejected it; empty where none
    asked for any.
    """
    found = approved.asked(settings, model, live, now.date())
    if found is None:
        return ""
    waits = "does not wait any more" if found.count.rejected else "waits"
    return f"release {found.question.release} {waits}: {found.count.sentence}"


def helps(
    model: str,
    data: DataNow,
    live: Live | None,
    refused: Outcome | None,
    proposals: Iterable[str],
) -> str:
    """The command that would help next."""
    if data.missing:
        return line(["release", model, "--data", "FILE"])
    if live and live.by_hand:
        return line(["history", model])
    if any(proposals):
        return line(["history", model])
    if refused and not refused.verdict and not data.released:
        return line(["validate", model])
    if live is None or live.champion is None:
        return line(["release", model])
    if not data.released:
        return line(["plan", model])
    return line(["serve", model])


def _data(
    settings: Settings, model: str, champion: Champion | None, now: datetime.datetime
) -> DataNow:
    """What the pointer leads to, as far as it is known without making a sample."""
    pointer = pointer_of(settings, model)
    released = champion is not None and champion.data == pointer.sha256
    if pointer.kind != "file":
        rows = pointer.rows if isinstance(pointer.rows, int) else None
        return DataNow(pointer.reference, rows, released=released)
    path = settings.project / pointer.target
    try:
        changed = datetime.datetime.fromtimestamp(path.stat().st_mtime, datetime.UTC).isoformat()
        same = champion is not None and champion.data == file_sha256(path)
        return DataNow(near(str(path)), rows_of(path), changed, age(changed, now), released=same)
    except OSError:
        return DataNow(near(str(path)), missing=True)


def rows_of(path: Path) -> int | None:
    """The rows of a table without its header; None where it is no CSV file that can be read so."""
    if path.suffix.lower() == ".parquet":
        return _parquet_rows(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as text:
            rows = sum(1 for row in csv.reader(text) if any(row))
    except (OSError, UnicodeDecodeError, csv.Error):
        return None
    return max(rows - 1, 0)


def _parquet_rows(path: Path) -> int | None:
    import pyarrow
    import pyarrow.parquet

    try:
        return int(pyarrow.parquet.read_metadata(path).num_rows)
    except (OSError, pyarrow.ArrowException):
        return None


def _proposals(settings: Settings, model: str, champion: Champion | None) -> tuple[str, ...]:
    """The branches of this model that wait to be merged. That of the release that is live was."""
    merged = {manifest_repo.branch(settings, "release", model, champion.tag)} if champion else set()
    prefixes = tuple(f"{verb}/{model}/" for verb in _VERBS)
    names = git.branches(settings.remote, f"*/{model}/*")
    return tuple(name for name in names if name.startswith(prefixes) and name not in merged)


def near(place: str) -> str:
    """A place as short as a person needs it: below the current folder, or below their home."""
    path = Path(place)
    if not path.is_absolute():
        return place
    if path.is_relative_to(Path.cwd()):
        return str(path.relative_to(Path.cwd()))
    if path.is_relative_to(Path.home()):
        return f"~/{path.relative_to(Path.home())}"
    return place
