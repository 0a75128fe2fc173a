"""When runs begin by themselves: read with a sentence for what is wrong, and no part of what a
release rests on.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.model_artifacts import PROJECT

from sluice.errors import UsageError
from sluice.policy import changes, load_policy
from sluice.schedule import SCHEDULED, When, decisive, read_schedule

SHIPPED = (PROJECT / "models" / "attrition" / "policy.toml").read_text(encoding="utf-8")
HOURS = '[schedule]\nrelease = "0 3 * * 1-5"\n'


def test_cron_intervals_and_a_time_zone() -> None:
    text = (
        '[schedule]\ntimezone = "Europe/Berlin"\nrelease = "0 3 * * 1-5"\nmonitor = "every 6 hours"'
    )
    assert read_schedule(text) == {
        "release": When("Europe/Berlin", cron="0 3 * * 1-5"),
        "monitor": When("Europe/Berlin", seconds=6 * 3600),
    }


def test_where_it_says_nothing_nothing_runs() -> None:
    assert read_schedule(SHIPPED) == {}
    assert read_schedule('[schedule]\ntimezone = "UTC"') == {}


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ('release = "daily"', "p: [schedule] release is 'daily'"),
        ('release = "61 * * * *"', "p: [schedule] release is '61 * * * *'"),
        ('release = "0 0 30 2 *"', "p: [schedule] release is '0 0 30 2 *'"),
        ('release = "* * * * * *"', "p: [schedule] release is '* * * * * *'"),
        ("monitor = 6", "p: [schedule] monitor is 6"),
        ('monitor = "every 0 hours"', "p: [schedule] monitor is 'every 0 hours'"),
        (
            'monitor = "every 367 days"',
            "p: [schedule] monitor is 'every 367 days'; at most 366 days are allowed",
        ),
        ('timezone = "Berlin"', "p: [schedule] timezone is 'Berlin'"),
        ('timezone = "../etc/passwd"', "p: [schedule] timezone is '../etc/passwd'"),
        ("timezone = 1", "p: [schedule] timezone is 1"),
        ('rollback = "every 1 day"', "p: [schedule] 'rollback' is not a known key"),
    ],
)
def test_what_is_wrong_is_named_with_what_to_write(line: str, what: str) -> None:
    for read in (read_schedule, lambda text, name: load_policy(SHIPPED + text, name)):
        with pytest.raises(UsageError) as raised:
            read(f"[schedule]\n{line}\n", "p")
        assert raised.value.what == what
        assert raised.value.fix


def test_it_is_a_table() -> None:
    with pytest.raises(UsageError, match="schedule is 'nightly'"):
        read_schedule('schedule = "nightly"')


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (SHIPPED, ""),
        (SHIPPED, "\n# when\n"),
        ("a = 1\n", "\n\n"),
    ],
)
def test_at_the_end_of_a_policy_it_leaves_every_byte_of_the_rest(before: str, after: str) -> None:
    assert decisive(before + after + HOURS) == before


@given(st.sampled_from(range(1, SHIPPED.count("\n["))), st.sampled_from(["", "# ours\n"]))
def test_before_any_table_it_leaves_every_byte_of_the_rest(place: int, comment: str) -> None:
    """A comment above the next table is that table's."""
    parts = SHIPPED.split("\n[")
    head, tail = "\n[".join(parts[:place]) + "\n", "# theirs\n[" + "\n[".join(parts[place:])
    text = head + comment + HOURS + "\n" + tail
    assert decisive(text) == head + tail
    assert load_policy(text) == load_policy(SHIPPED)
    assert read_schedule(text)


def test_a_policy_without_it_is_taken_as_it_is() -> None:
    assert decisive(SHIPPED) is SHIPPED


@pytest.mark.parametrize(
    "text",
    [
        'schedule.release = "0 3 * * *"\n[x]\na = 1\n',
        'schedule = { release = "0 3 * * *" }\n[x]\na = 1\n',
        "[schedule]\n[schedule.more]\na = 1\n",
        'b = """\n[schedule]\n"""\n[schedule]\n',
        '["schedule"]\n[x]\na = 1\n',
    ],
)
def test_one_that_cannot_be_taken_out_line_by_line_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not one table with a line"):
        decisive(text, "p")


def test_a_change_of_the_hours_is_no_change_of_the_policy() -> None:
    later = load_policy(SHIPPED + HOURS.replace("3", "4"))
    assert changes(load_policy(SHIPPED + HOURS), later) == []


def test_what_may_be_scheduled_is_what_runs_without_a_word_of_a_person() -> None:
    assert "rollback" not in SCHEDULED
