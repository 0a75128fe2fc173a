"""`sluice verify`: what was checked, part by part, and which file is wrong."""

import json
from collections.abc import Mapping
from typing import Any

from rich.console import Console

from flows.audit import find_release
from flows.audit.find_release import Traced
from flows.audit.verify import Problem, Report, check
from flows.gitops import manifest_repo
from flows.project import settings
from flows.views import terminal
from flows.views.escape import escape
from sluice.errors import SluiceError, UsageError

_PARTS = {
    "image": "Image",
    "model": "Artifact",
    "evidence": "Evidence",
    "manifest repo": "Manifest repo",
}


def run_verify(word: str, model: str, as_json: bool) -> int:
    """Check a release as it lies in registry and manifest repo; 3 where a file is not what it
    was.
    """
    given = settings.load()
    traced = find_release.trace(given, word, model)
    trailers = traced.event.trailers
    if "Image" not in trailers or "Image-Digest" not in trailers:
        raise UsageError(
            f"commit {traced.event.commit[:12]} names no image",
            "Name a release; see `sluice history`.",
        )
    report = check(traced.place, trailers)
    if traced.event.commit:
        _standing(given, traced, report)
    told = document(traced, report)
    print(json.dumps(told, indent=1)) if as_json else _show(terminal.console(stderr=False), told)
    return 3 if report.problems else 0


def _standing(given: settings.Settings, traced: Traced, report: Report) -> None:
    """What the manifest repo says of it now: the entry and the state beside it, where it is what is
    live.
    """
    event, overlay = traced.event, manifest_repo.overlay(given)
    state = manifest_repo.state(given, event.model, "champion")
    report.checked["manifest repo"] = {"commit": 0}
    report.problems += _edited(traced)
    try:
        now = manifest_repo.live(given, event.model)
    except SluiceError as error:
        report.problems.append(Problem(overlay if overlay in error.what else state, error.what))
        return
    champion = (now.champion if now else None) or {}
    if now is None or event.digest not in (now.entry.digest, champion.get("digest")):
        return
    report.checked["manifest repo"] |= {overlay: 0, state: 0}
    entry = {
        "newName": (now.entry.new_name, traced.image),
        "newTag": (now.entry.tag, event.tag),
        "digest": (now.entry.digest, event.digest),
    }
    report.problems += _differing(overlay, entry)
    report.problems += _differing(
        state, {name: (champion.get(name), wanted) for name, wanted in _state(traced).items()}
    )


def _edited(traced: Traced) -> list[Problem]:
    """What a person changed in the state since: nobody but a release, a rollback and the quarantine
    writes there.
    """
    event = traced.event
    later = traced.events[traced.events.index(event) + 1 :]
    return [
        Problem(file, f"changed by hand in commit {edit.commit[:12]}, by {edit.who}")
        for edit in later
        for file in edit.files
        if edit.kind == "edit" and file.startswith(f"state/{event.model}/")
    ]


def _state(traced: Traced) -> dict[str, Any]:
    """What the state of this release says, as far as its commit and its evidence tell."""
    trailers, event = traced.event.trailers, traced.event
    named = {
        "data": "Data-Hash",
        "evidence": "Evidence-Hash",
        "training": "Training-Hash",
        "model": "Model-Hash",
        "promotion": "Promotion-Id",
    }
    holdout = ((traced.document or {}).get("metrics") or {}).get("holdout") or {}
    return {
        "schema": 1,
        "tag": event.tag,
        "digest": event.digest,
        "image": traced.image,
        "release": event.release,
        **{name: trailers[trailer] for name, trailer in named.items() if trailer in trailers},
        **{name: holdout[name] for name in ("recall", "precision") if name in holdout},
    }


def _differing(file: str, pairs: Mapping[str, tuple[Any, Any]]) -> list[Problem]:
    return [
        Problem(file, f"{name} is {there}, the release says {wanted}")
        for name, (there, wanted) in pairs.items()
        if there != wanted
    ]


def document(traced: Traced, report: Report) -> dict[str, Any]:
    """What was checked and what is wrong, JSON-able."""
    return {
        "schema": 1,
        "model": traced.event.model,
        "release": traced.event.release,
        "tag": traced.event.tag,
        "digest": traced.event.digest,
        "sound": not report.problems,
        "checked": report.checked,
        "problems": [{"file": problem.file, "what": problem.what} for problem in report.problems],
    }


def _show(out: Console, told: Mapping[str, Any]) -> None:
    for part, title in _PARTS.items():
        files = told["checked"].get(part)
        if files is not None:
            size = sum(files.values())
            out.print(
                f"[dim]{title:<14}[/] {escape(', '.join(files))}"
                + (f"  [dim]{_size(size)}[/]" if size else "")
            )
    for problem in told["problems"]:
        out.print(
            f"[red]Wrong[/]          [bold]{escape(problem['file'])}[/]  {escape(problem['what'])}"
        )
    out.print(f"[bold]{escape(_last(told))}[/]")


def _last(told: Mapping[str, Any]) -> str:
    name = (
        f"release {told['release']} of {told['model']}"
        if told["release"]
        else f"{told['model']}:{told['tag']}"
    )
    if told["problems"]:
        files = dict.fromkeys(problem["file"] for problem in told["problems"])
        return f"Refused: {name} is not what was promoted: {', '.join(files)}."
    count = sum(len(files) for files in told["checked"].values())
    return f"Verified: {name}, {count} files, every hash agrees."


def _size(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 1e5 else f"{size / 1e3:,.1f} kB"
