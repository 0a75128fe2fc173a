"""The data docs: one page that needs no network, escapes what it shows, and counts in words."""

import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from support import deliveries
from support.gate_cases import small

from flows.project.models import model_folder
from flows.project.root import ROOT
from gx.docs import Source, render, write_docs
from gx.profile import profile
from gx.report import Check, Example, Finding, Report
from sluice.draft.generated import generate
from sluice.draft.sample_file import read_sample
from sluice.model.data.table import read_table
from sluice.served.contract import Contract, load_contract

ROW = {
    "Customer ID": "secret-id",
    "Age": "40",
    "Weight": "70.5",
    "Spend": "3",
    "Visits": "2",
    "Tier": "High",
    "Region": "N",
    "Pays-Late?": "Yes",
    "Sex": "F",
    "Note": "secret-note",
    "Churn": "No",
}
FRAME = pd.DataFrame(
    [ROW, ROW | {"Customer ID": "c2", "Churn": "Yes", "Age": "55"}] * 8, dtype=object
)
RANGE = Check("Age", "out of range", "critical", "between", 0, passed=True)
SOUND = Report(16, (RANGE,), ())
SOURCE = Source("employees.csv", "ab" * 32, "2026-11-29")


def finding(severity: str, column: str = "Age", rule: str = "out of range") -> Finding:
    example = Example("secret-id", "secret-value")
    return Finding(column, rule, severity, 1, (example,), "Write secret-value anew.")


def text(report: Report = SOUND, contract: Contract | None = None) -> str:
    of = contract or small()
    return render(of, profile(of, FRAME), report, SOURCE)


@pytest.mark.parametrize(
    ("findings", "heading", "sentence"),
    [
        ((), "Valid", "16 rows, 1 checks: none failed."),
        (("warning",), "Valid, with warnings", "16 rows, 1 checks: none failed, 1 gave a warning."),
        (("critical",), "Refused", "16 rows, 1 checks: 1 failed."),
        (
            ("critical", "critical", "warning"),
            "Refused",
            "16 rows, 1 checks: 2 failed, 1 gave a warning.",
        ),
    ],
)
def test_the_page_begins_with_the_outcome(
    findings: tuple[str, ...], heading: str, sentence: str
) -> None:
    page = text(replace(SOUND, findings=tuple(finding(severity) for severity in findings)))
    assert heading in page
    assert sentence in page


def test_no_value_and_no_id_of_a_row_is_on_the_page() -> None:
    assert "secret" not in text(replace(SOUND, findings=(finding("critical"),)))


def test_the_page_loads_nothing_from_elsewhere() -> None:
    page = text()
    assert not re.findall(r"""(?:src|href)\s*=\s*["']?(?!#)[^"'> ]+""", page)
    assert "@import" not in page
    assert not re.findall(r"url\((?!#)", page)


def test_names_of_a_contract_are_escaped() -> None:
    titled = replace(small(), title="<script>alert(1)</script>")
    page = text(contract=titled)
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_a_finding_says_what_the_contract_wants() -> None:
    few = Check("", "too few rows", "critical", "rows", 1, passed=False, limit=2000.0)
    findings = (
        finding("critical"),
        finding("critical", "", "too few rows"),
        finding("warning", "", "rule plausible"),
    )
    page = text(Report(16, (RANGE, few), findings))
    assert "a whole number from -5 to 90 years" in page
    assert "at least 2,000 rows" in page
    assert "weight &lt; 200 or age &gt; 10" in page


def test_the_same_table_gives_the_same_page_twice(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "docs"
    first = write_docs(small(), FRAME, SOUND, folder, SOURCE)
    before = first.read_bytes()
    assert write_docs(small(), FRAME, SOUND, folder, SOURCE) == first == folder / "index.html"
    assert first.read_bytes() == before
    assert [path.name for path in folder.iterdir()] == ["index.html"]


def test_the_page_names_file_hash_day_and_the_share_of_positives() -> None:
    head, _, rest = text().partition("</header>")
    for part in ("employees.csv", "ab" * 32, "2026-11-29", "50 % of the rows, 8 of 16"):
        assert part in head
    foot = rest[rest.index("<footer>") :]
    assert all(part in foot for part in ("employees.csv", "ab" * 32, "2026-11-29"))


def test_a_name_of_a_file_cannot_become_markup() -> None:
    of = small()
    odd = replace(SOURCE, name="<script>alert(1)</script>.csv")
    page = render(of, profile(of, FRAME), SOUND, odd)
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_the_share_of_positives_can_be_read_for_each_value() -> None:
    """All of one age stayed and all of the other left."""
    of = small()
    many = pd.concat([FRAME] * 4, ignore_index=True)
    page = render(of, profile(of, many), SOUND, SOURCE)
    assert "Yes by bar: 0 to 100 %" in page
    tier = page[page.index(">Tier<") : page.index(">Region<")]
    assert "<b>100 %</b><b>50 %</b>" in tier


def test_a_share_of_few_rows_is_not_told() -> None:
    few = FRAME.iloc[:4]
    page = render(small(), profile(small(), few), SOUND, SOURCE)
    assert "Yes by bar: –" in page
    assert "<b>–</b>" in page


@pytest.fixture(scope="module")
def pumps() -> tuple[Contract, pd.DataFrame]:
    """A model of several classes that ships, and its generated rows."""
    folder = model_folder("pumps", ROOT)
    contract = load_contract((folder / "contract.toml").read_text(encoding="utf-8"))
    sample = read_sample((folder / "sample.toml").read_text(encoding="utf-8"), "sample", contract)
    return contract, read_table(generate(sample, contract), contract, "sample")


def test_of_several_classes_each_has_its_rows_its_colour_and_its_part_of_a_bar(
    pumps: tuple[Contract, pd.DataFrame],
) -> None:
    of, frame = pumps
    page = render(of, profile(of, frame), Report(len(frame), (), ()), SOURCE)
    head, _, rest = page.partition("</header>")
    for place, name in enumerate(of.target.classes):
        rows = int((frame["Found"] == name).sum())
        assert f"<dt>{name}</dt><dd>" in head
        assert f"{rows:,} of {len(frame):,}</dd>" in head
        assert f".class-{place} {{" in head
        assert f'<i class="class-{place}"></i>{name}</span>' in rest
        assert f'class="class class-{place}"' in rest
    assert "Positive" not in page
    assert "<small>Most frequent</small>" in rest


def test_beside_a_value_stands_the_most_frequent_class_of_its_rows(
    pumps: tuple[Contract, pd.DataFrame],
) -> None:
    of, frame = pumps
    sandy = frame[frame["Water"] == "sandy"]["Found"].value_counts(normalize=True)
    page = render(of, profile(of, frame), Report(len(frame), (), ()), SOURCE)
    water = page[page.index(">Water<") : page.index(">Running hours<")]
    assert f"<b>sound, {100 * sandy['sound']:.0f} %</b>" in water
    assert f"blocked {100 * sandy['blocked']:.0f} %" in water


def test_a_class_of_a_few_rows_is_not_told(pumps: tuple[Contract, pd.DataFrame]) -> None:
    of, frame = pumps
    few = frame.iloc[:4]
    page = render(of, profile(of, few), Report(4, (), ()), SOURCE)
    water = page[page.index(">Water<") : page.index(">Running hours<")]
    assert "<b>–</b>" in water
    assert "class class-" not in water


def test_of_a_number_the_page_halves_the_rows_at_the_median() -> None:
    known = deliveries.contract()
    frame = read_table(deliveries.to_csv(600), known, "deliveries.csv")
    summary = profile(known, frame)
    page = render(known, summary, Report(len(frame), (), ()), SOURCE)
    middle = f"{summary.median:,.6g} min"
    assert f"above {middle}, the median of Minutes (50 %)" in page
    assert f'<i class="stayed"></i>up to {middle}' in page
    assert "How strongly each column goes with Minutes, one at a time" in page
    assert "50 % of the rows" in page


def test_a_number_that_is_in_no_row_is_told_as_such() -> None:
    known = deliveries.contract()
    frame = read_table(deliveries.to_csv(20), known, "deliveries.csv").assign(Minutes="none")
    page = render(known, profile(known, frame), Report(20, (), ()), SOURCE)
    assert "above nan" not in page
    assert "0 of them\nabove the median" in page
