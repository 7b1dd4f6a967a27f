"""Checkpoints: the same arrays back, and another template refused."""

from flax import nnx
import jax
import jax.numpy as jnp
import pytest

from reasoner.run import checkpoints
from rewards.errors import ConfigError


def model(seed):
  return nnx.Linear(3, 2, rngs=nnx.Rngs(seed))


def saved(directory, module, keep=1, template="</answer>\n\nTask: {task}", **settings):
  return checkpoints.Checkpoints(
      directory, {"model": (module, nnx.Param)}, keep=keep, template=template, **settings
  )


def test_arrays_come_back_to_the_same_bits_into_another_module(tmp_path):
  first, other = model(0), model(1)
  assert saved(tmp_path, first).resume() == 0
  saved(tmp_path, first).save(7)
  assert saved(tmp_path, other).resume() == 7
  digest = checkpoints.sha256(checkpoints.arrays_of(first))
  assert checkpoints.sha256(checkpoints.arrays_of(other)) == digest
  assert checkpoints.sha256(checkpoints.arrays_of(model(1))) != digest


def test_a_checkpoint_of_another_template_is_refused_with_both_shown(tmp_path):
  saved(tmp_path, model(0)).save(1)
  with pytest.raises(ConfigError, match="another prompt template") as error:
    saved(tmp_path, model(0), template="</answer>\nTask: {task}").resume()
  assert r"\n\nTask" in str(error.value) and r"</answer>\nTask" in str(error.value)


def test_what_must_stand_before_a_checkpoint_is_written_before_it(tmp_path):
  seen = []
  kept = saved(tmp_path, model(0), before_save=lambda: seen.append(any(p.name.isdigit() for p in tmp_path.iterdir())))
  kept.save(1)
  assert seen == [False]


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
  kept = saved(tmp_path, model(0), keep=2)
  for step in (1, 2, 3):
    kept.save(step)
  assert sorted(p.name for p in tmp_path.iterdir() if p.name.isdigit()) == ["2", "3"]


class Recorder:
  def __init__(self, values=None):
    self.values = values

  def state(self):
    return self.values

  def restore(self, values):
    self.values = values


def test_what_was_recorded_comes_back_with_the_arrays_to_the_last_bit(tmp_path):
  values = {"math": {"7": [0.1 + 0.2, 1 / 3, 2.0, 5e-324, 4]}, "poems": {}}
  saved(tmp_path, model(0), recorder=Recorder(values)).save(1)
  back = Recorder()
  assert saved(tmp_path, model(1), recorder=back).resume() == 1
  assert back.values == values
