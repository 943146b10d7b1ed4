"""The notebook runs as it stands, and what it shows came of running it."""

import json


def cells(root) -> list:
    text = (root / "docs/notebooks/first-look.ipynb").read_text(encoding="utf-8")
    assert len(text) < 60_000, "a notebook's outputs are small"
    return [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]


def test_its_cells_are_a_script(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    values = []
    for number, cell in enumerate(cells(root), 1):
        source = "".join(cell["source"])
        *before, last = source.rstrip().split("\n")
        # What the last line is worth is shown below the cell; a line inside a block, and an assignment, are nothing.
        try:
            value = compile(last, f"cell {number}", "eval")
        except SyntaxError:
            value = None
        exec("\n".join(before) if value else source, names)
        values.append(eval(value, names) if value else None)
    # The table's p50 is the headline's, and the record says what the run said.
    assert sum(value is True for value in values) == 2


def test_its_outputs_are_from_a_run(root):
    counts = [cell["execution_count"] for cell in cells(root)]
    assert counts == list(range(1, len(counts) + 1))
    assert all(cell["outputs"] for cell in cells(root))
    assert not [out for cell in cells(root) for out in cell["outputs"] if out["output_type"] == "error"]
