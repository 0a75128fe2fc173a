"""What the judge tells Prometheus of itself: that it answers, and what."""

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from sluice.canary.verdict import Word

_WORDS: tuple[Word, ...] = ("pass", "fail", "inconclusive")


class Answers:
    """The answers of one judge, counted. Threads may share it."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._said = Counter(
            "sluice_judge_answers", "Answers of the judge", ["verdict"], registry=self._registry
        )
        self._last = Gauge(
            "sluice_judge_last_answer_timestamp_seconds",
            "When the judge answered last, in seconds of the epoch; 0 before its first answer",
            registry=self._registry,
        )
        for word in _WORDS:
            self._said.labels(word)  # a counter that is not there yet cannot be seen to rise

    def count(self, word: Word, now: float) -> None:
        """Count an answer that was given now, in seconds of the epoch."""
        self._said.labels(word).inc()
        self._last.set(now)

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self._registry)
