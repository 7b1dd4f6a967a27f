"""Checkpoints: the same arrays back, another template refused, damaged ones set aside."""

import shutil

from flax import nnx
import jax
import jax.numpy as jnp
import pytest

from reasoner.run import checkpoints
from reasoner.run import stopping
from rewards.errors import ConfigError


def model(seed):
  return nnx.Linear(3, 2, rngs=nnx.Rngs(seed))


def saved(directory, module, keep=1, template="</answer>\n\nTask: {task}", **settings):
  return checkpoints.Checkpoints(
      directory, {"model": (module, nnx.Param)}, keep=keep, template=template, **settings
  )


def save(kept, step):
  kept.whole(step)
  kept.save()


def test_arrays_come_back_to_the_same_bits_into_another_module(tmp_path):
  first, other = model(0), model(1)
  assert saved(tmp_path, first).resume() == 0
  save(saved(tmp_path, first), 7)
  assert saved(tmp_path, other).resume() == 7
  digest = checkpoints.sha256(checkpoints.arrays_of(first))
  assert checkpoints.sha256(checkpoints.arrays_of(other)) == digest
  assert checkpoints.sha256(checkpoints.arrays_of(model(1))) != digest


def test_a_checkpoint_of_another_template_is_refused_with_both_shown(tmp_path):
  save(saved(tmp_path, model(0)), 1)
  with pytest.raises(ConfigError, match="another prompt template") as error:
    saved(tmp_path, model(0), template="</answer>\nTask: {task}").resume()
  assert r"\n\nTask" in str(error.value) and r"</answer>\nTask" in str(error.value)


def test_what_must_stand_before_a_checkpoint_is_written_before_it(tmp_path):
  seen = []
  kept = saved(tmp_path, model(0), before_save=lambda: seen.append(any(p.name.isdigit() for p in tmp_path.iterdir())))
  save(kept, 1)
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
    save(kept, step)
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
  save(saved(tmp_path, model(0), recorder=Recorder(values)), 1)
  back = Recorder()
  assert saved(tmp_path, model(1), recorder=back).resume() == 1
  assert back.values == values


def files_of(checkpoint):
  return sorted(path for path in checkpoint.rglob("*") if path.is_file())


@pytest.mark.parametrize("damage", ["cut", "empty", "gone", "flipped"])
def test_a_damaged_checkpoint_is_set_aside_and_the_one_before_goes_on_to_the_same_bits(tmp_path, damage, capsys):
  before, newest = model(0), model(1)
  save(saved(tmp_path / "whole", before, keep=2), 1)
  save(saved(tmp_path / "whole", newest, keep=2), 2)
  digests = {step: checkpoints.sha256(checkpoints.arrays_of(m)) for step, m in ((1, before), (2, newest))}
  resumed = []
  for number, path in enumerate(files_of(tmp_path / "whole" / "2")):
    copy = tmp_path / str(number)
    shutil.copytree(tmp_path / "whole", copy)
    file, content = copy / path.relative_to(tmp_path / "whole"), path.read_bytes()
    match damage:
      case "cut": file.write_bytes(content[: len(content) // 2])
      case "empty": file.write_bytes(b"")
      case "gone": file.unlink()
      case "flipped": file.write_bytes(bytes([content[0] ^ 255, *content[1:-1], content[-1] ^ 255]))
    other = model(3)
    with saved(copy, other, keep=2) as kept:
      step = kept.resume()
      # Whatever file was hit: either its loss does not matter, or the checkpoint before is the one.
      assert checkpoints.sha256(checkpoints.arrays_of(other)) == digests[step], file
      assert (step == 1) == bool(list(copy.glob("damaged_2_0"))) == ("set aside" in capsys.readouterr().out)
      save(kept, 2)
    assert (copy / "2").is_dir()
    resumed.append(step)
  assert resumed.count(1) >= 3


def test_bytes_that_read_well_and_are_others_are_damage(tmp_path, monkeypatch):
  kept = saved(tmp_path, model(0), keep=2)
  save(kept, 1)
  monkeypatch.setattr(checkpoints, "sha256", lambda arrays: "0" * 64)
  save(kept, 2)
  monkeypatch.undo()
  assert kept.resume() == 1


def test_where_every_checkpoint_is_damaged_the_phase_begins_anew(tmp_path):
  module = model(0)
  kept = saved(tmp_path, module)
  save(kept, 1)
  for path in files_of(tmp_path / "1"):
    path.write_bytes(b"")
  digest = checkpoints.sha256(checkpoints.arrays_of(module))
  assert saved(tmp_path, module).resume() == 0
  assert checkpoints.sha256(checkpoints.arrays_of(module)) == digest


def test_one_is_due_by_steps_and_by_time(tmp_path, monkeypatch):
  now = [0.0]
  monkeypatch.setattr(checkpoints.time, "monotonic", lambda: now[0])
  kept = saved(tmp_path, model(0), every=5, minutes=10.0)
  assert [kept.due(step) for step in (1, 4, 5, 10)] == [False, False, True, True]
  now[0] = 599.0
  assert not kept.due(6)
  now[0] = 600.0
  assert kept.due(6)
  save(kept, 6)
  assert not kept.due(7)


def test_sigterm_saves_the_last_whole_step_and_another_end_does_not(tmp_path):
  for error, steps in ((stopping.Terminated, ["1"]), (ZeroDivisionError, [])):
    module, recorder = model(0), Recorder({"whole": 1})
    with pytest.raises(error), saved(tmp_path / error.__name__, module, recorder=recorder) as kept:
      kept.resume()
      kept.whole(1)
      digest = checkpoints.sha256(checkpoints.arrays_of(module))
      checkpoints.assign(module, checkpoints.arrays_of(model(1)))  # half of step 2
      recorder.values = {"half": 2}
      raise error
    assert [path.name for path in (tmp_path / error.__name__).iterdir()] == steps
  other = model(2)
  assert saved(tmp_path / "Terminated", other, recorder=recorder).resume() == 1
  assert recorder.values == {"whole": 1}
  assert checkpoints.sha256(checkpoints.arrays_of(other)) == digest
