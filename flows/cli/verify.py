"""`sluice verify`: every hash of a release."""

import json

import typer

from flows.cli.options import AsJson, NamedModel, Release
from sluice.errors import UsageError


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
    from flows.audit import find_release
    from flows.audit import verify as audit
    from flows.project import settings
    from flows.views import verify as view
    from flows.views.terminal import console

    given = settings.load()
    traced = find_release.trace(given, word, model)
    trailers = traced.event.trailers
    if "Image" not in trailers or "Image-Digest" not in trailers:
        raise UsageError(
            f"commit {traced.event.commit[:12]} names no image",
            "Name a release; see `sluice history`.",
        )
    report = audit.check(traced.place, trailers)
    if traced.event.commit:
        audit.check_manifest_repo(given, traced, report)
    checked = audit.document(traced, report)
    if as_json:
        print(json.dumps(checked, indent=1))
    else:
        view.show(console(stderr=False), checked)
    return 3 if report.problems else 0
