"""One look at a canary: ask Prometheus, count, judge. Nothing is kept between two looks."""

import datetime

import msgspec

from flows.adapters import prometheus
from flows.canary.foretold import Foretold, expected, nothing
from flows.canary.question import Question, Reply, policy_of, read_question, reply
from flows.canary.scrapes import HASH, STARTED, Scraped, layout_of, pods, selectors
from sluice.canary.beginning import beginning
from sluice.canary.counts import Grid, count
from sluice.canary.judge import Case, judge
from sluice.canary.verdict import Verdict
from sluice.errors import SluiceError

_GAP = 2.5  # times the seconds between two scrapes: one may be missed, two in a row may not
_LONGEST = 24 * 3600.0  # seconds of a rollout that are looked at
_MINUTE = 60


def answer(body: bytes, url: str, now: float, foretold: Foretold = nothing) -> Reply:
    """The answer to a question, whatever it is: what cannot be judged is inconclusive.

    `url` is that of Prometheus, `now` seconds of the epoch; `foretold` says what is expected of a
    canary where the question does not.
    """
    try:
        return reply(look(read_question(body), url, now, foretold))
    except SluiceError as error:
        sentence = f"{error.what[:1].upper()}{error.what[1:]}. {error.fix}"
        return reply(Verdict("inconclusive", sentence))


def look(question: Question, url: str, now: float, foretold: Foretold = nothing) -> Verdict:
    """The verdict at a moment. Raise UsageError, Retryable where Prometheus is away, and what
    `foretold` raises.
    """
    policy = policy_of(question)
    start = question.start if question.start is not None else _began(question, url, now)
    if start is None:
        return Verdict("inconclusive", "No pod of the canary was scraped yet. Look again.")
    if now - start > _LONGEST:
        sentence = "The rollout began over 24 hours ago; less is required. Start it anew."
        return Verdict("inconclusive", sentence)
    gap = _GAP * question.scrape_seconds
    scraped = Scraped(
        *(
            prometheus.samples(url, selector, start - gap, now)
            for selector in selectors(question.namespace, question.canary, question.stable)
        )
    )
    layout = layout_of(scraped.rows)
    grid = Grid(start, now, question.look_seconds, gap)
    blocks = count(pods(scraped, question.canary, layout), layout, grid)
    change = expected(question, url, start - gap, now, foretold)
    case = Case(blocks, layout, question.weight / 100.0, policy, change)
    began = datetime.datetime.fromtimestamp(start, datetime.UTC).isoformat()
    return msgspec.structs.replace(judge(case), start=began)


def _began(question: Question, url: str, now: float) -> float | None:
    """When the rollout began, at the beginning of a minute."""
    end = (now // _MINUTE + 1) * _MINUTE  # the minute that runs is one too
    found = {
        version: _minutes(question.namespace, version, url, end)
        for version in (question.canary, question.stable)
    }
    first = beginning(found[question.canary], found[question.stable])
    return None if first is None else float(first * _MINUTE)


def _minutes(namespace: str, version: str, url: str, end: float) -> set[int]:
    """The minutes of the last day in which a version was scraped."""
    query = f'count_over_time({STARTED}{{namespace="{namespace}",{HASH}="{version}"}}[1m])'
    series = prometheus.minutes(url, query, end - _LONGEST, end)
    return {round(time) // _MINUTE - 1 for one in series for time, _ in one.values}
