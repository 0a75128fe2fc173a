"""Debian's haproxy in front of instances of the service, by the configuration in deploy/haproxy."""

import re
import shutil
from collections import Counter
from collections.abc import Sequence

from flows.project.root import ROOT

CONFIGURATION = ROOT / "deploy" / "haproxy" / "haproxy.cfg"
# by which server, status, how it ended
_FAILED = re.compile(r" (attrition/\S+) \S+ (5\d\d|-1) \d+ - - (\S+) ")
_SECTION = re.compile(r"(?m)^(?=[a-z]+(?: \S+)?\n)")


def program() -> str:
    """haproxy; Debian keeps it where only root's PATH looks."""
    return shutil.which("haproxy") or "/usr/sbin/haproxy"


def behind(servers: Sequence[int], port: int) -> str:
    """The shipped configuration for these local instances, on a local port, without TLS and
    password.
    """
    text = CONFIGURATION.read_text(encoding="utf-8")
    kept = [
        section
        for section in _SECTION.split(text)
        if not section.startswith(("userlist", "frontend"))
    ]
    front = f"frontend local\n    bind 127.0.0.1:{port}\n    default_backend attrition\n\n"
    return with_servers("".join([*kept[:-1], front, kept[-1]]), servers)


def told(log: str) -> str:
    """What of a log explains failures: how many there were of a kind, which instance was taken out,
    and why.
    """
    kinds = Counter(" ".join(found) for found in _FAILED.findall(log))
    moved = [line for line in log.splitlines() if re.match(r"Server \S+ is (?:UP|DOWN)", line)]
    return "\n".join([*moved, *(f"{count} times {kind}" for kind, count in kinds.most_common())])


def with_servers(text: str, servers: Sequence[int]) -> str:
    """The configuration with instances at these local ports in the place of its own."""
    for number, port in enumerate(servers, 11):
        text = text.replace(f" 10.0.0.{number}:3000", f" 127.0.0.1:{port}")
    return text
