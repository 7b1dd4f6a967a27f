"""The policy's frozen reference as rewards ask it: how likely a text is after a prompt.

  model = FrozenModel(policy, rows=8)
  model.log_probabilities(["Name a fruit.\\n"], ["An apple."])  ->  [array([-2.1, -0.7, -0.3])], one a token

The reference stands on the device anyway, so components of scope `model` (rewards/registry.py) cost forward
passes and no other model. Texts go through in batches of one shape, sharded as the reference pass of a step
is: one compilation, and the answer is a function of the texts and the weights.
"""

from collections.abc import Sequence

import numpy as np

from reasoner import processes
from reasoner.policy import grpo


class FrozenModel:
  """A `rewards.schema.Model` over a policy's frozen reference.

  Args:
    policy: whose limits hold: of a prompt its last max_prompt_tokens are read, BOS included, of a text its
      first max_new_tokens.
    rows: texts a forward pass; the devices divide them.
  """

  def __init__(self, policy: grpo.Policy, rows: int):
    self._policy, self._rows = policy, rows

  def log_probabilities(self, prompts: Sequence[str], texts: Sequence[str]) -> list[np.ndarray]:
    """Returns for each text the natural log-probability of each of its tokens, [tokens] float32, after BOS
    and its prompt.
    """
    tokenizer, room = self._policy.tokenizer, self._policy.max_prompt_tokens - 1
    heads = [[tokenizer.bos_id(), *tokenizer.encode(prompt)[-room:]] for prompt in prompts]
    tails = [tokenizer.encode(text)[: self._policy.max_new_tokens] for text in texts]
    found = []
    for first in range(0, len(tails), self._rows):
      found += self._of_batch(heads[first : first + self._rows], tails[first : first + self._rows])
    return found

  def _of_batch(self, heads: list[list[int]], tails: list[list[int]]) -> list[np.ndarray]:
    policy, spare = self._policy, self._rows - len(tails)
    ids = np.full((self._rows, policy.max_new_tokens), policy.tokenizer.pad_id(), np.int32)
    for row, tail in zip(ids, tails):
      row[: len(tail)] = tail
    values = processes.fetch(
        policy.reference_log_probabilities(
            grpo.Rollout(
                prompt_ids=policy.pad_prompts(heads + spare * [[policy.tokenizer.bos_id()]]),
                completion_ids=ids,
                log_probabilities=np.zeros(ids.shape, np.float32),
                lengths=np.array([len(tail) for tail in tails] + spare * [0]),
                truncated=np.zeros(self._rows, bool),
                texts=[""] * self._rows,
            ),
            temperature=1.0,
        )
    )
    return [row[: len(tail)] for row, tail in zip(values, tails)]
