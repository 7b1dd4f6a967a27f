"""Laws over the real data sets, where someone has them: their rows are not part of this project.

  REASONER_DATA_ROOT=folder pytest tests/reasoner/data/test_real_rows.py

The folder is laid out as config.data.root is.
"""

import os
import pathlib

import pytest

from reasoner import data
from reasoner.data import dataset
from reasoner.data import loading

ROOT = os.environ.get("REASONER_DATA_ROOT", "")

pytestmark = pytest.mark.skipif(
    not pathlib.Path(ROOT or "-").is_dir(), reason="REASONER_DATA_ROOT names no folder of data sets"
)


@pytest.fixture(scope="module")
def corpus():
  """Everything that is there, the splits named test, validation or evaluation being held out."""
  sources, domains = {}, set()
  for name, adapter in dataset.known().items():
    for domain in adapter.domains:
      entry = {"train": [], "evaluation": []}
      folder = pathlib.Path(ROOT) / adapter.local_folder / (adapter.configs or ("",))[0]
      for path in sorted(folder.glob("*.jsonl")):
        held_out = path.stem in ("test", "validation")
        entry["evaluation" if held_out else "train"].append(path.stem)
      if not adapter.official_split:
        entry["evaluation"] = entry["train"]
      if entry["train"] or entry["evaluation"]:
        sources.setdefault(domain, {})[name] = entry
        domains.add(domain)
  return data.load(sources, domains=sorted(domains), root=ROOT)


def test_no_evaluation_text_is_trained_on(corpus):
  def texts(examples):
    rows = [e for domain in examples.values() for e in domain]
    return {loading._key(e.extra.get("task_text", e.prompt)) for e in rows} | {
        loading._key(e.prompt) for e in rows
    }

  assert not texts(corpus.train) & texts(corpus.evaluation)


def test_uids_are_unique_and_most_rows_are_kept(corpus):
  uids = [e.uid for role in (corpus.train, corpus.evaluation) for d in role.values() for e in d]
  assert len(set(uids)) == len(uids) == sum(c["kept"] for c in corpus.counts.values())
  for origin, reasons in corpus.counts.items():
    useful = sum(reasons.values()) - reasons["of another category"]
    assert reasons["kept"] >= 0.85 * useful - 2, (origin, reasons)
