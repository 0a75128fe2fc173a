"""`sluice lineage`: everything that a release rests on, and everything that a file of data led
to.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from flows.adapters.files import write_atomic
from flows.audit import find_release
from flows.audit.find_release import Traced
from flows.gitops import events as chronicle
from flows.project.settings import Settings
from sluice.errors import UsageError
from sluice.gitops.history import Event, live, spells, unended
from sluice.gitops.lineage import ANNOTATION, contradictions
from sluice.identity import file_sha256

_LEAST = 4


def document(traced: Traced) -> dict[str, Any]:
    """The whole lineage of a release, JSON-able; what nobody tells is empty."""
    event, evidence = traced.event, traced.document or {}
    trailers, provenance = event.trailers, evidence.get("provenance") or {}
    notes = traced.annotations or {}
    return {
        "schema": 1,
        "model": event.model,
        "release": event.release,
        "image": f"{traced.image}:{event.tag}@{event.digest}",
        "tag": event.tag,
        "digest": event.digest,
        "live": live(traced.events, event.model) == event.digest,
        "spells": _spells(traced),
        "data": {"sha256": trailers.get("Data-Hash", ""), **_data(evidence)},
        "made_of": {name.removeprefix(ANNOTATION): value for name, value in sorted(notes.items())},
        "code": {
            "source_commit": trailers.get("Source-Commit", ""),
            "code_commit": trailers.get("Code-Commit", ""),
        },
        "lock": provenance.get("lock", (evidence.get("seals") or {}).get("lock", "")),
        **{
            name: provenance.get(name, "")
            for name in ("interpreter", "platform", "system", "hardware")
        },
        "blas": provenance.get("blas", []),
        "versions": provenance.get("versions", {}),
        "seeds": provenance.get("seeds", {}),
        "metrics": _metrics(evidence.get("metrics") or {}),
        "verdict": evidence.get("verdict")
        or {"verdict": event.verdict, "sentence": "", "rules": []},
        "approved": _approved(event, evidence),
        "runs": {
            "prefect": trailers.get("Prefect-Run", ""),
            "mlflow": trailers.get("MLflow-Key", ""),
        },
        "commit": event.commit,
        "evidence": trailers.get("Evidence-Hash", ""),
        "previous": _neighbour(traced, -1),
        "next": _neighbour(traced, 1),
        "contradictions": contradictions(trailers, traced.annotations, traced.document),
        "missing": list(traced.missing),
    }


def _data(evidence: Mapping[str, Any]) -> dict[str, Any]:
    found = evidence.get("data") or {}
    rows = (evidence.get("metrics") or {}).get("rows") or {}
    return {
        "rows": found.get("rows", 0),
        "source": found.get("source", ""),
        "split": {name: rows[name] for name in ("train", "validation", "holdout") if name in rows},
    }


def _metrics(metrics: Mapping[str, Any]) -> dict[str, Any]:
    spans = metrics.get("intervals") or {}
    return {
        name: {"value": value, "interval": spans.get(name)}
        for name, value in (metrics.get("holdout") or {}).items()
    }


def _approved(event: Event, evidence: Mapping[str, Any]) -> dict[str, Any]:
    """Who let it through: the author of the commit, who is named in its trailers, and an override
    if there was one.
    """
    people = {"Merged by": event.approved} if event.approved else {}
    people |= {
        name: event.trailers[name]
        for name in ("Approved-By", "Reviewed-By", "Reviewed-by", "Signed-off-by")
        if name in event.trailers
    }
    loud = {"override": "Override", "policy_changed": "Policy-Changed"}
    said = {
        name: evidence.get(name) or event.trailers.get(trailer) for name, trailer in loud.items()
    }
    return {"by": event.who, "date": event.date, "people": people, **said}


def _spells(traced: Traced) -> list[dict[str, str]]:
    """When this image was live."""
    return [
        {
            "from": spell.began.date,
            "until": spell.ended.date if spell.ended else "",
            "by": spell.began.kind,
            "commit": spell.began.commit,
            "ended_by": spell.ended.kind if spell.ended else "",
        }
        for spell in spells(traced.events, traced.event.model)
        if spell.began.digest == traced.event.digest
    ]


def _neighbour(traced: Traced, step: int) -> dict[str, Any] | None:
    """The release before or after this one."""
    mine = (traced.event.model, traced.event.overlay)
    releases = [
        event
        for event in traced.events
        if event.kind == "release" and (event.model, event.overlay) == mine
    ]
    places = [place for place, event in enumerate(releases) if event.commit == traced.event.commit]
    place = places[0] + step if places else -1
    return brief(releases[place]) if 0 <= place < len(releases) else None


def brief(event: Event) -> dict[str, Any]:
    """An event in a few words."""
    names = ("kind", "release", "tag", "digest", "commit", "date")
    return {name: value for name, value in asdict(event).items() if name in names}


def touched(given: Settings, word: str) -> dict[str, Any]:
    """Every candidate and deployment that rests on these data, by their hash, an abbreviation of
    it, or the file.
    """
    wanted = (
        file_sha256(Path(word)) if Path(word).is_file() else word.lower().removeprefix("sha256:")
    )
    events = chronicle.chronicle(given)
    known = {event.data for event in events if event.data} | {
        event.trailers["Training-Hash"] for event in events if "Training-Hash" in event.trailers
    }
    hits = sorted(name for name in known if len(wanted) >= _LEAST and name.startswith(wanted))
    if len(hits) > 1:
        raise UsageError(
            f"{word!r} may be {len(hits)} data sets: {', '.join(hit[:16] for hit in hits)}",
            "Take more.",
        )
    local = _judged_here(given, hits[0] if hits else wanted)
    if not hits and not local and not Path(word).is_file():
        looked = find_release.where(given, "<model>")
        raise UsageError(
            f"nothing is known of data {word!r}",
            f"Looked at {looked}, and at what this machine judged.",
        )
    sha = hits[0] if hits else wanted
    found = [event for event in events if sha in (event.data, event.trailers.get("Training-Hash"))]
    releases = [event for event in found if event.kind == "release"]
    there = {event.model: live(events, event.model) for event in releases}
    return {
        "schema": 1,
        "data": sha,
        "deployments": [
            {
                **brief(event),
                "model": event.model,
                "live": there[event.model] == event.digest,
                "spells": _when(events, event),
            }
            for event in releases
        ],
        "candidates": [
            {
                **brief(event),
                "model": event.model,
                "verdict": event.verdict,
                "outcome": event.outcome,
                "sentence": event.body,
            }
            for event in found
            if event.kind == "verdict"
        ],
        "here": [item for item in local if not _told(item, found)],
        "unknown": [
            {"model": event.model, "release": event.release, "date": event.date}
            for event in unended(events)
        ],
    }


def _when(events: list[Event], release: Event) -> list[dict[str, str]]:
    return [
        {"from": spell.began.date, "until": spell.ended.date if spell.ended else ""}
        for spell in spells(events, release.model)
        if spell.began.digest == release.digest
    ]


def _judged_here(given: Settings, sha: str) -> list[dict[str, str]]:
    """Candidates that this machine judged on these data, from its own store, traced elsewhere or
    not.
    """
    found = []
    for record in sorted((given.home / "store" / "evidence").glob("*/step.json")):
        inputs = json.loads(record.read_text(encoding="utf-8"))["inputs"]
        if inputs.get("data") == sha:
            told = json.loads(record.with_name("evidence.json").read_text(encoding="utf-8"))
            verdict = told["verdict"]
            found.append(
                {
                    "model": told["model"],
                    "artifact": inputs["candidate"],
                    "verdict": verdict["verdict"],
                    "sentence": verdict["sentence"],
                }
            )
    return found


def _told(item: Mapping[str, str], found: list[Event]) -> bool:
    """Whether the manifest repo tells of this candidate already."""
    models = {event.trailers.get("Model-Hash") for event in found if event.kind == "release"}
    return item["artifact"] in models or any(item["sentence"] in event.body for event in found)


def write(traced: Traced, out: Path) -> None:
    """Lay evidence and model, as the registry has them, into a folder. Raises UsageError."""
    if traced.evidence is None:
        raise UsageError(
            f"there is no evidence to write: {'; '.join(traced.missing)}", "Check SLUICE_REGISTRY."
        )
    for name, content in traced.evidence.items():
        write_atomic(out / name, content)
    for name, content in find_release.artifact(traced).items():
        write_atomic(out / "model" / name, content)
