"""Checkpoints: the same arrays back, and another template refused."""

from flax import nnx
import jax
import jax.numpy as jnp
import pytest

from reasoner.data import prompts
from reasoner.run import checkpoints
from rewards.errors import ConfigError


def model(seed):
  return nnx.Linear(3, 2, rngs=nnx.Rngs(seed))


def test_arrays_come_back_to_the_same_bits_into_another_module(tmp_path):
  first, other = model(0), model(1)
  saved = checkpoints.Checkpoints(tmp_path, keep=2)
  saved.save(7, {"model": checkpoints.arrays_of(first)})
  assert saved.latest() == 7
  restored = saved.restore(7, {"model": checkpoints.arrays_of(other)})
  checkpoints.assign(other, restored["model"])
  digest = checkpoints.sha256(checkpoints.arrays_of(first))
  assert checkpoints.sha256(checkpoints.arrays_of(other)) == digest
  assert checkpoints.sha256(checkpoints.arrays_of(model(1))) != digest


def test_a_checkpoint_of_another_template_is_refused_with_both_shown(tmp_path, monkeypatch):
  saved = checkpoints.Checkpoints(tmp_path, keep=1)
  arrays = {"model": checkpoints.arrays_of(model(0))}
  saved.save(1, arrays)
  monkeypatch.setattr(prompts, "TEMPLATE", prompts.TEMPLATE.replace("\n\nTask", "\nTask"))
  with pytest.raises(ConfigError, match="another prompt template") as error:
    saved.restore(1, arrays)
  assert r"\n\nTask" in str(error.value) and r"</answer>\nTask" in str(error.value)


def test_the_hash_depends_on_names_types_shapes_and_bytes():
  one = {"a": jnp.zeros((2, 3), jnp.float32)}
  digests = {
      checkpoints.sha256(arrays)
      for arrays in (
          one,
          {"b": one["a"]},
          {"a": jnp.zeros((3, 2), jnp.float32)},
          {"a": jnp.zeros((2, 3), jnp.int32)},
          {"a": one["a"].at[0, 0].set(1e-30)},
      )
  }
  assert len(digests) == 5
  assert checkpoints.sha256(dict(jax.tree.map(jnp.copy, one))) in digests


def test_only_the_newest_are_kept(tmp_path):
  saved = checkpoints.Checkpoints(tmp_path, keep=2)
  for step in (1, 2, 3):
    saved.save(step, {"model": checkpoints.arrays_of(model(0))})
  assert sorted(p.name for p in tmp_path.iterdir() if p.name.isdigit()) == ["2", "3"]
