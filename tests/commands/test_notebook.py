"""The example notebook runs, and shows what it should: ``python tests/commands/test_notebook.py`` renders it anew."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbclient import NotebookClient

FILE = Path(__file__).parents[2] / "gan_cli/docs/notebook.ipynb"
FEW = "steps, flow_steps = 24, 3"


def executed(folder: Path, parameters: str | None = None) -> nbformat.NotebookNode:
    """The notebook, run in a folder.

    Args:
        parameters: instead of the cell that says how long it trains.
    """
    notebook = nbformat.read(FILE, as_version=4)
    (cell,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ())]
    if parameters:
        cell.source = parameters
    options = {"kernel_name": "python3", "timeout": 3600, "record_timing": False}
    return NotebookClient(notebook, resources={"metadata": {"path": str(folder)}}, **options).execute()


def outputs(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def shown(notebook: nbformat.NotebookNode) -> str:
    """All text that the notebook shows."""
    texts = [output.get("text", "") or output.get("data", {}).get("text/plain", "") for output in outputs(notebook)]
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", "\n".join(texts))


def require_as_meant(notebook: nbformat.NotebookNode) -> None:
    kinds = [output.output_type for output in outputs(notebook)]
    assert "error" not in kinds
    assert {output.name for output in outputs(notebook) if output.output_type == "stream"} == {"stdout"}
    assert sum("image/png" in output.get("data", {}) for output in outputs(notebook)) == 4  # a grid and three plots
    text = shown(notebook)
    assert text.count("img/s  J(") >= 2  # of the bar, when it was drawn last
    assert not re.search(r"^step \d", text, re.MULTILINE)  # no lines beside it
    assert "optimizer=sdg: no such option (did you mean 'sgd'?)" in text
    assert "'of_modes': 8" in text
    assert "exact; the last minibatch has " in text
    assert "Run(outputs/" in text


def test_the_notebook_runs_as_it_stands(tmp_path, monkeypatch):
    for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR", "MPLCONFIGDIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    require_as_meant(executed(tmp_path, FEW))
    assert sorted(path.name for path in tmp_path.glob("outputs/*/*/status.json")) == ["status.json"] * 2


def test_the_rendered_notebook_is_small_and_says_nothing_of_a_machine():
    notebook = nbformat.read(FILE, as_version=4)
    nbformat.validate(notebook)
    require_as_meant(notebook)
    assert FILE.stat().st_size < 300_000
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")
    for output in outputs(notebook):
        output.get("data", {}).pop("image/png", None)
    said = nbformat.writes(notebook)
    assert not re.search(r"/(?:home|work|tmp|root|Users|usr|opt)\b|warning|traceback", said, re.IGNORECASE)


if __name__ == "__main__":
    with TemporaryDirectory() as place:
        made = executed(Path(place))
    require_as_meant(made)
    nbformat.write(made, FILE)
    sys.exit()
