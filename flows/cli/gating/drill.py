"""`sluice drill`: try what must not happen."""

from typing import Annotated, Literal

import typer

from flows.cli.options import AsJson, DataFile, OfModel


def drill(
    kind: Annotated[
        Literal["gate", "kill", "faults", "race"], typer.Argument(help="what is tried")
    ] = "gate",
    model: OfModel = "",
    data: DataFile = None,
    rounds: Annotated[
        int, typer.Option(min=0, help="kill, faults, race: how often everything is tried")
    ] = 1,
    times: Annotated[int, typer.Option(min=0, help="kill: additional kills at random times")] = 8,
    images: Annotated[
        int, typer.Option(min=0, help="kill: whole releases that build a real image")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Try what must not happen; exit code 1 if it did.

    gate: bad candidates and bad data, as a release meets them. kill: releases and rollbacks killed
    at every boundary, on servers of their own. faults: disks and servers that fail. race: eight
    promotions at once, and a person's edits. These three play a model with generated rows.

    Example: sluice drill kill --rounds 2
    """
    from flows.drills.crash import command as crashes
    from flows.drills.gate import command
    from flows.project.homes import load_for_data

    given = load_for_data(model, data)
    if kind == "gate":
        raise typer.Exit(command.drill_gate(given, model, data, as_json=as_json))
    played = crashes.Played(given, model)
    if kind == "kill":
        raise typer.Exit(crashes.drill_kill(played, rounds, times, images, as_json=as_json))
    if kind == "faults":
        raise typer.Exit(crashes.drill_faults(played, rounds, as_json=as_json))
    raise typer.Exit(crashes.drill_race(played, rounds, as_json=as_json))
