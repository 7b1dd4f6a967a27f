"""The notebooks: thin over the package, shown with a whole run's outputs, and run with the embedded model."""

import ast
import json
import os
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "experiments").glob("*.ipynb"))


def cells(path):
  return [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]


def test_there_are_two():
  assert [path.stem for path in NOTEBOOKS] == ["gpu_270m", "kaggle_v5e8"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_thin_over_the_package(path):
  for cell in cells(path):
    source = "".join(cell["source"])
    assert len(source.splitlines()) <= 17
    if source.startswith("%%writefile recipe.py\n"):  # what a recipe of one's own looks like
      source = source.partition("\n")[2]
      (function,) = (node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef))
      assert function.name == "get_config"
    elif not source.startswith("%%bash\n"):
      logic = ast.FunctionDef, ast.For, ast.While, ast.If, ast.With, ast.Try
      assert not [node for node in ast.walk(ast.parse(source)) if isinstance(node, logic)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_shows_what_each_cell_said(path):
  said = []
  for number, cell in enumerate(cells(path), start=1):
    assert cell["execution_count"] == number  # top to bottom, once
    assert not [output for output in cell["outputs"] if output["output_type"] == "error"]
    said.append(json.dumps(cell["outputs"]))
  said = "".join(said)
  for part in ("roofline", "image/png", "GRPO took ", "--- before", "--- after", "model.safetensors", "<answer>"):
    assert part in said, part
  for place in ("/root/", "/tmp/", "/home/", "/work"):
    assert place not in said.replace("image/png", "")


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_top_to_bottom_with_the_embedded_model(path, tmp_path, monkeypatch):
  nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
  for name, value in {
      "REASONER_VARIANT": "embedded_tour", "REASONER_HOURS": "0.05", "JAX_PLATFORMS": "cpu",
      "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
  }.items():  # fmt: skip
    monkeypatch.setenv(name, value)
  book = nbformat.read(path, as_version=4)
  nbclient.NotebookClient(
      book, timeout=1800, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
  ).execute()
  summary = json.loads((tmp_path / "run/summary.json").read_text())
  assert summary["budget"]["budget_seconds"] == 180 and summary["seconds"]["total"] < 180
  assert (tmp_path / "export/model.safetensors").exists() and (tmp_path / "plan/plan.json").exists()
