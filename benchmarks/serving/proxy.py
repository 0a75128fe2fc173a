"""Debian's haproxy in front of instances of the service, by the configuration in deploy/haproxy."""

import re
import shutil
from collections.abc import Mapping

from flows.settings import ROOT

CONFIGURATION = ROOT / "deploy" / "haproxy" / "haproxy.cfg"
_SECTION = re.compile(r"(?m)^(?=[a-z]+(?: \S+)?\n)")


def program() -> str:
    """haproxy; Debian keeps it where only root's PATH looks."""
    return shutil.which("haproxy") or "/usr/sbin/haproxy"


def behind(servers: Mapping[str, int], port: int) -> str:
    """The shipped configuration for these local instances, on a local port, without TLS and password."""
    text = CONFIGURATION.read_text(encoding="utf-8")
    kept = [section for section in _SECTION.split(text) if not section.startswith(("userlist", "frontend"))]
    front = f"frontend local\n    bind 127.0.0.1:{port}\n    default_backend attrition\n\n"
    return with_servers("".join([*kept[:-1], front, kept[-1]]), servers)


def with_servers(text: str, servers: Mapping[str, int]) -> str:
    """The configuration with these local instances in the place of its own."""
    lines = [line for line in text.rstrip().split("\n") if not line.startswith("    server ")]
    return "\n".join([*lines, *(f"    server {name} 127.0.0.1:{port}" for name, port in servers.items())]) + "\n"
