"""What knows models of one positive class alone, and says so before it does anything."""

from sluice.errors import UsageError
from sluice.served.contract import Contract

# Commands that are still to learn of several classes, as they are typed.
COMMANDS = ("sluice drill gate",)


def require_one_class(contract: Contract, command: str) -> None:
    """Raise UsageError where the target of a contract has several classes."""
    classes = contract.target.classes
    if classes:
        raise UsageError(
            f"the target has {len(classes)} classes, and `{command}` knows a target of one positive"
            " class alone",
            "`sluice validate` lists all that are still to learn of several classes.",
        )


def not_yet(contract: Contract) -> str:
    """What a person is told of these commands beforehand; empty where they all work."""
    if not contract.target.several:
        return ""
    return (
        f"The target has {len(contract.target.classes)} classes. Not yet for these:"
        f" {', '.join(COMMANDS)}."
    )
