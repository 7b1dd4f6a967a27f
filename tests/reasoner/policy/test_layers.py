"""Our passes over Tunix's weights beside Tunix's own forward pass, adapters included."""

from flax import nnx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tunix.models.gemma3 import model as gemma3

from reasoner.models import embedded
from reasoner.models import gemma3 as family
from reasoner.models import lora
from reasoner.models import mesh as mesh_lib
from reasoner.policy import decoding
from reasoner.policy import forward
from reasoner.policy import layers as layers_lib

LENGTH, ROOM, GROUP = 9, 5, 3


def shrunken_gemma(**changes):
  """Six layers, so that one is global, and a window that is shorter than a prompt."""
  settings = dict(
      num_layers=6, num_embed=64, embed_dim=32, hidden_dim=48, num_heads=4, head_dim=8, num_kv_heads=1,
      sliding_window_size=6, local_base_frequency=10_000, global_base_frequency=1_000_000,
      global_scale_factor=2.0, param_dtype=jnp.float32,
  )
  return gemma3.Gemma3(gemma3.ModelConfig(**(settings | changes)), rngs=nnx.Rngs(0))


MODELS = {
    "shrunken": shrunken_gemma,
    "grouped": lambda: shrunken_gemma(num_layers=2, num_kv_heads=2),
    "embedded": lambda: embedded.build(64, 0, jnp.float32),
    "bfloat16": lambda: shrunken_gemma(num_layers=2, param_dtype=jnp.bfloat16),
}


def actor_of(name):
  """Every weight, norms and both factors of the adapter included, is drawn: no term is silently zero."""
  mesh = mesh_lib.make_mesh(1, 1)
  model = mesh_lib.place(MODELS[name](), mesh)
  actor = lora.add_lora(model, rank=4, alpha=8.0, modules=tuple(family.MODULES), seed=0)
  for number, (path, parameter) in enumerate(nnx.iter_graph(actor)):
    if isinstance(parameter, nnx.Param):
      value = parameter.get_value()
      size = 0.3 if "scale" in path or "lora" in path[-1] else 1 / value.shape[-2] ** 0.5
      noise = size * jax.random.normal(jax.random.fold_in(jax.random.key(0), number), value.shape)
      parameter.set_value(noise.astype(value.dtype))
  return actor


@pytest.fixture(scope="module", params=["shrunken", "grouped", "embedded"])
def actor(request):
  return actor_of(request.param)


def texts():
  """Three prompts, two of them padded on the left, with completions, padded on the right."""
  draw = np.random.default_rng(0)
  prompts = draw.integers(6, 64, (3, LENGTH)) * (np.arange(LENGTH) >= np.array([[0], [4], [8]]))
  lengths = draw.integers(1, ROOM + 1, (3 * GROUP, 1))
  return prompts, draw.integers(6, 64, (3 * GROUP, ROOM)) * (np.arange(ROOM) < lengths)


def tunix_call(actor, tokens):
  """[n, t, vocabulary] of Tunix's own pass over whole rows, padded with 0."""
  is_token = tokens != 0
  mask = is_token[:, None, :] & np.tri(tokens.shape[1], dtype=bool)
  return actor(tokens, forward.positions_of(is_token), None, mask)[0]


@nnx.jit
def tunix_logits(actor, prompts, completions):
  """[n, t, vocabulary] of Tunix's whole rows, each with its own copy of the prompt."""
  tokens = jnp.concatenate([jnp.repeat(prompts, len(completions) // len(prompts), axis=0), completions], axis=1)
  return tunix_call(actor, tokens)[:, prompts.shape[1] - 1 : -1]


@nnx.jit
def shared_logits(actor, prompts, completions):
  hidden = forward.of_completions(actor, prompts, completions, pad_id=0)
  return hidden @ forward.table_of(actor).T


@nnx.jit
def read(actor, prompts):
  last, caches = forward.of_prompts(actor, prompts, pad_id=0)
  return last, caches, decoding.lay_out(layers_lib.of_model(actor))


@jax.jit
def one_token(layers, table, final_norm, tokens, caches, is_prompt, step):
  place = LENGTH + step
  hidden, owns = decoding.one_token(layers, table, final_norm, tokens, caches, is_prompt, LENGTH, place)
  ended = jnp.zeros(len(tokens), bool)
  return hidden, [decoding.written(*pair, place, ended) for pair in zip(caches, owns)]


def decoded_logits(actor, prompts, completions):
  """The same, one token after the other through the sampler's layers."""
  group, table = len(completions) // len(prompts), forward.table_of(actor)
  last, caches, layers = read(actor, prompts)
  room = lambda array: jnp.pad(jnp.repeat(array, group, axis=0), ((0, 0), (0, ROOM), (0, 0), (0, 0)))  # noqa: E731
  caches = [decoding.lay_out_cache(*map(room, cache)) for cache in caches]
  is_prompt = np.pad(np.repeat(prompts != 0, group, axis=0), ((0, 0), (0, ROOM)))
  hidden = [jnp.repeat(last, group, axis=0)]
  for step in range(ROOM - 1):
    norm = actor.final_norm.scale.get_value()
    x, caches = one_token(layers, table, norm, completions[:, step], caches, is_prompt, step)
    hidden.append(x)
  return jnp.stack(hidden, axis=1) @ table.T


def packed_logits(actor, prompts, completions):
  """The same, all texts one after the other in a single row."""
  texts = [
      [*prompt[prompt != 0], *completion]
      for prompt, own in zip(prompts, completions.reshape(len(prompts), -1, ROOM)) for completion in own
  ]
  row = lambda parts: np.concatenate(parts)[None]  # noqa: E731
  hidden = nnx.jit(forward.of_packed)(
      actor, row(texts), row([np.arange(len(text)) for text in texts]),
      row([np.full(len(text), number) for number, text in enumerate(texts)]),
  )
  ends = np.cumsum([len(text) for text in texts])
  return jnp.stack([hidden[0, end - ROOM - 1 : end - 1] for end in ends]) @ forward.table_of(actor).T


@pytest.mark.parametrize("logits_of", [shared_logits, decoded_logits, packed_logits])
def test_logits_are_those_of_tunix_s_forward_pass(actor, logits_of):
  prompts, completions = texts()
  expected = np.asarray(tunix_logits(actor, prompts, completions))
  is_token = completions != 0
  assert expected[is_token].std() > 0.3
  np.testing.assert_allclose(
      np.asarray(logits_of(actor, prompts, completions))[is_token], expected[is_token], rtol=0, atol=2e-5 * np.abs(expected).max()
  )


def test_in_bfloat16_the_sampler_keeps_an_adapter_that_merging_would_round_away():
  """Weights of 1 and -1, which sum to 0; an adapter adds 0.001 to each, a quarter of what bfloat16 tells apart."""
  signs = jnp.tile(jnp.array([[1.0], [-1.0]]), (32, 4))
  pair = dict(a=jnp.full((64, 1), 0.1), b=jnp.full((1, 4), 0.005), scale=2.0)
  x = jnp.ones((1, 64), jnp.bfloat16)
  laid = decoding._lay_out(layers_lib.Matrix(weight=signs.astype(jnp.bfloat16), **pair))
  assert float((signs + 0.001).astype(jnp.bfloat16).astype(jnp.float32).sum()) == 0.0
  assert float(laid(x)[0, 0]) == pytest.approx(0.064, rel=1e-2)
  merged = decoding._lay_out(layers_lib.Matrix(weight=signs, **pair))
  assert merged.a is None and float(merged(x.astype(jnp.float32))[0, 0]) == pytest.approx(0.064, rel=1e-4)


def test_bfloat16_passes_lie_as_near_to_float32_as_tunix_s():
  actor, wide = actor_of("bfloat16"), actor_of("bfloat16")
  for _, parameter in nnx.iter_graph(wide):
    if isinstance(parameter, nnx.Param):
      parameter.set_value(parameter.get_value().astype(jnp.float32))
  prompts, completions = texts()
  is_token = completions != 0
  exact = np.asarray(tunix_logits(wide, prompts, completions))[is_token]
  error = lambda logits_of: np.abs(  # noqa: E731
      np.asarray(logits_of(actor, prompts, completions), np.float32)[is_token] - exact
  ).mean()
  assert max(error(shared_logits), error(decoded_logits)) < 1.3 * error(tunix_logits)


def test_a_completion_sees_nothing_of_its_siblings(actor):
  prompts, completions = texts()
  other = completions.copy()
  other[1::GROUP] = 7
  before, after = (np.asarray(shared_logits(actor, prompts, c)) for c in (completions, other))
  np.testing.assert_allclose(after[0::GROUP], before[0::GROUP], rtol=0, atol=1e-6 * np.abs(before).max())
  assert np.abs(after - before)[1::GROUP].max() > 0.1


@pytest.mark.parametrize("place", [0, 3, LENGTH - 1])
def test_a_window_ends_where_tunix_s_does(place):
  """A token that lies out of every layer's reach (one layer, window 6) changes nothing; one within does."""
  actor = lora.add_lora(
      mesh_lib.place(shrunken_gemma(num_layers=1), mesh_lib.make_mesh(1, 1)), rank=2, alpha=2.0, modules=("q",), seed=0
  )
  prompts, completions = np.full((1, LENGTH), 9), np.full((1, ROOM), 11)
  changed = prompts.copy()
  changed[0, place] = 30
  for logits_of in (tunix_logits, shared_logits, decoded_logits, packed_logits):
    before, after = (np.asarray(logits_of(actor, p, completions)) for p in (prompts, changed))
    moved = np.abs(before - after).max(axis=-1)[0] > 0
    assert moved.tolist() == [LENGTH - 1 + t - place < 6 for t in range(ROOM)]
