"""`sluice verify`: every hash of a release."""

import json
from typing import TYPE_CHECKING

import typer

from flows.cli.options import AsJson, NamedModel, Release

if TYPE_CHECKING:
    from flows.project.settings import Settings


def verify(
    release: Release,
    model: NamedModel = "",
    as_json: AsJson = False,
) -> None:
    """Check every hash of a release; exit code 3 if one is wrong.

    Image, model artifact, evidence and manifest repo are read, and compared with the commit.

    Example: sluice verify latest
    """
    from flows.project.homes import load_for_releases

    raise typer.Exit(run_verify(load_for_releases(), release, model, as_json=as_json))


def run_verify(settings: "Settings", word: str, model: str, *, as_json: bool) -> int:
    """Check a release as it lies in registry and manifest repo; 3 where a file is not what it
    was.
    """
    import msgspec

    from flows.audit import find_release
    from flows.audit.verify import verify
    from flows.views.past import verify as view
    from flows.views.progress import working
    from flows.views.terminal import console

    with working("Check every hash"):
        verified = verify(settings, find_release.trace(settings, word, model))
    if as_json:
        print(json.dumps(msgspec.to_builtins(verified), indent=1))
    else:
        view.show(console(stderr=False), verified)
    return 0 if verified.sound else 3
