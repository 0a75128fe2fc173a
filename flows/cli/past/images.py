"""`sluice images`: the images in the registry."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from flows.cli.options import AsJson, Model

if TYPE_CHECKING:
    from flows.project.settings import Settings


def images(model: Model = "", as_json: AsJson = False) -> None:
    """List the images in the registry, and what each is kept for.

    An image is live, within the rollback window, needed for something else, or safe to delete.

    Example: sluice images MODEL
    """
    from flows.project.homes import load_for_releases

    raise typer.Exit(run_images(load_for_releases(), model, as_json=as_json))


def run_images(settings: "Settings", model: str, *, as_json: bool) -> int:
    """Print the images in the registry, and what each is kept for."""
    from flows.gitops import image_inventory
    from flows.project.models import model_folder
    from flows.views.past import images as view
    from flows.views.progress import working

    model_folder(model, settings.project)
    with working("Ask the registry"):
        images = image_inventory.images(settings, model)
    if as_json:
        listed = [asdict(image) | {"deletable": image.deletable} for image in images]
        print(json.dumps(listed, indent=1))
    else:
        view.show(images)
    return 0
