"""The words that a model's messages use, as its contract gives them; neutral where it gives none.

Served with the model, so it imports the standard library alone.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Words:
    """What a positive row is called: `1 loss`, `836 losses`."""

    singular: str = "positive"
    plural: str = "positives"

    def counted(self, number: int) -> str:
        """A number of positives in words, such as `1,204 losses`."""
        return f"{number:,} {self._form(number)}"

    def more(self, number: int) -> str:
        """A number of further positives in words, such as `1 more loss`."""
        return f"{number:,} more {self._form(number)}"

    def _form(self, number: int) -> str:
        return self.singular if number == 1 else self.plural


@dataclass(frozen=True)
class Statements:
    """What a reader must know before using a model, one sentence each.

    `use` says what it is for, `misuse` what it must not be used for, `limits` where it ends and
    `duties` what whoever uses it owes. The defaults are true of every model.
    """

    use: tuple[str, ...] = (
        "Advice: a person decides, knows the limits below, and may set the score aside.",
    )
    misuse: tuple[str, ...] = ("Deciding without a person who may set the score aside.",)
    limits: tuple[str, ...] = (
        "A score is a probability among rows like those it learnt from; it never says how one row"
        " will turn out.",
        "It shows what goes together, not what causes what: changing a value is not known to"
        " change the outcome.",
        "It was judged on rows from the same source and time; elsewhere and later it has to be"
        " judged anew.",
        "At the shipped threshold it errs both ways: it flags some rows it should not and misses"
        " others.",
    )
    duties: tuple[str, ...] = (
        "Advice of a machine is trusted too readily (automation bias): ask for a reason beside"
        " every score.",
        "Keep a record of what was overridden.",
    )


NEUTRAL_WORDS = Words()
NEUTRAL_STATEMENTS = Statements()
# The same of a model of several classes, which flags nothing.
NEUTRAL_OF_CLASSES = replace(
    NEUTRAL_STATEMENTS,
    limits=(
        *NEUTRAL_STATEMENTS.limits[:-1],
        "It errs: some rows are answered with another class than theirs.",
    ),
)
# The same of a model that answers with a number.
NEUTRAL_OF_NUMBER = replace(
    NEUTRAL_STATEMENTS,
    limits=(
        "An answer is what is expected among rows like those it learnt from; it never says how one"
        " row will turn out.",
        *NEUTRAL_STATEMENTS.limits[1:-1],
        "It errs both ways: some rows turn out higher than their answer and some lower.",
    ),
    duties=(
        NEUTRAL_STATEMENTS.duties[0].replace("score", "answer"),
        *NEUTRAL_STATEMENTS.duties[1:],
    ),
)
