"""Where the command is, and how it is asked something.

Invariant: the command that belongs to this installation comes before any other that the path has.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from functools import lru_cache
from pathlib import Path
from typing import Iterator

from ._errors import Error

NAME = "infermeter"
# Names another program, for tests and for builds of one's own.
CHOSEN = "INFERMETER_BINARY"


def binary() -> str:
    """The path of the command.

    `INFERMETER_BINARY` where it is set, else the one that was installed with this module, else the one in `PATH`.
    """
    chosen = os.environ.get(CHOSEN)
    if chosen:
        if not os.access(chosen, os.X_OK):
            raise Error(f"{CHOSEN} names {chosen}, which is no program")
        return os.path.abspath(chosen)
    for place in _places():
        if os.access(place, os.X_OK):
            return str(place)
    found = shutil.which(NAME)
    if found is None:
        raise Error(
            f"there is no program `{NAME}` here: install it with `pip install infermeter`, "
            f"or name one in {CHOSEN}"
        )
    return found


def _places() -> Iterator[Path]:
    """Where installers put programs: of this environment, of the user, beside the interpreter, below a target."""
    yield Path(sysconfig.get_path("scripts")) / NAME
    yield Path(sysconfig.get_path("scripts", scheme=f"{os.name}_user")) / NAME
    yield Path(sys.executable).parent / NAME
    # `pip install --target DIR` has programs in DIR/bin.
    yield Path(__file__).resolve().parent.parent / "bin" / NAME


def version() -> str:
    """The version of the command, `0.1.0` for example."""
    return _version(binary())


@lru_cache(maxsize=None)
def _version(program: str) -> str:
    return ask([program, "--version"]).split()[-1]


def ask(words: list[str]) -> str:
    """What a command prints; an error with its own words where it fails."""
    try:
        done = subprocess.run(words, capture_output=True, encoding="utf-8", errors="replace", check=False)
    except OSError as error:
        raise Error(f"{words[0]} cannot be started: {error.strerror}") from error
    # A verdict, a missed objective, too few data: the answer is there all the same.
    if done.returncode in (0, 1, 3, 5) and done.stdout:
        return done.stdout
    raise Error(said(done.stderr) or f"{words[0]} ended with {done.returncode}", done.returncode)


def said(errors: str) -> str:
    """What a command says of why it failed, without the lines about its progress."""
    lines = errors.strip().splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("error:")]
    # From the first error on: what follows it is advice. Without one, what came last.
    kept = lines[starts[0] :] if starts else lines[-3:]
    text = "\n".join(kept).strip()
    return text[len("error:") :].strip() if text.startswith("error:") else text
