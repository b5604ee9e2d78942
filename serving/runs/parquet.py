"""Parquet by row groups and batches, in bounded memory: a small file can claim, and hold, gigabytes."""

import tempfile
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from agent.errors import BadInput

MOST_UNPACKED = 1 << 31
"""Bytes of the columns that are read, uncompressed and by the file's own account."""
_BATCH_BYTES = 1 << 25
_BATCH_ROWS = 1024


@contextmanager
def spooled(chunks: Iterable[bytes]) -> Generator[BinaryIO]:
    """What arrives in pieces as a file that can be searched and that is gone afterwards, whatever happens."""
    with tempfile.TemporaryFile(prefix="thresher-") as file:
        for chunk in chunks:
            file.write(chunk)
        file.seek(0)
        yield file


def parquet_rows(file: Path | BinaryIO, where: str, most: int) -> Iterator[dict[str, object]]:
    """The rows of a file, none wider than `most` bytes. Nested columns (lists, structs, maps) are left out.

    Raises:
        BadInput: it is no Parquet file, or unpacks to more than MOST_UNPACKED bytes.
    """
    import pyarrow as pa

    try:
        yield from _rows(file, where, most)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = next(iter(str(error).splitlines()), "")
        raise BadInput(f"{where} is not a readable Parquet file: {reason}", "write it again") from error


def _rows(file: Path | BinaryIO, where: str, most: int) -> Iterator[dict[str, object]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pq.read_schema(file)
    flat = [field.name for field in schema if not pa.types.is_nested(field.type)]
    words = [field.name for field in schema if field.name in flat and _is_text(field.type)]
    # As dictionaries, texts that a row group repeats are in memory once, however often a page names them.
    with pq.ParquetFile(file, read_dictionary=words, buffer_size=1 << 20) as opened:
        _unpacked(opened.metadata, set(flat), where)
        for batch in opened.iter_batches(_BATCH_ROWS, columns=flat):
            widest = sum(_widest(column) for column in batch.columns)
            if widest > most:
                raise BadInput(f"{where} has a row of up to {widest:,} bytes", f"keep rows under {most:,} bytes")
            step = max(1, _BATCH_BYTES // max(1, widest))
            for start in range(0, batch.num_rows, step):
                yield from batch.slice(start, step).to_pylist()


def _unpacked(metadata: Any, columns: set[str], where: str) -> None:
    parts = (
        metadata.row_group(i).column(j) for i in range(metadata.num_row_groups) for j in range(metadata.num_columns)
    )
    size = sum(part.total_uncompressed_size for part in parts if part.path_in_schema in columns)
    if size > MOST_UNPACKED:
        what = f"{where} unpacks to {size:,} bytes"
        raise BadInput(what, f"give it in parts of at most {MOST_UNPACKED:,} bytes")


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind)


def _widest(column: Any) -> int:
    """Bytes of the longest value of a column; what is no text counts as 16."""
    import pyarrow as pa
    import pyarrow.compute as compute

    pc: Any = compute  # its functions are made when it is imported
    values = column.dictionary if pa.types.is_dictionary(column.type) else column
    if not _is_text(values.type):
        return 16
    return pc.max(pc.binary_length(values)).as_py() or 0
