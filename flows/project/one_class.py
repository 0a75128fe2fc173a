"""What knows models of one positive class alone, and says so before it does anything."""

from sluice.errors import UsageError
from sluice.served.contract import Contract

# Commands that are still to learn of several classes and of a number as target, as they are typed.
COMMANDS = ("sluice drill gate",)


def require_one_class(contract: Contract, command: str) -> None:
    """Raise UsageError where the target of a contract has several classes, or is a number."""
    target = contract.target
    if not (target.several or target.quantity):
        return
    kind, others = "is a number", "a number"
    if target.several:
        kind, others = f"has {len(target.classes)} classes", "several classes"
    raise UsageError(
        f"the target {kind}, and `{command}` knows a target of one positive class alone",
        f"`sluice validate` lists all that are still to learn of {others}.",
    )


def not_yet(contract: Contract) -> str:
    """What a person is told of these commands beforehand; empty where they all work."""
    commands = ", ".join(COMMANDS)
    if contract.target.quantity:
        return f"The target is a number. Not yet for it: {commands}."
    if not contract.target.several:
        return ""
    return f"The target has {len(contract.target.classes)} classes. Not yet for these: {commands}."
