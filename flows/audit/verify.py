"""Every hash of a release, held against what lies in the registry: image, artifact and evidence,
and what binds them.

The commit's trailers say what there is to be; the promotion checks them before it writes, `sluice
verify` at any time.
"""

import json
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from flows.adapters.failpoints import boundary
from flows.adapters.registry import layout, oci, registry
from flows.audit.find_release import Traced
from flows.gitops import manifest_repo
from flows.project.settings import Settings
from sluice.errors import Refused, SluiceError, disk
from sluice.gitops.lineage import ANNOTATION, contradictions
from sluice.identity import sha256, value_hash

IN_IMAGE = "srv/bento/src/model/"  # where the image has its model
_EVIDENCE = ("evidence.html", "evidence.json", "metrics.json", "verdict.json")
_SEALED = {"metrics": "metrics.json", "verdict": "verdict.json"}
Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Problem:
    """A file that is not what it is to be."""

    file: str
    what: str

    def __str__(self) -> str:
        return f"{self.file}: {self.what}"


@dataclass
class Report:
    """What was checked, part by part, each file with its size in bytes; and what is wrong."""

    checked: dict[str, dict[str, int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


@boundary("promotion.check")
def require(place: registry.Place, trailers: Mapping[str, str]) -> None:
    """Raise Refused, naming every file that is wrong; what a promotion does before it writes."""
    found = check(place, trailers).problems
    if found:
        said = "; ".join(str(problem) for problem in found)
        raise Refused(
            f"what would be promoted is not sound: {said}",
            "Delete the tag in the registry, and run it again.",
        )


def check(place: registry.Place, trailers: Mapping[str, str]) -> Report:
    """Read everything that these trailers name, and hold it against them. Raises Retryable where
    nothing answers.
    """
    report = Report()
    tag, digest = trailers["Image"].rpartition(":")[2], trailers["Image-Digest"]
    notes = _image(report, place, tag, digest)
    model = _files(report, place, f"{tag}.model", f"{tag}.model")
    evidence = _files(report, place, trailers.get("Evidence-Hash", "none"), f"{tag}.evidence")
    named = _evidence_tag(report, place, tag, trailers.get("Evidence-Hash", ""))
    if isinstance(place, Path):
        _try(report, "index.json", layout.check_index, place, [tag, f"{tag}.model", *named])
    if model is not None:
        _artifact(report, place, tag, model, notes, trailers)
    document = _evidence(report, tag, evidence, place, trailers) if evidence is not None else None
    for sentence in contradictions(trailers, notes, document):
        report.problems.append(Problem("the commit", sentence))
    return report


def _try(report: Report, file: str, look: Callable[..., Any], *arguments: Any) -> Any:
    """What is looked up; None where it is broken, and then that is a problem of this file.

    A disk that fails says nothing about what lies on it: that is raised.
    """
    try:
        return look(*arguments)
    except (oci.Broken, OSError, ValueError, KeyError) as error:
        if failed := disk(error):
            raise failed from None
        report.problems.append(Problem(file, getattr(error, "what", "") or repr(error)))
        return None


def _evidence_tag(report: Report, place: registry.Place, tag: str, digest: str) -> list[str]:
    """The tag that leads to the evidence: `<tag>.evidence`, or with a hash behind where that was
    taken.
    """
    notes = _try(report, f"manifest of {tag}.evidence", registry.annotations, place, digest)
    if notes is None:
        return []
    names = (f"{tag}.evidence", f"{tag}.evidence-{notes.get(f'{ANNOTATION}evidence', '')[:8]}")
    found = [
        name
        for name in names
        if _try(report, f"tag {name}", registry.digest, place, name) == digest
    ]
    if not found:
        report.problems.append(Problem(f"tag {tag}.evidence", f"it does not lead to {digest}"))
    return found


def _image(report: Report, place: registry.Place, tag: str, digest: str) -> dict[str, str] | None:
    """Check the image: that its tag names it, every part of it, and the model in it. Returns its
    annotations.
    """
    part, files = f"image {tag}", report.checked.setdefault("image", {})
    there = _try(report, f"tag {tag}", registry.digest, place, tag)
    if there != digest:
        report.problems.append(
            Problem(f"tag {tag}", f"it names {there or 'nothing'}, and {digest} was promoted")
        )
    content = _try(report, f"manifest of {part}", registry.manifest, place, digest)
    if content is None:
        return None
    files["manifest"] = len(content)
    document, notes = oci.parse_manifest(content), oci.annotations_of(content)
    config = _try(
        report, f"configuration of {part}", registry.blob, place, document["config"]["digest"]
    )
    if config is not None:
        files["configuration"] = len(config)
        labels = _try(report, f"configuration of {part}", _labels, config)
        if labels is not None and labels != notes:
            report.problems.append(
                Problem(
                    f"configuration of {part}", "its labels are not the annotations of the image"
                )
            )
    found = _layers(report, place, document["layers"], part)
    if found and value_hash(found) != notes.get(f"{ANNOTATION}model"):
        report.problems.append(
            Problem(f"model in {part}", f"it hashes to {value_hash(found)[:12]}, not as annotated")
        )
    if not found and not report.problems:
        report.problems.append(
            Problem(f"model in {part}", f"no layer has anything under {IN_IMAGE}")
        )
    return notes


def _labels(config: bytes) -> dict[str, str]:
    found: dict[str, str] = json.loads(config)["config"].get("Labels") or {}
    return found


def _layers(
    report: Report, place: registry.Place, layers: list[dict[str, Any]], part: str
) -> dict[str, str]:
    """Check every layer; the files of the model in them, by hash, the upper layer winning."""
    found: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="sluice-verify-") as folder:
        for number, layer in enumerate(layers, 1):
            name = f"layer {number} of {part}"
            path = _try(report, name, registry.pull_blob, place, layer["digest"], Path(folder))
            if path is None:
                continue
            report.checked["image"][f"layer {number}"] = layer["size"]
            if path.stat().st_size != layer["size"]:
                report.problems.append(
                    Problem(name, f"{path.stat().st_size} bytes, the manifest says {layer['size']}")
                )
            # the Bento is what comes last; those below are base and packages
            if number == len(layers):
                found |= _try(report, name, _model_in, path) or {}
    return found


def _model_in(path: Path) -> dict[str, str]:
    found = {}
    with tarfile.open(path) as tar:
        for member in tar:
            file = (
                tar.extractfile(member)
                if member.isfile() and member.name.startswith(IN_IMAGE)
                else None
            )
            if file:
                found[member.name.removeprefix(IN_IMAGE)] = sha256(file.read())
    return found


def _files(report: Report, place: registry.Place, reference: str, name: str) -> Files | None:
    """The files of an artifact; each that is broken is a problem of its own."""
    content = _try(report, f"manifest of {name}", registry.manifest, place, reference)
    parts = None if content is None else _try(report, f"manifest of {name}", oci.files_of, content)
    if content is None or parts is None:
        return None
    checked = report.checked.setdefault(name.rpartition(".")[2], {})
    checked["manifest"] = len(content)
    files: dict[str, bytes] = {}
    for file, layer in parts.items():
        found = _try(report, f"{file} of {name}", registry.blob, place, layer["digest"])
        if found is not None:
            checked[file], files[file] = len(found), found
            if len(found) != layer["size"]:
                report.problems.append(
                    Problem(f"{file} of {name}", f"{len(found)} bytes, not {layer['size']}")
                )
    config = _try(
        report, f"configuration of {name}", registry.blob, place, oci.digest_of(oci.EMPTY)
    )
    return files if config is not None and len(files) == len(parts) else None


def _artifact(
    report: Report,
    place: registry.Place,
    tag: str,
    files: Files,
    notes: Mapping[str, str] | None,
    trailers: Mapping[str, str],
) -> None:
    """The artifact as a whole is the model that image and commit name."""
    name, whole = (
        f"{tag}.model",
        value_hash({file: sha256(content) for file, content in files.items()}),
    )
    wanted = (notes or {}).get(f"{ANNOTATION}model") or trailers.get("Model-Hash", whole)
    if whole != wanted:
        report.problems.append(
            Problem(name, f"it hashes to {whole[:12]}, and {wanted[:12]} was promoted")
        )
    for file, made_of in (("policy.toml", "policy"), ("contract.toml", "contract")):
        said = (notes or {}).get(f"{ANNOTATION}{made_of}")
        if said and (file not in files or sha256(files[file]) != said):
            report.problems.append(
                Problem(f"{file} of {name}", f"it is not the {made_of} that the image names")
            )
    if notes is not None and registry.annotations(place, name) != notes:
        report.problems.append(
            Problem(f"manifest of {name}", "its annotations are not those of the image")
        )


def _evidence(
    report: Report, tag: str, files: Files, place: registry.Place, trailers: Mapping[str, str]
) -> dict[str, Any] | None:
    """The evidence is whole, sealed, and about these data; evidence.json, read."""
    name = f"{tag}.evidence"
    notes = registry.annotations(place, trailers["Evidence-Hash"])
    if notes.get(f"{ANNOTATION}evidence") != value_hash(
        {file: sha256(content) for file, content in files.items()}
    ):
        report.problems.append(
            Problem(f"manifest of {name}", "its annotation is not the hash of its files")
        )
    if notes.get(f"{ANNOTATION}data") != trailers.get("Data-Hash", notes.get(f"{ANNOTATION}data")):
        report.problems.append(
            Problem(f"manifest of {name}", "it is about other data than the commit names")
        )
    missing = [file for file in _EVIDENCE if file not in files]
    report.problems += [Problem(f"{file} of {name}", "it is not there") for file in missing]
    document: dict[str, Any] | None = None
    if not missing:
        document = _try(report, f"evidence.json of {name}", json.loads, files["evidence.json"])
    if document is None:
        return None
    seals = document.get("seals") or {}
    for seal, file in _SEALED.items():
        if seals.get(seal) != sha256(files[file]):
            said = (
                "it is not what was sealed" if seal in seals else "the evidence has no seal of it"
            )
            report.problems.append(Problem(f"{file} of {name}", said))
        elif document.get(seal) != json.loads(files[file]):
            report.problems.append(
                Problem(f"evidence.json of {name}", f"it tells another {seal} than {file}")
            )
    return document


def check_manifest_repo(given: Settings, traced: Traced, report: Report) -> None:
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
    champion: dict[str, Any] = {}
    if now is not None and now.champion is not None:
        champion = msgspec.to_builtins(now.champion)
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
