"""`sluice deploy` where there is nothing to register at; beside a server it is run in
tests/e2e/test_prefect_runs.py.
"""

from support.command_line import Sluice


def test_without_a_server_it_says_what_to_start(sluice: Sluice) -> None:
    ended = sluice("deploy")
    assert ended.code == 2
    assert "no Prefect server is set, and none runs here" in ended.err
    assert "sluice up" in ended.err
