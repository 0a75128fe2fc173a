"""A row of a history: a release that went live."""

from flows.audit.history import Row

RELEASE_ROW = Row(
    kind="release",
    date="2026-11-20T13:24:07+00:00",
    release=3,
    tag="1" * 16,
    digest=f"sha256:{'a' * 64}",
    verdict="PROMOTE",
    outcome="",
    measured={"recall": (0.75, 0.74, 0.76)},
    sentence="Better than the champion.",
    who="Anna Meyer <anna@example.com>",
    approved="",
    reason="",
    overlay="",
    before=None,
    live=True,
    moves=True,
    commit="c" * 40,
    files=[],
)
