"""The page, asked without a browser: what it takes, what it refuses and how, and what never leaves
it.
"""

import asyncio
import base64
import csv
import html
import io
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import html_pages
from support.model_artifacts import MODEL, small_artifact

from sluice.errors import Refused
from sluice.served.contract import load_contract
from sluice.served.uploaded_table import read_csv, write_csv

Ask = Callable[..., httpx2.Response]
CONTRACT = load_contract((MODEL / "contract.toml").read_text(encoding="utf-8"))
GOOD = {column.key: str(column.example) for column in CONTRACT.features}
NAMES = ["Employee ID", "Gender", *(column.name for column in CONTRACT.features)]


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_artifact(tmp_path_factory.mktemp("page") / "model")


@pytest.fixture
def asked() -> list[Mapping[str, Any]]:
    return []


@pytest.fixture
def opinions() -> list[Mapping[str, Any]]:
    return []


@pytest.fixture
def ask(artifact: Path, asked: list[Mapping[str, Any]], opinions: list[Mapping[str, Any]]) -> Ask:
    return asker(html_pages.app(artifact, opinions, asked))


def asker(app: Any) -> Ask:
    """Sends one request to the application, from its own origin unless told."""

    def send(method: str, path: str, **more: Any) -> httpx2.Response:
        async def one() -> httpx2.Response:
            transport = httpx2.ASGITransport(app)
            async with httpx2.AsyncClient(transport=transport, base_url="http://page") as client:
                return await client.request(method, path, **more)

        return asyncio.run(one())

    return send


def person(**changed: str) -> dict[str, str]:
    row = {"Employee ID": "7", "Gender": "Female"} | {
        c.name: GOOD[c.key] for c in CONTRACT.features
    }
    return row | {name.replace("_", " "): value for name, value in changed.items()}


def table(rows: list[dict[str, str]], separator: str = ",") -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, NAMES, delimiter=separator)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def upload(
    ask: Ask, data: bytes, name: str = "people.csv", number: str | None = None
) -> httpx2.Response:
    typed = {} if number is None else {"act_on": number}
    return ask("POST", "/rows", files={"file": (name, data, "text/csv")}, data=typed)


def downloaded(page: str) -> list[dict[str, str]]:
    [data] = re.findall(r'href="data:text/csv;charset=utf-8;base64,([^"]*)"', page)
    return list(csv.DictReader(io.StringIO(base64.b64decode(data).decode("utf-8-sig"))))


def titled(page: str) -> str:
    return html.unescape(re.findall("<title>(.*)</title>", page)[0])


def test_the_form_follows_from_the_contract(ask: Ask) -> None:
    page = ask("GET", "/").text
    for column in CONTRACT.features:
        assert html.escape(column.name) in page
        assert f'name="{column.key}"' in page
        assert all(f'value="{html.escape(value)}"' in page for value in column.values)
    for column in (*CONTRACT.role("protected"), CONTRACT.id, *CONTRACT.role("target")):
        assert f'name="{column.key}"' not in page
    assert 'value="" size="7" inputmode="numeric"' in page
    assert " checked" not in page
    assert " selected" not in page
    assert "Nothing is filled in" in page
    assert "From 18 to 65." in page
    assert "Leave it empty if not known: 50 is used." in page


def test_an_empty_form_is_answered_with_every_question_that_is_open(ask: Ask) -> None:
    page = ask("POST", "/", data=dict.fromkeys(GOOD, ""))
    assert page.status_code == 400
    open_questions = [column for column in CONTRACT.features if column.missing != "impute"]
    mistakes = re.findall(r'<p class="mistake" id="([a-z_0-9-]+)-mistake">', page.text)
    assert len(mistakes) == len(open_questions)


def test_the_shown_steps_lead_from_the_mean_score_to_this_one(ask: Ask) -> None:
    page = ask("POST", "/", data=GOOD | {"monthly_income": "50000"}).text
    [listed] = re.findall(r'<ul class="reasons">(.*?)</ul>', page, re.S)
    first, last = re.findall(r"<strong>([0-9.]+) %</strong>", listed)
    [others] = re.findall(r"<strong>([+−][0-9.]+)</strong>", listed)
    changes = re.findall(r'aria-label="([+−][0-9.]+) points"', listed)
    assert changes
    steps = [float(step.replace("−", "-")) for step in (*changes, others)]
    rounding = 0.05 * (len(steps) + 2)
    assert float(first) + sum(steps) == pytest.approx(float(last), abs=rounding)
    assert len(re.findall("standard error [0-9.]+", listed)) == len(changes)


@pytest.mark.parametrize("path", ["/", "/rows", "/quality"])
def test_how_often_it_is_wrong_stands_in_numbers(path: str, ask: Ask) -> None:
    page = re.sub(r"\s+", " ", re.sub("<[^>]*>", "", html.unescape(ask("GET", path).text)))
    # Of 100 rows 50 are positive; 50 are flagged, 25 of them rightly.
    assert "Of 100 employees that it flags, about 50 (37 to 63) have the outcome “Stayed”." in page
    assert "Of 100 employees with the outcome “Left”, it misses about 50 (37 to 63)." in page


def test_it_says_what_it_is_for_and_what_not(ask: Ask) -> None:
    for path in ("/", "/rows"):
        page = html.unescape(ask("GET", path).text)
        assert "A person decides" in page
        assert "One employee" in page
        assert "Many employees" in page
        assert "Ranking people, or watching single people without their knowledge." in page
        assert "It expects a proxy with authentication in front of it" in page


def test_an_answer_has_tier_probability_and_reasons_in_words(
    ask: Ask, asked: list[Mapping[str, Any]]
) -> None:
    page = ask("POST", "/", data=GOOD | {"overtime": "Yes", "monthly_income": "50000"})
    assert page.status_code == 200
    assert re.match(r"Risk: (Very low|Low|Medium|High) – Employee attrition", titled(page.text))
    assert re.search(r"<dt>Probability</dt><dd>0\.\d{4}</dd>", page.text)
    assert re.search(r"Monthly Income is 50,000: (raises|lowers) the probability by", page.text)
    assert "Advice: a person decides." in page.text
    assert 'name="id" value="answer-0"' in page.text
    assert 'value="Yes" checked' in page.text  # the values stay in the form
    assert asked[0]["overtime"] == "Yes"
    assert set(asked[0]) == set(GOOD)


def test_advice_stands_beside_the_answer_and_numbers_for_the_record_at_the_end(ask: Ask) -> None:
    page = html.unescape(ask("POST", "/", data=GOOD | {"monthly_income": "50000"}).text)
    parts = [
        'id="result-title"',
        'class="sentence"',
        "Advice: a person decides.",
        "<dt>Probability</dt>",
        "How this score comes about",
        "Do you agree?",
        "<dt>Answer number</dt>",
        "<dt>Model</dt>",
        '<details class="entered">',
        'class="one-row"',
        "</details>",
    ]
    places = [page.index(part) for part in parts]
    assert places == sorted(places)
    assert "<details" not in ask("GET", "/").text
    # mistakes are seen at once
    assert "<details" not in ask("POST", "/", data=GOOD | {"age": "17"}).text


def test_what_may_be_left_out_is_left_out(ask: Ask, asked: list[Mapping[str, Any]]) -> None:
    assert ask("POST", "/", data=GOOD | {"distance_from_home": " "}).status_code == 200
    assert asked[0]["distance_from_home"] is None


def test_a_rule_that_is_broken_is_a_doubt_not_a_refusal(ask: Ask) -> None:
    page = ask("POST", "/", data=GOOD | {"years_at_company": "20", "company_tenure": "3"})
    assert page.status_code == 200
    assert "Nobody has been at the company longer than it exists." in page.text
    assert page.text.index("The answer may mean little.") < page.text.index('class="sentence"')
    assert '<section class="result doubtful"' in page.text  # in no colour of a tier
    assert re.search('<section class="result tier-[1-4]"', ask("POST", "/", data=GOOD).text)


@pytest.mark.parametrize(
    ("key", "typed", "sentence"),
    [
        ("age", "17", "Age must be a whole number from 18 to 65 years"),
        ("age", "", "Enter Age: a whole number from 18 to 65 years"),
        ("age", "38.5", "Age must be a whole number from 18 to 65 years"),
        ("age", "nan", "Age must be a whole number from 18 to 65 years, in digits alone"),
        ("age", "9" * 400, "Age must be a whole number from 18 to 65 years"),
        ("age", "٣٨", "Age must be a whole number from 18 to 65 years, in digits alone"),
        (
            "monthly_income",
            "7,300",
            "Monthly Income must be a whole number from 1000 to 50000 currency units a month",
        ),
        ("overtime", "Maybe", "Choose Overtime: one of No, Yes"),
        ("job_level", "", "Choose Job Level: one of Entry, Mid, Senior"),
    ],
)
def test_a_mistake_is_named_on_top_and_at_its_field(
    key: str, typed: str, sentence: str, ask: Ask
) -> None:
    answer = ask("POST", "/", data=GOOD | {key: typed})
    page = html.unescape(answer.text)
    assert answer.status_code == 400
    assert titled(page).startswith("Error: ")
    control = f"{key}-1" if key in ("overtime", "job_level") else key
    assert f'<li><a href="#{control}">{sentence}' in page
    assert f'id="{control}"' in page
    assert f'id="{control}-mistake"' in page
    if control == key:
        assert f'value="{typed[:200]}"' in page  # what was typed is kept


def test_a_missing_radio_is_a_mistake(ask: Ask) -> None:
    form = {key: value for key, value in GOOD.items() if key != "overtime"}
    assert "Choose Overtime" in ask("POST", "/", data=form).text


@pytest.mark.parametrize(
    "form", [{"gender": "Female"}, {"employee_id": "7"}, {"attrition": "Left"}, {"x": "<script>"}]
)
def test_a_form_with_other_questions_is_not_guessed_at(form: dict[str, str], ask: Ask) -> None:
    answer = ask("POST", "/", data=GOOD | form)
    assert answer.status_code == 400
    assert "The model was changed since this page was loaded" in answer.text


def test_the_same_question_twice_is_not_guessed_at(ask: Ask) -> None:
    body = "&".join(f"{key}={value}" for key, value in GOOD.items()) + "&age=50"
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    assert ask("POST", "/", content=body, headers=kind).status_code == 400


@pytest.mark.parametrize("path", ["/", "/rows", "/opinion"])
@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "application/json"}, b"{}", 415),
        ({"Content-Type": "application/vnd.bentoml+pickle"}, b"\x80\x04.", 415),
        ({}, b"x", 415),
        ({"Content-Type": "KIND", "Sec-Fetch-Site": "cross-site"}, b"", 403),
        ({"Content-Type": "KIND"}, b"x" * 6_000_000, 413),
        ({"Content-Type": "KIND"}, b"\xff=%ff&" * 9, 400),
        ({"Content-Type": "KIND"}, b"", 400),
    ],
)
def test_what_is_no_form_of_this_page_is_refused(
    path: str, headers: dict[str, str], body: bytes, status: int, ask: Ask
) -> None:
    kind = (
        "multipart/form-data; boundary=b"
        if path == "/rows"
        else "application/x-www-form-urlencoded"
    )
    answer = ask(
        "POST",
        path,
        headers={k: kind if v == "KIND" else v for k, v in headers.items()},
        content=body,
    )
    assert answer.status_code == status
    assert titled(answer.text).startswith("Error: ")


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(GOOD)), st.text(max_size=30), max_size=6))
def test_whatever_is_typed_is_answered_or_named(typed: dict[str, str]) -> None:
    answer = _FUZZED[0]("POST", "/", data=GOOD | typed)
    assert answer.status_code in (200, 400)
    assert answer.text.rstrip().endswith("</html>")


CELLS = st.lists(
    st.sampled_from(['"', ",", ";", "\n", "\r", " ", "\ufeff", "\x85", "7", "Yes", *NAMES]),
    max_size=80,
)


@settings(max_examples=100, deadline=None)
@given(
    st.one_of(st.binary(max_size=60), CELLS.map(lambda parts: "".join(parts).encode())),
    st.booleans(),
)
def test_whatever_is_uploaded_is_read_or_refused(data: bytes, headed: bool) -> None:
    head = ",".join(NAMES).encode() + b"\n" if headed else b""
    answer = upload(_FUZZED[0], head + data)
    assert answer.status_code in (200, 400)


_FUZZED: list[Ask] = []


@pytest.fixture(autouse=True, scope="module")
def _fuzzed(artifact: Path) -> None:
    _FUZZED[:] = [asker(html_pages.app(artifact, [], []))]


EVIL = "\"><script>alert(1)</script>'<img src=x onerror=alert(1)>"


def test_nothing_that_was_typed_or_uploaded_becomes_markup(ask: Ask) -> None:
    rows = [person(Employee_ID=EVIL), person(Employee_ID=EVIL, Job_Role=EVIL)]
    data = table(rows).replace(b"Gender", b"<b onclick=x>")
    answers = [
        ask("POST", "/", data=GOOD | {"age": EVIL, "overtime": EVIL}),
        upload(ask, data, f"{EVIL}.csv"),
        upload(ask, b"<script>,</script>\n1,2\n"),
        ask("POST", "/opinion", data={"id": "a", "agrees": "no", "why": EVIL}),
        ask("POST", "/opinion", data={"id": EVIL, "agrees": EVIL, "why": EVIL}),
        ask("GET", f"/page/{EVIL}"),
        ask("GET", "/quality", params={"of_1000": EVIL}),
        upload(ask, data, number=EVIL),
    ]
    for answer in answers:
        assert "<script>" not in answer.text
        assert "<img" not in answer.text
        assert "<b onclick" not in answer.text


def test_headers_let_nothing_in_and_nothing_is_kept(ask: Ask) -> None:
    for path in ("/", "/rows", "/rows.csv", "/page/style.css", "/page/none"):
        answer = ask("GET", path)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "Set-Cookie" not in answer.headers
    for path in ("/", "/rows", "/quality?of_1000=5"):
        page = ask("GET", path)
        assert page.headers["Cache-Control"] == "no-store"
        assert not re.search(r"<style|<script>|\sstyle=|\son[a-z]+=|https?://", page.text)


def test_a_file_of_the_page_may_be_kept_as_its_address_names_its_bytes(ask: Ask) -> None:
    addresses = re.findall(r'(?:href|src)="(page/[^"]*)"', ask("GET", "/").text)
    assert len(addresses) == 3
    for address in addresses:
        answer = ask("GET", f"/{address}")
        assert answer.status_code == 200
        assert "immutable" in answer.headers["Cache-Control"]
    assert ask("GET", "/page/style.css").headers["Cache-Control"] == "no-cache"
    assert ask("GET", "/page/one.html").status_code == 404


def test_a_file_is_scored_in_order_of_risk(ask: Ask, asked: list[Mapping[str, Any]]) -> None:
    rows = [person(Employee_ID=str(n), Monthly_Income=str(1000 * n)) for n in range(1, 41)]
    page = upload(ask, table(rows)).text
    found = downloaded(page)
    assert "40 of 40 rows of" in page
    assert "It is no ranking of employees: nothing may be decided by a place in it." in page
    risks = [float(row["Probability"]) for row in found]
    assert risks == sorted(risks, reverse=True)
    assert sorted(int(row["Employee ID"]) for row in found) == list(range(1, 41))
    assert all(int(row["Line"]) == int(row["Employee ID"]) + 1 for row in found)
    assert [r["Risk"] for r in found] == re.findall(r"</svg>([A-Z][a-z ]+)</span>\s*</td>", page)
    assert all(set(record) == set(GOOD) for record in asked)


def test_protected_columns_go_no_further_and_that_is_said(
    ask: Ask, asked: list[Mapping[str, Any]]
) -> None:
    page = upload(ask, table([person()])).text
    assert "Protected, not shown to the model and not kept: Gender." in page
    assert "Female" not in page
    assert "gender" not in asked[0]


def incomes(*, rows: int) -> bytes:
    people = [person(Employee_ID=str(n), Monthly_Income=str(1000 * n)) for n in range(1, rows + 1)]
    return table(people)


@pytest.mark.parametrize(("number", "within"), [("1", 1), ("25", 25), (" 40 ", 40), ("1,000", 40)])
def test_as_many_as_one_can_act_on_are_marked(number: str, within: int, ask: Ask) -> None:
    page = html.unescape(upload(ask, incomes(rows=40), number=number).text)
    marks = [row["Within your number"] for row in downloaded(page)]
    assert marks == ["yes"] * within + ["no"] * (40 - within)
    [inside] = re.findall(r"Within your number: (\d+)</th>(.*?)(?:</tbody>)", page, re.S)
    assert (int(inside[0]), inside[1].count('<th scope="row">')) == (within, within)
    beyond = re.findall(r"Beyond your number: (\d+)</th>", page)
    assert beyond == ([str(40 - within)] if within < 40 else [])
    assert ("There are no more in the file." in page) == (within == 40)
    assert "had the outcome “Left”" in page
    assert f'name="act_on" value="{number}"' in page  # it is kept for the next file


def test_without_a_number_nothing_is_marked(ask: Ask) -> None:
    for number in (None, "", " "):
        page = upload(ask, incomes(rows=3), number=number).text
        assert "your number" not in page.lower()
        assert "Within your number" not in downloaded(page)[0]


def test_a_row_that_was_not_scored_is_within_no_number(ask: Ask) -> None:
    page = upload(ask, table([person(), person(Age="1"), person()]), number="1").text
    assert [row["Within your number"] for row in downloaded(page)] == ["yes", "no", ""]
    assert "base64" not in upload(ask, table([person(Age="1")]), number="1").text


@pytest.mark.parametrize("number", ["0", "-1", "1.5", "ten", "10001", "9" * 300])
def test_a_number_of_nothing_is_named_at_its_field(
    number: str, ask: Ask, asked: list[Mapping[str, Any]]
) -> None:
    answer = upload(ask, incomes(rows=2), number=number)
    assert answer.status_code == 400
    sentence = "How many you can act on must be a whole number from 1 to 10,000"
    assert f'<li><a href="#act_on">{sentence}</a></li>' in answer.text
    assert 'id="act_on-mistake"' in answer.text
    assert 'id="file-mistake"' not in answer.text
    assert f'value="{number[:20]}"' in answer.text
    assert asked == []


def test_a_wrong_file_keeps_the_number(ask: Ask) -> None:
    answer = upload(ask, b"a,b\n1,2\n", number="12")
    assert answer.status_code == 400
    assert 'name="act_on" value="12"' in answer.text
    assert 'id="act_on-mistake"' not in answer.text


def test_how_good_it_is_stands_on_a_page_of_its_own(ask: Ask) -> None:
    page = text_of(ask("GET", "/quality").text)
    for line in (
        "Measured on the 100 employees that the threshold was chosen on.",
        "100 50\u00a0% 10\u00a0% 0.9000",
        "500 as it is set 50\u00a0% 50\u00a0% 0.5000",
        "All 100 employees 50\u00a0% 37 to 63 50\u00a0% 37 to 63 50\u00a0%",
        "Gender Female 80 employees 50\u00a0% 35 to 65 50\u00a0% 35 to 65 50\u00a0%",
        "Male Too few to say",
        "fewer than 30 employees with the outcome “Left”, or fewer than 30 with “Stayed”",
    ):
        assert line in page
    for path in ("/", "/rows"):
        assert '<a href="quality#groups">' in ask("GET", path).text
    assert 'id="groups"' in ask("GET", "/quality").text


def text_of(page: str) -> str:
    """What is to be read on a page."""
    return re.sub(r"[ \n]+", " ", re.sub("<[^>]*>", " ", html.unescape(page)))


def test_a_number_of_a_thousand_is_answered_with_its_threshold(ask: Ask) -> None:
    page = text_of(ask("GET", "/quality?of_1000=180").text)
    assert (
        "Of 1,000 employees, about 200 have a probability of 0.8000 or more. About 100 of these"
        " have the outcome “Left”."
    ) in page
    assert "That is the measured number nearest to 180." in page
    assert "200 your number 50\u00a0% 20\u00a0% 0.8000" in page
    exact = ask("GET", "/quality?of_1000=200").text
    assert "nearest to" not in exact
    assert 'name="of_1000" value="200"' in exact


@pytest.mark.parametrize("number", ["0", "1001", "x", "-5", "²"])
def test_a_number_of_a_thousand_that_is_none_is_named(number: str, ask: Ask) -> None:
    answer = ask("GET", "/quality", params={"of_1000": number})
    assert answer.status_code == 400
    assert titled(answer.text).startswith("Error: ")
    assert 'aria-invalid="true"' in answer.text
    assert '<a href="#of_1000">How many you can act on must be a whole number' in answer.text


def test_a_model_of_an_older_version_has_a_page_too(tmp_path: Path) -> None:
    artifact = small_artifact(tmp_path / "model")
    metrics = json.loads((artifact / "metrics.json").read_text())
    del metrics["curve"], metrics["groups"]
    (artifact / "metrics.json").write_text(json.dumps(metrics))
    ask = asker(html_pages.app(artifact, [], []))
    for path in ("/quality", "/quality?of_1000=5"):
        assert ask("GET", path).text.count("Train it anew to see them here.") == 2
    assert "Within your number" in downloaded(upload(ask, incomes(rows=2), number="1").text)[0]


def test_wrong_rows_are_named_and_the_others_scored(ask: Ask) -> None:
    rows = [
        person(),
        person(Age="3", Job_Role="Astronaut"),
        person(Age=""),
        person(Employee_ID="=1+1"),
    ]
    page = html.unescape(upload(ask, table(rows)).text)
    assert "2 of 4 rows of" in page
    assert "Age is 3, allowed is a whole number from 18 to 65 years" in page
    assert "Job Role is 'Astronaut', allowed is one of Education" in page
    assert "Age is missing" in page
    found = downloaded(page)
    assert [row["Line"] for row in found if row["Problem"]] == ["3", "4"]


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "＝1"])
def test_no_cell_of_the_download_is_run_by_a_spreadsheet(cell: str, ask: Ask) -> None:
    assert write_csv(["a"], [[cell]]).splitlines()[1].strip('"').startswith("'")
    if cell.strip() == cell:
        [row] = downloaded(upload(ask, table([person(Employee_ID=cell)])).text)
        assert row["Employee ID"] == f"'{cell}"


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_every_usual_separator_is_read(separator: str, ask: Ask) -> None:
    assert "1 of 1 rows" in upload(ask, b"\xef\xbb\xbf" + table([person()], separator)).text
    declared = f"\ufeffsep={separator}\r\n".encode()
    assert "1 of 1 rows" in upload(ask, declared + table([person()], separator)).text


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (
            b"PK\x03\x04rest",
            "an Excel workbook or another zip file; a CSV is required. Save it as CSV (UTF-8): in"
            " Excel by",
        ),
        (b"PAR1\x15\x04", "a Parquet file; a CSV is required. Save it as CSV (UTF-8)"),
        (b"a,b\n\x00", "binary (byte 0x00 at offset 4); a CSV is required. Save it as CSV (UTF-8)"),
        ("Age\n".encode("utf-16"), "UTF-16 text; UTF-8 is required. Save it as CSV (UTF-8)"),
        ("Größe,Age\n".encode("latin-1"), "is in another encoding"),
        (b"a,b\n1,2\n", "names no column of the model in its first line"),
        (b",,\n , ,\n", "names no column of the model"),
        (b"x" * 200_000, "cannot be split into cells"),
        (table([]), "has a header and no rows"),
        (table([person()]).replace(b"Job Level", b"Job Lvl"), "lacks Job Level"),
        (table([person()]).replace(b"Job Level", b"age"), "more than one column for Age"),
        (table([person()]) + b'"open', "a quote in line 3 that is never closed"),
        (table([person()]).split(b"\n")[0] + b"\n" + b"x\n" * 10_001, "has more than 10,000 rows"),
    ],
)
def test_what_is_no_table_is_refused_in_words(data: bytes, said: str, ask: Ask) -> None:
    answer = upload(ask, data)
    assert answer.status_code == 400
    assert said in html.unescape(answer.text)
    assert not re.search("iconv|or Parquet", answer.text)
    assert '<a href="#file">' in answer.text


def test_no_file_is_asked_for_again(ask: Ask) -> None:
    answer = ask("POST", "/rows", files={"file": ("", b"")})
    assert answer.status_code == 400
    assert "Choose a CSV file" in answer.text


def test_a_row_of_another_length_is_named() -> None:
    sheet = read_csv(table([person(), person()]) + b"1,2\r\n\r\n", CONTRACT, "x.csv")
    assert (len(sheet.rows), [(p.line, p.errors[0].value) for p in sheet.problems]) == (
        2,
        [(4, "2 cells")],
    )


def test_a_line_is_where_the_row_begins() -> None:
    sheet = read_csv(
        table([person(Employee_ID="a\nb"), person(), person(Age="1")]), CONTRACT, "x.csv"
    )
    assert [row.line for row in sheet.rows] == [2, 4]
    assert [problem.line for problem in sheet.problems] == [5]


@pytest.mark.parametrize("path", ["/rows", "/rows.csv"])
def test_a_page_answers_at_its_old_address_as_well(ask: Ask, path: str) -> None:
    old = ask("GET", path.replace("rows", "people"))
    assert (old.status_code, old.text) == (200, ask("GET", path).text)


def test_the_example_is_a_table_that_is_read(ask: Ask) -> None:
    answer = ask("GET", "/rows.csv")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="rows.csv"'
    assert "1 of 1 rows" in upload(ask, answer.content).text


def test_a_table_with_nothing_right_has_no_download(ask: Ask) -> None:
    page = upload(ask, table([person(Age="1")])).text
    assert "0 of 1 rows of" in page
    assert "base64" not in page


def test_the_page_stays_small_for_ten_thousand_rows(ask: Ask) -> None:
    page = upload(ask, table([person(Employee_ID=str(n)) for n in range(10_000)])).text
    assert page.count('<th scope="row">') < 250
    assert "Shown are the 200 with the highest risk" in page
    assert len(downloaded(page)) == 10_000


@pytest.mark.parametrize(("agrees", "why"), [("yes", ""), ("no", "  New manager.  ")])
def test_a_view_is_kept_with_the_answer(
    agrees: str, why: str, ask: Ask, opinions: list[Mapping[str, Any]]
) -> None:
    answer = ask("POST", "/opinion", data={"id": "answer-0", "agrees": agrees, "why": why})
    assert answer.status_code == 200
    assert "Noted" in titled(answer.text)
    assert opinions == [{"id": "answer-0", "agrees": agrees == "yes", "why": why.strip()}]


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"id": "a", "agrees": "no", "why": " "}, "Say why you disagree"),
        ({"id": "a", "why": "x"}, "Choose whether you agree"),
        ({"id": "a", "agrees": "no", "why": "x" * 2001}, "at most 2000 characters; these are 2001"),
        ({"agrees": "no", "why": "x"}, "Ask again"),
        ({"id": "a b", "agrees": "no", "why": "x"}, "Ask again"),
    ],
)
def test_half_a_view_is_asked_for_again(
    form: dict[str, str], said: str, ask: Ask, opinions: list[Mapping[str, Any]]
) -> None:
    answer = ask("POST", "/opinion", data=form)
    assert answer.status_code == 400
    assert said in answer.text
    assert opinions == []


def test_a_view_that_is_not_kept_is_not_called_noted(artifact: Path) -> None:
    answer = asker(html_pages.app(artifact, [], [], kept=False))(
        "POST", "/opinion", data={"id": "a", "agrees": "yes"}
    )
    assert answer.status_code == 409
    assert "was not kept" in answer.text


def test_the_contract_decides_how_many_values_are_laid_side_by_side() -> None:
    from bento.page import form

    text = (MODEL / "contract.toml").read_text(encoding="utf-8")
    more = ", ".join(f'"{n}"' for n in range(9))
    changed = text.replace('["Entry", "Mid", "Senior"]', f'["Entry", "Mid", "Senior", {more}]')
    changed = changed.replace(
        'values = ["Small", "Medium", "Large"]',
        'values = ["Small", "Medium", "Large"]\nmissing = "impute"\nfill = "Medium"',
    )
    contract = load_contract(changed)
    fields = {field.key: field for field in form.fields(contract, form.examples(contract), [])}
    assert (fields["job_level"].few, fields["job_level"].control) == (False, "job_level")
    assert fields["company_size"].choices == ("Small", "Medium", "Large", "Not known")
    values = form.examples(contract) | {"company_size": "Not known"}
    assert form.record(contract, values)["company_size"] is None
    assert form.doubts(contract, form.record(contract, values)) == []


def test_too_many_rows_are_refused_before_they_are_read() -> None:
    with pytest.raises(Refused, match="more than 1 rows"):
        read_csv(table([person(), person()]), CONTRACT, "x.csv", most=1)


@pytest.mark.parametrize(
    ("headers", "taken"),
    [
        ({}, True),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": ""}, False),
        ({"sec-fetch-site": "cross-site", "origin": "http://page"}, False),
        ({"origin": "http://page"}, True),
        ({"origin": "https://page"}, True),  # a proxy took https off
        ({"origin": "http://PAGE"}, True),
        ({"origin": "http://evil.example"}, False),
        ({"origin": "http://page.evil.example"}, False),
        ({"origin": "http://page:81"}, False),
        ({"origin": "null"}, False),
        ({"origin": ""}, False),
        ({"origin": "page"}, False),
        ({"origin": "null", "host": ""}, False),
        ({"referer": "http://page/"}, True),
        ({"referer": "https://PAGE/rows?a=b"}, True),
        ({"referer": "http://page"}, True),
        ({"referer": ""}, True),  # somebody left it out
        ({"referer": "http://evil.example/"}, False),
        ({"referer": "http://evil.example"}, False),
        ({"referer": "http://evil.example/?http://page/"}, False),
        ({"referer": "http://evil.example#http://page/"}, False),
        ({"referer": "http://page@evil.example/"}, False),
        ({"referer": "http://page.evil.example/"}, False),
        ({"referer": "http://page:81/"}, False),
        ({"referer": "about:blank"}, False),
        ({"referer": "page"}, False),
        ({"referer": "http://evil.example/", "origin": "http://page"}, True),
        ({"referer": "http://page/", "origin": "http://evil.example"}, False),
        ({"referer": "http://evil.example/", "sec-fetch-site": "same-origin"}, True),
        ({"referer": "http://page/", "sec-fetch-site": "cross-site"}, False),
    ],
)
def test_a_form_of_another_site_is_refused(
    ask: Ask, opinions: list[Mapping[str, Any]], headers: dict[str, str], taken: bool
) -> None:
    """Browsers say it in Sec-Fetch-Site; where the page came by plain http, in Origin or, old ones,
    in Referer alone.
    """
    form = {"id": "a-1", "agrees": "yes", "why": ""}
    status = 200 if taken else 403
    assert ask("POST", "/opinion", data=form, headers=headers).status_code == status
    assert ask("POST", "/", data=GOOD, headers=headers).status_code == status
    table_of_one = {"file": ("p.csv", table([person()]), "text/csv")}
    assert ask("POST", "/rows", files=table_of_one, headers=headers).status_code == status
    assert len(opinions) == taken
