"""as_trl: the signature and conventions of TRL's reward functions."""

import importlib.util
import pathlib

import numpy as np
import pytest

import rewards
from rewards.errors import ConfigError
from rewards.format import render
from rewards.registry import temporary

PLUGIN = '''
from rewards import register

@register("same", kind="correctness")
def same(completion, example):
  return float(completion.answer == example.reference.text)

@register("asked", kind="quality")
def asked(completion, example):
  """1.0 when the answer repeats the prompt."""
  return None if completion.answer == "unmeasured" else float(completion.answer == example.prompt)

@register("calm", kind="guard")
def calm(completion, example):
  return float(not completion.answer.endswith("!"))

@register("share", kind="quality", scope="group")
def share(completions, examples):
  return [None if c is None else 1 / len(completions) for c in completions]
'''


@pytest.fixture
def as_trl(tmp_path):
  path, made = tmp_path / "plugin.py", []
  path.write_text(PLUGIN)

  def make(config, **arguments):
    made.append(rewards.as_trl(config, plugins=[str(path)], num_workers=1, **arguments))
    return made[-1]

  with temporary():
    yield make
    for reward in made:
      reward.close()


TRUTH = {"format": {"weight": 0.2}, "same": {"weight": 0.8}}


def test_text_prompts_and_completions_with_an_answer_column(as_trl):
  reward = as_trl({"riddles": TRUTH})
  totals = reward(
      prompts=["p", "p"],
      completions=[render("r", "river"), "river"],
      completion_ids=[[1], [2]],
      answer=["river", "river"],
      trainer_state=None,
      log_extra=print,
      log_metric=print,
  )
  assert totals == [1.0, 0.0]
  assert reward.__name__ == "reasoner_reward"


def test_conversations_count_their_last_message(as_trl):
  reward = as_trl({"riddles": {"format": {"weight": 0.2}, "asked": {"weight": 0.8}}})
  prompt = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "river?"}]
  parts = [{"role": "user", "content": [{"type": "text", "text": "riv"}, {"type": "image"}, {"type": "text", "text": "er?"}]}]
  completion = [{"role": "assistant", "content": render("r", "river?")}]
  assert reward([prompt, parts], [completion, completion], answer=["x", "x"]) == [1.0, 1.0]
  with pytest.raises(ConfigError, match="neither text nor a list of messages"):
    reward([[]], [completion], answer=["x"])


def test_a_task_column_holds_the_question_where_the_prompt_says_more(as_trl):
  reward = as_trl({"riddles": {"format": {"weight": 0.2}, "asked": {"weight": 0.8}}})
  assert reward(["Use tags. river?"], [render("r", "river?")], task=["river?"], answer=["x"]) == [1.0]


def test_domain_and_metadata_columns_choose_rewards_and_references(as_trl):
  choices = {"label": ["A", "B"], "text": ["oxygen", "argon"]}
  reward = as_trl({"one": TRUTH, "two": {"format": {"weight": 1.0}}})
  totals = reward(
      ["p", "q"], [render("r", "argon"), render("r", "argon")],
      domain=["one", "two"], answer=["B", "x"], metadata=[{"choices": choices}, None],
  )
  assert totals == [1.0, 1.0]
  assert as_trl({"one": TRUTH, "two": TRUTH}, domain="two")(["p"], [render("r", "a")], answer=["a"]) == [1.0]


def test_neighbours_with_the_same_row_are_a_group(as_trl):
  reward = as_trl({"riddles": {"format": {"weight": 0.0}, "share": {"weight": 1.0}}})
  totals = reward(["p", "p", "q", "q", "q", "r"], [render("r", "a")] * 6, answer=["x"] * 6)
  assert totals == pytest.approx([1 / 2, 1 / 2, 1 / 3, 1 / 3, 1 / 3, 1])


def test_guards_take_their_part(as_trl):
  reward = as_trl({"riddles": {**TRUTH, "calm": {"weight": 0.5}}})
  assert reward(["p"] * 2, [render("r", "river!"), render("r", "river")], answer=["river!", "river"]) == pytest.approx([0.6, 1.0])


def test_a_total_that_is_none_stays_none(as_trl):
  reward = as_trl({"riddles": {"format": {"weight": 0.2}, "asked": {"weight": 0.8}}})
  assert reward(["p"], [render("r", "unmeasured")], answer=["x"]) == [None]


def test_numpy_values_and_missing_completions_are_understood(as_trl):
  reward = as_trl({"one": TRUTH})
  choices = {"label": np.array(["A", "B"]), "text": np.array(["oxygen", "argon"])}
  totals = reward(
      np.array(["p", "p", "p", "q"], object), np.array([render("r", "argon"), None, "", render("r", "7")], object),
      domain=np.array(["one"] * 4), answer=np.array([np.str_("B")] * 3 + [np.int64(7)], object),
      metadata=[{"choices": choices}] * 3 + [{"n": np.float64(0.5)}], uid=np.arange(4),
  )
  assert totals == [1.0, 0.0, 0.0, 1.0]
  assert reward(["p"], [[{"role": "assistant", "content": None}]], answer=["x"]) == [0.0]


def test_a_domain_without_a_truth_needs_no_answers(as_trl):
  reward = as_trl({"poems": {"format": {"weight": 0.2}, "asked": {"weight": 0.8}}})
  assert reward(["river?"], [render("r", "river?")]) == [1.0]


def test_another_trainers_columns_are_named(as_trl):
  with pytest.raises(ConfigError, match="row 0 of the batch: the truth stands in 'reward_model.ground_truth'"):
    as_trl({"one": TRUTH})(["p"], ["x"], reward_model=[{"style": "rule", "ground_truth": "72"}])
  with pytest.raises(ConfigError, match="row 0 of the batch: 'domain' is None"):
    as_trl({"one": TRUTH, "two": TRUTH})(["p"], ["x"], answer=["72"])


def test_a_row_without_an_answer_is_named(as_trl):
  with pytest.raises(ConfigError, match="row 1 of the batch: 'answer' is empty"):
    as_trl({"riddles": TRUTH})(["p", "q"], ["x", "y"], answer=["a", None])


def test_trls_trainer_calls_it_with_these_arguments():
  trl = importlib.util.find_spec("trl")
  if trl is None:
    pytest.skip("trl is not installed")
  source = (pathlib.Path(trl.origin).parent / "trainer" / "grpo_trainer.py").read_text(encoding="utf-8")
  assert "prompts=prompts, completions=completions, completion_ids=" in source
  assert "reward if reward is not None else torch.nan" in source
