"""Starts infermeter, and reads the records that it leaves.

A figure is never computed here: summaries are what the instrument wrote, tables are its rows. So whatever stands in a
notebook is what `infermeter report` prints. Instants are nanoseconds on the run's own clock (`_ns`), latencies of a
summary have their unit beside them (`ms`), rates are per second.

    run = infermeter.run("http://localhost:8000", rate=20, duration="60s")
    run.verdict, run.summary["latency"], run.requests("polars")
"""

from __future__ import annotations

from ._binary import binary, version
from ._errors import Error
from ._experiment import Experiment
from ._load import load
from ._measure import compare, repeat, run, search, sweep
from ._run import Run

__all__ = [
    "Error",
    "Experiment",
    "Run",
    "binary",
    "compare",
    "load",
    "repeat",
    "run",
    "search",
    "sweep",
    "version",
]
