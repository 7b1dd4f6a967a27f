"""What ends a run early: what is not finite, SIGTERM, a full disk."""

import errno
import logging
import math
import os
import pathlib
import signal
import subprocess
import sys
import threading

import absl.logging
import pytest

from reasoner import processes
from reasoner.run import files
from reasoner.run import stopping


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_named_with_phase_step_and_rows(value):
  rows = lambda: ["gsm8k/1", "gsm8k/1", *(f"xsum/{i}" for i in range(20))]  # noqa: E731
  with pytest.raises(stopping.Diverged) as error:
    stopping.check_finite(
      "GRPO", 7, {"loss": 0.5, "gradient norm": value}, rows, "config.train.learning_rate"
    )
  assert str(error.value).startswith(
    f"GRPO, step 7: the gradient norm is {value}. Its rows: gsm8k/1, xsum/0, "
  )
  assert "xsum/14 and 5 more." in str(error.value) and "config.train.learning_rate" in str(error.value)


def test_finite_values_pass_and_no_row_is_looked_up():
  stopping.check_finite("GRPO", 7, {"loss": -1e30}, lambda: 1 / 0, "config.train.learning_rate")


@pytest.fixture
def termination():
  before = signal.getsignal(signal.SIGTERM)
  termination = stopping.Termination()
  termination.install()
  yield termination
  signal.signal(signal.SIGTERM, before)


def test_sigterm_ends_what_runs_and_is_no_failure_that_a_library_could_catch(termination):
  with pytest.raises(stopping.Terminated):
    try:
      os.kill(os.getpid(), signal.SIGTERM)
    except Exception:
      pytest.fail("taken for a failure")


def test_sigterm_waits_for_what_must_be_whole(termination):
  with termination.held():
    os.kill(os.getpid(), signal.SIGTERM)
    whole = True
  assert whole
  with pytest.raises(stopping.Terminated):
    termination.check()


def test_a_full_disk_is_recognised_behind_other_errors():
  full = OSError(errno.ENOSPC, "No space left on device", "runs/a/metrics.jsonl")
  assert stopping.full_disk(full) == "runs/a/metrics.jsonl"
  try:
    try:
      raise full
    except OSError as error:
      raise RuntimeError("while writing") from error
  except RuntimeError as error:
    assert stopping.full_disk(error) == "runs/a/metrics.jsonl"
  store = 'Failed writing: "/runs/a/checkpoints/grpo/3.orbax-checkpoint-tmp/d/x": No space left on device [os_error_code]'
  assert stopping.full_disk(ValueError(store)) == "/runs/a/checkpoints/grpo"
  assert stopping.full_disk(OSError(errno.EACCES, "Permission denied", "x")) is None
  assert stopping.full_disk(ValueError("another")) is None


@pytest.fixture
def small_disk(tmp_path):
  """A file system of 5 MB, where this machine lets one be mounted."""
  if subprocess.run(
    ["mount", "-t", "tmpfs", "-o", "size=5m", "tmpfs", tmp_path], capture_output=True
  ).returncode:
    pytest.skip("no file system can be mounted here")
  yield tmp_path
  subprocess.run(["umount", "-l", tmp_path], check=True)


def test_what_a_full_disk_cuts_off_leaves_the_old_file_and_nothing_beside_it(small_disk):
  files.write_json(small_disk / "a.json", {"x": 1})
  with pytest.raises(OSError) as error:
    files.write_json(small_disk / "a.json", {"x": "y" * 6_000_000})
  assert stopping.full_disk(error.value)
  assert files.read_json(small_disk / "a.json") == {"x": 1}
  assert [path.name for path in small_disk.iterdir()] == ["a.json"]


def test_a_checkpoint_on_a_full_disk_keeps_the_one_before_and_goes_on_when_there_is_room(small_disk):
  from flax import nnx
  import jax.numpy as jnp

  from reasoner.run import checkpoints

  model = nnx.Linear(1000, 600, rngs=nnx.Rngs(0))  # 2.4 MB
  open_saved = lambda: checkpoints.Checkpoints(small_disk / "c", {"model": (model, nnx.Param)}, keep=1, template="")  # noqa: E731
  with open_saved() as saved:
    saved.whole(1)
    saved.save()
  ballast = pathlib.Path(small_disk, "ballast")
  ballast.write_bytes(b"x" * 2_000_000)
  with pytest.raises(Exception) as error, open_saved() as saved:
    assert saved.resume() == 1
    saved.whole(2)
    saved.save()
  assert "c" in stopping.full_disk(error.value)
  ballast.unlink()
  model.kernel[...] = jnp.zeros_like(model.kernel[...])
  with open_saved() as saved:
    assert saved.resume() == 1 and model.kernel[...].any()
    assert not list((small_disk / "c").glob("*tmp*"))
    saved.whole(2)
    saved.save()
  assert [path.name for path in (small_disk / "c").iterdir()] == ["2"]


def test_the_log_of_a_run_says_so_when_the_disk_is_full(small_disk):
  from reasoner.reporting import metrics

  pathlib.Path(small_disk, "ballast").write_bytes(b"x" * 5_100_000)
  log = metrics.Log(small_disk, 0)
  log.write(0, {"loss": 1.0})
  with pytest.raises(OSError) as error:
    for step in range(1, 3000):
      log.write(step, {f"rewards/{'x' * 200}/{i}": 1.0 for i in range(10)})
  assert stopping.full_disk(error.value)


def test_of_several_processes_none_stops_before_all_do(monkeypatch):
  termination = stopping.Termination()
  monkeypatch.setattr(processes, "several", lambda: True)
  termination._on_signal()  # another one may be waiting for this one
  asked = []
  monkeypatch.setattr(processes, "exchange", lambda own: asked.append(own) or [own, False])
  with pytest.raises(stopping.Terminated):
    termination.check()
  assert asked == [True]
  monkeypatch.setattr(processes, "exchange", lambda own: [True, own])
  with pytest.raises(stopping.Terminated):
    stopping.Termination().check()  # it was another that was asked to


def test_of_many_writes_to_a_full_disk_one_error_is_told(monkeypatch, caplog):
  told = []
  monkeypatch.setattr(sys, "excepthook", lambda kind, error, trace: told.append(str(error)))
  monkeypatch.setattr(logging.getLogger("absl"), "filters", [])
  stopping.drop_echoes()
  echo, own = RuntimeError("Event loop is closed"), RuntimeError("a bug in a thread")
  for error in (echo, own):
    thread = threading.Thread(target=sys.excepthook, args=(type(error), error, None))
    thread.start()
    thread.join()
  sys.excepthook(type(echo), echo, None)  # of the main thread: somebody's bug
  assert told == ["a bug in a thread", "Event loop is closed"]
  for error in (OSError(errno.ENOSPC, "No space left on device"), OSError(errno.EIO, "a disk that breaks")):
    absl.logging.error("a thread raised %s", error, exc_info=error)
  assert [record.getMessage() for record in caplog.records] == ["a thread raised [Errno 5] a disk that breaks"]
