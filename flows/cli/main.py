"""The command line: every command in the order of `sluice --help`, and how an error ends it.

`sluice --help` imports every command, so a command imports what is heavy where it runs.
"""

import json
import os
import signal
import sys
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException

from flows.adapters.plain_text import say, take_any_encoding
from flows.adapters.private_files import keep_private
from flows.adapters.typed_command import as_typed, here, line
from flows.cli.begin.data import data
from flows.cli.begin.deploy_files import deploy_files
from flows.cli.begin.doctor import doctor
from flows.cli.begin.init import init
from flows.cli.gating.anchor import anchor
from flows.cli.gating.drill import drill
from flows.cli.gating.extend import extend
from flows.cli.gating.gate import gate
from flows.cli.gating.power import power
from flows.cli.live.canary import canary
from flows.cli.live.judge import judge
from flows.cli.live.labels import labels
from flows.cli.live.monitor import monitor
from flows.cli.live.reconcile import reconcile
from flows.cli.live.replay import replay
from flows.cli.past.history import history
from flows.cli.past.images import images
from flows.cli.past.lineage import lineage
from flows.cli.past.reproduce import reproduce
from flows.cli.past.verify import verify
from flows.cli.releases.approvals import approvals
from flows.cli.releases.approve import approve
from flows.cli.releases.changed import changed
from flows.cli.releases.plan import plan
from flows.cli.releases.promote import promote
from flows.cli.releases.quarantine import quarantine
from flows.cli.releases.reject import reject
from flows.cli.releases.release import release
from flows.cli.releases.rollback import rollback
from flows.cli.releases.status import status
from flows.cli.releases.validate import validate
from flows.cli.serving.deploy import deploy
from flows.cli.serving.deploy_image import deploy_image
from flows.cli.serving.features import features
from flows.cli.serving.forget import forget
from flows.cli.serving.predict import predict
from flows.cli.serving.serve import serve
from flows.cli.serving.up import up
from flows.orchestration import lost_server
from sluice.errors import SluiceError, disk

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer._click import Context, HelpFormatter

_HELP = """From a table to a canary on Kubernetes, through a gate that cannot be fooled.

Settings: environment variables such as SLUICE_REGISTRY and SLUICE_MANIFESTS say where Sluice runs;
each has a default that needs no server. README.md lists them under "Where it runs". Decisions that
need a review are in models/<model>/policy.toml.

Exit codes: 0 done, nothing to do, HOLD; 1 failed; 2 usage or settings; 3 refused, or "act";
130 interrupted.
"""

# What `sluice --help` lists, by what a person wants; each section is a folder beside this file. A
# name with commands of its own is a Typer.
SECTIONS: "dict[str, dict[str, Callable[..., None] | typer.Typer]]" = {
    "Begin here": {
        "doctor": doctor,
        "init": init,
        "deploy-files": deploy_files,
        "data": data,
    },
    "Release a model": {
        "release": release,
        "plan": plan,
        "changed": changed,
        "validate": validate,
        "approvals": approvals,
        "approve": approve,
        "reject": reject,
        "promote": promote,
        "status": status,
        "rollback": rollback,
        "quarantine": quarantine,
    },
    "Understand a release": {
        "history": history,
        "lineage": lineage,
        "verify": verify,
        "reproduce": reproduce,
        "images": images,
    },
    "Work with the gate": {
        "gate": gate,
        "power": power,
        "extend": extend,
        "drill": drill,
        "anchor": anchor,
    },
    "Run and ask the model": {
        "serve": serve,
        "predict": predict,
        "features": features,
        "forget": forget,
        "up": up,
        "deploy": deploy,
        "deploy-image": deploy_image,
    },
    "After the release": {
        "replay": replay,
        "judge": judge,
        "canary": canary,
        "reconcile": reconcile,
        "monitor": monitor,
        "labels": labels,
    },
}
_INTERRUPTED = 130
_KEPT = "Interrupted. What was done is kept: run the same command again."
_SERVERS = ("serve", "up", "judge", "canary", "reconcile", "deploy")
_COMPLETED = "_SLUICE_COMPLETE"  # set by the shell while it asks for completions
_SUMMARY = 64  # characters: what is left of 80 beside the names
_NAMES = 12


class _Command(TyperCommand):
    """A command whose help can be typed as it stands."""

    def get_help(self, ctx: "Context") -> str:
        """The help, its example as it is typed here."""
        return as_typed(super().get_help(ctx))


class _Group(TyperGroup):
    """A command with commands of its own, whose help can be typed as it stands."""

    def get_help(self, ctx: "Context") -> str:
        """The help, its example as it is typed here."""
        return as_typed(super().get_help(ctx))


class _Sectioned(TyperGroup):
    """The commands in sections, each with the whole first sentence of its help."""

    def format_commands(self, ctx: "Context", formatter: "HelpFormatter") -> None:
        """Write the sections in their order."""
        del ctx
        for title, names in SECTIONS.items():
            rows = [(name, self.commands[name].get_short_help_str(_SUMMARY)) for name in names]
            with formatter.section(title):
                formatter.write_dl(rows, col_max=_NAMES)


app = typer.Typer(
    name="sluice",
    cls=_Sectioned,
    help=_HELP,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
    rich_markup_mode=None,
)


@app.callback()
def _root(debug: Annotated[bool, typer.Option("--debug", help="show tracebacks")] = False) -> None:
    """Declare the options that stand before a command; `main` reads them."""


for section in SECTIONS.values():
    for name, entry in section.items():
        if isinstance(entry, typer.Typer):
            for below in entry.registered_commands:
                below.cls = _Command
            app.add_typer(entry, name=name, cls=_Group)
        else:
            app.command(name, cls=_Command)(entry)


def program() -> None:
    """Run the command as a process of its own, which ends with it."""
    try:
        main()
    except SystemExit as ended:
        lost_server.end_without(ended.code)
        raise


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
        _run(json_wanted="--json" in sys.argv)
    except SystemExit as end:
        if end.code == _INTERRUPTED:
            _end(_interrupted(), _INTERRUPTED)
        raise
    except TyperException as error:
        _end(error.format_message(), error.exit_code)
    except SluiceError as error:
        if debug:
            raise
        _end(str(error), error.exit_code, "Error: ")
    except Exception as error:  # anything else: the traceback is shown to a person who asks for it
        if debug:
            raise
        _end(str(disk(error) or _unexpected(error)), 1, "Error: ")


def _run(*, json_wanted: bool) -> None:
    """Run the app; with JSON wanted, what is wrong with the words of the command is raised and not
    printed.
    """
    code = app(standalone_mode=not json_wanted, prog_name=_name())
    if json_wanted:
        sys.exit(code or 0)


def _name() -> str:
    """What usage and its errors call the command: as it is typed here, but by its name alone where
    a shell completes it.
    """
    completion = any("-completion" in word for word in sys.argv) or _COMPLETED in os.environ
    return "sluice" if completion else here()


def _end(text: str, code: int, before: str = "") -> NoReturn:
    """End with a sentence on standard error; with `--json` also as JSON on standard output, where a
    program looks for it.
    """
    say(f"{before}{text}")
    if "--json" in sys.argv:
        print(json.dumps({"error": as_typed(text), "exit_code": code}, indent=1))
    sys.exit(code)


def _interrupted() -> str:
    """What an interrupt is told as: a server has nothing to run again."""
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    return "Stopped." if words[:1] and words[0] in _SERVERS else _KEPT


def _unexpected(error: Exception) -> SluiceError:
    again = line(["--debug", *(word for word in sys.argv[1:] if word != "--debug")])
    return SluiceError(f"{type(error).__name__}: {error}", f"Run it again as `{again}`.")


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt
