"""Other programs: what they printed, how they ended, and errors that show the cause and no
secret.
"""

import sys
from pathlib import Path

import pytest

from flows.adapters.process import CommandFailed, run, without_login
from sluice.errors import SluiceError


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_what_it_printed_and_how_it_ended() -> None:
    done = run(python("import sys; print('out'); print('err', file=sys.stderr)"))
    assert (done.code, done.stdout, done.stderr) == (0, "out\n", "err\n")


def test_a_failure_shows_the_command_its_code_and_what_it_said() -> None:
    with pytest.raises(CommandFailed) as raised:
        run(python("import sys; print('half'); sys.exit('the cause')"))
    assert isinstance(raised.value, SluiceError)
    assert "ended with exit code 1" in raised.value.what
    assert sys.executable in raised.value.what
    assert raised.value.what.endswith("half\nthe cause")
    assert raised.value.result.code == 1


def test_of_a_long_output_the_end_is_shown() -> None:
    with pytest.raises(CommandFailed) as raised:
        run(python("import sys; print('x' * 100_000); sys.exit('the cause')"))
    assert len(raised.value.what) < 5000
    assert raised.value.what.endswith("the cause")


def test_a_failure_may_be_an_answer() -> None:
    assert run(python("raise SystemExit(7)"), check=False).code == 7


@pytest.mark.parametrize("number", [9, 15, 34])
def test_one_that_was_killed_has_answered_nothing(number: int) -> None:
    with pytest.raises(CommandFailed, match=f"was ended by signal {number}"):
        run(python(f"import os; os.kill(os.getpid(), {number})"), check=False)


def test_a_program_that_is_not_there_is_named_with_what_helps() -> None:
    with pytest.raises(CommandFailed, match="127") as raised:
        run(["no-such-program", "--flag"])
    assert "Install no-such-program" in raised.value.fix
    assert run(["no-such-program"], check=False).code == 127


def test_a_file_that_may_not_be_run_is_an_error_too(tmp_path: Path) -> None:
    (tmp_path / "tool").write_text("#!/bin/sh\n")
    with pytest.raises(CommandFailed, match="Permission denied"):
        run([tmp_path / "tool"])


def test_one_that_does_not_end_is_ended() -> None:
    with pytest.raises(CommandFailed, match=r"no end after 0\.2 seconds") as raised:
        run(python("import time; time.sleep(60)"), timeout=0.2)
    assert raised.value.result.code == 124
    assert run(python("import time; time.sleep(60)"), timeout=0.2, check=False).code == 124


def test_the_environment_is_added_to_and_taken_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRAY", "1")
    monkeypatch.setenv("KEPT", "2")
    code = "import os; print(*(os.environ.get(name) for name in ('STRAY', 'KEPT', 'ADDED')))"
    assert run(python(code), env={"ADDED": "3"}, without=["STRAY"]).stdout == "None 2 3\n"


def test_it_reads_what_it_is_given_and_nothing_otherwise() -> None:
    code = "import sys; print(sys.stdin.read())"
    assert run(python(code), stdin="given").stdout == "given\n"
    assert run(python(code), timeout=10).stdout == "\n"


def test_it_runs_where_it_is_told(tmp_path: Path) -> None:
    assert run(python("import os; print(os.getcwd())"), cwd=tmp_path).stdout.strip() == str(
        tmp_path.resolve()
    )


def test_bytes_that_are_no_text_do_not_hurt() -> None:
    assert run(python(r"import sys; sys.stdout.buffer.write(b'\xff\n')")).stdout == "�\n"


@pytest.mark.parametrize(
    "login", ["anna:s3cret@", "s3cret@", "anna:s3@cret@", "x-access-token:s3cret@"]
)
def test_a_login_in_a_url_is_never_shown(login: str) -> None:
    url = f"https://{login}git.example.com/team/manifests.git"
    assert (
        without_login(f"fetching {url} failed")
        == "fetching https://git.example.com/team/manifests.git failed"
    )
    with pytest.raises(CommandFailed) as raised:
        run([*python("import sys; sys.exit(sys.argv[1] + ' refused')"), url])
    assert "cret" not in str(raised.value)
    assert "git.example.com/team" in str(raised.value)


def test_a_login_is_not_shown_where_the_output_is_cut() -> None:
    code = (
        "import sys; sys.exit('https://anna:' + 's3cret' * 10 + '@git.example.com/' + 'x' * 3990)"
    )
    with pytest.raises(CommandFailed) as raised:
        run(python(code))
    assert "s3cret@" not in str(raised.value)
