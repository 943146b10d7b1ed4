"""Parquet files as tables of whichever library is installed. Computes nothing.

Each library is imported when a table is asked for, and no sooner.
"""

from __future__ import annotations

import importlib.util
from itertools import chain
from pathlib import Path
from typing import Any, Optional, Sequence

from ._errors import Error

# The lists of a request that have an element for each chunk.
LISTS = ("chunk_ns", "chunk_seen_ns", "chunk_lower_ns", "chunk_tokens", "chunk_kind", "chunk_read")
# What each library needs to be importable: pandas reads Parquet through pyarrow.
NEEDS = {"pandas": ("pandas", "pyarrow"), "polars": ("polars",), "arrow": ("pyarrow",)}


def chosen(library: Optional[str]) -> str:
    """The library that was asked for, or the first that is there."""
    if library is None:
        there = [name for name, needs in NEEDS.items() if not missing(needs)]
        if not there:
            raise Error("a table needs a library: `pip install 'infermeter[pandas]'`, or [polars], or [arrow]")
        return there[0]
    if library not in NEEDS:
        raise Error(f"no library {library!r}: pandas, polars or arrow")
    lacks = missing(NEEDS[library])
    if lacks:
        raise Error(f"{library} needs {' and '.join(lacks)}: `pip install 'infermeter[{library}]'`")
    return library


def missing(needs: Sequence[str]) -> list[str]:
    return [name for name in needs if importlib.util.find_spec(name) is None]


def read(path: Path, library: Optional[str], columns: Optional[Sequence[str]]) -> Any:
    """A file as a table."""
    name = chosen(library)
    wanted = None if columns is None else list(columns)
    if name == "polars":
        import polars

        return polars.read_parquet(path, columns=wanted)
    table = arrow(path, wanted)
    return table.to_pandas() if name == "pandas" else table


def chunks(path: Path, library: Optional[str], columns: Sequence[str]) -> Any:
    """A row for each element of the lists."""
    name = chosen(library)
    of_request = [column for column in columns if column not in LISTS]
    if name == "polars":
        return polars_chunks(path, of_request)
    table = arrow_chunks(path, of_request)
    return table.to_pandas() if name == "pandas" else table


def arrow(path: Path, columns: Optional[list[str]]) -> Any:
    import pyarrow.parquet

    return pyarrow.parquet.read_table(path, columns=columns)


def arrow_chunks(path: Path, of_request: list[str]) -> Any:
    import pyarrow
    import pyarrow.compute

    table = arrow(path, [*of_request, *LISTS]).combine_chunks()
    whole = [batch_chunks(batch, of_request) for batch in table.to_batches()]
    if not whole:
        # A run without a row: the columns all the same.
        whole = [batch_chunks(pyarrow.RecordBatch.from_pylist([], schema=table.schema), of_request)]
    return pyarrow.concat_tables(whole)


def batch_chunks(batch: Any, of_request: list[str]) -> Any:
    import pyarrow
    import pyarrow.compute as compute

    first = batch.column(LISTS[0])
    # The row that each element is of.
    rows = compute.list_parent_indices(first)
    lengths = compute.list_value_length(first).to_pylist()
    numbers = pyarrow.array(chain.from_iterable(map(range, lengths)), pyarrow.int64())
    table = {column: batch.column(column).take(rows) for column in of_request}
    table["chunk"] = numbers
    table.update({column: compute.list_flatten(batch.column(column)) for column in LISTS})
    return pyarrow.table(table)


def polars_chunks(path: Path, of_request: list[str]) -> Any:
    import polars

    table = polars.read_parquet(path, columns=[*of_request, *LISTS])
    length = polars.col(LISTS[0]).list.len()
    return (
        table.filter(length > 0)
        .with_columns(chunk=polars.int_ranges(polars.col(LISTS[0]).list.len(), dtype=polars.Int64))
        .explode("chunk", *LISTS)
        .select(*of_request, "chunk", *LISTS)
    )
