"""Whether the data of a release are fresh, asked each time: it depends on the day, and so it is no
part of a step that is kept.
"""

from typing import TYPE_CHECKING

from sluice.errors import Refused

if TYPE_CHECKING:
    from flows.engine.request import Request


def require_fresh(request: "Request") -> None:
    """Raise Refused where the newest row is older than the policy allows, or where rows have no
    day; UsageError where the policy has a limit and the contract names no column of days.
    """
    limit = request.policy.data.newest_days
    if not request.contract.as_of and not limit:
        return
    from gx.freshness import Asked, with_freshness
    from gx.report import Report
    from sluice.model.data.table import read_table

    frame = read_table(request.data.path.read_bytes(), request.contract, request.data.reference)
    asked = Asked(request.tools.today(), limit)
    source = f"models/{request.model}/contract.toml"
    nothing = Report(len(frame), (), ())
    report = with_freshness(nothing, request.contract, frame, asked, source)
    for finding in report.findings:
        # Neither a cell nor an id: it goes on a page.
        what = f"the data is refused: {finding.column}: {finding.rule} ({finding.count:,} rows)"
        raise Refused(what, finding.fix)
