"""What several commands ask for: a reason that people can read later."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.project.reason import check_reason
from sluice.errors import UsageError


@pytest.mark.parametrize("reason", ["", " ", "\n\t", "\u3000"])
def test_an_empty_reason_is_refused_with_what_to_write(reason: str) -> None:
    with pytest.raises(UsageError) as raised:
        check_reason(reason)
    assert raised.value.what == "--reason is empty"
    assert raised.value.fix == "Write why; it is recorded in the commit."


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "S"]), min_size=1))
@settings(deadline=None)
def test_a_reason_in_any_language_is_taken(reason: str) -> None:
    check_reason(f" {reason}\n{reason}\t")


@given(
    st.text(alphabet="ab ", max_size=3),
    st.characters(categories=["Cc", "Cf", "Co", "Cn"]).filter(lambda sign: not sign.isspace()),
)
@settings(deadline=None)
def test_a_sign_that_nobody_sees_is_refused_and_named(before: str, sign: str) -> None:
    with pytest.raises(UsageError) as raised:
        check_reason(f"{before}x{sign}")
    assert raised.value.what == f"--reason holds {sign!r}, which nobody can read"
    assert raised.value.fix == "Write why in plain text."
    assert raised.value.what.isprintable()
