"""A Parquet file as the CSV that a draft is made of: each cell is the text by which a release reads
it.
"""

from typing import BinaryIO

from sluice.model.data.table import simple_texts
from sluice.served.table_refusals import TableRefused

MARK = b"PAR1"  # how such a file begins
_ROWS = 65_536  # written at a time


def as_csv(file: BinaryIO, to: BinaryIO, source: str) -> None:
    """Write the rows of a Parquet file as a CSV; neither is ever held whole.

    `source` names the file in messages. Raises TableRefused where it is damaged, or holds what is
    neither number nor text.
    """
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet as pq

    try:
        whole = pq.ParquetFile(file)
        names = whole.schema_arrow.names
        header = True
        for batch in whole.iter_batches(_ROWS):
            columns = {
                name: simple_texts(values, None, source, name).cast(pa.string())
                for name, values in zip(names, pa.Table.from_batches([batch]).columns, strict=True)
            }
            options = pyarrow.csv.WriteOptions(include_header=header)
            pyarrow.csv.write_csv(pa.table(columns), to, options)
            header = False
    except (pa.ArrowException, OSError):
        what = f"{source} is a damaged Parquet file; a whole one is required"
        fix = "Was it cut off on the way? Copy or export it again."
        raise TableRefused("not a CSV", what, fix) from None
