"""A rollback as a run of Prefect: the last healthy release becomes live again."""

from functools import partial
from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.runtime import flow_run

from flows.adapters.image import image_tools
from flows.adapters.plain_text import in_markdown
from flows.adapters.private_files import keep_private
from flows.gitops import rollback as room
from flows.gitops import smoke_released
from flows.gitops.writer import Written
from flows.orchestration import prefect_server
from flows.orchestration.run_page import artifact_key, failed, name_and_tag, state_of_rollback
from flows.project import homes
from flows.project.models import model_folder
from flows.project.reason import check_reason
from flows.project.settings import Settings
from flows.steps.smoke import check_service
from flows.views.releases import rollback as view
from sluice.errors import SluiceError
from sluice.gitops.state import Champion


@flow(name="rollback", flow_run_name="{model}", validate_parameters=True, persist_result=False)
def rollback(
    model: str, reason: str, to: str = room.PREVIOUS, dry_run: bool = False, boot: bool = True
) -> Any:
    """Make an earlier healthy release live again; the one that is live goes into quarantine."""
    keep_private()
    prefect_server.without_tracebacks()
    try:
        check_reason(reason, "the reason")
        given = homes.load_for_releases()
        model_folder(model, given.project)
        request = room.Request(model, to or room.PREVIOUS, reason, dry_run)
        with prefect_server.followed(given.home, str(flow_run.id)), prefect_server.untagged():
            told = room.Report(view.show, partial(_show, model))
            written = room.roll_back(given, request, _boot if boot else None, told)
        name_and_tag(f"{model}: {state_of_rollback(written).name}", [model, given.overlay])
    except SluiceError as error:
        return failed(error)
    return state_of_rollback(written)


def _show(model: str, written: Written, plan: room.Plan | None) -> None:
    """What the rollback did, or would do, as an artifact of the run."""
    create_markdown_artifact(
        view.markdown(written, plan),
        key=artifact_key(model, "rollback"),
        description=in_markdown(written.sentence),
    )


def _boot(settings: Settings, release: Champion) -> None:
    """Start the image that becomes live, and compare its answers with the golden records."""
    smoke_released.start(settings, release, image_tools.runner, check_service)
