"""The directory of one run: what it says of itself, and its tables.

Invariant: reads files, and writes none.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, Sequence, Union, cast

from . import _tables
from ._binary import ask, binary
from ._errors import Error

if TYPE_CHECKING:
    from typing import Literal, overload

    import pandas
    import polars
    import pyarrow

    from .schema import Finding, Headline, Manifest, Report, Summary, Verdict

MANIFEST = "run.json"
REQUESTS = "requests.parquet"
SERVER_METRICS = "server-metrics.parquet"

# What a chunk is told with, of its request, unless other columns are asked for.
OF_THE_REQUEST = ("id", "class", "phase", "outcome", "intended_ns", "send_start_ns")


class Run:
    """One run: plan, verdict, findings, figures, and a row for each scheduled request."""

    def __init__(self, path: Union[str, os.PathLike[str]], exit_code: Optional[int] = None, report: Optional[Report] = None) -> None:
        self.path = Path(path)
        # That of the command, where this process has measured it: 0, 1 for a missed objective, 3 for an Invalid
        # measurement, 5 for an objective that is undecided, 130 after a signal.
        self.exit_code = exit_code
        self._manifest: Optional[Manifest] = None
        self._report = report

    def __repr__(self) -> str:
        return f"<infermeter.Run {self.manifest.get('verdict') or self.manifest['state']} in {self.path}>"

    @property
    def manifest(self) -> Manifest:
        """`run.json`: plan, seeds, environment, clock, client health, verdict, findings, summary."""
        if self._manifest is None:
            place = self.path / MANIFEST
            try:
                read = json.loads(place.read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:
                raise Error(f"{place} cannot be read: {error}") from error
            self._manifest = cast("Manifest", read)
        return self._manifest

    @property
    def verdict(self) -> Verdict:
        """`valid`, `questionable` or `invalid`: whether the figures can be trusted."""
        return cast("Verdict", self._ended("verdict"))

    @property
    def findings(self) -> list[Finding]:
        """What speaks against the run, and notes on how to read it; the gravest first."""
        return self.manifest["findings"]

    @property
    def summary(self) -> Summary:
        """Every figure with its interval. Latencies have their unit beside them, rates are per second."""
        return cast("Summary", self._ended("summary"))

    @property
    def headline(self) -> Headline:
        """One value for each metric, from the origin that the load model makes the headline."""
        return self.report["headline"]

    @property
    def report(self) -> Report:
        """What `infermeter report DIR --json` prints: every figure, computed again from the rows by the command."""
        if self._report is None:
            printed = ask([binary(), "report", str(self.path), "--format", "json"])
            self._report = cast("Report", json.loads(printed))
        return self._report

    def markdown(self) -> str:
        """The report as Markdown, for an issue or a pull request."""
        return ask([binary(), "report", str(self.path), "--format", "markdown"])

    def _repr_markdown_(self) -> str:
        return self.markdown()

    def _ended(self, member: str) -> object:
        value = cast("dict[str, object]", self.manifest).get(member)
        if value is None:
            raise Error(
                f"{self.path} has no {member}: the run goes on, or it was killed; "
                f"`infermeter report {self.path}` completes the record of one that was"
            )
        return value

    if TYPE_CHECKING:

        @overload
        def requests(self, library: Literal["pandas"], columns: Optional[Sequence[str]] = None) -> pandas.DataFrame: ...
        @overload
        def requests(self, library: Literal["polars"], columns: Optional[Sequence[str]] = None) -> polars.DataFrame: ...
        @overload
        def requests(self, library: Literal["arrow"], columns: Optional[Sequence[str]] = None) -> pyarrow.Table: ...
        @overload
        def requests(self, library: None = None, columns: Optional[Sequence[str]] = None) -> Any: ...

    def requests(self, library: Optional[str] = None, columns: Optional[Sequence[str]] = None) -> Any:
        """The record as a table: one row a scheduled request, of every phase, in order of `id`.

        `library` is `pandas`, `polars` or `arrow`; without it the first of them that is installed. Instants (`_ns`)
        are nanoseconds since the origin of the run's clock, lists (`chunk_ns`) have one element a chunk. A fact that
        does not exist is null (pandas: NaN, so such columns are floats there). Figures are over the rows with `phase`
        `measure` and `outcome` `completed`.
        """
        return _tables.read(self._file(REQUESTS), library, columns)

    if TYPE_CHECKING:

        @overload
        def chunks(self, library: Literal["pandas"], columns: Sequence[str] = OF_THE_REQUEST) -> pandas.DataFrame: ...
        @overload
        def chunks(self, library: Literal["polars"], columns: Sequence[str] = OF_THE_REQUEST) -> polars.DataFrame: ...
        @overload
        def chunks(self, library: Literal["arrow"], columns: Sequence[str] = OF_THE_REQUEST) -> pyarrow.Table: ...
        @overload
        def chunks(self, library: None = None, columns: Sequence[str] = OF_THE_REQUEST) -> Any: ...

    def chunks(self, library: Optional[str] = None, columns: Sequence[str] = OF_THE_REQUEST) -> Any:
        """One row a chunk of an answer, in order of request and chunk.

        Beside the request's `columns` it has `chunk` (its number in the answer, from 0), `chunk_ns` (when it arrived),
        `chunk_seen_ns` (when the program had read it), `chunk_lower_ns` (the earliest it can have arrived),
        `chunk_tokens` (null where unknown), `chunk_kind` and `chunk_read`. A request without a chunk has no row.
        """
        return _tables.chunks(self._file(REQUESTS), library, columns)

    if TYPE_CHECKING:

        @overload
        def server_metrics(self, library: Literal["pandas"]) -> pandas.DataFrame: ...
        @overload
        def server_metrics(self, library: Literal["polars"]) -> polars.DataFrame: ...
        @overload
        def server_metrics(self, library: Literal["arrow"]) -> pyarrow.Table: ...
        @overload
        def server_metrics(self, library: None = None) -> Any: ...

    def server_metrics(self, library: Optional[str] = None) -> Any:
        """What the server's metrics page said meanwhile: one row a value, with `at_ns`, `name`, `unit` and `value`.

        An error where the run has no such page; the message says why.
        """
        if not (self.path / SERVER_METRICS).is_file():
            target = cast("dict[str, Any]", self.manifest["environment"]).get("target") or {}
            why = (target.get("server_metrics") or {}).get("not_available")
            raise Error(f"{self.path} has no readings of a metrics page" + (f": {why}" if why else ""))
        return _tables.read(self.path / SERVER_METRICS, library, None)

    def _file(self, name: str) -> Path:
        if not (self.path / name).is_file():
            raise Error(
                f"{self.path} has no {name}: the run goes on, or it was killed; "
                f"`infermeter report {self.path}` makes it of the journal"
            )
        return self.path / name
