"""The command line. Heavy imports belong inside the commands: `sluice --help` answers at once."""

import signal
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from flows.cli.quarantine import operations
from sluice.errors import SluiceError, disk

app = typer.Typer(
    name="sluice",
    help=(
        "From a table to a canary on Kubernetes, through a gate that cannot be fooled.\n\nExit"
        " codes: 0 done, nothing to do, HOLD; 1 failed; 2 usage or settings; 3 refused; 130"
        " interrupted."
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
    rich_markup_mode=None,
)

_INTERRUPTED = 130

Model = Annotated[str, typer.Argument(help="a folder under models/")]
DataFile = Annotated[
    Path | None, typer.Option("--data", help="CSV or Parquet file, instead of data/<model>.toml")
]
AsJson = Annotated[bool, typer.Option("--json", help="print the outcome as JSON")]
NoCache = Annotated[bool, typer.Option("--no-cache", help="do every step again")]


@app.callback()
def _root(debug: Annotated[bool, typer.Option("--debug", help="show tracebacks")] = False) -> None:
    pass


@app.command()
def release(
    model: Model = "attrition",
    data: DataFile = None,
    as_json: AsJson = False,
    no_cache: NoCache = False,
) -> None:
    """Take a table to a commit that Argo CD syncs, or to a refusal with reasons.

    Example: sluice release attrition --data employees.csv
    """
    from flows.cli.release import run_release

    raise typer.Exit(run_release(model, data, as_json, no_cache))


@app.command()
def plan(
    model: Model = "attrition",
    data: DataFile = None,
    as_json: AsJson = False,
    no_cache: NoCache = False,
) -> None:
    """Show what a release would do: HIT or MISS a step, with the cause. Nothing is done.

    Example: sluice plan attrition
    """
    from flows.cli.release import run_plan

    raise typer.Exit(run_plan(model, data, as_json, no_cache))


@app.command()
def validate(
    model: Model = "attrition",
    data: DataFile = None,
    docs: Annotated[
        Path | None, typer.Option("--docs", help="write a page about the data into this folder")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check data against the contract; exit code 3 where it is refused.

    Example: sluice validate attrition --data employees.csv
    """
    from flows.cli.release import run_validate

    raise typer.Exit(run_validate(model, data, docs, as_json))


@app.command()
def gate(
    metrics: Annotated[
        Path, typer.Argument(help="a metrics.json; scores.parquet beside it is used where it lies")
    ],
    as_json: AsJson = False,
) -> None:
    """Decide again from metrics.json; exit code 3 where a rule is broken.

    Example: sluice gate .sluice/evidence/attrition/metrics.json
    """
    from flows.cli.release import run_gate

    raise typer.Exit(run_gate(metrics, as_json))


@app.command()
def power(
    model: Model = "attrition",
    data: DataFile = None,
    positives: Annotated[
        int | None, typer.Option(help="of a holdout that is only wished for")
    ] = None,
    difference: Annotated[
        list[float] | None, typer.Option(help="gain in recall to be found; may be repeated")
    ] = None,
    discordant: Annotated[
        float, typer.Option(help="share of the positives that only one of two models finds")
    ] = 0.1,
    as_json: AsJson = False,
) -> None:
    """Say how small a gain the holdout can find, in all and by group, and how many positives a
    wanted one needs.

    Example: sluice power attrition --positives 7000 --difference 0.01
    """
    from flows.cli.power import run_power

    raise typer.Exit(run_power(model, data, positives, difference or [], discordant, as_json))


@app.command()
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
        raise typer.Exit(command.drill_gate(model, data, as_json))
    if kind == "kill":
        raise typer.Exit(crashes.drill_kill(rounds, times, images, as_json))
    raise typer.Exit(
        (crashes.drill_faults if kind == "faults" else crashes.drill_race)(rounds, as_json)
    )


@app.command()
def status(model: Model = "attrition", as_json: AsJson = False) -> None:
    """Say what is live, since when, and what was last refused.

    Example: sluice status
    """
    from flows.cli.release import run_status

    raise typer.Exit(run_status(model, as_json))


@app.command()
def up(
    port: Annotated[int, typer.Option(help="port of the Prefect server on 127.0.0.1")] = 4200,
) -> None:
    """Start the Prefect server with its pages, and stay until interrupted.

    Example: sluice up --port 4200
    """
    from flows.cli.serve import up as start

    raise typer.Exit(start(port))


@app.command()
def serve(
    model: Model = "attrition",
    port: Annotated[int, typer.Option(help="port on 127.0.0.1")] = 3000,
) -> None:
    """Serve the newest Bento of a model on this machine, until interrupted.

    Example: sluice serve attrition --port 3000
    """
    from flows.cli.serve import serve as start

    raise typer.Exit(start(model, port))


@app.command()
def predict(
    model: Model = "attrition",
    file: Annotated[
        Path | None, typer.Option("--file", help="CSV, Parquet or JSON lines; - is standard input")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="write the answers here, not to standard output")
    ] = None,
    url: Annotated[
        str, typer.Option("--url", help="ask this service, not the newest model here")
    ] = "",
    skip_wrong: Annotated[
        bool, typer.Option("--skip-wrong", help="score the other rows where some are wrong")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Ask the model about one person, question by question, or about a file of them. Advice: a
    person decides.

    Example: sluice predict --file people.csv --out risk.csv
    """
    from flows.cli.predict import run_predict

    raise typer.Exit(run_predict(model, file, out, url, as_json, skip_wrong))


@app.command()
def forget(
    person: Annotated[str, typer.Argument(help="the id that requests carried in x-person-id")],
    log: Annotated[
        str, typer.Option("--log", help="folder or URL, instead of SLUICE_PREDICTION_LOG")
    ] = "",
) -> None:
    """Take every line about a person out of the prediction log. SLUICE_LOG_SALT must be the one of
    the service.

    Example: sluice forget 4711 --log /var/log/sluice
    """
    from flows.cli.forget import run_forget

    raise typer.Exit(run_forget(person, log))


@app.command()
def lineage(
    release: Annotated[
        str, typer.Argument(help="digest, tag or commit (or their beginning), `latest` or `live`")
    ] = "",
    data: Annotated[
        str, typer.Option("--data", help="hash or file: what was trained and judged on it")
    ] = "",
    model: Annotated[
        str, typer.Option("--model", help="which model `latest` and `live` are of")
    ] = "attrition",
    out: Annotated[
        Path | None, typer.Option("--out", help="write evidence and model into this folder")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what a release rests on, from the manifest repo and the registry alone; or what some data
    led to.

    Example: sluice lineage latest
    """
    from flows.audit.lineage import run_lineage

    raise typer.Exit(run_lineage(release, data, model, out, as_json))


@app.command()
def history(
    model: Model = "attrition",
    page: Annotated[
        Path | None, typer.Option("--page", help="write it as a page into this HTML file")
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, help="how many lines are printed, the newest ones")
    ] = 30,
    as_json: AsJson = False,
) -> None:
    """Tell what happened to a model: releases, verdicts, rollbacks, quarantine and edits by hand,
    the newest last.

    Example: sluice history --page history.html
    """
    from flows.audit.history import run_history

    raise typer.Exit(run_history(model, page, limit, as_json))


@app.command()
def verify(
    release: Annotated[
        str, typer.Argument(help="digest, tag or commit (or their beginning), `latest` or `live`")
    ],
    model: Annotated[
        str, typer.Option("--model", help="which model `latest` and `live` are of")
    ] = "attrition",
    as_json: AsJson = False,
) -> None:
    """Check every hash of image, artifact and evidence of a release; exit code 3 where a file is
    not what it was.

    Example: sluice verify latest
    """
    from flows.views.verify import run_verify

    raise typer.Exit(run_verify(release, model, as_json))


@app.command()
def reproduce(
    release: Annotated[
        str, typer.Argument(help="digest, tag or commit (or their beginning), `latest` or `live`")
    ],
    data: Annotated[
        Path | None, typer.Option("--data", help="the file it was trained on, checked by hash")
    ] = None,
    model: Annotated[
        str, typer.Option("--model", help="which model `latest` and `live` are of")
    ] = "attrition",
    as_json: AsJson = False,
) -> None:
    """Train a release again from its commit and compare predictions row by row; exit code 3 where
    they differ.

    Example: sluice reproduce latest
    """
    from flows.audit.reproduce import run_reproduce

    raise typer.Exit(run_reproduce(release, data, model, as_json))


app.add_typer(operations)


def main() -> None:
    """Run the command; an error is shown without its traceback unless `--debug` asks for it."""
    debug = "--debug" in sys.argv
    # Also SIGINT: what a script starts in the background has it ignored, and could then not be
    # stopped in good order.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    try:
        app(standalone_mode=True)
    except SystemExit as end:
        if end.code == _INTERRUPTED:
            print(
                "Interrupted. What was done is kept: run the same command again.", file=sys.stderr
            )
        raise
    except SluiceError as error:
        if debug:
            raise
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except Exception as error:  # the traceback is for who asks for it
        if debug:
            raise
        said = (
            disk(error)
            or f"{type(error).__name__}: {error}\n  Run it again as `sluice --debug ...`."
        )
        print(f"Error: {said}", file=sys.stderr)
        sys.exit(1)


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt
