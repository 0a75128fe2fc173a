"""What a step took of memory is not kept from the next one."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
MIB = 2**20
# Reads a table as validation does, in a process of its own: others would leave their traces.
STEP = """
import io
import sys
from pathlib import Path

import msgspec
import pandas
import psutil
import pyarrow as pa
from pyarrow import csv

from flows.engine.perform import Plainly, perform
from flows.engine.step import Step


class Read(msgspec.Struct):
    rows: int


def read(folder):
    lines = (b"%d,%d,word %d\\n" % (n, n * 7, n % 1000) for n in range(1_500_000))
    text = io.BytesIO(b"a,b,c\\n" + b"".join(lines))
    texts = pa.dictionary(pa.int32(), pa.string())
    frame = csv.read_csv(
        text,
        read_options=csv.ReadOptions(block_size=2**30),
        convert_options=csv.ConvertOptions(column_types={name: texts for name in "abc"}),
    ).to_pandas()
    return Read(len(frame))


def resident():
    return psutil.Process().memory_info().rss


step = Step("read", "Read", Read, (), lambda: {}, read)
before = resident()
perform(Plainly(Path(sys.argv[1]), "model"), step)
print(resident() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other C libraries give memory back themselves")
def test_a_step_that_read_a_table_leaves_little_of_it_in_memory(tmp_path: Path) -> None:
    words = [sys.executable, "-c", STEP, str(tmp_path)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 150 * MIB
