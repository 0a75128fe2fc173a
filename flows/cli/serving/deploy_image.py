"""`sluice deploy-image`: Sluice as an image, for a cluster."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from flows.adapters.plain_text import say
from flows.cli.options import AsJson
from sluice.errors import UsageError

if TYPE_CHECKING:
    from flows.project.settings import Settings

NAME = "pipeline.sluice.local/sluice"  # of the image in our manifests
_MB = 1e6


def deploy_image(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="where to push it, as registry.example.com/team/sluice;"
            " SLUICE_REGISTRY/sluice unless given",
            show_default=False,
        ),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Build the image that runs Sluice in a cluster, and push it.

    It runs releases, judge, reconcile and monitor, with the models and data pointers of this
    project. Needs no container tool. The first time takes some minutes.

    Example: sluice deploy-image registry.example.com/team/sluice
    """
    from flows.project.settings import load

    raise typer.Exit(run_deploy_image(load(), name, as_json=as_json))


def run_deploy_image(settings: "Settings", name: str, *, as_json: bool) -> int:
    """Build, push and tell; the exit code is 0. Raises UsageError where no registry is named."""
    from flows.adapters.image.pipeline import image
    from flows.adapters.image.pipeline.source import source
    from flows.adapters.registry import registry
    from flows.project.root import ROOT
    from flows.views.progress import working

    where = name or (f"{settings.registry}/sluice" if settings.registry else "")
    if not where:
        raise UsageError(
            "no registry is named; one is required, because a cluster pulls the image from there",
            "Write its address: sluice deploy-image registry.example.com/team/sluice.",
        )
    place = registry.place(where, settings.home / "registry", settings.registry_timeout)
    with working("Ask the registry"):
        registry.digest(place, "latest")  # whether it answers, before minutes of work
    built = image.build(ROOT, source(ROOT, settings.project), settings.shared, say)
    say(f"Push to {where}")
    was_there = image.push(built, place)
    if as_json:
        document = {
            "image": f"{where}@{built.digest}",
            "name": where,
            "tag": built.tag,
            "digest": built.digest,
            "pushed": not was_there,
            "pulled_bytes": built.pulled,
            "unpacked_bytes": built.unpacked,
            "labels": dict(built.labels),
        }
        print(json.dumps(document, indent=1))
        return 0
    say(f"{'It is there already' if was_there else 'Pushed'}: {where}@{built.digest}")
    say(f"{built.pulled / _MB:,.0f} MB to pull, {built.unpacked / _MB:,.0f} MB on a disk.")
    say("Put it into pipeline/image/kustomization.yaml of the manifest repo:")
    for line in entry(where, built.digest):
        say(f"  {line}")
    return 0


def entry(name: str, digest: str) -> list[str]:
    """The lines of the entry of a kustomization that names the image."""
    return [
        f"- name: {NAME}",
        f"  newName: {name}",
        f"  digest: {digest}",
    ]
