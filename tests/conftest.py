"""An exception of our own reader fails a test run; where it must not, a test says so."""

import os

from rewards.scorer import STRICT

os.environ[STRICT] = "1"  # scoring workers, and the commands that tests start, have it too


def pytest_collection_modifyitems(items):
  """Whole trainings first: they are the longest file, and another process has all else to do meanwhile."""
  items.sort(key=lambda item: item.path.name != "test_train.py")
