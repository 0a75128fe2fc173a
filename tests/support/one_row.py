"""For Schemathesis: a description cannot say that the header and the record must name the same
row.
"""

from typing import Any

import schemathesis


@schemathesis.hook
def filter_case(context: Any, case: Any) -> bool:
    """Leave out what names two."""
    named = isinstance(case.body, dict) and {"employee_id", "Employee ID"} & set(case.body)
    sent = {name.lower() for name in case.headers or ()}
    return not (named and {"x-row-id", "x-person-id"} & sent)
