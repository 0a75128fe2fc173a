"""The manifests of a model in the manifest repo, as one commit."""

from flows.adapters.git import git
from flows.adapters.git.access import address
from flows.gitops import manifest_repo, writer
from flows.gitops.manifest_repo import KUSTOMIZATIONS, TEMPLATE_MODEL, Live
from flows.gitops.writer import Change, Written
from flows.project.settings import Settings
from sluice.errors import SluiceError, UsageError
from sluice.gitops import deploy_files as rules
from sluice.gitops.image_names import local_image


def files_of(settings: Settings, model: str, way: str = rules.GATEWAY) -> dict[str, str]:
    """The files of a model by path, with the address of the manifest repo in them, and one of
    `WAYS` chosen. Raises UsageError for another way.
    """
    if way not in rules.WAYS:
        raise UsageError(f"{way!r} is no way to run a model", f"Ways: {', '.join(rules.WAYS)}.")
    url = address(settings.manifest_url)
    template = {
        path: content.decode("utf-8") for path, content in manifest_repo.template(url).items()
    }
    return rules.by_way(rules.deploy_files(template, TEMPLATE_MODEL, model), way, model)


def write(settings: Settings, model: str, way: str = rules.GATEWAY) -> Written:
    """Commit the manifests of a model, made once: a file that is there stays as a person left it.

    Raises what `writer.write` raises.
    """
    files = files_of(settings, model, way)

    def decide(repo: git.Clone) -> Change | Written:
        if lacking(settings, model, repo) == "":
            said = f"the manifest repo runs {model} already"
            if way != rules.GATEWAY:
                path = manifest_repo.overlay(settings, repo, model)
                said += f", and {path} is yours: choose components/{way} there"
            return Written("already there", said, repo.tip)
        new = {path: text for path, text in files.items() if not manifest_repo.text(repo, path)}
        message = (
            f"Add the manifests of {model}\n\nBase, overlays, Applications and project of one more"
            " model.\n"
        )
        return Change(new, message, manifest_repo.branch(settings, "deploy", model, "files"))

    return writer.write(settings, settings.branch, decide)


def lacking(settings: Settings, model: str, repo: git.Clone) -> str:
    """Why an image of the model would run nowhere, in words; empty where it would run."""
    path = manifest_repo.overlay(settings, repo, model)
    image = local_image(model)
    if not manifest_repo.has_entry(repo, path, image):
        return f"{path} has 0 image entries for {image}; 1 is required"
    if not rules.is_used(image, path, lambda file: _text(repo, file), KUSTOMIZATIONS):
        return f"{path} has an image entry for {image}, and nothing that it renders uses this image"
    return ""


def require(settings: Settings, model: str, live: Live | None) -> None:
    """Raise UsageError where a release of the model could be committed to nothing that runs.

    In the embedded manifest repo a release adds what is lacking itself.
    """
    if not settings.manifests or live is None or live.champion is not None:
        return
    with git.clone(settings.remote, settings.branch) as repo:
        require_in(settings, model, repo)


def require_in(settings: Settings, model: str, repo: git.Clone) -> None:
    """Raise UsageError where a clone has nothing that runs the model."""
    why = lacking(settings, model, repo)
    if why:
        raise UsageError(why, f"Run `sluice deploy-files {model}`, which commits what runs it.")


def _text(repo: git.Clone, path: str) -> str:
    """The text of a file; empty for a folder, and where there is nothing."""
    if not path or _is_folder(repo, path):
        return ""
    return manifest_repo.text(repo, path)


def _is_folder(repo: git.Clone, path: str) -> bool:
    try:
        return bool(git.names(repo, path))
    except SluiceError:  # it is something else
        return False
