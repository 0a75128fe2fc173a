"""`sluice doctor`: whether everything that a release needs is there."""

import json

import typer

from flows.cli.options import AsJson


def doctor(as_json: AsJson = False) -> None:
    """Look at every setting and server, and say what to do.

    Reachable, logged in, right version, right permissions, clock. No server is written to. Exit
    code 1 where something is wrong, 2 where the settings cannot be read.

    Example: sluice doctor
    """
    raise typer.Exit(run_doctor(as_json=as_json))


def run_doctor(*, as_json: bool) -> int:
    """Print what is found; 1 where something is wrong."""
    import msgspec

    from flows.project.homes import looked_at
    from flows.project.settings import load_quietly
    from flows.views.begin import doctor as view
    from flows.views.progress import working
    from flows.views.terminal import console

    settings = looked_at(load_quietly())
    out = console(stderr=False)
    with working("Load what a release needs"):
        from flows.orchestration.doctor import examine
    found = []
    for finding in examine(settings):
        found.append(finding)
        if not as_json:
            view.show(out, finding)
    wrong = sum(not finding.right for finding in found)
    if as_json:
        print(json.dumps({"right": not wrong, "findings": msgspec.to_builtins(found)}, indent=1))
    else:
        view.conclude(out, wrong)
    return 1 if wrong else 0
