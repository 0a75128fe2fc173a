"""Why somebody does something: it is kept in a commit, so others have to be able to read it."""

from sluice.errors import UsageError


def check_reason(reason: str, name: str = "--reason") -> None:
    """Raise UsageError, which calls it by this name, for a reason that nobody can read later."""
    if not reason.strip():
        raise UsageError(f"{name} is empty", "Write why; it is recorded in the commit.")
    for sign in reason:
        if not (sign.isprintable() or sign.isspace()):
            raise UsageError(
                f"{name} holds {sign!r}, which nobody can read", "Write why in plain text."
            )
