"""Keys from names in any way of writing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.served.column_keys import key_of, snake_case

KEYS = {
    "TotalCharges": "total_charges",
    "Work-Life Balance": "work_life_balance",
    "customerID": "customer_id",
    "XMLFile": "xml_file",
    "1stFlrSF": "c_1st_flr_sf",
    "class": "c_class",
    "Tür": "tur",
    "Isı arızası": "isi_arizasi",
    "Straße": "strasse",
    "возраст": "vozrast",
    "Ηλικία": "ilikia",
    "年龄": "u5e74u9f84",
    "???": "",
}


@pytest.mark.parametrize("name", KEYS)
def test_keys_are_made_of_names(name: str) -> None:
    assert key_of(name) == KEYS[name]


@given(st.text())
def test_a_key_is_an_identifier_or_empty(name: str) -> None:
    key = key_of(name)
    assert not key or (key.isidentifier() and key.isascii())


def test_a_contract_of_schema_1_keeps_its_keys() -> None:
    assert snake_case("TotalCharges") == "totalcharges"
