"""One run against the simulator, and one of each experiment, for every test.

The command is the one that `INFERMETER_BINARY` names, else whichever is installed. A busy machine may spoil a run;
nothing here asks for a verdict.
"""

import sys
from pathlib import Path

import infermeter
import pytest

ROOT = Path(__file__).resolve().parents[2]
# Requests of six tokens: short, and enough of them for a median.
LOAD = {"rate": 60, "duration": "2s", "warmup": "0.3s", "workload": "fixed:24,6", "seed": 7}
TARGET = "mock:llama-8b-h100"


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def place(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="session")
def measured(place) -> infermeter.Run:
    return infermeter.run(TARGET, out=place / "one", **LOAD)


@pytest.fixture(scope="session")
def repeated(place) -> infermeter.Experiment:
    load = {**LOAD, "duration": "1s", "warmup": "0s"}
    return infermeter.repeat(TARGET, 2, out=place / "twice", **load)


@pytest.fixture(scope="session")
def environment() -> dict:
    """For processes that tests start: they find the module as this one does."""
    import os

    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
