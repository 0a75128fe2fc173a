"""What a release rests on, and what a file of data led to."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import UNSET, Struct, UnsetType, structs

from flows.adapters.files import write_atomic
from flows.audit import find_release
from flows.audit.find_release import Traced
from flows.gitops.events import chronicle
from flows.project.settings import Settings
from sluice.errors import UsageError
from sluice.gitops.evidence import Evidence, Provenance, read_evidence
from sluice.gitops.history import Event, Spell, live, spells, unended
from sluice.gitops.lineage import contradictions, without_prefix
from sluice.identity import file_sha256
from sluice.model.json_file import decode_json

_LEAST = 4  # characters of an abbreviated hash
_PEOPLE = ("Approved", "Approved-By", "Reviewed-By", "Reviewed-by", "Signed-off-by")


class Brief(Struct, frozen=True):
    """An event in a few words."""

    kind: str
    commit: str
    date: str
    release: int
    tag: str
    digest: str


class Live(Struct, frozen=True):
    """A time in which an image was live, and which events began and ended it; `until` is empty
    while it lasts.
    """

    began: str = msgspec.field(name="from")
    until: str
    by: str
    commit: str
    ended_by: str


class Data(Struct, frozen=True):
    """The table: SHA-256, rows, where it came from, and rows by part of the split."""

    sha256: str
    rows: int
    source: str
    split: dict[str, int]


class Code(Struct, frozen=True):
    """The commit of the project, and that of Sluice where it is another."""

    source_commit: str
    code_commit: str


class Metric(Struct, frozen=True):
    """A metric of the holdout, with its interval where it has one."""

    value: float | None
    interval: tuple[float, float] | float | None


class Approved(Struct, frozen=True):
    """Who let it through: the author and the date of the commit, the people whom its trailers
    name, and what was set aside.
    """

    by: str
    date: str
    people: dict[str, str]
    override: str | None
    policy_changed: str | None


class Runs(Struct, frozen=True):
    """Where the run is found: its id in Prefect, the key of its run in MLflow."""

    prefect: str
    mlflow: str


class Lineage(Struct, frozen=True):
    """The whole lineage of a release, as `--json` prints it; what is not on record is empty.

    image           name, tag and digest
    spells          the times in which it was live, oldest first
    made_of         hashes of what the image is made of, from its annotations
    lock            hash of the lock file; `system` to `hardware` are where it was trained
    verdict         everything that the gate said, as it said it
    evidence        digest of the evidence in the registry
    previous, next  the releases before and after it, of this model in this overlay
    contradictions  a sentence for each point in which commit, image and evidence differ
    missing         a sentence for each thing that the registry does not have
    written         the folder into which evidence and model were written
    """

    schema: int
    model: str
    release: int
    image: str
    tag: str
    digest: str
    live: bool
    spells: list[Live]
    data: Data
    made_of: dict[str, str]
    code: Code
    lock: str
    interpreter: str
    platform: str
    system: str
    hardware: str
    blas: list[str]
    versions: dict[str, str]
    seeds: dict[str, int | str]
    metrics: dict[str, Metric]
    verdict: dict[str, object]
    approved: Approved
    runs: Runs
    commit: str
    evidence: str
    previous: Brief | None
    next: Brief | None
    contradictions: list[str]
    missing: list[str]
    written: str | UnsetType = UNSET


def lineage(traced: Traced) -> Lineage:
    """Gather the lineage of a release from its commit, its image and its evidence."""
    event, fields = traced.event, traced.event.fields
    evidence = traced.evidence or Evidence()
    provenance = evidence.provenance or Provenance()
    return Lineage(
        schema=1,
        model=event.model,
        release=event.release,
        image=f"{traced.image}:{event.tag}@{event.digest}",
        tag=event.tag,
        digest=event.digest,
        live=live(traced.events, event.model) == event.digest,
        spells=[_live(spell) for spell in _spells(traced.events, event)],
        data=_data(evidence, fields.data_hash),
        made_of=dict(sorted(without_prefix(traced.annotations or {}).items())),
        code=Code(fields.source_commit, fields.code_commit),
        lock=provenance.lock or (evidence.seals or {}).get("lock", ""),
        interpreter=provenance.interpreter,
        platform=provenance.platform,
        system=provenance.system,
        hardware=provenance.hardware,
        blas=provenance.blas,
        versions=provenance.versions,
        seeds=provenance.seeds,
        metrics=_metrics(evidence),
        verdict=evidence.verdict or {"verdict": event.verdict, "sentence": "", "rules": []},
        approved=_approved(event, evidence),
        runs=Runs(fields.prefect_run, fields.mlflow_key),
        commit=event.commit,
        evidence=fields.evidence_hash,
        previous=_neighbour(traced, -1),
        next=_neighbour(traced, 1),
        contradictions=contradictions(event.trailers, traced.annotations, traced.evidence),
        missing=list(traced.missing),
    )


def _data(evidence: Evidence, sha256: str) -> Data:
    split: dict[str, int] = {}
    if evidence.measured:
        rows = evidence.measured.rows
        split = {"train": rows.train, "validation": rows.validation, "holdout": rows.holdout}
    if evidence.data is None:
        return Data(sha256, 0, "", split)
    return Data(sha256, evidence.data.rows, evidence.data.source, split)


def _metrics(evidence: Evidence) -> dict[str, Metric]:
    found = evidence.measured
    if found is None:
        return {}
    measured = structs.asdict(found.holdout)
    intervals = structs.asdict(found.intervals)
    return {name: Metric(measured[name], intervals.get(name)) for name in sorted(measured)}


def _approved(event: Event, evidence: Evidence) -> Approved:
    people = {"Merged by": event.approved} if event.approved else {}
    people |= {name: event.trailers[name] for name in _PEOPLE if name in event.trailers}
    return Approved(
        by=event.who,
        date=event.date,
        people=people,
        override=evidence.override or event.fields.override or None,
        policy_changed=evidence.policy_changed or event.fields.policy_changed or None,
    )


def _spells(events: Sequence[Event], release: Event) -> list[Spell]:
    """The times in which the image of a release was live, oldest first."""
    return [
        spell for spell in spells(events, release.model) if spell.began.digest == release.digest
    ]


def _live(spell: Spell) -> Live:
    began, ended = spell.began, spell.ended
    return Live(
        began=began.date,
        until=ended.date if ended else "",
        by=began.kind,
        commit=began.commit,
        ended_by=ended.kind if ended else "",
    )


def _neighbour(traced: Traced, step: int) -> Brief | None:
    """The release `step` places after this one, of the same model in the same overlay."""
    this = traced.event
    releases = [
        event
        for event in traced.events
        if event.kind == "release" and (event.model, event.overlay) == (this.model, this.overlay)
    ]
    commits = [event.commit for event in releases]
    if this.commit not in commits:
        return None
    place = commits.index(this.commit) + step
    return _brief(releases[place]) if 0 <= place < len(releases) else None


def _brief(event: Event) -> Brief:
    return Brief(event.kind, event.commit, event.date, event.release, event.tag, event.digest)


class Span(Struct, frozen=True):
    """A time in which an image was live; `until` is empty while it lasts."""

    began: str = msgspec.field(name="from")
    until: str


class Deployment(Brief, frozen=True):
    """A release that rests on some data, and when it was live."""

    model: str
    live: bool
    spells: list[Span]


class Candidate(Brief, frozen=True):
    """A candidate that rests on some data and was not released; `sentence` is the body of its
    commit.
    """

    model: str
    verdict: str
    outcome: str
    sentence: str


class Judged(Struct, frozen=True):
    """A candidate in the store of this machine; `artifact` is the hash of its model artifact."""

    model: str
    artifact: str
    verdict: str
    sentence: str


class Unknown(Struct, frozen=True):
    """A release that took its number and left no verdict: it may rest on any data."""

    model: str
    release: int
    date: str


class Touched(Struct, frozen=True):
    """Everything that rests on some data, as `--json` prints it; `here` is what only this machine
    knows.
    """

    schema: int
    data: str
    deployments: list[Deployment]
    candidates: list[Candidate]
    here: list[Judged]
    unknown: list[Unknown]


def touched(settings: Settings, word: str) -> Touched:
    """Find every candidate and deployment that rests on some data: the holdout or the training
    rows were taken from it.

    `word` is a file, the hash of a file or of training rows, or at least four characters of its
    beginning. Raises UsageError where nothing is known of it, or where it matches several.
    """
    events = chronicle(settings)
    is_file = Path(word).is_file()
    wanted = file_sha256(Path(word)) if is_file else word.lower().removeprefix("sha256:")
    hashes = _matching(events, wanted)
    if len(hashes) > 1:
        names = ", ".join(name[:16] for name in hashes)
        raise UsageError(
            f"{word!r} matches {len(hashes)} data sets: {names}", "Give more characters."
        )
    data = hashes[0] if hashes else wanted
    here = _judged_here(settings, data)
    if not (hashes or here or is_file):
        looked = find_release.where(settings, "<model>")
        raise UsageError(
            f"nothing is known of data {word!r}",
            f"Looked at {looked}, and at what this machine judged.",
        )
    resting = [event for event in events if data in _data_of(event)]
    return Touched(
        schema=1,
        data=data,
        deployments=[_deployment(events, event) for event in resting if event.kind == "release"],
        candidates=[_candidate(event) for event in resting if event.kind == "verdict"],
        here=[judged for judged in here if not _on_record(judged, resting)],
        unknown=[Unknown(event.model, event.release, event.date) for event in unended(events)],
    )


def _data_of(event: Event) -> tuple[str, ...]:
    """The hashes of the file and of the training rows that an event names."""
    named = (event.data, event.fields.training_hash)
    return tuple(name for name in named if name)


def _matching(events: Sequence[Event], wanted: str) -> list[str]:
    if len(wanted) < _LEAST:
        return []
    known = {name for event in events for name in _data_of(event)}
    return sorted(name for name in known if name.startswith(wanted))


def _deployment(events: Sequence[Event], release: Event) -> Deployment:
    lived = _spells(events, release)
    return Deployment(
        **msgspec.structs.asdict(_brief(release)),
        model=release.model,
        live=live(events, release.model) == release.digest,
        spells=[Span(spell.began.date, spell.ended.date if spell.ended else "") for spell in lived],
    )


def _candidate(event: Event) -> Candidate:
    return Candidate(
        **msgspec.structs.asdict(_brief(event)),
        model=event.model,
        verdict=event.verdict,
        outcome=event.outcome,
        sentence=event.body,
    )


class _Inputs(Struct, frozen=True):
    """The inputs of the evidence that are looked for, by hash."""

    data: str = ""
    candidate: str = ""


class _Evidence(Struct, frozen=True):
    """What is read of the record of a step `evidence` in the store."""

    inputs: _Inputs


def _judged_here(settings: Settings, data: str) -> list[Judged]:
    """Candidates that this machine judged on these data, from its own store."""
    judged = []
    for record in sorted((settings.home / "store" / "evidence").glob("*/step.json")):
        try:
            inputs = decode_json(record.read_bytes(), _Evidence, str(record)).inputs
            content = record.with_name("evidence.json").read_bytes()
        except FileNotFoundError:
            continue  # a release does this step again, and puts a new folder in the place of it
        if inputs.data != data:
            continue
        judged.append(_judged(content, inputs.candidate))
    return judged


def _judged(content: bytes, candidate: str) -> Judged:
    evidence = read_evidence(content)
    verdict = evidence.judged
    return Judged(evidence.model, candidate, verdict.verdict, verdict.sentence)


def _on_record(judged: Judged, events: Sequence[Event]) -> bool:
    """Whether one of these events of the manifest repo is about this candidate."""
    for event in events:
        released = event.kind == "release" and event.fields.model_hash == judged.artifact
        if released or judged.sentence in event.body:
            return True
    return False


def write(traced: Traced, folder: Path) -> None:
    """Write evidence and model, as the registry has them, into a folder. Raises UsageError where
    it does not have the evidence.
    """
    if traced.files is None:
        raise UsageError(
            f"there is no evidence to write: {'; '.join(traced.missing)}", "Check SLUICE_REGISTRY."
        )
    _write_all(folder, traced.files)
    _write_all(folder / "model", find_release.artifact(traced))


def _write_all(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        write_atomic(folder / name, content)
