"""`sluice deploy-files`: the manifests that run a model, in the manifest repo or in a folder."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.adapters.plain_text import say
from flows.cli.options import AsJson, Model

if TYPE_CHECKING:
    from flows.project.settings import Settings


def deploy_files(
    model: Model = "",
    to: Annotated[
        Path | None, typer.Option("--to", help="write them into this folder, and commit nothing")
    ] = None,
    way: Annotated[
        str,
        typer.Option("--way", help="gateway, replicas, blue-green, deployment or kserve"),
    ] = "gateway",
    as_json: AsJson = False,
) -> None:
    """Add what runs a model to the manifest repo.

    Base, overlays, Applications and project, in one commit; what is there stays as it is. The way
    says how requests reach it and what runs it; the entry of its image is the same in all of them.

    Example: sluice deploy-files MODEL --way kserve --to manifests
    """
    from flows.project.homes import load_for_data

    settings = load_for_data(model, None)
    raise typer.Exit(run_deploy_files(settings, model, to, way, as_json=as_json))


def run_deploy_files(
    settings: "Settings", model: str, to: Path | None, way: str = "gateway", *, as_json: bool
) -> int:
    """Commit the files of the model, or write them into a folder; the exit code is 0."""
    from flows.gitops import deploy_files as manifests
    from flows.gitops import manifest_repo
    from flows.project import new_folder
    from flows.project.models import model_folder
    from flows.views.progress import working

    model_folder(model, settings.project)
    files = manifests.files_of(settings, model, way)
    if to is not None:
        new_folder.write(to, files)
        outcome, sentence = "written", f"{len(files)} files are in {to}"
    else:
        with working("Commit the manifests"):
            manifest_repo.seed(settings)
            written = manifests.write(settings, model, way)
        outcome, sentence = written.outcome, written.sentence
        if outcome == "already there":
            files = {}
    if as_json:
        document = {"outcome": outcome, "sentence": sentence, "files": sorted(files)}
        print(json.dumps(document, indent=1))
        return 0
    for path in sorted(files):
        say(f"  {path}")
    say(f"{sentence[:1].upper()}{sentence[1:]}.")
    if files:
        say("Fill in host names and secrets there (deploy/argocd/README.md).")
    return 0
