"""Every hash of a release compared with what lies in the registry: image, artifact and evidence,
and what binds them.

The commit's trailers say what there is to be; the promotion checks them before it writes, `sluice
verify` at any time.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, structs

from flows.adapters.failpoints import boundary
from flows.adapters.image.image_contents import Held, files_in, software_of, started
from flows.adapters.registry import oci, referrers, registry
from flows.audit import approvers, known_images, statements
from flows.audit.find_release import Traced
from flows.audit.known_images import NOTHING, Known
from flows.facts.decided import promotes
from flows.facts.step_files import METRICS, VERDICT
from flows.gitops import manifest_repo
from flows.project.settings import Settings
from sluice.errors import Refused, SluiceError, UsageError, disk
from sluice.gitops.bill_of_materials import Software
from sluice.gitops.evidence import Evidence, read_evidence
from sluice.gitops.history import Event
from sluice.gitops.image_names import ANNOTATION
from sluice.gitops.lineage import contradictions, without_prefix
from sluice.identity import sha256, value_hash
from sluice.model.json_file import decode_json, parse_json
from sluice.policy import NEUTRAL_APPROVALS, ApprovalPolicy, load_policy

IN_IMAGE = "srv/bento/src/model/"  # where the image has its model
_EVIDENCE = ("evidence.html", "evidence.json", VERDICT)
_SEALED = {"metrics": METRICS, "verdict": VERDICT}
# key of the state of a release -> trailer of its commit that says the same
_STATE = {
    "data": "Data-Hash",
    "evidence": "Evidence-Hash",
    "training": "Training-Hash",
    "model": "Model-Hash",
    "promotion": "Promotion-Id",
}
_MEASURED: tuple[str, ...] = ("recall", "precision", "skill")
Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Problem:
    """A file that is not what it is to be."""

    file: str
    what: str

    def __str__(self) -> str:
        return f"{self.file}: {self.what}"


class _Labels(Struct, frozen=True, rename={"labels": "Labels"}):
    """How an image is started, as far as it is read here."""

    labels: dict[str, str] | None = None


class _Configuration(Struct, frozen=True):
    """The configuration of an image, as far as it is read here."""

    config: _Labels


@dataclass
class Report:
    """What was checked, part by part, each file with its size in bytes; and what is wrong.
    `approvals` is what the policy of the artifact asks of people.
    """

    checked: dict[str, dict[str, int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    approvals: ApprovalPolicy = NEUTRAL_APPROVALS

    def add(self, file: str, what: str) -> None:
        """Record that something of a file is wrong."""
        self.problems.append(Problem(file, what))


class Verified(Struct, frozen=True):
    """What was checked of a release and what is wrong, as `--json` prints it; sizes in bytes by
    part and file.
    """

    schema: int
    model: str
    release: int
    tag: str
    digest: str
    sound: bool
    checked: dict[str, dict[str, int]]
    problems: list[Problem]


@dataclass(frozen=True)
class Image:
    """What is checked against: the repository of the registry, the tag of the image, the trailers
    of the commit, and what this machine knows of code and images.
    """

    place: registry.Place
    tag: str
    trailers: Mapping[str, str]
    known: Known


@boundary("promotion.check")
def require(place: registry.Place, trailers: Mapping[str, str], known: Known = NOTHING) -> None:
    """Raise Refused, naming every file that is wrong; what a promotion does before it writes."""
    problems = check(place, trailers, known).problems
    if problems:
        sentence = "; ".join(str(problem) for problem in problems)
        raise Refused(
            f"what would be promoted is not sound: {sentence}",
            "Delete the tag in the registry, and run it again.",
        )


def verify(settings: Settings, traced: Traced) -> Verified:
    """Check a release as it lies in registry and manifest repo. Raises UsageError where its commit
    names no image.
    """
    event = traced.event
    if "Image" not in event.trailers or "Image-Digest" not in event.trailers:
        raise UsageError(
            f"commit {event.commit[:12]} names no image", "Name a release; see `sluice history`."
        )
    report = check(traced.place, event.trailers, known_images.here(settings.home))
    if event.commit:
        _manifest_repo(report, settings, traced)
        _approvals(report, settings, traced.event)
    return Verified(
        schema=1,
        model=event.model,
        release=event.release,
        tag=event.tag,
        digest=event.digest,
        sound=not report.problems,
        checked=report.checked,
        problems=report.problems,
    )


def check(place: registry.Place, trailers: Mapping[str, str], known: Known = NOTHING) -> Report:
    """Read everything that these trailers name, and compare it with them, and the image with what
    this machine knows.

    Raises Retryable where the registry does not answer, SluiceError where a disk fails.
    """
    report = Report()
    tag, digest = trailers["Image"].rpartition(":")[2], trailers["Image-Digest"]
    image = Image(place, tag, trailers, known)
    looked = _image(report, image, digest)
    notes = looked.notes if looked else None
    model = _files(report, place, f"{tag}.model", f"{tag}.model")
    files = _files(report, place, trailers.get("Evidence-Hash", "none"), f"{tag}.evidence")
    named = _evidence_tags(report, image, trailers.get("Evidence-Hash", ""))
    named += _statements(report, image, digest, looked)
    with _noted(report, "index.json"):
        place.check_index([tag, f"{tag}.model", *named])
    if model is not None:
        _artifact(report, image, model, notes)
    evidence = _evidence(report, image, files) if files is not None else None
    if evidence is not None and model is not None:
        _told(report, tag, model, evidence)
    _verdict(report, trailers, evidence)
    for sentence in contradictions(trailers, notes, evidence):
        report.add("the commit", sentence)
    return report


@contextmanager
def _noted(report: Report, file: str) -> Iterator[None]:
    """Record what is broken inside the block as a problem of a file, and go on behind the block.

    A disk that fails says nothing about what lies on it: that is raised.
    """
    try:
        yield
    except (oci.Broken, OSError, ValueError, KeyError) as error:
        failed = disk(error)
        if failed:
            raise failed from None
        report.add(file, getattr(error, "what", "") or repr(error))


def _evidence_tags(report: Report, image: Image, digest: str) -> list[str]:
    """The tags that lead to the evidence: `<tag>.evidence`, or with a hash behind where that was
    taken.
    """
    notes = None
    with _noted(report, f"manifest of {image.tag}.evidence"):
        notes = registry.annotations(image.place, digest)
    if notes is None:
        return []
    hashed = notes.get(f"{ANNOTATION}evidence", "")[:8]
    leading = []
    for name in (f"{image.tag}.evidence", f"{image.tag}.evidence-{hashed}"):
        with _noted(report, f"tag {name}"):
            if registry.digest(image.place, name) == digest:
                leading.append(name)
    if not leading:
        report.add(f"tag {image.tag}.evidence", f"it does not lead to {digest}")
    return leading


@dataclass(frozen=True)
class _Looked:
    """What was read of an image: its annotations, and the software in it, None where that was not
    asked for or cannot be read.
    """

    notes: dict[str, str]
    software: Software | None


def _image(report: Report, image: Image, digest: str) -> _Looked | None:
    """Check that the tag names the image, every part of it, and the model in it. Returns what was
    read of it; None where its manifest cannot be read.
    """
    part = f"image {image.tag}"
    report.checked["image"] = {}
    _image_tag(report, image, digest)
    content = None
    with _noted(report, f"manifest of {part}"):
        content = registry.manifest(image.place, digest)
    if content is None:
        return None
    report.checked["image"]["manifest"] = len(content)
    manifest, notes = oci.parse_manifest(content), oci.annotations_of(content)
    _configuration(report, image, manifest.config.digest, notes)
    with tempfile.TemporaryDirectory(prefix="sluice-verify-") as folder:
        layers = _layers(report, image, manifest.layers, Path(folder))
        whole = len(layers) == len(manifest.layers) > 0
        digests = tuple(layer.digest for layer in manifest.layers)
        files, software = _read(report, image, digests, layers) if whole else ({}, None)
    model = _model_in(files)
    if files and not report.problems:
        _service(report, image, files, notes)
        _below(report, image, manifest, notes)
    if not model and not report.problems:
        report.add(f"model in {part}", f"no layer has anything under {IN_IMAGE}")
    if model and value_hash(model) != notes.get(f"{ANNOTATION}model"):
        report.add(f"model in {part}", f"it hashes to {value_hash(model)[:12]}, not as annotated")
    return _Looked(notes, software)


def _statements(report: Report, image: Image, digest: str, looked: _Looked | None) -> list[str]:
    """Check that all that has to be stated about the image is, signed with the key that the commit
    names. Returns the tag of their list; nothing where the commit names no key, as those of
    versions that signed nothing do.
    """
    public = image.trailers.get(statements.KEY, "")
    if not public or looked is None:
        return []
    sizes = report.checked.setdefault("statements", {})
    # Where the software cannot be read, a layer is broken, which is told.
    for one in statements.wanted(looked.notes, image.trailers, looked.software):
        name = f"signed {one.name} of image {image.tag}"
        with _noted(report, name):
            wrong = statements.problem(image.place, public, digest, one, sizes)
            if wrong:
                report.add(name, wrong)
    return [referrers.tag(digest)]


def _image_tag(report: Report, image: Image, digest: str) -> None:
    named: str | None = None
    with _noted(report, f"tag {image.tag}"):
        named = registry.digest(image.place, image.tag)
    if named != digest:
        report.add(f"tag {image.tag}", f"it names {named or 'nothing'}, and {digest} was promoted")


def _configuration(report: Report, image: Image, digest: str, notes: Mapping[str, str]) -> None:
    name = f"configuration of image {image.tag}"
    with _noted(report, name):
        content = registry.blob(image.place, digest)
        report.checked["image"]["configuration"] = len(content)
        if (decode_json(content, _Configuration, "it").config.labels or {}) != notes:
            report.add(name, "its labels are not the annotations of the image")


def _layers(
    report: Report, image: Image, layers: Sequence[oci.Descriptor], folder: Path
) -> list[Path]:
    """Check every layer; the files in `folder` of those that are whole, the lowest first."""
    paths = []
    for number, layer in enumerate(layers, 1):
        name = f"layer {number} of image {image.tag}"
        with _noted(report, name):
            path = registry.pull_blob(image.place, layer.digest, folder)
            report.checked["image"][f"layer {number}"] = layer.size
            size = path.stat().st_size
            if size != layer.size:
                report.add(name, f"{size} bytes, the manifest says {layer.size}")
            paths.append(path)
    return paths


def _read(
    report: Report, image: Image, digests: tuple[str, ...], layers: Sequence[Path]
) -> tuple[dict[str, Held], Software | None]:
    """What the last layer holds, by path, and the software in the image where its statements are
    checked.

    The Bento is the last layer; those below are base and packages.
    """
    files: dict[str, Held] = {}
    software: Software | None = None
    with _noted(report, f"layer {len(layers)} of image {image.tag}"):
        files = files_in(layers[-1])
    if statements.KEY in image.trailers:
        with _noted(report, f"software in image {image.tag}"):
            software = software_of(digests, layers)
    return files, software


def _model_in(files: Mapping[str, Held]) -> dict[str, str]:
    """The files of the model in the last layer, by hash."""
    return {
        path.removeprefix(IN_IMAGE): held.sha256
        for path, held in files.items()
        if path.startswith(IN_IMAGE)
    }


def _service(
    report: Report, image: Image, files: Mapping[str, Held], notes: Mapping[str, str]
) -> None:
    """Where the image names the code that is here: check that it is what the image has."""
    served = image.known.served
    if served is None or notes.get(f"{ANNOTATION}code") != image.known.code:
        return
    found = known_images.sources(files)
    total = sum(held.size for held in found.values())
    report.checked["service code"] = {f"{len(found)} files": total}
    for path, what in known_images.strange_files(files, served).items():
        report.add(f"{path} in image {image.tag}", what)


def _below(report: Report, image: Image, manifest: oci.Manifest, notes: Mapping[str, str]) -> None:
    """Where an image of this base, these packages and this code was built here: check that the
    layers below the service, and how it is started, are the same.
    """
    like = image.known.layers_like(without_prefix(notes))
    if not like:
        return
    below = manifest.layers[:-1]
    total = sum(layer.size for layer in below)
    report.checked["base and packages"] = {f"{len(below)} layers": total}
    digests = tuple(layer.digest for layer in below)
    if digests not in {one.below for one in like}:
        report.add(f"base or packages of image {image.tag}", "they are not those that it names")
    configuration = registry.blob(image.place, manifest.config.digest)
    if started(configuration) not in {one.started for one in like}:
        report.add(f"configuration of image {image.tag}", "it is started in another way")


def _files(report: Report, place: registry.Place, reference: str, name: str) -> Files | None:
    """The files of an artifact, each that is broken a problem of its own; None unless all of them
    can be read.
    """
    parts: dict[str, oci.Descriptor] | None = None
    with _noted(report, f"manifest of {name}"):
        content = registry.manifest(place, reference)
        parts = oci.files_of(content)
    if parts is None:
        return None
    checked = report.checked.setdefault(name.rpartition(".")[2], {})
    checked["manifest"] = len(content)
    files: dict[str, bytes] = {}
    for file, layer in parts.items():
        with _noted(report, f"{file} of {name}"):
            files[file] = registry.blob(place, layer.digest)
            checked[file] = len(files[file])
            if len(files[file]) != layer.size:
                report.add(f"{file} of {name}", f"{len(files[file])} bytes, not {layer.size}")
    sound = False
    with _noted(report, f"configuration of {name}"):
        registry.blob(place, oci.digest_of(oci.EMPTY))
        sound = True
    return files if sound and len(files) == len(parts) else None


def _artifact(report: Report, image: Image, files: Files, notes: Mapping[str, str] | None) -> None:
    """Check that the artifact as a whole is the model that image and commit name."""
    name = f"{image.tag}.model"
    whole = _hash_of(files)
    annotated = notes or {}
    wanted = annotated.get(f"{ANNOTATION}model") or image.trailers.get("Model-Hash", whole)
    if whole != wanted:
        report.add(name, f"it hashes to {whole[:12]}, and {wanted[:12]} was promoted")
    for part in ("policy", "contract"):
        file = f"{part}.toml"
        hashed = annotated.get(f"{ANNOTATION}{part}")
        if hashed and (file not in files or sha256(files[file]) != hashed):
            report.add(f"{file} of {name}", f"it is not the {part} that the image names")
    if notes is not None and registry.annotations(image.place, name) != notes:
        report.add(f"manifest of {name}", "its annotations are not those of the image")


def _verdict(report: Report, trailers: Mapping[str, str], evidence: Evidence | None) -> None:
    """Check that the verdict lets its candidate go live.

    Whether a HOLD may replace its champion stands in the evidence, which the commit names by hash.
    """
    told: Mapping[str, object] = (evidence.verdict or {}) if evidence else {}
    verdict = trailers.get("Verdict") or str(told.get("verdict", ""))
    refresh = told.get("refresh") is True
    if promotes(verdict, refresh=refresh):
        return
    if evidence is None and verdict in ("", "HOLD"):
        return  # what is missing is told already
    report.add(
        "the commit",
        f"its verdict is {verdict or 'not told'}; PROMOTE is required, or a HOLD that may replace"
        " its champion",
    )


def _hash_of(files: Files) -> str:
    return value_hash({file: sha256(content) for file, content in files.items()})


def _evidence(report: Report, image: Image, files: Files) -> Evidence | None:
    """Check that the evidence is whole, sealed, and about these data. Returns evidence.json, read;
    None where a file is missing or it cannot be read.
    """
    name = f"{image.tag}.evidence"
    notes = registry.annotations(image.place, image.trailers["Evidence-Hash"])
    if notes.get(f"{ANNOTATION}evidence") != _hash_of(files):
        report.add(f"manifest of {name}", "its annotation is not the hash of its files")
    data = notes.get(f"{ANNOTATION}data")
    if data != image.trailers.get("Data-Hash", data):
        report.add(f"manifest of {name}", "it is about other data than the commit names")
    if not _all_there(report, name, files, _EVIDENCE):
        return None
    with _noted(report, f"evidence.json of {name}"):
        evidence = read_evidence(files["evidence.json"])
        if not evidence.untold and not _all_there(report, name, files, (METRICS,)):
            return None
        _seals(report, name, files, evidence)
        return evidence
    return None


def _all_there(report: Report, name: str, files: Files, wanted: Sequence[str]) -> bool:
    missing = [file for file in wanted if file not in files]
    for file in missing:
        report.add(f"{file} of {name}", "it is not there")
    return not missing


def _told(report: Report, tag: str, model: Files, evidence: Evidence) -> None:
    """Check that the evidence tells what the policy of the artifact lets it tell."""
    with _noted(report, f"policy.toml of {tag}.model"):
        text = model["policy.toml"].decode()
        policy = load_policy(text, f"policy.toml of {tag}.model")
        report.approvals = policy.approvals
        if evidence.told != policy.gate.told:
            wrong = f"it tells {evidence.told}, and the policy of its model {policy.gate.told}"
            report.add(f"evidence.json of {tag}.evidence", wrong)


def _seals(report: Report, name: str, files: Files, evidence: Evidence) -> None:
    """Check that metrics and verdict are what was sealed, and that evidence.json repeats them."""
    document = parse_json(files["evidence.json"], "evidence.json")
    seals = evidence.seals or {}
    for part, file in _SEALED.items():
        if evidence.untold and file == METRICS:
            if file in files or evidence.measured is not None:
                report.add(f"{file} of {name}", "it is there, and no figure is told")
            continue
        if part not in seals:
            report.add(f"{file} of {name}", "the evidence has no seal of it")
        elif seals[part] != sha256(files[file]):
            report.add(f"{file} of {name}", "it is not what was sealed")
        elif document.get(_told_as(part, evidence)) != parse_json(files[file], file):
            report.add(f"evidence.json of {name}", f"it tells another {part} than {file}")


def _told_as(part: str, evidence: Evidence) -> str:
    """How evidence.json calls what a file says."""
    if part == "metrics" and evidence.number_metrics:
        return "number_metrics"
    return "class_metrics" if part == "metrics" and evidence.class_metrics else part


def _manifest_repo(report: Report, settings: Settings, traced: Traced) -> None:
    """Check what the manifest repo says of a release now: where it is live, the entry and the state
    beside it.
    """
    event, folder = traced.event, manifest_repo.overlay_folder(settings)
    state = manifest_repo.state(settings, event.model, "champion")
    report.checked["manifest repo"] = {"commit": 0}
    report.problems += _edited(traced)
    try:
        now = manifest_repo.live(settings, event.model)
    except SluiceError as error:
        usual = f"{folder}/{manifest_repo.KUSTOMIZATIONS[0]}"
        report.add(usual if f"{folder}/" in error.what else state, error.what)
        return
    if now is not None and now.anchor_fault:
        report.add(manifest_repo.state(settings, event.model, "anchor"), now.anchor_fault)
    champion: dict[str, Any] = {}
    if now is not None and now.champion is not None:
        champion = msgspec.to_builtins(now.champion)
    if now is None or event.digest not in (now.entry.digest, champion.get("digest")):
        return
    overlay = now.file
    report.checked["manifest repo"] |= {overlay: 0, state: 0}
    entry = {
        "newName": (now.entry.new_name, traced.image),
        "newTag": (now.entry.tag, event.tag),
        "digest": (now.entry.digest, event.digest),
    }
    report.problems += _differing(overlay, entry)
    wanted = _state(traced)
    recorded = {name: (champion.get(name), value) for name, value in wanted.items()}
    report.problems += _differing(state, recorded)


def _approvals(report: Report, settings: Settings, event: Event) -> None:
    """Check that those whom the policy asks approved the release, where it went to production."""
    overlay = event.overlay or settings.overlay
    if overlay != manifest_repo.PRODUCTION:
        return
    found = approvers.read_back(settings, event, overlay, report.approvals)
    if found is not None:
        report.checked["approvals"] = dict.fromkeys(found.people, 0)
        report.problems += [Problem("approvals", what) for what in found.problems]


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


def _state(traced: Traced) -> dict[str, object]:
    """What the state of this release is to say, as far as its commit and its evidence tell."""
    event, trailers = traced.event, traced.event.trailers
    metrics = traced.evidence.measured if traced.evidence else None
    holdout: dict[str, float] = structs.asdict(metrics.holdout) if metrics else {}
    named = {key: trailers[trailer] for key, trailer in _STATE.items() if trailer in trailers}
    measured: dict[str, object] = {name: holdout[name] for name in _MEASURED if name in holdout}
    if traced.evidence and traced.evidence.untold:
        measured = dict.fromkeys(_MEASURED)  # nobody wrote one there
    return {
        "schema": 1,
        "tag": event.tag,
        "digest": event.digest,
        "image": traced.image,
        "release": event.release,
        **named,
        **measured,
    }


def _differing(file: str, pairs: Mapping[str, tuple[object, object]]) -> list[Problem]:
    """A problem for each pair of what stands in a file and what is to stand there."""
    return [
        Problem(file, f"{name} is {value}, the release says {wanted}")
        for name, (value, wanted) in pairs.items()
        if value != wanted
    ]
