"""An exception of our own reader fails a test run; where it must not, a test says so."""

import os
import tempfile

from rewards.scorer import STRICT

os.environ[STRICT] = "1"  # scoring workers, and the commands that tests start, have it too


def pytest_configure(config):
  """What one test compiles, no other need: in this process, pytest's workers, and the commands they start.

  Before JAX is loaded, which reads its environment once. An entry that another process has not written whole
  is not read: JAX warns and compiles.
  """
  if not hasattr(config, "workerinput"):
    directory = tempfile.TemporaryDirectory(prefix="compiled-")
    config.add_cleanup(directory.cleanup)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = directory.name
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"


# By the seconds that they take, the longest first: what a process begins last, the other has to wait for.
LONG = ("test_train.py", "test_grpo.py", "test_laws.py", "test_layers.py", "test_losses.py", "test_faults.py")


def pytest_collection_modifyitems(items):
  """Long files first, whole trainings before all."""
  items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))
