"""`sluice drill`: try what must not go wrong."""

from typing import Annotated, Literal

import typer

from flows.cli.options import AsJson, DataFile


def drill(
    kind: Annotated[
        Literal["gate", "kill", "faults", "race"], typer.Argument(help="what is tried")
    ] = "gate",
    model: Annotated[
        str, typer.Option("--model", help="gate: a folder under models/")
    ] = "attrition",
    data: DataFile = None,
    rounds: Annotated[
        int, typer.Option(min=0, help="kill, faults and race: how often all of it is done")
    ] = 1,
    times: Annotated[
        int, typer.Option(min=0, help="kill: how many more at times that are drawn")
    ] = 8,
    images: Annotated[
        int, typer.Option(min=0, help="kill: how many of whole releases, with a real image")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Try what must not go wrong; exit code 1 where it did.

    gate: bad candidates and bad data, as a release meets them. kill: releases and rollbacks killed
    everywhere, on servers of their own. faults: disks and servers that fail. race: eight promotions
    at once, and a person's edits.

    Example: sluice drill kill --rounds 2
    """
    from flows.drills.crash import command as crashes
    from flows.drills.gate import command

    if kind == "gate":
        raise typer.Exit(command.drill_gate(model, data, as_json=as_json))
    if kind == "kill":
        raise typer.Exit(crashes.drill_kill(rounds, times, images, as_json=as_json))
    if kind == "faults":
        raise typer.Exit(crashes.drill_faults(rounds, as_json=as_json))
    raise typer.Exit(crashes.drill_race(rounds, as_json=as_json))
