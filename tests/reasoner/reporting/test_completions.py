"""The Parquet files of what training drew: what a row says, and what a resumed run finds in them."""

import numpy as np

from reasoner.policy import experience
from reasoner.policy import grpo
from reasoner.reporting import completions
from rewards.schema import Example
from rewards.schema import RewardBreakdown
from rewards.schema import Text


def group(texts):
  """An experience of one prompt: its first completion passes, the others do not."""
  n = len(texts)
  rollout = grpo.Rollout(
      prompt_ids=np.zeros((n, 2), np.int32),
      completion_ids=np.ones((n, 3), np.int32),
      log_probabilities=np.full((n, 3), -0.5, np.float32),
      lengths=np.array([2] * n),
      truncated=np.array([False] * n),
      texts=list(texts),
  )
  paid = dict(weights={}, default_total=0.0, correct=None)
  scores, guards = {"rhyme": 0.25, "pasting": 1.0}, {"pasting": 1.0}
  breakdowns = [RewardBreakdown(gate=True, failure=None, scores=scores, guards=guards, total=0.5, **paid)]
  for _ in range(n - 1):
    breakdowns.append(RewardBreakdown(gate=False, failure="missing", scores={}, total=None, **paid))
  example = Example(uid="poems/1", domain="poems", prompt="Rhyme.", reference=Text(text="t"))
  return experience.Experience(pairs=[("poems", 0)], rows=[example], rollout=rollout, breakdowns=breakdowns)


def drawn(texts=("yes", "n\ud800")):
  own = group(texts)
  return experience.Collected(scheduled=own, further=(), learned=own, frozen=None), np.array([1.0, -1.0])


def read(directory):
  import pyarrow.parquet as parquet

  rows = {p.stem: parquet.read_table(p).to_pylist(maps_as_pydicts="strict") for p in sorted(directory.glob("*"))}
  return {int(name): own for name, own in rows.items()}


def test_a_row_holds_the_completion_and_all_that_became_of_it(tmp_path):
  kept = completions.Completions(tmp_path / "c", 0)
  kept.write(0, *drawn())
  kept.flush()
  first, second = read(tmp_path / "c")[0]
  assert first == {
      "step": 0, "domain": "poems", "uid": "poems/1", "prompt": "Rhyme.", "completion": "yes", "tokens": 2,
      "truncated": False, "gate": "", "correct": None, "total": 0.5, "scores": {"rhyme": 0.25},
      "guards": {"pasting": 1.0}, "advantage": 1.0, "log_probability": -1.0,
  }  # fmt: skip
  assert (second["completion"], second["gate"], second["total"], second["scores"]) == ("n?", "missing", None, {})


def test_each_step_stands_once_whatever_was_killed(tmp_path):
  kept = completions.Completions(tmp_path, 0)
  for step in range(27):
    kept.write(step, *drawn())
  kept.flush()
  assert sorted(read(tmp_path)) == [0, 10, 20]
  kept = completions.Completions(tmp_path, 14)  # the checkpoint that the run goes on from
  for step in range(14, 22):
    kept.write(step, *drawn())
  kept.flush()
  found = read(tmp_path)
  assert [row["step"] for own in found.values() for row in own] == [step for step in range(22) for _ in range(2)]
  assert {first: own[-1]["step"] for first, own in found.items()} == {0: 9, 10: 19, 20: 21}


def test_a_start_at_a_files_first_step_drops_it_and_those_after(tmp_path):
  kept = completions.Completions(tmp_path, 0)
  for step in range(21):
    kept.write(step, *drawn())
  kept.flush()
  completions.Completions(tmp_path, 10)
  assert sorted(read(tmp_path)) == [0]


def test_a_group_that_was_replaced_has_no_advantage_and_the_one_in_its_place_has(tmp_path):
  replaced, other = group(("a", "b")), group(("c", "d"))
  collected = experience.Collected(scheduled=replaced, further=[other], learned=other, frozen=None)
  kept = completions.Completions(tmp_path, 0)
  kept.write(0, collected, np.array([0.5, -0.5]))
  kept.flush()
  found = [(row["completion"], row["advantage"]) for row in read(tmp_path)[0]]
  assert found == [("a", None), ("b", None), ("c", 0.5), ("d", -0.5)]
