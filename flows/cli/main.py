"""The command line: every command in the order of `sluice --help`, and how an error ends it.

`sluice --help` imports every command, so a command imports what is heavy where it runs.
"""

import signal
import sys
from typing import Annotated

import typer

from flows.adapters.plain_text import say, take_any_encoding
from flows.adapters.private_files import keep_private
from flows.cli.anchor import anchor
from flows.cli.drill import drill
from flows.cli.forget import forget
from flows.cli.gate import gate
from flows.cli.history import history
from flows.cli.images import images
from flows.cli.lineage import lineage
from flows.cli.plan import plan
from flows.cli.power import power
from flows.cli.predict import predict
from flows.cli.quarantine import quarantine
from flows.cli.release import release
from flows.cli.reproduce import reproduce
from flows.cli.rollback import rollback
from flows.cli.serve import serve
from flows.cli.status import status
from flows.cli.up import up
from flows.cli.validate import validate
from flows.cli.verify import verify
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

COMMANDS = (
    release,
    plan,
    validate,
    gate,
    power,
    drill,
    status,
    up,
    serve,
    predict,
    forget,
    lineage,
    history,
    verify,
    reproduce,
    rollback,
    images,
)
GROUPS = {"quarantine": quarantine, "anchor": anchor}
_INTERRUPTED = 130
_KEPT = "Interrupted. What was done is kept: run the same command again."


@app.callback()
def _root(debug: Annotated[bool, typer.Option("--debug", help="show tracebacks")] = False) -> None:
    """Declare the options that stand before a command; `main` reads them."""


for command in COMMANDS:
    app.command()(command)
for name, group in GROUPS.items():
    app.add_typer(group, name=name)


def main() -> None:
    """Run the command; an error is shown without its traceback unless `--debug` asks for it."""
    debug = "--debug" in sys.argv
    take_any_encoding()
    keep_private()
    # SIGINT too: a program that a script starts in the background ignores it, and could not be
    # stopped in good order.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    try:
        app(standalone_mode=True)
    except SystemExit as end:
        if end.code == _INTERRUPTED:
            say(_KEPT)
        raise
    except SluiceError as error:
        if debug:
            raise
        say(f"Error: {error}")
        sys.exit(error.exit_code)
    except Exception as error:  # anything else: the traceback is shown to a person who asks for it
        if debug:
            raise
        say(f"Error: {disk(error) or _unexpected(error)}")
        sys.exit(1)


def _unexpected(error: Exception) -> SluiceError:
    return SluiceError(f"{type(error).__name__}: {error}", "Run it again as `sluice --debug ...`.")


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt
