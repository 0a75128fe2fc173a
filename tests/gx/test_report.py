"""A report of validation: what stops a release, and what of it may leave the machine."""

import json

from hypothesis import given
from hypothesis import strategies as st

from gx.report import Check, Example, Finding, Report

FINDINGS = st.lists(
    st.builds(
        Finding,
        column=st.sampled_from(["Age", "", "Größe"]),
        rule=st.sampled_from(["out of range", "missing value"]),
        severity=st.sampled_from(["critical", "warning"]),
        count=st.integers(1, 10**6),
        examples=st.lists(
            st.builds(Example, st.just("id of a person"), st.just("value of a person")), max_size=3
        ).map(tuple),
        fix=st.just('Write "value of a person" anew.'),
    )
)
CHECK = Check("Age", "out of range", "critical", "expect", 0, passed=True)


@given(FINDINGS)
def test_one_critical_finding_stops_and_warnings_do_not(findings: list[Finding]) -> None:
    report = Report(100, (CHECK,), tuple(findings))
    warnings = [finding for finding in findings if finding.severity == "warning"]
    assert list(report.warnings) == warnings
    assert report.refused == (len(warnings) < len(findings))


@given(FINDINGS)
def test_counts_hold_numbers_and_nothing_of_a_person(findings: list[Finding]) -> None:
    counts = Report(100, (CHECK, CHECK), tuple(findings)).counts()
    assert "of a person" not in json.dumps(counts)
    assert (counts["schema"], counts["rows"], counts["checks"]) == (1, 100, 2)
    assert [entry["rows"] for entry in counts["findings"]] == [each.count for each in findings]
    assert all(set(entry) == {"column", "rule", "severity", "rows"} for entry in counts["findings"])
