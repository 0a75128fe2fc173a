"""`sluice changed`: which models a push touches."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import AsJson

if TYPE_CHECKING:
    from flows.project.settings import Settings


def changed(
    base: Annotated[
        str, typer.Option("--base", help="the commit before, or a branch; zeros: there was none")
    ] = "",
    only: Annotated[str, typer.Option("--only", help="this model, whatever changed")] = "",
    every: Annotated[bool, typer.Option("--all", help="every model, whatever changed")] = False,
    as_json: AsJson = False,
) -> None:
    """List the models that a push touches, and why.

    Those whose code, policy, contract or data pointer differ between BASE and HEAD. What all share
    touches all of them, documentation none.

    Example: sluice changed --base HEAD^ --json
    """
    from flows.project.settings import load

    raise typer.Exit(run_changed(load(), base, only, every=every, as_json=as_json))


def run_changed(
    settings: "Settings", base: str, only: str, *, every: bool = False, as_json: bool
) -> int:
    """Print the models that a push touches; in a job of GitHub Actions, hand them to the next one
    as its output `models`. The exit code is 0.
    """
    import msgspec

    from flows.adapters.job_files import hand_on, summarize
    from flows.project.changed import all_of, changes, named
    from flows.views.progress import working
    from flows.views.releases import changed as view
    from flows.views.terminal import console
    from sluice.errors import UsageError

    if not (base or only or every):
        raise UsageError(
            "no commit is named to compare with", "Write --base COMMIT, --only MODEL or --all."
        )
    with working("Ask git"):
        if only:
            found = named(settings.project, only)
        else:
            found = all_of(settings.project) if every else changes(settings.project, base)
    names = json.dumps([touched.model for touched in found.models])
    hand_on("models", names)
    summarize(view.markdown(found))
    if as_json:
        print(json.dumps(msgspec.to_builtins(found), indent=1))
    else:
        view.show(console(stderr=False), found)
    return 0
