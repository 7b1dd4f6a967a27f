"""The small model and its vocabulary."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flax import nnx

from reasoner.data import prompts
from reasoner.models import embedded
from reasoner.models import gemma3
from reasoner.models import lora
from reasoner.models import mesh as mesh_lib
from rewards import format as output_format
from rewards.errors import ConfigError

TEXTS = [f"{name} counts {a} {item} and finds {b} more." for name in "Ann Bob Cy".split()
         for item in "pears cups keys".split() for a in range(3) for b in range(3)]


@pytest.fixture(scope="module")
def tokenizer():
  return embedded.train_tokenizer(TEXTS, vocabulary_size=160)


@pytest.fixture(scope="module")
def model():
  return embedded.build(64, seed=0, dtype=jnp.float32)


def test_tags_and_turn_marks_are_single_pieces(tokenizer):
  for piece in (*output_format.TAGS, "<start_of_turn>", "<end_of_turn>"):
    assert len(tokenizer.encode(piece)) == 1


def test_gemma_s_first_ids_are_kept_and_both_ends_of_a_completion_known(tokenizer):
  assert (tokenizer.pad_id(), tokenizer.eos_id(), tokenizer.bos_id()) == (0, 1, 2)
  assert tokenizer.eos_ids == (1, *tokenizer.encode("<end_of_turn>"))


def test_what_surrounds_the_task_costs_three_tokens(tokenizer):
  task = "Ann counts 2 pears."
  framed = tokenizer.encode(prompts.template(gemma3.TURNS).format(task=task))
  assert len(framed) == 3 + len(tokenizer.encode(f" {task}"))


@pytest.mark.parametrize("text", [
    prompts.template(gemma3.TURNS).format(task="Ann counts 2 pears."), "def f(x):\n  return x + 1", "  two  spaces ", "a…b",
    "".join(map(chr, range(32, 127))),
])
def test_text_survives_encoding(tokenizer, text):
  assert tokenizer.decode(tokenizer.encode(text)) == text


def test_digits_are_pieces_of_their_own(tokenizer):
  assert len(tokenizer.encode("2024")) == 4


def test_the_same_texts_give_the_same_vocabulary(tokenizer):
  assert embedded.train_tokenizer(TEXTS, vocabulary_size=160).proto == tokenizer.proto


def test_weights_are_a_function_of_the_seed(model):
  same, other = (embedded.build(64, seed, jnp.float32) for seed in (0, 1))
  leaves = lambda m: jax.tree.leaves(nnx.state(m, nnx.Param))
  assert all((a == b).all() for a, b in zip(leaves(model), leaves(same)))
  assert any((a != b).any() for a, b in zip(leaves(model), leaves(other)))


def test_every_matrix_gets_a_gradient_also_the_feed_forward_ones(model):
  tokens = jnp.arange(16).reshape(2, 8) % 64
  mask = jnp.broadcast_to(jnp.tril(jnp.ones((8, 8), bool)), (2, 8, 8))
  loss = lambda m: m(tokens, jnp.broadcast_to(jnp.arange(8), (2, 8)), None, mask)[0].var()
  gradients = nnx.jit(nnx.grad(loss))(model)
  for path, leaf in nnx.to_flat_state(gradients):
    if leaf.ndim >= 2:
      assert float(jnp.abs(leaf[...]).max()) > 0, path


def test_a_first_prediction_is_near_uniform_and_not_flat(model):
  tokens = jnp.arange(16).reshape(2, 8)
  mask = jnp.broadcast_to(jnp.tril(jnp.ones((8, 8), bool)), (2, 8, 8))
  logits, _ = model(tokens, jnp.broadcast_to(jnp.arange(8), (2, 8)), None, mask)
  assert 0.3 < float(logits.std()) < 3


def test_flattened_feed_forward_products_are_tunix_s_own(model):
  x = jax.random.normal(jax.random.key(0), (2, 3, 128))
  linear = model.layers[0].mlp.gate_proj
  np.testing.assert_allclose(linear(x), x @ linear.kernel[...], rtol=1e-4, atol=1e-5)


def test_lora_reaches_every_module(model):
  mesh = mesh_lib.make_mesh(1, 1)
  actor = lora.add_lora(
      mesh_lib.place(model, mesh), rank=2, alpha=4.0, modules=tuple(gemma3.MODULES), seed=0
  )
  adapters = nnx.to_flat_state(nnx.state(actor, nnx.LoRAParam))
  assert len(adapters) == 2 * 6 * 2  # A and B, six modules, two layers


def test_the_source_loads_the_whole_model_on_a_mesh():
  model = embedded.Embedded().load(mesh_lib.make_mesh(1, 1), jnp.float32, seed=3)
  count = sum(leaf.size for leaf in jax.tree.leaves(nnx.state(model, nnx.Param)))
  assert model.num_embed == embedded.VOCABULARY_SIZE and 0.5e6 < count < 0.7e6


def test_a_base_that_an_earlier_run_left_is_the_same_model_to_the_last_bit(tmp_path):
  from reasoner.models import hugging_face
  from tests.reasoner.models.test_peft_format import vocabulary

  mesh = mesh_lib.make_mesh(1, 1)
  tokenizer = vocabulary()
  drawn = embedded.Embedded().load(mesh, jnp.float32, seed=3)
  hugging_face.write_directory(tmp_path / "base", drawn, tokenizer)
  source = embedded.Embedded(path=str(tmp_path / "base"))
  source.check()
  assert embedded.Embedded().from_nothing and not source.from_nothing
  assert source.load_tokenizer([]).proto == tokenizer.proto
  read = source.load(mesh, jnp.float32, seed=0)
  assert all((a == b).all() for a, b in zip(*(jax.tree.leaves(nnx.state(m, nnx.Param)) for m in (drawn, read))))
  assert read.layers[0].mlp.up_proj.dot_general is drawn.layers[0].mlp.up_proj.dot_general  # the same program too


def test_a_path_without_a_model_is_refused(tmp_path):
  with pytest.raises(ConfigError, match="config.model.path"):
    embedded.Embedded(path=str(tmp_path)).check()
