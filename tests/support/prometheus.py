"""A real Prometheus (Debian's package), over samples of a time that is over, or over what it
scrapes.
"""

import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from flows.adapters.process import run
from flows.adapters.server import Starting, free_port

PROGRAM = shutil.which("prometheus")


@dataclass
class History:
    """Samples by series, as a file that promtool reads."""

    samples: dict[tuple[str, tuple[tuple[str, str], ...]], list[tuple[float, float]]] = field(
        default_factory=dict
    )

    def add(self, name: str, labels: Mapping[str, str], time: float, value: float) -> None:
        """One sample of a counter or gauge."""
        key = (name, tuple(sorted(labels.items())))
        self.samples.setdefault(key, []).append((time, value))

    def text(self) -> str:
        """All of them, in the order that OpenMetrics asks for."""
        lines, named = [], ""
        for (name, labels), samples in sorted(self.samples.items()):
            if name != named:
                named = name
                lines.append(f"# TYPE {name} unknown")
            shown = ",".join(f'{key}="{value}"' for key, value in labels)
            lines += [f"{name}{{{shown}}} {value:g} {time:.3f}" for time, value in samples]
        return "\n".join([*lines, "# EOF\n"])


@contextmanager
def remembering(history: History, folder: Path) -> Iterator[str]:
    """The address of a Prometheus that has these samples."""
    text, data = folder / "history.txt", folder / "data"
    text.write_text(history.text())
    run(["promtool", "tsdb", "create-blocks-from", "openmetrics", text, data])
    with _running(folder, [], data) as url:
        yield url


@contextmanager
def scraping(targets: Sequence[tuple[int, Mapping[str, str]]], folder: Path) -> Iterator[str]:
    """The address of a Prometheus that scrapes these loopback ports each second, each with labels
    of its own.
    """
    lines = []
    for port, labels in targets:
        shown = ", ".join(f'{key}: "{value}"' for key, value in labels.items())
        lines += [f'      - targets: ["127.0.0.1:{port}"]', f"        labels: {{{shown}}}"]
    with _running(folder, lines, folder / "data") as url:
        yield url


@contextmanager
def _running(folder: Path, targets: Sequence[str], data: Path) -> Iterator[str]:
    settings = ["global: {scrape_interval: 1s, scrape_timeout: 1s}", "scrape_configs:"]
    settings += ["  - job_name: pods", "    static_configs:", *targets]
    if not targets:
        settings = []
    config, port = folder / "prometheus.yml", free_port()
    config.write_text("\n".join(settings) + "\n")
    words = [str(PROGRAM), f"--config.file={config}", f"--storage.tsdb.path={data}"]
    words += [f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.retention.time=100y"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True)
    started = Starting(process, port, folder / "log")
    try:
        yield started.wait(path="/-/ready")
    finally:
        started.stop()
