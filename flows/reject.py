"""A rejection as a run of Prefect: the release that waits for approvals is ended, for good."""

from typing import Any

from prefect import flow
from prefect.runtime import flow_run
from prefect.states import Completed

from flows.adapters.git.git import Author
from flows.adapters.private_files import keep_private
from flows.decision import approved
from flows.orchestration import prefect_server
from flows.orchestration.real_tools import real_tools
from flows.orchestration.run_page import failed, name_and_tag, show_rejection
from flows.project import homes
from flows.project.reason import check_reason
from sluice.errors import SluiceError


@flow(name="reject", flow_run_name="{model}", validate_parameters=True, persist_result=False)
def reject(model: str, evidence: str, reason: str) -> Any:
    """Reject the evidence of the release that waits. Refused where other evidence waits than the
    one that was read.

    Nobody has a name in Prefect, so nothing can be approved there: `sluice approve` signs.
    """
    keep_private()
    prefect_server.without_tracebacks()
    try:
        check_reason(reason, "the reason")
        given = homes.load_for_releases()
        today = real_tools().today()
        with prefect_server.followed(given.home, str(flow_run.id)), prefect_server.untagged():
            waiting = approved.require_waiting(given, model, evidence, today)
            said = approved.Rejection(
                Author(given.author), f"{reason.rstrip(' .')} (rejected in Prefect)"
            )
            after = approved.reject(given, waiting.question, said, today)
            show_rejection(model, after.count)
        name_and_tag(f"{model}: rejected", [model, given.overlay])
    except SluiceError as error:
        return failed(error)
    return Completed(name="Rejected", message=f"{after.count.sentence}.")
