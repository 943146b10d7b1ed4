"""What the tables give is what the command prints."""

import json
import subprocess

import infermeter
import pytest


def printed(run: infermeter.Run) -> dict:
    """The command's own words, past this module."""
    words = [infermeter.binary(), "report", str(run.path), "--json"]
    done = subprocess.run(words, capture_output=True, check=False)
    return json.loads(done.stdout)


def in_ms(library: str, table, column: str, start: str) -> list:
    """What lies between two instants of each completed measured request, milliseconds, in order."""
    if library == "pandas":
        rows = table.query("phase == 'measure' and outcome == 'completed'")
        values = rows["chunk_ns"].str[0] if column == "chunk_ns" else rows[column]
        return sorted((values - rows[start]) / 1e6)
    if library == "polars":
        import polars

        rows = table.filter(phase="measure", outcome="completed")
        values = polars.col(column).list.first() if column == "chunk_ns" else polars.col(column)
        # Divided here: polars multiplies by the reciprocal, which is another last digit now and then.
        lasted_ns = rows.select(values - polars.col(start)).to_series().to_list()
        return sorted(ns / 1e6 for ns in lasted_ns)
    rows = [row for row in table.to_pylist() if (row["phase"], row["outcome"]) == ("measure", "completed")]
    ends = [row[column][0] if column == "chunk_ns" else row[column] for row in rows]
    return sorted((end - row[start]) / 1e6 for end, row in zip(ends, rows))


@pytest.mark.parametrize("library", ["pandas", "polars", "arrow"])
def test_a_table_gives_the_printed_figures(measured, library):
    headline = printed(measured)["headline"]
    table = measured.requests(library)
    ttft = in_ms(library, table, "chunk_ns", "intended_ns")
    assert len(ttft) == headline["completed"] == headline["ttft"]["n"] > 50
    # The order statistic of rank ceil(n p), to the last digit.
    assert ttft[-(-len(ttft) // 2) - 1] == headline["ttft"]["p50"]["value"]
    assert ttft[-1] == headline["ttft"]["max"]
    assert sum(ttft) / len(ttft) == pytest.approx(headline["ttft"]["mean"]["value"], rel=1e-12)
    e2e = in_ms(library, table, "finished_ns", "intended_ns")
    assert e2e[-1] == pytest.approx(headline["e2e"]["max"], rel=1e-12)


@pytest.mark.parametrize("library", ["pandas", "polars", "arrow"])
def test_a_row_a_chunk(measured, library):
    table = measured.chunks(library)
    rows = {
        "pandas": lambda: table.to_dict("records"),
        "polars": lambda: table.to_dicts(),
        "arrow": lambda: table.to_pylist(),
    }[library]()
    whole = {row["id"]: row for row in measured.requests("arrow").to_pylist()}
    assert len(rows) == sum(len(row["chunk_ns"]) for row in whole.values()) > 0
    for row in rows:
        of = whole[row["id"]]
        for name in ("chunk_ns", "chunk_lower_ns", "chunk_tokens", "chunk_kind", "chunk_read"):
            assert row[name] == of[name][row["chunk"]]
        assert row["intended_ns"] == of["intended_ns"]
    places = [(row["id"], row["chunk"]) for row in rows]
    assert places == sorted(set(places))


def test_chunks_take_the_columns_that_are_asked_for(measured):
    assert measured.chunks("polars", columns=["id"]).columns[:3] == ["id", "chunk", "chunk_ns"]


@pytest.mark.parametrize("library", ["pandas", "polars", "arrow"])
def test_the_servers_page(measured, library):
    table = measured.server_metrics(library)
    names = table.column_names if library == "arrow" else list(table.columns)
    assert {"at_ns", "name", "kind", "unit", "value"} <= set(names)
    assert table.shape[0] > 0


def test_a_run_says_what_the_command_says(measured):
    told = printed(measured)
    assert measured.report == told
    loaded = infermeter.load(measured.path)
    assert isinstance(loaded, infermeter.Run)
    assert loaded.summary == told["summary"]
    assert loaded.verdict == told["verdict"]
    assert loaded.findings == told["findings"]
    assert loaded.headline == told["headline"]
    assert loaded.manifest["plan"]["seed"] == 7
    assert loaded.exit_code is None
    assert measured.exit_code in (0, 3)
    assert loaded.markdown().startswith("#")


def test_an_experiment_has_runs_and_an_answer(repeated):
    loaded = infermeter.load(repeated.path)
    assert isinstance(loaded, infermeter.Experiment)
    assert loaded.kind == "repeat"
    assert [run.path.name for run in loaded.runs] == ["run-01", "run-02"]
    assert loaded.answer["repeated"]
    assert loaded.verdict == loaded.answer["verdict"]
    assert loaded.line == loaded.answer["answer_in_a_line"]


def test_records_of_earlier_versions_are_read(root):
    for name in ("open", "closed", "sessions", "no-stream", "embeddings"):
        run = infermeter.load(root / "crates/infermeter/tests/records" / name)
        assert run.manifest["format_version"] == 1
        assert len(run.requests("polars")) == len(run.requests("pandas")) > 0
        assert len(run.chunks("polars")) == len(run.chunks("arrow"))
