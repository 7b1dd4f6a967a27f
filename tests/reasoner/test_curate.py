"""The command: from a recipe of the embedded corpus to a pool that a recipe reads, and a user's mistakes."""

import pathlib
import subprocess
import sys

import pytest

from reasoner import data

ROOT = pathlib.Path(__file__).resolve().parents[2]
RECIPE = """
from experiments import seven_domain

def get_config():
  config = seven_domain.get_config()
  config.data.sources = dict(
      math=dict(gsm8k=dict(train=("train",), evaluation=("test",), limit=30)),
      summarization=dict(xsum=dict(train=("train",), evaluation=("test",), limit=30)),
  )
  config.data.evaluation_sets = dict(unseen_templates=dict(gsm8k=("unseen_templates",)))
  for domain in list(config.rewards):
    if domain not in config.data.sources:
      del config.rewards[domain], config.disco.weights[domain]
  config.scoring.num_workers = 1
  return config
"""


def run(*flags):
  command = [sys.executable, "-m", "reasoner.curate", *flags]
  return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)


@pytest.fixture
def recipe(tmp_path):
  path = tmp_path / "recipe.py"
  path.write_text(RECIPE)
  return f"--config={path}"


def test_the_embedded_corpus_becomes_a_pool_without_any_data(recipe, tmp_path):
  output = tmp_path / "pool"
  done = run(recipe, f"--output={output}", "--processes=1")
  assert done.returncode == 0, done.stderr
  assert "rows (100.0%) share 8 words with evaluation" in done.stdout
  files = {path.name for path in output.iterdir()}
  assert files == {
      "README.md", "curation.json", "dropped.jsonl", "evaluation.parquet", "lengths.png", "train.parquet",
  }  # fmt: skip
  pools = [str(output / name) for name in ("train.parquet", "evaluation.parquet")]
  corpus = data.load({}, domains=("math", "summarization"), truths=("math",), pools=pools)
  assert {domain: len(rows) for domain, rows in corpus.train.items()} == {"math": 30, "summarization": 30}
  assert len(corpus.evaluation["math"]) == 160
  again = run(recipe, f"--output={output}", "--processes=1")
  assert again.returncode == 0 and "holds this pool already" in again.stdout


def test_a_mistake_is_one_sentence(recipe, tmp_path):
  for flags, sentence in [
      ((recipe,), "--output is missing"),
      ((f"--output={tmp_path / 'pool'}",), "--config is missing"),
      ((recipe, f"--output={tmp_path / 'pool'}", "--config.curation.near_duplicates=0"), "expected 0.1 to 1.0"),
  ]:
    done = run(*flags)
    assert done.returncode == 2 and sentence in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
  assert not (tmp_path / "pool").exists()
