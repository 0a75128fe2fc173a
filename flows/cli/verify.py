"""`sluice verify`: every hash of a release."""

import json

import typer

from flows.cli.options import AsJson, NamedModel, Release


def verify(
    release: Release,
    model: NamedModel = "attrition",
    as_json: AsJson = False,
) -> None:
    """Check every hash of image, artifact and evidence of a release; exit code 3 where a file is
    not what it was.

    Example: sluice verify latest
    """
    raise typer.Exit(run_verify(release, model, as_json))


def run_verify(word: str, model: str, as_json: bool) -> int:
    """Check a release as it lies in registry and manifest repo; 3 where a file is not what it
    was.
    """
    import msgspec

    from flows.audit import find_release
    from flows.audit.verify import verify
    from flows.project import settings
    from flows.views import verify as view
    from flows.views.terminal import console

    given = settings.load()
    verified = verify(given, find_release.trace(given, word, model))
    if as_json:
        print(json.dumps(msgspec.to_builtins(verified), indent=1))
    else:
        view.show(console(stderr=False), verified)
    return 0 if verified.sound else 3
