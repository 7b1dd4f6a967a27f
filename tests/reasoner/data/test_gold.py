import collections
import dataclasses

import pytest

from reasoner import data
from reasoner.data import gold
from reasoner.data.corpus import Corpus
from reasoner.data.corpus import Origin
from rewards import registry
from rewards import scorer
from rewards.errors import ConfigError
from rewards.format import parse
from rewards.schema import Choice
from rewards.schema import Example
from rewards.schema import Number
from rewards.schema import Score
from rewards.schema import Text
from rewards.schema import UnitTests
from rewards.schema import Unscored
from rewards.schema import YesNo

WEIGHT = {"weight": 1.0}


@pytest.fixture
def equals():
  """Registers a reward that accepts the reference's text, except for 13, and cannot judge 7."""
  with registry.temporary():

    @registry.register("equals", kind="correctness")
    def equals(completion, example, *, strict: bool = True):
      if example.reference.text == "7":
        return None
      if example.reference.text == "13":
        return Score(0.0, reason="13 is never right")
      return float(completion.answer == example.reference.text)

    @registry.register("pleasant", kind="quality")
    def pleasant(completion, example):
      raise AssertionError("a quality has no truth to check")

    yield


class CountingScorer(scorer.Scorer):
  """Counts the completions that it is asked for."""

  asked = 0

  def score(self, examples, texts, groups=None):
    self.asked += len(texts)
    return super().score(examples, texts, groups)


def corpus_of(train, evaluation=("1",), domain="math"):
  origins = {
      role: Origin(role, domain, "gsm8k", f"main/{role}") for role in ("train", "evaluation")
  }
  examples = {
      role: tuple(
          Example(uid=f"{role}/{t}", domain=domain, prompt=f"Say {t}.", reference=Number(text=t))
          for t in texts
      )
      for role, texts in (("train", train), ("evaluation", evaluation))
  }
  return Corpus(
      train={domain: examples["train"]},
      evaluation={domain: examples["evaluation"]},
      evaluation_sets={},
      counts={origins[r]: collections.Counter(kept=len(examples[r])) for r in origins},
      origins={e.uid: origins[role] for role in examples for e in examples[role]},
  )


def run(corpus, path, rewards=None):
  rewards = rewards or {"math": {"format": WEIGHT, "equals": WEIGHT}}
  counting = CountingScorer(rewards)
  checked = data.check_gold(corpus, counting, rewards=counting.domains, cache_path=path)
  return checked, counting.asked


def test_rows_whose_gold_is_refused_are_dropped_and_counted(equals, tmp_path):
  checked, _ = run(corpus_of(["1", "13", "2", "7"]), tmp_path / "gold.txt")
  assert [e.reference.text for e in checked.train["math"]] == ["1", "2"]
  assert checked.reasons("train", "math") == {
      "kept": 2,
      "gold refused by equals": 1,
      "gold not scored by equals": 1,
  }
  assert set(checked.origins) == {"train/1", "train/2", "evaluation/1"}


def test_a_second_check_scores_only_what_was_never_scored(equals, tmp_path):
  path = tmp_path / "deep/gold.txt"
  first, asked = run(corpus_of(["1", "13", "2"]), path)
  assert asked == 4
  second, asked = run(corpus_of(["1", "13", "2"]), path)
  assert asked == 0 and second == first
  _, asked = run(corpus_of(["1", "13", "2", "3"]), path)
  assert asked == 1


def test_a_verdict_not_reached_on_our_side_is_asked_for_again(equals, tmp_path):
  run(corpus_of(["1", "7"]), tmp_path / "gold.txt")
  assert run(corpus_of(["1", "7"]), tmp_path / "gold.txt")[1] == 1


class Slow(scorer.Scorer):
  """Stops one gold answer at a deadline, and finds another's program too slow."""

  def __init__(self, verdict):
    super().__init__({"math": {"format": WEIGHT, "equals": WEIGHT}})
    self.verdict = verdict

  def score(self, examples, texts, groups=None):
    alone = [self.verdict if e.uid == "train/2" else {"equals": 1.0} for e in examples]
    return self.combine(examples, [parse(t) for t in texts], range(len(texts)), alone, [{}] * len(texts))


@pytest.mark.parametrize(
    "verdict",
    [
        scorer.Stopped(component="equals", cause="deadline"),
        scorer.Stopped(component="equals", cause="crash"),
        {"equals": Score(0.0, "it used up its 8 s of CPU time", cause="timeout")},
        {"equals": Unscored("batch_deadline", "late")},
    ],
)
def test_a_verdict_of_our_own_clock_drops_the_row_once_and_is_asked_for_again(equals, tmp_path, verdict):
  slow = Slow(verdict)
  checked = data.check_gold(corpus_of(["1", "2"]), slow, rewards=slow.domains, cache_path=tmp_path / "gold.txt")
  assert [e.uid for e in checked.train["math"]] == ["train/1"]
  checked, asked = run(corpus_of(["1", "2"]), tmp_path / "gold.txt")
  assert asked == 1 and [e.uid for e in checked.train["math"]] == ["train/1", "train/2"]


def test_changed_settings_make_old_verdicts_void(equals, tmp_path):
  run(corpus_of(["1"]), tmp_path / "gold.txt")
  changed = {"math": {"format": WEIGHT, "equals": WEIGHT | {"strict": False}}}
  assert run(corpus_of(["1"]), tmp_path / "gold.txt", changed)[1] == 2


def test_a_line_cut_off_by_a_kill_is_scored_again(equals, tmp_path):
  path = tmp_path / "gold.txt"
  first, _ = run(corpus_of(["1", "13", "2"]), path)
  path.write_text(path.read_text()[:-40])
  again, asked = run(corpus_of(["1", "13", "2"]), path)
  assert asked == 1 and again == first
  assert run(corpus_of(["1", "13", "2"]), path)[1] == 0


def test_a_domain_without_a_correctness_component_passes_unscored(equals, tmp_path):
  corpus = corpus_of(["1", "13"], domain="creative_writing")
  rewards = {"creative_writing": {"format": WEIGHT, "pleasant": WEIGHT}}
  checked, asked = run(corpus, tmp_path / "gold.txt", rewards)
  assert asked == 0 and checked.train == corpus.train and checked.counts == corpus.counts


def test_a_domain_with_no_row_left_stops_with_what_the_reward_said(equals, tmp_path):
  sentence = "'math': no row is left.*equals.*train/13: 13 is never right"
  with pytest.raises(ConfigError, match=sentence):
    run(corpus_of(["13"]), tmp_path / "gold.txt")


def test_programs_without_a_known_solution_are_kept_and_noted(equals, tmp_path):
  corpus = corpus_of(["1"])
  unknown = dataclasses.replace(corpus.train["math"][0], reference=UnitTests(tests=("assert f()",)))
  corpus = dataclasses.replace(corpus, train={"math": (unknown,)})
  checked, asked = run(corpus, tmp_path / "gold.txt")
  assert asked == 1 and checked.train["math"] == (unknown,)
  assert checked.table()[-1] == "math: 1 rows have no gold program to check."


@pytest.mark.parametrize(
    "reference, answer",
    [
        (Number(text="1/2"), "1/2"),
        (YesNo(value=False), "no"),
        (Text(text="honey"), "honey"),
        (Choice(label="B", text="hen", choices=(("A", "cat"), ("B", "hen"))), "B"),
        (
            UnitTests(tests=("assert f()",), text="def f(): return 1"),
            "```python\ndef f(): return 1\n```",
        ),
    ],
)
def test_a_gold_completion_passes_the_gate_with_the_reference_as_its_answer(reference, answer):
  example = Example(uid="x", domain="math", prompt="p", reference=reference)
  completion = parse(gold.gold_completion(example))
  assert completion.failure is None and completion.answer == answer
