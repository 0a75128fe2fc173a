"""`sluice images`: the images in the registry."""

import json
from dataclasses import asdict

import typer

from flows.cli.options import AsJson, Model


def images(model: Model = "attrition", as_json: AsJson = False) -> None:
    """List the images in the registry: what is live, what can be gone back to, what may be deleted.

    Example: sluice images attrition
    """
    raise typer.Exit(run_images(model, as_json))


def run_images(model: str, as_json: bool) -> int:
    """Print the images in the registry, and what each is kept for."""
    from flows.gitops.image_inventory import images
    from flows.project import settings
    from flows.project.models import model_folder
    from flows.views import images as view

    given = settings.load()
    model_folder(model, given.project)
    found = images(given, model)
    if as_json:
        listed = [asdict(image) | {"deletable": image.deletable} for image in found]
        print(json.dumps(listed, indent=1))
    else:
        view.show(found)
    return 0
