"""A verdict as a text for people: what it says, and each rule with its figures."""

import textwrap
from collections.abc import Mapping

from sluice.gate.case import Rule
from sluice.gate.decide import Verdict

_DIGITS = 6  # of a figure; further ones are not the same on every machine
_NOTHING = 1e-9  # what is smaller is left over from rounding


def as_text(verdict: Verdict, plain: Verdict | None = None) -> str:
    """The whole of a verdict, in the order in which it is decided. Of rules that say the same in a
    plain verdict, where one is given, only the names.
    """
    known = [] if plain is None else [_rule(rule) for rule in plain.rules]
    replaces = ", and may replace the champion" if verdict.refresh else ""
    lines = [f"{verdict.verdict}{replaces}", verdict.sentence, ""]
    alike = [rule.rule for rule in verdict.rules if _rule(rule) in known]
    if alike:
        names = f"The same in a plain first release: {', '.join(alike)}"
        lines += [*textwrap.wrap(names, 100, subsequent_indent="    "), ""]
    for rule in verdict.rules:
        if rule.rule not in alike:
            lines += _rule(rule)
    document = verdict.document()
    for place in ("comparison", "anchor"):
        compared = document[place]
        if compared is not None:
            lines += ["", f"{place}:", *_listed(compared)]
    return "\n".join(lines) + "\n"


def _rule(rule: Rule) -> list[str]:
    value, limit = (_shown(number) for number in (rule.value, rule.limit))
    lines = [f"{rule.state} {rule.rule}: {value}, limit {limit}", f"    {rule.sentence}"]
    return [*lines, f"    -> {rule.needed}"] if rule.needed else lines


def _listed(found: Mapping[str, object], indent: str = "    ") -> list[str]:
    lines = []
    for name, value in found.items():
        if isinstance(value, Mapping):
            lines += [f"{indent}{name}:", *_listed(value, f"{indent}    ")]
        else:
            lines.append(f"{indent}{name}: {_shown(value)}")
    return lines


def _shown(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{0.0 if abs(value) < _NOTHING else value:.{_DIGITS}g}"
