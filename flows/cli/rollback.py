"""What the commands for what is live do, apart from how they are typed. Neither Prefect nor MLflow
is asked.
"""

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from flows.engine.run import model_folder
from flows.gitops import anchor, manifest_repo, quarantine, rollback, smoke_released
from flows.gitops.image_inventory import images
from flows.gitops.writer import Written
from flows.project import settings
from flows.project.settings import Settings
from flows.views.escape import escape
from flows.views.terminal import console
from sluice.errors import UsageError

_DIFF_COLORS = {"-": "red", "+": "green"}
_ENDINGS = {
    "committed": "Rolled back",
    "proposed": "Proposed",
    "already there": "Nothing to do",
    "superseded": "Superseded",
    "held": "Held",
}


def run_rollback(
    model: str, to: str, reason: str, *, dry_run: bool, boot: bool, as_json: bool
) -> int:
    """Go back, or show what that would change."""
    given = _given(model, reason)
    if begun := rollback.unfinished(given, model, to):
        return _ended(given, model, begun, {}, as_json)
    made = rollback.plan(given, model, to, reason)
    told = {
        "from": _brief(made.bad),
        "to": _brief(made.target),
        "diff": made.diff,
        "dry_run": dry_run,
    }
    if not as_json:
        _show(made)
    smoke_released.find(given, made.target)
    if dry_run:
        said = (
            f"release {made.target['release']} ({made.target['tag']}) would be live; nothing was"
            " written"
        )
        return _told(Written("dry run", said, release=int(made.target["release"])), told, as_json)
    if boot:
        started = time.monotonic()
        console().print(f"  starting {made.target['tag']} to see that it answers")
        agreed = smoke_released.start(given, made.target)
        console().print(f"  {agreed} golden records agree ({time.monotonic() - started:.1f} s)")
    return _ended(given, model, rollback.write(given, made), told, as_json)


def _ended(
    given: Settings, model: str, written: Written, more: Mapping[str, Any], as_json: bool
) -> int:
    """Tell it first: somebody who was told nothing runs it again, and must not go one further back
    by that.
    """
    code = _told(written, more, as_json)
    sys.stdout.flush()
    rollback.forget(given, model)
    return code


def _given(model: str, reason: str = "-") -> Settings:
    if not reason.strip():
        raise UsageError("--reason is empty", "Write why, for who looks at this later.")
    if odd := [sign for sign in reason if not (sign.isprintable() or sign.isspace())]:
        raise UsageError(
            f"--reason holds {odd[0]!r}, which nobody can read", "Write why in plain text."
        )
    given = settings.load()
    model_folder(model, given.project)
    return given


def _brief(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: record[name] for name in ("release", "tag", "digest", "image")}


def _show(made: rollback.Plan) -> None:
    out = console(stderr=False)
    for line in made.diff.splitlines():
        out.print(f"[{_DIFF_COLORS.get(line[0], 'dim')}]{escape(line)}[/]")
    out.print(
        f"[dim]From[/]  release {made.bad['release']}, {made.bad['tag']}, which goes into"
        " quarantine"
    )
    out.print(f"[dim]To[/]    release {made.target['release']}, {made.target['tag']}")


def _told(written: Written, more: Mapping[str, Any], as_json: bool) -> int:
    if as_json:
        print(json.dumps({**asdict(written), **more}, indent=1))
    else:
        word = _ENDINGS.get(written.outcome, written.outcome.capitalize())
        console(stderr=False).print(f"[bold]{word}: {escape(written.sentence)}.[/]")
    return 0


def run_quarantine(model: str, as_json: bool) -> int:
    """List the quarantine."""
    found = quarantine.listed(_given(model), model)
    if as_json:
        print(json.dumps(found, indent=1))
        return 0
    out = console(stderr=False)
    for entry in found:
        lifted = entry["lifted"]
        end = f"; lifted {lifted['when']} by {lifted['who']}: {lifted['why']}" if lifted else ""
        number = f"release {entry['release']}" if entry["release"] else "never released"
        said = (
            f"{entry['digest']} ({number}) since {entry['when']} by {entry['who']}:"
            f" {entry['why']}{end}"
        )
        out.print(f"{'[dim]lifted[/]  ' if lifted else '[red]in force[/]'}  {escape(said)}")
    count = sum(not entry["lifted"] for entry in found)
    out.print(f"[bold]{count} in quarantine.[/]")
    return 0


def run_quarantine_change(verb: str, model: str, digest: str, reason: str, as_json: bool) -> int:
    """Put something into quarantine, or lift it."""
    given = _given(model, reason)
    written = (quarantine.add if verb == "add" else quarantine.lift)(given, model, digest, reason)
    if as_json or written.outcome != "committed":
        return _told(written, {}, as_json)
    word = "In quarantine" if verb == "add" else "Lifted"
    console(stderr=False).print(f"[bold]{word}: {escape(written.sentence)}.[/]")
    return 0


def run_images(model: str, as_json: bool) -> int:
    """List the images in the registry."""
    found = images(_given(model), model)
    if as_json:
        print(
            json.dumps(
                [asdict(image) | {"deletable": image.deletable} for image in found], indent=1
            )
        )
        return 0
    out: Console = console(stderr=False)
    table = Table(box=None, pad_edge=False)
    for head in ("tag", "release", "kept as", "digest"):
        table.add_column(head)
    for image in found:
        kept = ", ".join(image.kept) or "[yellow]may be deleted[/]"
        marked = f"{kept} [red](in quarantine)[/]" if image.quarantined else kept
        table.add_row(
            image.tag, str(image.release or "never"), marked, f"[dim]{image.digest[:19]}[/]"
        )
    out.print(table)
    spare = sum(image.deletable for image in found)
    counted = f"{len(found)} image{'' if len(found) == 1 else 's'}"
    out.print(f"[bold]{counted}, {spare} of them may be deleted.[/]")
    return 0


def run_anchor(model: str, as_json: bool) -> int:
    """Show the anchor."""
    now = manifest_repo.live(_given(model), model)
    found = (now.anchor if now else None) or {}
    if as_json:
        print(json.dumps({"model": model, "anchor": found or None}, indent=1))
        return 0
    out = console(stderr=False)
    if not found:
        out.print(f"[bold]{model} has no anchor yet: its first release becomes it.[/]")
        return 0
    rows = {
        "Image": f"{found['image']}:{found['tag']}@{found['digest']}",
        "Because": found.get("reason", ""),
        "Measured": f"recall {found['recall']:.4f}, precision {found['precision']:.4f}",
    }
    for name, value in rows.items():
        out.print(f"[dim]{name:<9}[/] {escape(value)}")
    out.print(f"[bold]Release {found['release']} is the anchor of {model}.[/]")
    return 0


def run_anchor_set(model: str, release: str, reason: str, as_json: bool) -> int:
    """Make another release the anchor."""
    written = anchor.move(_given(model, reason), model, release, reason)
    if as_json or written.outcome != "committed":
        return _told(written, {}, as_json)
    console(stderr=False).print(f"[bold]Anchored: {escape(written.sentence)}.[/]")
    return 0
