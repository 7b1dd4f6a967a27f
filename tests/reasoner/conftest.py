"""A Gemma 3 small enough to compile in a second, with a tokenizer of one id a character."""

import pytest


class CharacterTokenizer:
  """Ids 3 and above are characters; 0 pads, 1 ends the text, 2 begins it, 5 ends the turn."""

  vocab_size = 64
  eos_ids = (1, 5)

  def encode(self, text):
    return [6 + ord(character) % 58 for character in text]

  def decode(self, ids):
    return "".join(chr(ord("A") + i % 58) for i in ids)

  def pad_id(self):
    return 0

  def eos_id(self):
    return 1

  def bos_id(self):
    return 2


def tiny_actor(mesh, seed: int = 0):
  """Returns a LoRA actor over a one-layer Gemma 3 of 64 ids, its weights on the mesh."""
  from flax import nnx
  import jax
  import jax.numpy as jnp
  from tunix.models.gemma3 import model as gemma3

  from reasoner.models import gemma3 as family
  from reasoner.models import lora
  from reasoner.models import mesh as mesh_lib

  config = gemma3.ModelConfig(
      num_layers=1, num_embed=64, embed_dim=32, hidden_dim=64, num_heads=4, head_dim=8, num_kv_heads=1,
      sliding_window_size=64, param_dtype=jnp.float32,
  )
  model = gemma3.Gemma3(config, rngs=nnx.Rngs(seed))
  for path, parameter in nnx.iter_graph(model):  # Tunix's own start is so small that logits are all equal
    if isinstance(parameter, nnx.Param) and parameter.get_value().ndim > 1:
      scale = 0.1 if "input_embedding" in path else 0.5
      value = parameter.get_value()
      parameter.set_value(scale * jax.random.normal(jax.random.key(value.size), value.shape))
  return lora.add_lora(
      mesh_lib.place(model, mesh), rank=4, alpha=8.0, modules=tuple(family.MODULES), seed=seed
  )


@pytest.fixture(scope="session")
def shared_policy():
  from reasoner.models import mesh as mesh_lib
  from reasoner.policy import grpo

  mesh = mesh_lib.make_mesh(1, 1)
  return grpo.Policy(
      tiny_actor(mesh), CharacterTokenizer(), mesh, max_prompt_tokens=12, max_new_tokens=10
  )


@pytest.fixture
def policy(shared_policy):
  """A policy whose adapter is as it was first; compiled once for all tests."""
  from flax import nnx

  from reasoner.run import checkpoints

  first = checkpoints.arrays_of(shared_policy.actor, nnx.LoRAParam)
  yield shared_policy
  checkpoints.assign(shared_policy.actor, first, nnx.LoRAParam)
