"""A completion token by token is the one that the rollout writes."""

from flax import nnx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reasoner.models import lora
from reasoner.policy import grpo
from reasoner.policy import streaming

PROMPTS = [[2, 7, 8, 9], [2, 40, 41, 42, 43, 44, 45, 46, 47], [2]]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_stream_is_the_rollout_of_one(policy, temperature):
  sampling = grpo.Sampling(max_new_tokens=10, temperature=temperature)
  writer = streaming.Writer(policy.actor, policy.tokenizer, policy.mesh)
  for seed, prompt in enumerate(PROMPTS):
    key = jax.random.key(seed)
    expected = policy.generate([prompt], sampling, key)
    written = list(writer(prompt, sampling, key))
    assert written[-1].text == expected.texts[0]
    assert written[-1].tokens == expected.lengths[0] == len(written)
    assert written[-1].ended != expected.truncated[0]
    assert all(after.text.startswith(before.text) for before, after in zip(written, written[1:]))
    assert not any(step.ended for step in written[:-1])


def test_without_the_adapter_the_base_writes_and_the_adapter_stays(policy):
  greedy = grpo.Sampling(max_new_tokens=10)
  base = streaming.Writer(lora.without_adapter(policy.actor), policy.tokenizer, policy.mesh)
  first = [list(base(prompt, greedy, jax.random.key(0)))[-1].text for prompt in PROMPTS]
  adapter = nnx.state(policy.actor, nnx.LoRAParam)
  nnx.update(policy.actor, jax.tree.map(lambda array: array + 0.3, adapter))
  trained = streaming.Writer(policy.actor, policy.tokenizer, policy.mesh)
  base = streaming.Writer(lora.without_adapter(policy.actor), policy.tokenizer, policy.mesh)
  assert [list(base(prompt, greedy, jax.random.key(0)))[-1].text for prompt in PROMPTS] == first
  assert [list(trained(prompt, greedy, jax.random.key(0)))[-1].text for prompt in PROMPTS] != first
  values = jax.tree.leaves(nnx.state(policy.actor, nnx.LoRAParam))
  assert all(np.any(np.asarray(value, jnp.float32)) for value in values)


def test_a_half_written_character_waits(policy):
  class Halves(type(policy.tokenizer)):
    eos_ids = ()

    def decode(self, ids):
      return "é" * (len(ids) // 2) + "\ufffd" * (len(ids) % 2)

  writer = streaming.Writer(policy.actor, Halves(), policy.mesh)
  sampling = grpo.Sampling(max_new_tokens=5)
  texts = [written.text for written in writer([2, 7], sampling, jax.random.key(0))]
  assert texts == ["", "é", "é", "éé", "éé\ufffd"]
