"""The handle that rewards ask: the frozen reference's log-probabilities, token by token."""

import numpy as np
import pytest

from reasoner.policy import grpo
from reasoner.policy.frozen_model import FrozenModel


def by_hand(policy, prompt, text):
  """The reference pass of a step over one completion."""
  ids, room = policy.tokenizer.encode(text), policy.max_new_tokens
  completion = np.array([ids + [0] * (room - len(ids))], np.int32)
  head = [policy.tokenizer.bos_id(), *policy.tokenizer.encode(prompt)]
  prompt_ids = np.array([[0] * (policy.max_prompt_tokens - len(head)) + head], np.int32)
  rollout = grpo.Rollout(
      prompt_ids=prompt_ids, completion_ids=completion, log_probabilities=np.zeros((1, room)),
      lengths=np.array([len(ids)]), truncated=np.array([False]), texts=[text],
  )  # fmt: skip
  return np.asarray(policy.reference_log_probabilities(rollout, 1.0))[0, : len(ids)]


PROMPTS, TEXTS = ["abc", "", "a longer one", "abc", "x"], ["hello", "hello", "yes", "", "now then"]


def test_each_text_has_the_log_probability_of_each_token_after_its_prompt(policy):
  found = FrozenModel(policy, rows=2).log_probabilities(PROMPTS, TEXTS)  # three batches, the last filled up
  assert [len(own) for own in found] == [5, 5, 3, 0, 8]
  for own, prompt, text in zip(found, PROMPTS, TEXTS):
    np.testing.assert_allclose(own, by_hand(policy, prompt[-11:], text), rtol=1e-5, atol=1e-5)
  assert np.abs(found[0] - found[1]).max() > 0.01  # the prompt says something


def test_it_is_the_same_at_each_call_and_whatever_the_adapter_learns(policy):
  from tests.reasoner.policy.test_grpo import ADVANTAGES
  from tests.reasoner.policy.test_grpo import learner_of
  from tests.reasoner.policy.test_grpo import rollout_of
  from tests.reasoner.policy.test_grpo import step

  model = FrozenModel(policy, rows=4)
  first = model.log_probabilities(PROMPTS, TEXTS)
  step(policy, learner_of(policy), rollout_of(policy), ADVANTAGES)
  assert all((a == b).all() for a, b in zip(first, model.log_probabilities(PROMPTS, TEXTS)))


@pytest.mark.parametrize("prompt, text", [("0123456789" * 3, "short"), ("p", "0123456789" * 3)])
def test_what_is_too_long_is_cut_to_the_policy_s_limits(policy, prompt, text):
  (found,) = FrozenModel(policy, rows=1).log_probabilities([prompt], [text])
  np.testing.assert_allclose(found, by_hand(policy, prompt[-11:], text[:10]), rtol=1e-5, atol=1e-5)
