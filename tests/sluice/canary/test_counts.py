"""Counts by block: resets, gaps and pods that come and go, on a grid that nobody moves."""

import numpy as np
import pytest

from sluice.canary.counts import Blocks, Grid, Layout, Pod, count

LAYOUT = Layout(("high", "low"))
GRID = Grid(start=1000.0, now=1600.0, seconds=60.0, gap=40.0)
FLAGGED = 23  # 21 by probability, two tiers


def pod(
    times: list[float], flagged: list[float], *, canary: bool = False, started: float = 5.0
) -> Pod:
    """A pod that counts nothing but rows that it flagged."""
    counters = np.zeros((len(times), LAYOUT.width))
    counters[:, FLAGGED] = flagged
    return Pod(canary, np.array(times), np.full(len(times), started), counters)


def steady(per: float = 2.0, *, canary: bool = False, first: float = 985.0) -> Pod:
    """A pod that is scraped every 15 seconds to the end and flags so many rows in between."""
    times = np.arange(first, 1601.0, 15.0)
    return pod(list(times), list(100 + per * np.arange(len(times))), canary=canary)


def counted(*pods: Pod, grid: Grid = GRID) -> Blocks:
    return count(pods, LAYOUT, grid)


def test_differences_count_at_the_time_of_the_later_scrape() -> None:
    found = counted(steady(), steady(1.0, canary=True))
    assert found.stable.flagged.tolist() == [8.0] * 9  # the tenth block is not settled
    assert found.canary.flagged.tolist() == [4.0] * 9
    assert not found.dropped.any()
    assert (found.stable.restarts, found.canary.restarts) == (0, 0)


def test_a_block_is_complete_once_its_scrapes_can_be_read() -> None:
    assert [Grid(1000.0, now, 60.0, 40.0).blocks for now in (990, 1069, 1070, 1130)] == [0, 0, 1, 2]


def test_what_came_before_the_first_scrape_of_a_pod_is_not_counted() -> None:
    late = pod([1075.0, 1090.0], [500.0, 503.0], canary=True)
    assert counted(steady(), late).canary.flagged.sum() == 3.0


def test_a_counter_that_falls_counts_from_zero_and_is_a_restart() -> None:
    fell = steady(canary=True)
    fell.counters[20:, FLAGGED] -= fell.counters[20, FLAGGED] - 1.0
    found = counted(fell)
    assert found.canary.restarts == 1
    assert found.canary.flagged.sum() == 8.0 * 9 - 1.0


def test_a_process_that_began_anew_counts_from_zero_even_where_its_counter_is_higher() -> None:
    again = pod([1000.0, 1015.0, 1030.0], [1.0, 4.0, 9.0], canary=True)
    again.started[1:] = 1002.0
    found = counted(again)
    assert found.canary.flagged[0] == 4.0 + 5.0
    assert found.canary.restarts == 1


def test_a_gap_drops_its_blocks_for_both() -> None:
    whole, holed = steady(), steady(canary=True)
    keep = (holed.times < 1100.0) | (holed.times > 1190.0)
    holed = Pod(True, holed.times[keep], holed.started[keep], holed.counters[keep])
    found = counted(whole, holed)
    assert np.flatnonzero(found.dropped).tolist() == [1, 2, 3]
    assert found.stable.flagged.tolist() == found.canary.flagged.tolist()
    assert found.stable.flagged.tolist() == [8.0, 0, 0, 0, 8.0, 8.0, 8.0, 8.0, 8.0]


def test_a_pod_that_stopped_being_scraped_drops_the_block_in_which_it_was_missed() -> None:
    gone = steady(canary=True)
    keep = gone.times < 1100.0
    gone = Pod(True, gone.times[keep], gone.started[keep], gone.counters[keep])
    found = counted(steady(), gone)
    assert np.flatnonzero(found.dropped).tolist() == [2]
    assert found.canary.flagged.tolist()[:2] == [8.0, 4.0]


@pytest.mark.parametrize("now", [1200.0, 1333.0, 1471.0])
def test_what_was_counted_at_a_look_is_counted_the_same_later(now: float) -> None:
    early = Grid(1000.0, now, 60.0, 40.0)
    pods = (steady(), steady(3.0, canary=True))
    seen = [
        Pod(
            p.canary, p.times[p.times <= now], p.started[p.times <= now], p.counters[p.times <= now]
        )
        for p in pods
    ]
    before, after = counted(*seen, grid=early), counted(*pods)
    many = len(before.dropped)
    assert many == early.blocks > 0
    assert before.stable.flagged.tolist() == after.stable.flagged[:many].tolist()
    assert before.canary.flagged.tolist() == after.canary.flagged[:many].tolist()
