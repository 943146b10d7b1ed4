"""From a directory to what lies in it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Union

from ._errors import Error
from ._experiment import ANSWERS, LEDGER, Experiment
from ._run import MANIFEST, Run


def load(directory: Union[str, os.PathLike[str]]) -> Union[Run, Experiment]:
    """What a directory holds: one run, or the runs of an experiment (`repeat`, `sweep`, `search`, `compare`).

    Nothing is computed, and nothing is read yet but what kind it is. A run that was killed is completed by
    `infermeter report DIR` first.
    """
    path = Path(directory)
    if (path / MANIFEST).is_file():
        return Run(path)
    if any((path / file).is_file() for file in (*ANSWERS.values(), LEDGER)):
        return Experiment(path)
    if not path.is_dir():
        raise Error(f"{path} is not a directory: give that of a run, the one with {MANIFEST}")
    inside = sorted(entry.name for entry in path.iterdir() if (entry / MANIFEST).is_file())
    hint = f"; it holds runs, {inside[0]} for example" if inside else ""
    raise Error(f"{path} holds neither a run ({MANIFEST}) nor an experiment ({LEDGER}){hint}")
