"""`sluice status`: what is live."""

import json
from dataclasses import asdict

import typer

from flows.cli.options import AsJson, Model


def status(model: Model = "attrition", as_json: AsJson = False) -> None:
    """Say what is live, since when, and what was last refused.

    Example: sluice status
    """
    raise typer.Exit(run_status(model, as_json))


def run_status(model: str, as_json: bool) -> int:
    """Print what is live, since when, and what was last refused."""
    import msgspec

    from flows.engine.outcome import recorded
    from flows.gitops import manifest_repo
    from flows.project import settings
    from flows.project.models import model_folder
    from flows.views import terminal
    from flows.views.escape import escape

    given = settings.load()
    model_folder(model, given.project)
    now = manifest_repo.live(given, model)
    champion = now.champion if now else None
    since = manifest_repo.since(given, champion) if champion else ""
    refused = recorded(given.home, model, "refused")
    if as_json:
        print(
            json.dumps(
                {
                    "model": model,
                    "champion": msgspec.to_builtins(champion) if champion else {},
                    "since": since,
                    "refused": asdict(refused) if refused else {},
                    "tip": now.tip if now else "",
                },
                indent=1,
            )
        )
        return 0
    out = terminal.console(stderr=False)
    place = manifest_repo.place(given, "in")
    if refused:
        out.print(f"[dim]Last refused[/]  {escape(refused.summary or refused.sentence)}")
    if not champion:
        out.print(f"[bold]Nothing of {model} is live yet{place}: sluice release {model}[/]")
        return 0
    out.print(f"[dim]Image[/]         {champion.image}:{champion.tag}@{champion.digest}")
    out.print(
        f"[dim]Measured[/]      recall {champion.recall:.4f}, precision {champion.precision:.4f}"
    )
    when = f", since {since}" if since else ""
    out.print(f"[bold]Live{place}: release {champion.release} of {model}{when}[/]")
    return 0
