"""A day of a million answers in the prediction log, read and counted by the monitor: seconds and
memory, and whether more days take in proportion: `python -m benchmarks.log_day [lines] [days]`.
"""

import json
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

from flows.adapters.prediction_days import Passed, blocks, open_log
from models.attrition import sample
from sluice.model.artifact.reference import Reference, histogram
from sluice.model.data.table import read_table, typed
from sluice.monitor.day import Tally
from sluice.monitor.labels import Settled
from sluice.served.contract import Contract, load_contract

LINES = 1_000_000
_DIFFERENT = 20_000  # rows, which are repeated under other ids
_SECONDS, _MIB = 60, 1024


def write_day(folder: Path, contract: Contract, rows: list[dict[str, object]], lines: int) -> None:
    """A day of the log as the service writes it: the same fields in the same order."""
    path = folder / f"predictions-202601{len(list(folder.iterdir())) + 1:02}-0badcafe-0.jsonl"
    texts = [json.dumps(row, separators=(",", ":")) for row in rows]
    with path.open("w", encoding="utf-8") as file:
        for number in range(lines):
            probability = (number * 7919 % 10_000) / 10_000
            file.write(
                '{"kind":"prediction","time":"2026-01-05T12:00:00.000Z","request":"r",'
                f'"id":"0123456789abcdef01234567-{number}","probability":{probability},'
                f'"prediction":{int(probability > 0.5)},"tier":"medium","threshold":0.5,'
                f'"model":"{contract.title}","image":null,"inputs":{texts[number % len(texts)]},'
                '"model_digest":"sha256:0","contract_digest":"sha256:1"}\n'
            )


def measure(folder: Path, contract: Contract, reference: Reference) -> int:
    """Read and count every day; the rows. An eighth of them has a label."""
    log, rows = open_log(str(folder)), 0
    outcomes = {
        f"0123456789abcdef01234567-{number}": (number % 2, 2_000_000_000)
        for number in range(0, LINES, 8)
    }
    labels = Settled(outcomes, acted=frozenset(list(outcomes)[::8]))
    for day in log.days():
        tally, passed = Tally(contract, reference), Passed()
        for block in blocks(log, day, contract, "sha256:0", labels, passed, 0.1):
            tally.add(block)
        rows += tally.done(day.day, "", passed.others, passed.broken).rows
    return rows


def main(lines: int = LINES, days: int = 1) -> None:
    """Print what it took; exit 1 where a day takes too long or too much."""
    contract = load_contract(Path("models/attrition/contract.toml").read_text(encoding="utf-8"))
    table = read_table(sample.to_csv(sample.generate(_DIFFERENT)), contract, "sample")
    columns = typed(table, contract)
    reference = histogram(contract, columns)
    keys = [column.key for column in contract.features]
    cells = zip(*(columns[key].tolist() for key in keys), strict=True)
    rows = [dict(zip(keys, values, strict=True)) for values in cells]
    folder = Path(tempfile.mkdtemp(prefix="sluice-log-"))
    try:
        for _ in range(days):
            write_day(folder, contract, rows, lines)
        size = sum(path.stat().st_size for path in folder.iterdir()) / 2**20
        began, computed = time.monotonic(), time.process_time()
        counted = measure(folder, contract, reference)
        seconds = time.monotonic() - began
        spent = time.process_time() - computed
    finally:
        shutil.rmtree(folder)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{counted:,} lines on {days} days, {size:,.0f} MiB: {seconds:.1f} s, {spent:.1f} s of"
        f" processor time, {memory:.0f} MiB at most"
    )
    if seconds / days > _SECONDS or memory > _MIB:
        raise SystemExit(f"at most {_SECONDS} s a day and {_MIB} MiB are required")


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
