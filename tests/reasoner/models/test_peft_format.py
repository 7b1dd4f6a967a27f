"""An adapter in PEFT's format: PEFT's logits are the actor's, and the actor comes back to the bit."""

import json
import random

import numpy as np
import pytest

from reasoner.models import embedded
from reasoner.models import gemma3
from reasoner.models import hugging_face
from reasoner.models import lora
from reasoner.models import mesh as mesh_lib
from reasoner.models import peft_format
from rewards.errors import ConfigError


def trained(actor, scale=0.05):
  """Fills the adapter's B, which starts at zero, as training would."""
  from flax import nnx
  import jax

  for number, (path, parameter) in enumerate(nnx.iter_graph(actor)):
    if isinstance(parameter, nnx.LoRAParam) and str(path[-1]).endswith("_lora_b"):
      value = parameter.get_value()
      parameter.set_value(scale * jax.random.normal(jax.random.key(number), value.shape, value.dtype))
  return actor


def logits_of(model, ids):
  from flax import nnx
  import jax.numpy as jnp

  positions = jnp.broadcast_to(jnp.arange(ids.shape[1]), ids.shape)
  mask = jnp.broadcast_to(jnp.tril(jnp.ones((ids.shape[1],) * 2, bool)), (len(ids), ids.shape[1], ids.shape[1]))
  return np.asarray(nnx.jit(lambda model: model(jnp.asarray(ids), positions, None, mask)[0])(model))


def vocabulary():
  """A tokenizer as large as the embedded model's, learned from words of random letters."""
  draw = random.Random(0)
  return embedded.train_tokenizer("".join(draw.choices("abcdefghijklmnopqrst", k=7)) for _ in range(5000))


@pytest.fixture(scope="module")
def tokenizer():
  return vocabulary()


@pytest.fixture(scope="module")
def base():
  import jax.numpy as jnp

  return embedded.Embedded().load(mesh_lib.make_mesh(1, 1), jnp.float32, seed=0)


def settings(*modules):
  return lora.Lora(rank=3, alpha=6.0, modules=modules or tuple(gemma3.MODULES))


def actor_of(base, of):
  return trained(lora.add_lora(base, of.rank, of.alpha, of.modules, seed=0))


@pytest.mark.parametrize("modules", [(), ("kv",), ("q", "down")])
def test_peft_computes_the_logits_of_the_actor(base, tokenizer, tmp_path, modules):
  torch = pytest.importorskip("torch", reason="torch comes with the extra [semantic]")
  peft = pytest.importorskip("peft", reason="peft comes with the extra [dev]")
  from transformers import Gemma3ForCausalLM

  of = settings(*modules)
  actor = actor_of(base, of)
  hugging_face.write_directory(tmp_path / "base", actor, tokenizer)
  peft_format.write(tmp_path / "adapter", actor, of, base=str(tmp_path / "base"), license="gemma", template="{task}")
  ids = np.random.default_rng(1).integers(6, 1280, (2, 24))
  theirs = Gemma3ForCausalLM.from_pretrained(tmp_path / "base", dtype=torch.float32).eval()
  with torch.no_grad():
    plain = theirs(torch.tensor(ids)).logits.numpy()
    adapted = peft.PeftModel.from_pretrained(theirs, tmp_path / "adapter").eval()
    expected = adapted(torch.tensor(ids)).logits.numpy()
  np.testing.assert_allclose(logits_of(base, ids), plain, atol=2e-3)
  np.testing.assert_allclose(logits_of(actor, ids), expected, atol=2e-3)
  assert np.abs(expected - plain).max() > 0.1  # the adapter does something


@pytest.mark.parametrize("modules", [(), ("kv", "attention_output")])
def test_the_adapter_comes_back_to_the_bit(base, tmp_path, modules):
  from flax import nnx

  of = settings(*modules)
  actor = actor_of(base, of)
  peft_format.write(tmp_path, actor, of, base="", license="gemma", template="{task}")
  other = lora.add_lora(base, of.rank, of.alpha, of.modules, seed=1)
  peft_format.read(tmp_path, other, of)
  ours, theirs = (nnx.to_flat_state(nnx.state(model, nnx.LoRAParam)) for model in (actor, other))
  for (path, one), (other_path, another) in zip(ours, theirs, strict=True):
    assert path == other_path
    np.testing.assert_array_equal(np.asarray(one.get_value()), np.asarray(another.get_value()))


def test_names_shapes_and_settings_are_peft_s(base, tmp_path):
  from safetensors import numpy as safetensors

  of = settings("kv", "up")
  peft_format.write(tmp_path, actor_of(base, of), of, base="google/gemma-3-1b-it", license="gemma", template="Task: {task}")
  tensors = safetensors.load_file(tmp_path / "adapter_model.safetensors")
  assert {name: array.shape for name, array in tensors.items() if ".layers.1." in name} == {
      "base_model.model.model.layers.1.self_attn.k_proj.lora_A.weight": (3, 128),
      "base_model.model.model.layers.1.self_attn.k_proj.lora_B.weight": (32, 3),
      "base_model.model.model.layers.1.self_attn.v_proj.lora_A.weight": (3, 128),
      "base_model.model.model.layers.1.self_attn.v_proj.lora_B.weight": (32, 3),
      "base_model.model.model.layers.1.mlp.up_proj.lora_A.weight": (3, 128),
      "base_model.model.model.layers.1.mlp.up_proj.lora_B.weight": (512, 3),
  }
  config = json.loads((tmp_path / "adapter_config.json").read_text())
  assert (config["r"], config["lora_alpha"], config["peft_type"]) == (3, 6.0, "LORA")
  assert config["target_modules"] == ["k_proj", "up_proj", "v_proj"]
  card = (tmp_path / "README.md").read_text()
  assert "base_model: google/gemma-3-1b-it" in card and "license: gemma" in card and "Task: {task}" in card


def test_a_directory_without_an_adapter_is_named(base, tmp_path):
  with pytest.raises(ConfigError, match="holds no adapter_model.safetensors"):
    peft_format.read(tmp_path, base, settings())


def test_an_adapter_to_go_on_from_must_be_of_the_configs_size_and_places(base, tmp_path):
  place = "config.model.adapter"
  with pytest.raises(ConfigError, match="config.model.adapter='.*' holds no adapter_model.safetensors"):
    peft_format.check(tmp_path, settings(), gemma3.MODULES, place)
  peft_format.write(tmp_path, actor_of(base, settings("q")), settings("q"), base="b", license="l", template="{task}")
  peft_format.check(tmp_path, settings("q"), gemma3.MODULES, place)
  for other, field in (
      (lora.Lora(rank=4, alpha=6.0, modules=("q",)), "rank 3, config.model.lora.rank stands for 4"),
      (lora.Lora(rank=3, alpha=7.0, modules=("q",)), "alpha 6.0, config.model.lora.alpha stands for 7.0"),
      (settings("q", "up"), r"modules \['q_proj'\], config.model.lora.modules stands for"),
  ):
    with pytest.raises(ConfigError, match=field):
      peft_format.check(tmp_path, other, gemma3.MODULES, place)
