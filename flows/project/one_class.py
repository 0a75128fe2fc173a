"""What knows models of one positive class alone, or of classes alone, and says so before it does
anything.
"""

from sluice.errors import UsageError
from sluice.served.contract import Contract

# Commands that are still to learn of several classes, as they are typed.
COMMANDS = ("sluice drill gate",)
# Commands that are still to learn of a number as target.
COMMANDS_OF_CLASSES = (
    *COMMANDS,
    "sluice power",
)


def require_classes(contract: Contract, command: str) -> None:
    """Raise UsageError where the target of a contract is a number."""
    if contract.target.quantity:
        raise UsageError(
            f"the target is a number, and `{command}` knows a target of classes alone",
            "`sluice validate` lists all that are still to learn of a number.",
        )


def require_one_class(contract: Contract, command: str) -> None:
    """Raise UsageError where the target of a contract has several classes, or is a number."""
    require_classes(contract, command)
    classes = contract.target.classes
    if classes:
        raise UsageError(
            f"the target has {len(classes)} classes, and `{command}` knows a target of one positive"
            " class alone",
            "`sluice validate` lists all that are still to learn of several classes.",
        )


def not_yet(contract: Contract) -> str:
    """What a person is told of these commands beforehand; empty where they all work."""
    if contract.target.quantity:
        return f"The target is a number. Not yet for it: {', '.join(COMMANDS_OF_CLASSES)}."
    if not contract.target.several:
        return ""
    return (
        f"The target has {len(contract.target.classes)} classes. Not yet for these:"
        f" {', '.join(COMMANDS)}."
    )
