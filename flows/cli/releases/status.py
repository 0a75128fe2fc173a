"""`sluice status`: what is live."""

import datetime
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from flows.cli.options import AsJson, Model

if TYPE_CHECKING:
    from flows.project.settings import Settings
    from flows.views.releases.status import Home


def status(model: Model = "", as_json: AsJson = False) -> None:
    """Show data, repo, registry, what is live, and what to type next.

    What was refused last, the quarantine and open proposals are shown too.

    Example: sluice status
    """
    from flows.project.homes import looked_at_for
    from flows.project.settings import load

    raise typer.Exit(run_status(looked_at_for(load(), model), model, as_json=as_json))


def run_status(settings: "Settings", model: str, *, as_json: bool) -> int:
    """Print what is live, since when, and what was refused last; the exit code is 0."""
    import msgspec

    from flows.adapters import kubernetes
    from flows.adapters.process import without_login
    from flows.audit.standing import standing
    from flows.canary.following import in_short
    from flows.engine.outcome import recorded
    from flows.gitops import manifest_repo
    from flows.project import homes
    from flows.project.models import model_folder
    from flows.views.progress import working
    from flows.views.releases import status as view
    from sluice.moment import age

    model_folder(model, settings.project)
    with working("Read the manifest repo"):
        live = manifest_repo.live(settings, model)
        champion = live.champion if live else None
        since = manifest_repo.since(settings, champion) if champion else ""
    refused = recorded(settings.home, model, "refused")
    with working("Look at the data"):
        now = datetime.datetime.now(datetime.UTC)
        around = standing(settings, model, live, refused, now)
    canary, found = in_short(settings, model, live, kubernetes.seen, now)
    if as_json:
        other = homes.other(settings)
        document = {
            "model": model,
            "home": str(settings.home),
            "demo": homes.is_demo(settings),
            "champion": msgspec.to_builtins(champion) if champion else {},
            "since": since,
            "refused": asdict(refused) if refused else {},
            "anchor_fault": live.anchor_fault if live else "",
            "canary": msgspec.to_builtins(found)
            if found
            else {"sentence": canary}
            if canary
            else {},
            "repo": without_login(settings.manifest_url),
            "branch": around.branch,
            "tip": around.tip,
            "registry": settings.registry or str(settings.home / "registry"),
            "data": asdict(around.data),
            "quarantined": around.quarantined,
            "proposals": around.proposals,
            "approvals": around.approvals,
            "next": around.help,
            "other_home": str(other) if other else "",
        }
        print(json.dumps(document, indent=1))
    else:
        place = manifest_repo.place(settings, "in")
        home = _home(settings, model)
        ago = age(since, now)
        view.show(view.Status(model, place, champion, since, refused, home, around, ago, canary))
    return 0


def _home(settings: "Settings", model: str) -> "Home":
    """Where this is read, and where it could be read instead."""
    from flows.project import homes
    from flows.views.releases.status import Home

    other = homes.other(settings)
    return Home(
        homes.shown(settings.home),
        homes.shown(other) if other else "",
        demo=homes.is_demo(settings),
        of_a_file=bool(other) and homes.for_data(settings, model, None) is not settings,
    )
