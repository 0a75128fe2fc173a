"""`sluice judge`: the judge of canaries, for the analysis of Argo Rollouts."""

import sys
from typing import Annotated

import typer

from flows.adapters.plain_text import say
from sluice.errors import UsageError, cause


def judge(
    prometheus: Annotated[
        str, typer.Option(help="address of the Prometheus that scrapes the service")
    ] = "http://prometheus.monitoring.svc:9090",
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="port to listen on")] = 8080,
) -> None:
    """Judge canaries for Argo Rollouts, until interrupted.

    It is asked over HTTP at each look, and answers pass, fail or inconclusive, with the numbers and
    a sentence, by what canary and stable say and how they run.

    Example: sluice judge --prometheus http://prometheus:9090 --host 0.0.0.0
    """
    raise typer.Exit(run_judge(prometheus, host, port))


def run_judge(prometheus: str, host: str, port: int) -> int:
    """Serve until interrupted. Raise UsageError where the address cannot be listened on."""
    from flows.canary import web

    if not prometheus.startswith(("http://", "https://")):
        what = f"--prometheus is {prometheus!r}; an address with http:// or https:// is required"
        raise UsageError(what, "Write it as http://prometheus.monitoring.svc:9090.")
    try:
        server = web.server(host, port, prometheus)
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"{host}:{port} cannot be listened on ({cause(error)})", "Choose another with --port."
        ) from None
    with server:
        say(
            f"Judging on http://{host}:{server.server_port}{web.PATH}   (Ctrl-C stops it)",
            sys.stdout,
        )
        server.serve_forever()
    return 0
