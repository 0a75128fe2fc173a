"""`sluice judge`: the judge of canaries, for the analysis of Argo Rollouts."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from flows.adapters.plain_text import say
from sluice.errors import UsageError, cause

if TYPE_CHECKING:
    from flows.project.settings import Settings


def judge(
    prometheus: Annotated[
        str, typer.Option(help="address of the Prometheus that scrapes the service")
    ] = "http://prometheus.monitoring.svc:9090",
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="port to listen on")] = 8080,
    signed_by: Annotated[
        str, typer.Option("--signed-by", help="public key, without which no evidence is believed")
    ] = "",
) -> None:
    """Judge canaries for Argo Rollouts, until interrupted.

    It is asked over HTTP at each look, and answers pass, fail or inconclusive, with the numbers and
    a sentence, by what canary and stable say and how they run. With SLUICE_REGISTRY it expects what
    the replay of the release foretold.

    Example: sluice judge --prometheus http://prometheus:9090 --host 0.0.0.0
    """
    from flows.project import settings

    raise typer.Exit(run_judge(settings.load(), prometheus, host, port, signed_by))


def run_judge(
    settings: "Settings", prometheus: str, host: str, port: int, signed_by: str = ""
) -> int:
    """Serve until interrupted. Raise UsageError where the address cannot be listened on, or where
    `signed_by` is no public key.
    """
    from flows.adapters import dsse
    from flows.canary import foretold, web

    if signed_by and not dsse.is_public(signed_by):
        what = f"--signed-by is {signed_by[:80]!r}; a public key is required"
        raise UsageError(what, "It is the trailer Statement-Key of the commit of a release.")

    if not prometheus.startswith(("http://", "https://")):
        what = f"--prometheus is {prometheus!r}; an address with http:// or https:// is required"
        raise UsageError(what, "Write it as http://prometheus.monitoring.svc:9090.")
    try:
        by = foretold.by_evidence(settings, signed_by) if settings.registry else foretold.nothing
        server = web.server(host, port, prometheus, foretold=by)
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"{host}:{port} cannot be listened on ({cause(error)})", "Choose another with --port."
        ) from None
    with server:
        say(
            f"Judging on http://{host}:{server.server_port}{web.PATH}   (Ctrl-C stops it)",
            sys.stdout,
        )
        known = settings.registry or "no registry (SLUICE_REGISTRY), so no change is expected"
        say(f"What replays foretold comes from {known}", sys.stdout)
        server.serve_forever()
    return 0
