"""The manifests of one more model, text to text, from those of the model that the template has.

overlays/<overlay>/<model>/     what a release writes to
models/<model>/                 base, components, Applications, project and namespaces
pipeline/                       Sluice itself, for all models
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from sluice.gitops.image_names import local_image

_OVERLAYS = "overlays/"
_SHARED = "pipeline/"  # of all models
_MODEL = "name: SLUICE_MODEL\n"
_NAME = re.compile(r"[^a-z0-9]+")
# What a kustomization takes from elsewhere in its own repo, and what may bring anything with it.
_PARTS = ("resources", "components", "bases")
_ANYTHING = ("helmCharts", "helmChartInflationGenerator", "generators", "transformers")
_REMOTE = ("://", "?ref=", "github.com/", "git@")
_MOST = 500  # files that are looked into

ReadText = Callable[[str], str]
# How requests reach a model, and what runs it; the first one is what the manifests are written for.
GATEWAY = "gateway"
WAYS = {
    GATEWAY: "a canary behind a Gateway API route",
    "replicas": "a canary without a router: pods alone divide the requests",
    "blue-green": "all requests go over at once",
    "deployment": "a plain Deployment, without Argo Rollouts",
    "kserve": "an InferenceService of KServe, with the Open Inference Protocol",
}
# What stands in the place of the Rollout, and where its container is.
_KINDS = {
    "deployment": ("Deployment", "spec.template.spec.containers.[name={name}]"),
    "kserve": ("InferenceService", "spec.predictor.containers.[name=kserve-container]"),
}


def kubernetes_name(model: str) -> str:
    """The name of a model as Kubernetes takes it: `machine_failures` -> `machine-failures`."""
    return _NAME.sub("-", model.lower()).strip("-")


def deploy_files(template: Mapping[str, str], known: str, model: str) -> dict[str, str]:
    """The files of `model` by their path in the manifest repo.

    `template` are the manifests of the model `known` by path: base/, components/, overlays/,
    applications/, project.yaml and namespaces.yaml.
    """
    files = {}
    for path, text in template.items():
        if path.endswith(".md"):
            continue
        if path.startswith(_SHARED):
            files[path] = text
            continue
        named = _renamed(text, known, model)
        if path.startswith(_OVERLAYS):
            overlay, _, file = path.removeprefix(_OVERLAYS).partition("/")
            files[f"{_OVERLAYS}{overlay}/{model}/{file}"] = _moved(named, model)
        else:
            files[f"models/{model}/{path}"] = _pointed(named, model)
    return files


def by_way(files: Mapping[str, str], way: str, model: str) -> dict[str, str]:
    """The same files with one of `WAYS` chosen in each overlay. The entry of the image stays as it
    is.
    """
    if way == GATEWAY:
        return dict(files)
    return {
        path: _chosen(text, way, model) if path.startswith(_OVERLAYS) else text
        for path, text in files.items()
    }


def _chosen(text: str, way: str, model: str) -> str:
    """An overlay with the component of a way, and the kind that its replacements are about."""
    text = re.sub(rf"(?m)^  # (- \S+/components/{way})\b.*$", r"  \1", text)
    if way not in _KINDS:
        return text
    kind, container = _KINDS[way]
    name = kubernetes_name(model)
    head, mark, rest = text.partition("\nreplacements:\n")
    rest = rest.replace("kind: Rollout", f"kind: {kind}")
    known = f"spec.template.spec.containers.[name={name}]"
    return head + mark + rest.replace(known, container.format(name=name))


def _renamed(text: str, known: str, model: str) -> str:
    """The text with the one model's name for the other's: image and setting by the name of the
    model, everything else as Kubernetes takes it.
    """
    word = re.escape(known)
    image = text.replace(local_image(known), "\0")
    image = re.sub(rf"({_MODEL}\s+value: ){word}\b", "\\1\1", image)
    named = re.sub(rf"\b{word}\b", kubernetes_name(model), image)
    return named.replace("\0", local_image(model)).replace("\1", model)


def _moved(text: str, model: str) -> str:
    """An overlay with the places of base and components as they are seen one folder deeper."""
    return re.sub(r"\.\./\.\./(base|components)\b", rf"../../../models/{model}/\1", text)


def _pointed(text: str, model: str) -> str:
    """An Application with the path of the model's overlay."""
    text = re.sub(rf"(?m)^(\s*path: {_OVERLAYS}\w+)$", rf"\1/{model}", text)
    text = text.replace(f"- ../../{_SHARED}", f"- ../../../../{_SHARED}")
    return _moved(text, model) if "manifest-generate-paths" in text else text


def is_used(image: str, path: str, read: ReadText, kustomizations: tuple[str, ...]) -> bool:
    """Whether anything that the kustomization at `path` renders names this image.

    `read` gives the text of a file of the repo, empty for a folder and for nothing;
    `kustomizations` are the names that the file of a folder may have. What lies outside of the
    repo, or is generated, cannot be looked into: then it is taken to be used, and so it is where
    nothing at all is listed.
    """
    named = re.compile(rf"{re.escape(image)}(?![\w./-])")
    waiting, seen = [path], {path}
    listed = False
    while waiting and len(seen) < _MOST:
        file = waiting.pop()
        document = _document(read(file))
        if document is None or any(key in document for key in _ANYTHING):
            return True
        if named.search(str({key: value for key, value in document.items() if key != "images"})):
            return True
        for part in (entry for key in _PARTS for entry in document.get(key) or ()):
            listed = True
            if not isinstance(part, str) or any(mark in part for mark in _REMOTE):
                return True
            place = _joined(file.rpartition("/")[0], part)
            text = read(place)
            if named.search(_bare(text)):
                return True
            if text:
                continue
            below = [f"{place}/{name}" for name in kustomizations]
            found = [name for name in below if name not in seen and read(name)]
            seen.update(found)
            waiting += found
    return not listed


def _document(text: str) -> dict[str, Any] | None:
    """The mapping in a text; None where it is none."""
    try:
        read = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) else None


def _bare(text: str) -> str:
    """A text without its lines of comments."""
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))


def _joined(folder: str, part: str) -> str:
    """A path that is relative to a folder of the repo; empty where it leaves the repo."""
    steps = [step for step in folder.split("/") if step]
    for step in part.split("/"):
        if step == ".." and not steps:
            return ""
        if step == "..":
            steps.pop()
        elif step not in ("", "."):
            steps.append(step)
    return "/".join(steps)
