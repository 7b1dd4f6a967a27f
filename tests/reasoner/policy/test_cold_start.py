"""How traces are packed and trained on."""

import numpy as np
import pytest

from reasoner.policy import cold_start
from rewards.errors import ConfigError
from tests.reasoner.data.test_traces import build
from tests.reasoner.data.test_traces import math
from tests.reasoner.data.test_traces import Tokenizer


def batches(traces, **changes):
  settings = dict(batch_size=6, max_tokens=700, seed=0, start_step=0, steps=4)
  return list(cold_start.batches(traces, Tokenizer(), **(settings | changes)))


def test_packed_rows_hold_every_trace_once_with_its_own_positions():
  traces = build([math(n) for n in range(20, 44)])
  seen = []
  for batch in batches(traces, steps=4):
    is_targets = np.isin(np.arange(batch["tokens"].size), batch.pop("targets")).reshape(batch["tokens"].shape)
    for tokens, positions, segments, is_target in zip(*batch.values(), is_targets, strict=True):
      for number in range(1, segments.max() + 1):
        mine = segments == number
        assert (positions[mine] == np.arange(mine.sum())).all()
        seen.append((tuple(tokens[mine]), int(is_target[mine].sum())))
      assert not is_target[segments == 0].any() and (tokens[segments == 0] == 0).all()
  wanted = []
  for trace in traces:
    completion = [*Tokenizer().encode(trace.completion), Tokenizer().eos_id()]
    wanted.append(((2, *Tokenizer().encode(trace.prompt), *completion), len(completion)))
  assert sorted(seen) == sorted(wanted)


def test_batches_have_one_shape_and_begin_again_only_after_all_rows():
  traces = build([math(n) for n in range(20, 44)])
  first, again = batches(traces, steps=4), batches(traces, steps=8)
  assert len({batch["tokens"].shape for batch in again}) == 1
  assert all((a["tokens"] == b["tokens"]).all() for a, b in zip(first, again))
  rows = [sorted(map(tuple, np.concatenate([b["tokens"] for b in again[i : i + 4]]))) for i in (0, 4)]
  assert rows[0] == rows[1]


def test_a_batch_is_a_function_of_its_step():
  traces = build([math(n) for n in range(20, 44)])
  whole, rest = batches(traces, steps=4), batches(traces, steps=4, start_step=2)
  assert len(rest) == 2
  for expected, batch in zip(whole[2:], rest):
    assert all((expected[name] == batch[name]).all() for name in expected)


def test_whose_traces_a_batch_holds_can_be_told():
  traces = build([math(n) for n in range(20, 44)])
  by_tokens = {(2, *Tokenizer().encode(t.prompt), *Tokenizer().encode(t.completion), 1): t.uid for t in traces}
  assert len(set(by_tokens.values())) == 24
  for step, batch in enumerate(batches(traces, steps=6)):
    told = cold_start.uids(traces, Tokenizer(), step, batch_size=6, max_tokens=700, seed=0)
    held = [
        by_tokens[tuple(tokens[segments == number])]
        for tokens, segments in zip(batch["tokens"], batch["segments"]) for number in range(1, segments.max() + 1)
    ]
    assert told == held


def test_rows_divide_over_a_mesh():
  traces = build([math(n) for n in range(20, 44)])
  assert all(len(batch["tokens"]) % 4 == 0 for batch in batches(traces, divisor=4))


def test_a_trace_longer_than_allowed_is_refused():
  with pytest.raises(ConfigError, match="a trace of math takes"):
    batches(build([math(20)]), max_tokens=50)


@pytest.fixture(scope="module")
def mesh():
  from reasoner.models import mesh as mesh_lib

  return mesh_lib.make_mesh(1, 1)


def small_model(mesh):
  """One layer of Gemma 3 whose feed-forward kernels are not Tunix's zeros."""
  from flax import nnx
  import jax
  import jax.numpy as jnp
  from tunix.models.gemma3 import model as gemma3

  from reasoner.models import mesh as mesh_lib

  config = gemma3.ModelConfig(
      num_layers=1, num_embed=64, embed_dim=32, hidden_dim=64, num_heads=2, head_dim=16, num_kv_heads=1,
      sliding_window_size=1024, param_dtype=jnp.float32,
  )
  model = gemma3.Gemma3(config, rngs=nnx.Rngs(0))
  for _, parameter in nnx.iter_graph(model):
    if isinstance(parameter, nnx.Param) and parameter.get_value().ndim > 1:
      value = parameter.get_value()
      parameter.set_value(0.2 * jax.random.normal(jax.random.key(value.size), value.shape))
  return mesh_lib.place(model, mesh)


def test_a_packed_trace_is_learned_as_if_it_stood_alone(mesh):
  from flax import nnx
  import jax.numpy as jnp

  traces = build([math(20), math(31, "After")])
  model = small_model(mesh)
  together, = batches(traces, batch_size=2, steps=1)
  assert together["tokens"].shape[0] == 1
  jitted = nnx.jit(lambda model, **batch: cold_start._loss(*nnx.split(model, nnx.Param, ...), **batch))
  loss = lambda batch: float(jitted(model, **{name: jnp.asarray(array) for name, array in batch.items()}))
  alone = [(loss(b), (b["targets"] >= 0).sum()) for t in traces for b in batches([t], batch_size=1, steps=1)]
  mean = sum(value * count for value, count in alone) / sum(count for _, count in alone)
  assert loss(together) == pytest.approx(mean, rel=1e-4)


def test_training_learns_its_traces_all_weights_taking_part(mesh):
  from flax import nnx
  import jax

  model = small_model(mesh)
  before = jax.tree.map(np.asarray, nnx.to_pure_dict(nnx.state(model, nnx.Param)))
  learner = cold_start.Learner(model, mesh, steps=12, learning_rate=1e-2, warmup_fraction=0.1)
  traces = build([math(n) for n in range(20, 28)])
  own = batches(traces, batch_size=4, max_tokens=320, steps=12)
  measured = [tuple(map(float, learner.measure(own[0]))) for _ in range(2)]
  losses = [float(learner.update(own[0])[0]), *(float(learner.update(batch)[0]) for batch in own[1:])]
  assert measured[0] == measured[1] and measured[0][0] == losses[0]  # measuring changes nothing
  assert losses[-1] < 0.7 * losses[0]
  after = jax.tree.map(np.asarray, nnx.to_pure_dict(nnx.state(model, nnx.Param)))
  changed = jax.tree.map(lambda a, b: bool((a != b).any()), before, after)
  assert all(jax.tree.leaves(changed))


def test_a_model_with_an_adapter_trains_the_adapter_alone(mesh):
  from flax import nnx
  import jax

  from reasoner.models import lora
  from reasoner.run import checkpoints

  actor = lora.add_lora(small_model(mesh), rank=2, alpha=4.0, modules=("q", "gate"), seed=0)
  arrays = lambda: {k: np.asarray(v) for k, v in checkpoints.arrays_of(actor, nnx.Param).items()}
  before = arrays()
  learner = cold_start.Learner(actor, mesh, steps=3, learning_rate=1e-2, warmup_fraction=0.1)
  for batch in batches(build([math(n) for n in range(20, 24)]), batch_size=2, max_tokens=320, steps=3):
    jax.block_until_ready(learner.update(batch))
  after = arrays()
  changed = {name for name in before if (before[name] != after[name]).any()}
  assert changed and all("lora" in name for name in changed)
