"""How the command is found and started, and what is said when that goes wrong."""

import signal
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import infermeter
import pytest
from infermeter import _measure, _tables
from infermeter._binary import said

from conftest import LOAD, TARGET


def test_keywords_become_flags():
    flags = {
        "rate": 10,
        "max_tokens": 5,
        "slo": ["ttft.p99<500ms", "itl.p99<50ms"],
        "no_stream": True,
        "sessions": {"turns": 3, "think": timedelta(milliseconds=20)},
        "duration": timedelta(seconds=1.5),
        "out": Path("runs/a"),
        "model": None,
        "class_": "chat",
    }
    assert _measure.as_flags(flags) == [
        "--rate=10",
        "--max-tokens=5",
        "--slo=ttft.p99<500ms",
        "--slo=itl.p99<50ms",
        "--no-stream",
        "--sessions=turns=3",
        "--sessions=think=20000us",
        "--duration=1500000us",
        "--out=runs/a",
        "--class=chat",
    ]


def test_false_is_no_flag():
    with pytest.raises(infermeter.Error, match="no_stream=True"):
        _measure.as_flags({"stream": False})


def test_a_wrong_flag_is_named_with_a_suggestion(tmp_path):
    with pytest.raises(infermeter.Error, match="--duration") as refused:
        infermeter.run(TARGET, rate=10, durtion="1s", out=tmp_path / "a")
    assert refused.value.exit_code == 2
    assert refused.value.record is None
    with pytest.raises(infermeter.Error, match="quiet"):
        infermeter.run(TARGET, quiet=True)
    with pytest.raises(infermeter.Error, match="repeat"):
        infermeter.run(TARGET, repeat=3)


@pytest.mark.parametrize("name", ["dry_run", "print_config"])
def test_what_measures_nothing_is_refused(tmp_path, name):
    flag = "--" + name.replace("_", "-")
    with pytest.raises(infermeter.Error, match=f"`{name}` is not to be given here: .*{flag}") as refused:
        infermeter.sweep(TARGET, out=tmp_path / "a", **{name: True})
    assert refused.value.exit_code is None
    assert not (tmp_path / "a").exists()


def test_a_target_that_is_not_there(tmp_path):
    with pytest.raises(infermeter.Error, match="cannot be reached") as refused:
        infermeter.run("http://127.0.0.1:9", rate=10, duration="1s", out=tmp_path / "a")
    assert refused.value.exit_code == 4


def test_a_directory_that_exists_is_not_taken_for_the_record(measured):
    with pytest.raises(infermeter.Error) as refused:
        infermeter.run(TARGET, out=measured.path, **LOAD)
    assert refused.value.exit_code == 2
    assert refused.value.record is None


def test_a_missed_objective_is_an_answer(tmp_path):
    run = infermeter.run(TARGET, out=tmp_path / "a", slo="ttft.p50<1us", **LOAD)
    # 3: a busy machine may spoil the measurement.
    assert run.exit_code in (1, 3)
    assert run.summary["slo"][0]["status"] == "missed"


def test_every_request_failed_is_an_error_with_a_record(tmp_path):
    target = f"{TARGET}?faults=status=503"
    with pytest.raises(infermeter.Error) as refused:
        infermeter.run(target, out=tmp_path / "a", no_probe=True, **LOAD)
    assert refused.value.exit_code == 4


def test_an_interrupt_stops_the_load_and_leaves_the_record(tmp_path):
    out = tmp_path / "a"
    # To this thread: it is the one that waits for the command.
    timer = threading.Timer(2.0, signal.pthread_kill, [threading.get_ident(), signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        infermeter.run(TARGET, out=out, rate=20, duration="60s", warmup="0s", workload="fixed:24,6")
    assert infermeter.load(out).manifest["state"] == "interrupted"


def test_what_is_no_record_is_named(tmp_path):
    with pytest.raises(infermeter.Error, match="neither a run"):
        infermeter.load(tmp_path)
    with pytest.raises(infermeter.Error, match="is not a directory"):
        infermeter.load(tmp_path / "none")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "run.json").write_text("{}")
    with pytest.raises(infermeter.Error, match="it holds runs, a for example"):
        infermeter.load(tmp_path)
    (tmp_path / "a" / "run.json").write_text("no JSON")
    with pytest.raises(infermeter.Error, match="cannot be read"):
        infermeter.load(tmp_path / "a").summary


def test_a_run_that_goes_on_has_no_figures_yet(tmp_path):
    (tmp_path / "run.json").write_text('{"state": "running", "verdict": null, "summary": null, "environment": {}}')
    run = infermeter.load(tmp_path)
    for read in (lambda: run.summary, lambda: run.verdict, lambda: run.requests(), lambda: run.server_metrics()):
        with pytest.raises(infermeter.Error, match=str(tmp_path)):
            read()


def test_libraries_are_named(monkeypatch):
    with pytest.raises(infermeter.Error, match="pandas, polars or arrow"):
        _tables.chosen("duckdb")
    assert _tables.chosen(None) == "pandas"
    monkeypatch.setattr(_tables, "missing", lambda needs: [name for name in needs if name == "pyarrow"])
    assert _tables.chosen(None) == "polars"
    with pytest.raises(infermeter.Error, match=r"infermeter\[pandas\]"):
        _tables.chosen("pandas")
    monkeypatch.setattr(_tables, "missing", list)
    with pytest.raises(infermeter.Error, match="needs a library"):
        _tables.chosen(None)


def test_the_command_is_found(monkeypatch, tmp_path):
    assert infermeter.version().count(".") == 2
    monkeypatch.setenv("INFERMETER_BINARY", str(tmp_path))
    assert infermeter.binary() == str(tmp_path)
    monkeypatch.setenv("INFERMETER_BINARY", str(tmp_path / "none"))
    with pytest.raises(infermeter.Error, match="is no program"):
        infermeter.binary()
    monkeypatch.delenv("INFERMETER_BINARY")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("infermeter._binary._places", lambda: iter([tmp_path / "nothing"]))
    with pytest.raises(infermeter.Error, match="pip install infermeter"):
        infermeter.binary()
    program = tmp_path / "infermeter"
    program.write_text("#!/bin/sh\necho infermeter 9.8.7\n")
    program.chmod(0o755)
    assert infermeter.binary() == str(program)
    assert infermeter.version() == "9.8.7"


def test_as_a_module(environment):
    words = [sys.executable, "-m", "infermeter", "--version"]
    done = subprocess.run(words, capture_output=True, encoding="utf-8", env=environment, check=True)
    assert done.stdout.split() == ["infermeter", infermeter.version()]
    words = [sys.executable, "-m", "infermeter", "run", TARGET, "--durtion=1s"]
    done = subprocess.run(words, capture_output=True, encoding="utf-8", env=environment, check=False)
    assert done.returncode == 2


def test_an_error_is_told_without_progress():
    errors = "   0.2s    8 %  warm-up\nerror: the disk is full\n  make room, then report it\n"
    assert said(errors) == "the disk is full\n  make room, then report it"
    assert said("a\nb\nc\nd\n") == "b\nc\nd"
    assert said("") == ""
