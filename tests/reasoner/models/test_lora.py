"""Adapters on a small Tunix Gemma 3, on one device and on eight virtual ones."""

import json
import os
import subprocess
import sys

import pytest

from reasoner.models import gemma3
from reasoner.models import lora
from rewards.errors import ConfigError

ALL = tuple(gemma3.MODULES)


def small_config(**changes):
  import jax.numpy as jnp
  from tunix.models.gemma3 import model

  settings = dict(
    num_layers=1,
    num_embed=64,
    embed_dim=16,
    hidden_dim=32,
    num_heads=4,
    head_dim=8,
    num_kv_heads=1,
    sliding_window_size=8,
    param_dtype=jnp.float32,
  )
  return model.ModelConfig(**settings | changes)


def unplaced_base(**changes):
  """A small model with every weight drawn, so that each one matters to the output."""
  from flax import nnx
  import jax
  import numpy as np
  from tunix.models.gemma3 import model

  config = small_config(**changes)
  graph, state = nnx.split(nnx.eval_shape(lambda: model.Gemma3(config, rngs=nnx.Rngs(0))))
  rng = np.random.default_rng(0)
  drawn = jax.tree.map(lambda leaf: rng.normal(0, 0.3, leaf.shape).astype(leaf.dtype), state)
  return nnx.merge(graph, drawn)


def small_base(mesh=None, **changes):
  from reasoner.models.mesh import make_mesh
  from reasoner.models.mesh import place

  return place(unplaced_base(**changes), mesh or make_mesh(fsdp=1, tp=1))


def flat(model, *filters):
  from flax import nnx

  return flat_state(nnx.state(model, *filters))


def flat_state(state):
  from flax import nnx

  return {path: variable.get_value() for path, variable in nnx.to_flat_state(state)}


def inputs(batch=2, length=12):
  import jax.numpy as jnp

  ids = jnp.arange(batch * length).reshape(batch, length) % 64
  positions = jnp.broadcast_to(jnp.arange(length), (batch, length))
  mask = jnp.broadcast_to(jnp.tril(jnp.ones((length, length), bool)), (batch, length, length))
  return ids, positions, mask


def logits_of(model, batch=2):
  from flax import nnx
  import numpy as np

  ids, positions, mask = inputs(batch)
  return np.asarray(nnx.jit(lambda model: model(ids, positions, None, mask)[0])(model))


def test_the_actor_holds_the_very_arrays_of_the_base():
  base = small_base()
  actor = flat(lora.add_lora(base, 4, 8.0, ALL, seed=0))
  assert len(flat(base)) == 14
  for path, array in flat(base).items():
    assert actor[path] is array
    assert actor[path].unsafe_buffer_pointer() == array.unsafe_buffer_pointer()


def test_tunix_sees_a_shared_backbone_and_does_not_move_it():
  from tunix.rl import utils

  base = small_base()
  assert utils.is_sharing_backbone(base, lora.add_lora(base, 4, 8.0, ALL, seed=0))


def test_each_module_of_the_recipe_gets_a_pair_in_each_layer():
  from flax import nnx

  base = small_base(num_layers=2)
  adapters = flat(lora.add_lora(base, 4, 8.0, ALL, seed=0), nnx.LoRAParam)
  shapes = {path[3:]: array.shape for path, array in adapters.items() if path[1] == 1}
  assert shapes == {
    ("q_einsum", "w_lora_a"): (16, 4),
    ("q_einsum", "w_lora_b"): (4, 4, 8),
    ("kv_einsum", "w_lora_a"): (16, 4),
    ("kv_einsum", "w_lora_b"): (4, 2, 1, 8),
    ("attn_vec_einsum", "w_lora_a"): (4, 8, 4),
    ("attn_vec_einsum", "w_lora_b"): (4, 16),
    ("gate_proj", "kernel_lora_a"): (16, 4),
    ("gate_proj", "kernel_lora_b"): (4, 32),
    ("up_proj", "kernel_lora_a"): (16, 4),
    ("up_proj", "kernel_lora_b"): (4, 32),
    ("down_proj", "kernel_lora_a"): (32, 4),
    ("down_proj", "kernel_lora_b"): (4, 16),
  }
  assert len(adapters) == 2 * len(shapes)


def test_only_the_modules_asked_for_are_adapted():
  from flax import nnx

  adapters = flat(lora.add_lora(small_base(), 4, 8.0, ("q", "up"), seed=0), nnx.LoRAParam)
  assert {path[-2] for path in adapters} == {"q_einsum", "up_proj"}


def test_before_training_the_adapter_adds_exactly_zero_and_the_output_is_the_base_models():
  from flax import nnx
  import numpy as np

  base = small_base()
  actor = lora.add_lora(base, 4, 8.0, ALL, seed=0)
  second = [array for path, array in flat(actor, nnx.LoRAParam).items() if path[-1].endswith("_lora_b")]
  assert len(second) == 6 and not any(np.any(array) for array in second)
  # To the bit only where the compiler fuses both programs alike, which depends on the processor.
  np.testing.assert_allclose(logits_of(actor), logits_of(base), rtol=0, atol=1e-5)


def test_an_adapter_adds_alpha_over_rank_times_its_product():
  import numpy as np

  base = small_base()
  actor = lora.add_lora(base, 4, 8.0, ("gate",), seed=0)
  merged = small_base()
  for layer, plain in zip(actor.layers, merged.layers):
    adapted, kernel = layer.mlp.gate_proj, plain.mlp.gate_proj.kernel
    adapted.kernel_lora_b[...] += 0.05
    kernel[...] += 8.0 / 4 * adapted.kernel_lora_a[...] @ adapted.kernel_lora_b[...]
  np.testing.assert_allclose(logits_of(actor), logits_of(merged), atol=1e-4)
  assert np.abs(logits_of(actor) - logits_of(base)).max() > 0.05


def test_the_same_seed_gives_the_same_adapters_and_another_seed_others():
  from flax import nnx
  import numpy as np

  base = small_base()
  first, again, other = (
    flat(lora.add_lora(base, 4, 8.0, ALL, seed), nnx.LoRAParam) for seed in (1, 1, 2)
  )
  for path, array in first.items():
    np.testing.assert_array_equal(array, again[path])
    if path[-1].endswith("_lora_a"):
      assert not np.array_equal(array, other[path])
      # U(-l, l) with l = sqrt(6 / inputs) has standard deviation l / sqrt(3) = sqrt(2 / inputs).
      inputs = np.prod(array.shape[:-1])
      assert np.abs(array).max() <= (6 / inputs) ** 0.5
      assert 0.5 < np.std(array) / (2 / inputs) ** 0.5 < 1.5
    else:
      assert not np.any(array)
  assert len({array.tobytes() for path, array in first.items() if "lora_a" in path[-1]}) == 6


def test_a_bfloat16_base_keeps_its_activations_and_cache_beside_float32_adapters():
  from flax import nnx
  import jax.numpy as jnp

  actor = lora.add_lora(small_base(param_dtype=jnp.bfloat16), 4, 8.0, ALL, seed=0)
  assert {array.dtype for array in flat(actor, nnx.LoRAParam).values()} == {jnp.dtype("float32")}
  ids, positions, mask = inputs()
  cache = {
    "layer_0": {
      "k": jnp.zeros((2, 12, 1, 8), jnp.bfloat16),
      "v": jnp.zeros((2, 12, 1, 8), jnp.bfloat16),
      "end_index": jnp.zeros(2, jnp.int32),
    }
  }
  logits, cache = nnx.eval_shape(lambda model: model(ids, positions, cache, mask), actor)
  assert logits.dtype == cache["layer_0"]["v"].dtype == jnp.bfloat16


def test_gradients_reach_the_float32_adapters_of_a_bfloat16_base():
  from flax import nnx
  import jax.numpy as jnp

  actor = lora.add_lora(small_base(param_dtype=jnp.bfloat16), 4, 8.0, ALL, seed=0)
  ids, positions, mask = inputs()

  def loss(model):
    return jnp.square(model(ids, positions, None, mask)[0].astype(jnp.float32)).mean()

  gradient = nnx.jit(nnx.grad(loss, argnums=nnx.DiffState(0, nnx.LoRAParam)))(actor)
  for path, array in flat_state(gradient).items():
    assert array.dtype == jnp.float32
    if path[-1].endswith("_lora_b"):  # A's gradient is zero while B is
      assert jnp.any(array != 0), path


def test_a_base_that_is_not_on_a_mesh_is_refused():
  with pytest.raises(ValueError, match="on its mesh before LoRA"):
    lora.add_lora(unplaced_base(), 4, 8.0, ALL, seed=0)


def test_a_module_that_the_model_lacks_is_refused():
  with pytest.raises(ConfigError, match="no module 'q'"):
    lora.add_lora(small_base(num_kv_heads=4), 4, 8.0, ("q", "gate"), seed=0)


@pytest.mark.parametrize(
  "rank, alpha, modules, sentence",
  [
    (0, 8.0, ALL, "config.model.lora.rank=0: expected 1 or more"),
    (4, 0.0, ALL, "config.model.lora.alpha=0.0: expected above 0"),
    (4, 8.0, (), "config.model.lora.modules: it is empty"),
  ],
)
def test_settings_that_cannot_be_used_are_named(rank, alpha, modules, sentence):
  with pytest.raises(ConfigError, match=sentence):
    lora.Lora(rank=rank, alpha=alpha, modules=modules)


def test_a_module_that_the_family_has_not_is_refused_with_the_near_miss():
  with pytest.raises(ConfigError, match="has 'attention_out'. Did you mean 'attention_output'. Accepted: q, kv"):
    lora.check_modules(("q", "attention_out"), gemma3)


EIGHT_DEVICES = """
import json
import jax
from flax import nnx
from reasoner.models import gemma3
from reasoner.models import lora
from reasoner.models import mesh as meshes
from rewards.errors import ConfigError
from tests.reasoner.models import test_lora

found = {}
one = test_lora.small_base()
reference = test_lora.logits_of(test_lora.lora.add_lora(one, 4, 8.0, test_lora.ALL, 0), batch=8)
mesh = meshes.make_mesh(fsdp=2, tp=4)
base = test_lora.small_base(mesh)
actor = lora.add_lora(base, 4, 8.0, test_lora.ALL, seed=0)
a, b = test_lora.flat(actor), test_lora.flat(base)
found["shared"] = all(a[path] is array for path, array in b.items())
found["devices"] = sorted({len(array.sharding.device_set) for array in a.values()})
q = ("layers", 0, "attn", "q_einsum")
found["q"] = str(a[*q, "w"].sharding.spec)
found["q_a"] = str(a[*q, "w_lora_a"].sharding.spec)
found["q_b"] = str(a[*q, "w_lora_b"].sharding.spec)
found["q_shard"] = a[*q, "w"].addressable_shards[0].data.shape
found["difference"] = float(abs(test_lora.logits_of(actor, batch=8) - reference).max())
found["all_by_default"] = dict(meshes.make_mesh().shape)
found["tp_leaves"] = dict(meshes.make_mesh(tp=2).shape)
for name, make in {
  "tp3": lambda: meshes.make_mesh(tp=3),
  "too_many": lambda: meshes.make_mesh(fsdp=4, tp=4),
  "heads": lambda: meshes.check_fits(test_lora.small_config(num_heads=2), mesh),
  "vocabulary": lambda: meshes.check_fits(test_lora.small_config(num_embed=66), mesh),
}.items():
  try:
    make()
  except ConfigError as error:
    found[name] = str(error)
meshes.check_fits(test_lora.small_config(), mesh)
print(json.dumps(found))
"""


@pytest.fixture(name="eight", scope="module")
def _eight():
  environment = os.environ | {
    "XLA_FLAGS": "--xla_force_host_platform_device_count=8",
    "JAX_PLATFORMS": "cpu",
  }
  run = subprocess.run(
    [sys.executable, "-W", "ignore", "-c", EIGHT_DEVICES],
    env=environment,
    capture_output=True,
    text=True,
    timeout=300,
  )
  assert run.returncode == 0, run.stderr[-3000:]
  return json.loads(run.stdout.splitlines()[-1])


def test_on_eight_devices_base_and_adapters_are_split_over_the_mesh_and_shared(eight):
  assert eight["shared"]
  assert eight["devices"] == [8]
  assert "'tp', 'fsdp'" in eight["q"]
  assert "'fsdp'" in eight["q_a"] and "'tp'" in eight["q_b"]
  assert eight["q_shard"] == [1, 8, 8]  # [4 heads / 4, width 16 / 2, head_dim 8]


def test_on_eight_devices_the_logits_are_those_of_one(eight):
  assert eight["difference"] < 1e-4


def test_a_mesh_takes_all_devices_that_tp_leaves(eight):
  assert eight["all_by_default"] == {"fsdp": 8, "tp": 1}
  assert eight["tp_leaves"] == {"fsdp": 4, "tp": 2}


def test_a_mesh_that_the_devices_or_the_model_do_not_divide_is_refused_by_name(eight):
  assert eight["tp3"] == "config.model.mesh.tp: 3 does not divide the 8 devices present."
  assert eight["too_many"] == "config.model.mesh: fsdp=4 x tp=4 needs 16 devices, 8 are present."
  assert "config.model.mesh.tp: 4 does not divide a dimension of 2 in layers" in eight["heads"]
  assert "a dimension of 66 in embedder.input_embedding" in eight["vocabulary"]
