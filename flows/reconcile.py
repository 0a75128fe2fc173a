"""The loop closer as a run of Prefect: what became of a canary is written back to git."""

import datetime
from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.runtime import flow_run

from flows.adapters import kubernetes
from flows.adapters.plain_text import in_markdown
from flows.adapters.private_files import keep_private
from flows.canary import champion_alias
from flows.canary import reconcile as room
from flows.orchestration import prefect_server
from flows.orchestration.run_page import artifact_key, failed, name_and_tag, state_of_reconcile
from flows.project import homes
from flows.project.models import model_folder
from flows.views import terminal
from flows.views.live import reconcile as view
from sluice.errors import SluiceError

PATIENCE = 24.0  # hours that a canary may stay inconclusive


@flow(name="reconcile", flow_run_name="{model}", validate_parameters=True, persist_result=False)
def reconcile(model: str, dry_run: bool = False) -> Any:
    """Write back to git what became of the canary of the release that git names."""
    keep_private()
    prefect_server.without_tracebacks()
    try:
        given = homes.load_for_releases()
        model_folder(model, given.project)
        asked = room.Asked(model, PATIENCE, dry_run)
        with prefect_server.followed(given.home, str(flow_run.id)), prefect_server.untagged():
            now = datetime.datetime.now(datetime.UTC)
            report = room.reconcile(given, asked, kubernetes.seen, now)
            untold = champion_alias.follow(given, model) if room.settled(report) else ""
            if untold:
                terminal.note(untold)
            view.show(report)
            _show(report)
        state = state_of_reconcile(report)
        name_and_tag(f"{model}: {state.name}", [model, given.overlay])
    except SluiceError as error:
        return failed(error)
    return state


def _show(report: room.Report) -> None:
    """What was found and written, as an artifact of the run."""
    create_markdown_artifact(
        view.markdown(report),
        key=artifact_key(report.model, "reconcile"),
        description=in_markdown(view.sentence(report)),
    )
