"""From tables that nobody here has seen to contract and policy: what is found in each of them."""

from collections.abc import Callable

import numpy as np
import pytest
from support import strange_tables

from gx.validation import validate
from sluice.draft.drafting import Draft, draft
from sluice.draft.proposals import Choices
from sluice.errors import Refused, UsageError
from sluice.gate import power
from sluice.model.data.split import deciding, parts, parts_by_time, row_hashes
from sluice.model.data.table import read_table, typed
from sluice.model.data.times import TIME
from sluice.policy import load_policy
from sluice.served.contract import load_contract

TABLES = {
    "churn": strange_tables.churn,
    "incomes": strange_tables.incomes,
    "sessions": strange_tables.sessions,
    "machines": strange_tables.machines,
    "stays": strange_tables.stays,
}


@pytest.fixture(scope="module")
def drafts() -> dict[str, Draft]:
    return {name: draft(make(), f"{name}.csv", name, Choices()) for name, make in TABLES.items()}


@pytest.mark.parametrize("name", TABLES)
def test_the_texts_are_a_contract_and_a_policy_that_no_person_answers_for(
    name: str, drafts: dict[str, Draft]
) -> None:
    contract = load_contract(drafts[name].contract)
    assert contract.features
    assert len(read_table(TABLES[name](), contract, name)) == drafts[name].rows
    assert not load_policy(drafts[name].policy).reviewed


ROLES = {
    "churn": {"id": "customerID", "target": "Churn", "protected": "gender"},
    "incomes": {"id": "row id", "target": "income", "protected": "sex"},
    "sessions": {"id": "Session ID", "target": "Revenue"},
    "machines": {"id": "Ürün Kimliği", "target": "Makine arızası", "ignored": "Isı arızası"},
    "stays": {
        "id": "encounter_id",
        "group": "patient_nbr",
        "target": "readmitted",
    },
}


@pytest.mark.parametrize("name", ROLES)
def test_roles_are_found(name: str, drafts: dict[str, Draft]) -> None:
    roles = drafts[name].roles
    found = {role: [column.name for column in roles.role(role)] for role in ROLES[name]}
    assert found == {role: [column] for role, column in ROLES[name].items()}


def test_a_split_by_time_is_proposed_beside_a_date_and_can_be_had(drafts: dict[str, Draft]) -> None:
    """What the two lines say is written, and splits the table in the order of its days."""
    drafted = drafts["stays"]
    assert drafted.roles.role("ignored") == ()
    assert '# as_of = "admission_date" at the top, by = "time" in [split]' in drafted.contract
    assert "as_of" not in drafts["churn"].contract
    contract = load_contract(f'as_of = "admission_date"\n{drafted.contract}')
    policy = load_policy(drafted.policy.replace("[split]\n", '[split]\nby = "time"\n')).split
    columns = typed(read_table(strange_tables.stays(), contract, "stays"), contract)
    times, labels = columns[TIME], columns[contract.target.column]
    rows = parts_by_time(policy, times, row_hashes("", deciding(contract, columns)), labels)
    assert times[rows["train"]].max() < times[rows["validation"]].min()
    assert times[rows["validation"]].max() < times[rows["holdout"]].min()


def test_the_rarer_value_is_what_is_looked_for(drafts: dict[str, Draft]) -> None:
    assert drafts["machines"].roles.positive == "1"
    assert drafts["incomes"].roles.positive == ">50K"


def test_reading_is_written_only_where_it_is_not_the_usual_one(drafts: dict[str, Draft]) -> None:
    assert "[reading]" not in drafts["churn"].contract
    assert 'missing = ["?"]' in drafts["incomes"].contract
    assert 'decimal = ","' in drafts["sessions"].contract


def test_missing_numbers_and_missing_groups_stay_missing(drafts: dict[str, Draft]) -> None:
    churn = load_contract(drafts["churn"].contract)
    totals = churn.find("TotalCharges")
    assert totals is not None
    assert (totals.key, totals.missing) == ("total_charges", "keep")
    sex = load_contract(drafts["incomes"].contract).find("sex")
    assert sex is not None
    assert (sex.role, sex.missing, sex.values) == ("protected", "keep", ("Female", "Male"))


def test_a_leak_is_ignored_with_its_figure(drafts: dict[str, Draft]) -> None:
    [flag] = drafts["machines"].roles.role("ignored")
    assert flag.why.startswith("leak: ")
    assert 'rows with "1" are "1"' in flag.why
    assert [look.name for look in drafts["machines"].looks if look.leak] == ["Isı arızası"]


def test_rows_of_one_group_are_in_one_part(drafts: dict[str, Draft]) -> None:
    contract = load_contract(drafts["stays"].contract)
    columns = typed(read_table(strange_tables.stays(), contract, "stays"), contract)
    split = load_policy(drafts["stays"].policy).split
    hashes = row_hashes(split.salt, deciding(contract, columns))
    rows = parts(split, hashes, columns["readmitted"])
    patients = [set(columns["patient_nbr"][numbers]) for numbers in rows.values()]
    assert not patients[0] & patients[1]
    assert not patients[0] & patients[2]
    assert not patients[1] & patients[2]
    assert sum(map(len, rows.values())) == 3000


def test_the_labels_of_the_holdout_change_no_limit_but_its_count(drafts: dict[str, Draft]) -> None:
    """The floors are the same where the labels of the holdout are others."""
    contract = load_contract(drafts["churn"].contract)
    table = strange_tables.churn()
    columns = typed(read_table(table, contract, "churn"), contract)
    split = load_policy(drafts["churn"].policy).split
    rows = parts(split, row_hashes(split.salt, deciding(contract, columns)), columns["churn"])
    lines = table.decode().splitlines()
    for number in rows["holdout"][::2]:
        head, _, label = lines[number + 1].rpartition(",")
        lines[number + 1] = f"{head},{'No' if label == 'Yes' else 'Yes'}"
    other = draft("\n".join(lines).encode(), "churn.csv", "churn", Choices())
    mine, theirs = drafts["churn"].limits, other.limits
    assert mine.points != ()
    assert (mine.roc_auc, mine.one_column_ceiling) == (theirs.roc_auc, theirs.one_column_ceiling)
    assert mine.proposal == theirs.proposal
    assert mine.positives != theirs.positives


def test_a_table_too_small_for_floors_says_how_many_labels_are_needed() -> None:
    rng = np.random.default_rng(6)
    names = ["code", "size", "target"]
    columns = [[f"r{i}" for i in range(300)], rng.normal(size=300), rng.integers(0, 2, 300)]
    table = strange_tables.written(names, columns).encode()
    drafted = draft(table, "small.csv", "small", Choices())
    assert drafted.limits.proposal is None
    assert drafted.limits.labels > 300
    assert f"about {drafted.limits.labels:,} labelled rows" in drafted.policy.replace("\n# ", " ")


def test_a_share_to_flag_is_the_point_that_is_written() -> None:
    drafted = draft(strange_tables.churn(), "churn.csv", "churn", Choices(point=0.2))
    proposal = drafted.limits.proposal
    assert proposal is not None
    assert proposal.point.flagged == pytest.approx(0.2, abs=0.01)
    shown = next(one for one in drafted.limits.points if abs(one.flagged - 0.2) < 0.01)
    assert proposal.point.precision == pytest.approx(shown.precision, abs=0.02)
    policy = load_policy(drafted.policy)
    floor = policy.gate.precision_floor
    assert (policy.gate.recall_floor, floor) == (proposal.recall_floor, proposal.precision_floor)
    assert floor + policy.operating_point.precision_slack == pytest.approx(
        proposal.point.precision, abs=0.011
    )
    assert "It flags 20 % of them" in drafted.policy


def test_a_share_without_floors_is_refused() -> None:
    rng = np.random.default_rng(6)
    columns = [[f"r{i}" for i in range(300)], rng.normal(size=300), rng.integers(0, 2, 300)]
    table = strange_tables.written(["code", "size", "target"], columns).encode()
    with pytest.raises(Refused, match=r"no floor is above chance where 30 % of the rows"):
        draft(table, "small.csv", "small", Choices(point=0.3))


def test_what_the_holdout_sees_is_what_power_says(drafts: dict[str, Draft]) -> None:
    limits = drafts["churn"].limits
    share = limits.positives / limits.holdout
    whole = power.report({"all": limits.positives}, 0.05, positive_share=share).groups[0]
    assert whole.at_use is not None
    assert limits.gain == whole.at_use
    assert f"see a gain of {100 * whole.at_use:.1f} %." in drafts["churn"].policy
    assert "can tell apart" not in drafts["churn"].policy


def change(old: str, new: str) -> Callable[[], bytes]:
    return lambda: strange_tables.churn(300).decode().replace(old, new).encode()


REFUSED = {
    "three classes": (change(",Yes\n", ",Maybe\n"), Choices(target="gender2"), "--target"),
    "no such value": (change("", ""), Choices(positive="Perhaps"), "Yes and No|No and Yes"),
    "an id that repeats": (change("", ""), Choices(id="gender"), "2 different values in 300"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_choice_that_does_not_fit_is_refused(case: str) -> None:
    make, choices, words = REFUSED[case]
    with pytest.raises((Refused, UsageError), match=words):
        draft(make(), "churn.csv", "churn", choices)


def test_a_target_of_three_classes_says_how_many_it_has() -> None:
    table = strange_tables.churn(300).decode().replace("Yes", "Maybe", 1).encode()
    with pytest.raises(
        Refused,
        match=r"Churn has 3 values .*; 2 are required of a target, or 40 rows of each: Maybe has 1",
    ):
        draft(table, "churn.csv", "churn", Choices(target="Churn"))


def test_a_strange_table_of_a_number_is_drafted() -> None:
    found = draft(strange_tables.a_number(), "orders.csv", "orders", Choices(target="returned"))
    assert found.roles.number
    assert load_contract(found.contract).target.quantity is not None


def test_a_number_becomes_a_target_only_where_a_person_names_it() -> None:
    table = strange_tables.churn(300)
    assert draft(table, "churn.csv", "churn", Choices(target="Charges")).roles.number
    assert not draft(table, "churn.csv", "churn", Choices()).roles.number


READ: dict[str, tuple[Callable[[], bytes], dict[str, str]]] = {
    "errors of a spreadsheet": (strange_tables.from_excel, {"amount": "feature"}),
    "tabs and UTF-16": (strange_tables.tabbed_utf16, {"amount": "feature"}),
    "signs in numbers": (strange_tables.with_signs, {"amount": "feature", "discount": "feature"}),
    "dates and blanks": (strange_tables.dated_two_ways, {"sent": "ignored", "comment": "ignored"}),
}


@pytest.mark.parametrize("case", READ)
def test_a_strange_table_becomes_a_contract_that_it_passes(case: str) -> None:
    make, expected = READ[case]
    drafted = draft(make(), "orders.csv", "orders", Choices())
    roles = {column.name: column.role for column in drafted.roles.columns}
    assert roles.items() >= {**expected, "returned": "target", "order_id": "id"}.items()
    contract = load_contract(drafted.contract)
    frame = read_table(make(), contract, "orders.csv")
    assert not validate(contract, frame, minimum_rows=1200, model="orders").refused


def test_signs_and_thousands_are_read_as_the_contract_says() -> None:
    drafted = draft(strange_tables.with_signs(), "orders.csv", "orders", Choices())
    why = {column.name: column.why for column in drafted.roles.columns}
    assert why["discount"] == "numbers from 0 to 39"
    assert 'thousands = ","\nsigns = ["€", "%"]\n' in drafted.contract
    assert 'thousands are written with "," between them' in drafted.said
    assert (
        'numbers are written with "€" or "%" beside them; these signs are left out' in drafted.said
    )


def test_a_key_that_repeats_is_a_group_by_its_name_alone() -> None:
    table = strange_tables.stays(900).replace(b"patient_nbr", b"Patient", 1)
    drafted = draft(table, "stays.csv", "stays", Choices())
    assert [one.name for one in drafted.roles.role("group")] == ["Patient"]


def test_another_whole_number_in_each_row_is_the_id_whatever_it_is_called() -> None:
    lines = strange_tables.churn(600).splitlines()
    numbered = [b"Kundennr.," + lines[0]]
    numbered += [b"%06d," % (7 * place) + line for place, line in enumerate(lines[1:])]
    plain = [b",".join(line.split(b",")[:1] + line.split(b",")[2:]) for line in numbered]
    drafted = draft(b"\n".join(plain) + b"\n", "kunden.csv", "kunden", Choices())
    assert [one.name for one in drafted.roles.role("id")] == ["Kundennr."]


def test_what_people_are_is_no_target_that_is_guessed() -> None:
    lines = ["Id,Mood,Age,Gender"]
    moods = ("good", "bad", "mixed")
    lines += [f"k{n},{moods[n % 3]},{n % 47},{'fm'[n % 2]}" for n in range(600)]
    roles = draft("\n".join(lines).encode(), "moods.csv", "moods", Choices()).roles
    assert [one.name for one in roles.role("target")] == ["Mood"]
    assert [one.name for one in roles.role("protected")] == ["Gender"]


def test_a_number_that_is_named_like_a_target_is_one() -> None:
    lines = ["Id,Garden,Rooms,Sale Price"]
    lines += [f"k{n},{'ny'[n % 2]},{n % 7},{1000 + 13 * n}" for n in range(600)]
    roles = draft("\n".join(lines).encode(), "houses.csv", "houses", Choices()).roles
    assert roles.number
    assert [one.name for one in roles.role("target")] == ["Sale Price"]


def test_a_column_that_is_mostly_empty_is_no_target_that_is_guessed() -> None:
    lines = ["Id,Alley,Rooms,Size"]
    lines += [f"{n},{'Grvl' if n % 9 == 0 else ''},{n % 7},{1000 + 13 * n}" for n in range(500)]
    table = ("\n".join(lines) + "\n").replace("18,Grvl", "18,Pave").encode()
    with pytest.raises(Refused, match="no column has two values, or a few texts") as raised:
        draft(table, "houses.csv", "houses", Choices())
    assert "Columns with a few values: Rooms." in raised.value.fix


TOLD: dict[str, tuple[Callable[[], bytes], Choices, str]] = {
    "one name twice": (strange_tables.same_name_twice, Choices(), "column named 'amount'"),
    "a title": (strange_tables.titled, Choices(), "one text in its first line"),
    "totals": (strange_tables.totalled, Choices(), "returned is empty in 1 row; a value is"),
    "spellings": (
        strange_tables.spelled_three_ways,
        Choices(),
        'returned has 6 values that are two but for capitals: "NO", "No", "no"',
    ),
    "spellings of a target that is named": (
        strange_tables.spelled_three_ways,
        Choices(target="returned"),
        "returned has 6 values that are two but for capitals",
    ),
}


@pytest.mark.parametrize("case", TOLD)
def test_what_a_strange_table_lacks_is_told_in_a_sentence(case: str) -> None:
    make, choices, sentence = TOLD[case]
    with pytest.raises(Refused) as raised:
        draft(make(), "orders.csv", "orders", choices)
    assert sentence in raised.value.what
    assert raised.value.fix


def test_a_row_of_totals_is_guessed_at() -> None:
    with pytest.raises(Refused) as raised:
        draft(strange_tables.totalled(), "orders.csv", "orders", Choices())
    assert "The last one is among them: are these totals?" in raised.value.fix
