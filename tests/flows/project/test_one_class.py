"""What knows one positive class alone says so of several classes and of numbers: exit code 2."""

import pytest
from support import deliveries, parcels

from flows.project.one_class import COMMANDS, not_yet, require_one_class
from sluice.errors import UsageError
from sluice.served.contract import Contract


@pytest.mark.parametrize(
    ("contract", "said"),
    [
        (deliveries.contract(), "the target is a number, and `sluice monitor` knows"),
        (parcels.contract(), "the target has 3 classes, and `sluice monitor` knows"),
    ],
    ids=["number", "classes"],
)
def test_a_command_of_one_class_refuses_others_in_a_sentence(contract: Contract, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        require_one_class(contract, "sluice monitor")
    assert refused.value.exit_code == 2
    assert refused.value.what.startswith(said)
    assert refused.value.fix.startswith("`sluice validate` lists all")


@pytest.mark.parametrize("contract", [deliveries.contract(), parcels.contract()])
def test_validate_tells_them_beforehand(contract: Contract) -> None:
    told = not_yet(contract)
    for command in COMMANDS:
        assert command in told
