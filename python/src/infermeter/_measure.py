"""Starts a measurement and waits for it.

Keyword arguments are the command's flags: `duration="20s"` is `--duration=20s`, `max_tokens` is `--max-tokens`, a list
gives the flag once for each element, a dict once for each `KEY=VALUE`, `True` is a switch, `None` leaves a flag out.
Which flags there are says `infermeter run --help`; a wrong one is refused by the command, with a suggestion.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Mapping, Optional, Sequence, Union, cast

from ._binary import binary, said
from ._errors import Error
from ._experiment import Experiment
from ._load import load
from ._run import MANIFEST, Run

if TYPE_CHECKING:
    from .schema import Report

    One = Union[str, int, float, timedelta, os.PathLike[str]]
    Flag = Union[One, Sequence[One], Mapping[str, One], None]

# A record was written, and means something: ok, objective missed, Invalid, undecided, stopped by a signal.
WITH_A_RECORD = (0, 1, 3, 5, 130)
# What this module decides for itself, and what measures nothing.
OURS = {
    "format": "read the result's members",
    "json": "read the result's members",
    "quiet": "give progress=True to see how it goes",
    "dry_run": "it leaves no record to return; start the command of infermeter.binary() with --dry-run",
    "print_config": "it leaves no record to return; start the command of infermeter.binary() with --print-config",
}


def run(target: str, *, progress: bool = False, **flags: Flag) -> Run:
    """Measures a server once: `infermeter run TARGET`.

    `run("mock:llama-8b-h100", rate=10, duration="20s", slo=["ttft.p99<500ms"])`. `rate` is in requests per second,
    times are texts with a unit or `timedelta`. `out` names the directory of the record, by default a new one below
    `runs`. `progress` shows on standard error how it goes.

    Returns the run whatever its verdict: also where it is Invalid, or an objective is missed. Look at `verdict` and
    `exit_code`.

    Raises `Error` where a flag is wrong (`exit_code` 2) or the target cannot be reached or fails every request (4).
    """
    if flags.get("repeat") is not None or flags.get("until") is not None:
        raise Error("run measures once: infermeter.repeat(target, times, ...) measures several times")
    return cast(Run, measured("run", [target], progress, flags))


def repeat(target: str, times: int, *, progress: bool = False, **flags: Flag) -> Experiment:
    """Measures a server several times with one plan: `infermeter run TARGET --repeat TIMES`. Raises as `run` does."""
    return cast(Experiment, measured("run", [target], progress, {"repeat": times, **flags}))


def sweep(target: str, *, progress: bool = False, **flags: Flag) -> Experiment:
    """Measures levels of load, and the highest that meets the objectives: `infermeter sweep`. Raises as `run` does."""
    return cast(Experiment, measured("sweep", [target], progress, flags))


def search(target: str, *, progress: bool = False, **flags: Flag) -> Experiment:
    """Finds the highest rate that meets the objectives: `infermeter search`. Raises as `run` does."""
    return cast(Experiment, measured("search", [target], progress, flags))


def compare(*targets: str, progress: bool = False, **flags: Flag) -> Experiment:
    """Says whether one server is faster than another, by a paired test over rounds. Raises as `run` does."""
    return cast(Experiment, measured("compare", list(targets), progress, flags))


def measured(command: str, targets: list[str], progress: bool, flags: Mapping[str, Flag]) -> Union[Run, Experiment]:
    """Starts a command and loads what it leaves."""
    for name, instead in OURS.items():
        if name in flags:
            raise Error(f"`{name}` is not to be given here: {instead}")
    out = flags.get("out")
    place = Path(cast("str", out)) if out is not None else new_directory()
    existed = place.exists()
    words = [binary(), command, *targets, *as_flags({**flags, "out": place}), "--format=json"]
    code, printed, errors = finish(words, progress)
    record = None
    if not existed and (code in WITH_A_RECORD or (place / MANIFEST).is_file()):
        record = load(place)
        record.exit_code = code
    if record is None or code not in WITH_A_RECORD:
        raise Error(said(errors) or f"infermeter {command} ended with {code}", code, record)
    if isinstance(record, Run) and printed.startswith("{"):
        record._report = cast("Report", json.loads(printed))
    return record


def new_directory() -> Path:
    """A name as the command itself gives: the time in UTC, and what makes it the only one."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    return Path("runs") / f"{stamp}-{secrets.token_hex(4)}"


def as_flags(flags: Mapping[str, Flag]) -> list[str]:
    """Keyword arguments as words of a command line. A value is joined by `=`, since some flags may stand alone."""
    words = []
    for keyword, value in flags.items():
        name = "--" + keyword.rstrip("_").replace("_", "-")
        if value is None:
            continue
        if value is True:
            words.append(name)
        elif value is False:
            raise Error(f"{keyword}=False is no flag: leave it out, or give the flag that says no (no_{keyword}=True)")
        elif isinstance(value, Mapping):
            words += [f"{name}={key}={text(inner)}" for key, inner in value.items()]
        elif isinstance(value, (list, tuple)):
            words += [f"{name}={text(inner)}" for inner in value]
        else:
            words.append(f"{name}={text(cast('One', value))}")
    return words


def text(value: One) -> str:
    if isinstance(value, timedelta):
        return f"{value // timedelta(microseconds=1)}us"
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)


def finish(words: list[str], progress: bool) -> tuple[int, str, str]:
    """Runs a command to its end: exit code, standard output, standard error.

    An interrupt stops the load as Ctrl-C does on a terminal, a second one ends it at once; what was measured is on
    disk either way. The command has a session of its own, so that it is told once and not twice.
    """
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise Error(f"{words[0]} cannot be started: {error.strerror}") from error
        errors: list[bytes] = []
        reader = threading.Thread(target=take, args=(process.stderr, errors, progress), daemon=True)
        reader.start()
        wait(process, reader)
        output.seek(0)
        printed = output.read().decode("utf-8", "replace")
    return process.returncode, printed, b"".join(errors).decode("utf-8", "replace")


def wait(process: subprocess.Popen[bytes], reader: threading.Thread) -> None:
    """Until it has ended; an interrupt is passed on, and raised when it has."""
    interrupted: Optional[KeyboardInterrupt] = None
    while process.poll() is None:
        try:
            # Wakes up once a second and no oftener: it is this host that measures. A wait without an end would not do:
            # some libraries have interrupted calls begun again, and then nobody would look.
            reader.join(1.0)
            if not reader.is_alive():
                process.wait()
        except KeyboardInterrupt as interrupt:
            interrupted = interrupt
            process.send_signal(signal.SIGINT)
    # What it has started may hold its standard error open.
    reader.join(1.0)
    if interrupted is not None:
        raise interrupted


def take(stream: Optional[IO[bytes]], errors: list[bytes], progress: bool) -> None:
    """Keeps what a command says on standard error, and shows it where that is wanted."""
    for line in stream or ():
        errors.append(line)
        if progress:
            print(line.decode("utf-8", "replace").rstrip(), file=sys.stderr)
