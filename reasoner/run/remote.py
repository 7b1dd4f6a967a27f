"""A work directory in a bucket: the run writes to a local one, which is carried there with each result.

  python -m reasoner.main --config=RECIPE --workdir=gs://bucket/run     # pip install gcsfs

A bucket has no locks, no appending and no renaming in one step, on which resuming to the same bits rests. So the
files live on a disk for as long as the process does: a start fetches what is there, and after each checkpoint and
evaluation what changed is sent, through etils. A kill at any instant, while it sends too, loses no more than since
the result before: a checkpoint that is there in part is found to be damaged, and set aside (run/checkpoints.py).

Not here: a lock. Nothing keeps two machines from running in one bucket's directory at once.
"""

import importlib.util
import pathlib
from typing import TYPE_CHECKING

from rewards.errors import ConfigError

if TYPE_CHECKING:
  from etils import epath

_PACKAGES = {"gs": "gcsfs", "s3": "s3fs", "az": "adlfs"}  # what etils reads a scheme with


def path_of(text: str) -> "pathlib.Path | epath.Path":
  """Returns the path that --workdir names: a local one, or a bucket's.

  Raises:
    ConfigError: the scheme is unknown, or its package is missing.
  """
  scheme, mark, _ = text.partition("://")
  if not mark:
    return pathlib.Path(text)
  if scheme not in _PACKAGES:
    raise ConfigError(f"--workdir={text}: accepted: a directory, or {', '.join(f'{s}://' for s in _PACKAGES)}.")
  if importlib.util.find_spec(package := _PACKAGES[scheme]) is None:
    raise ConfigError(f"--workdir={text} needs the Python package {package}: pip install {package}; or name a directory.")
  from etils import epath

  return epath.Path(text)


def is_remote(path: pathlib.PurePath) -> bool:
  return "://" in str(path)


class Remote:
  """A bucket's directory, and the local one that stands for it.

  Args:
    path: with the methods of a pathlib.Path, as an epath.Path has.
    local: empty at first.
  """

  def __init__(self, path: "epath.Path", local: pathlib.Path):
    self.path, self._local = path, local
    self._sent: dict[pathlib.Path, tuple[int, int]] = {}

  def pull(self) -> None:
    """Fetches all that is there."""
    if self.path.exists():
      self._pull(self.path, self._local)
    self._sent = self._found()

  def _pull(self, path: "epath.Path", local: pathlib.Path) -> None:
    local.mkdir(parents=True, exist_ok=True)
    for child in path.iterdir():
      if child.is_dir():
        self._pull(child, local / child.name)
      else:
        (local / child.name).write_bytes(child.read_bytes())

  def push(self) -> None:
    """Sends what changed, and then removes what is gone.

    What a checkpoint stands for goes before it, and summary.json, which says that the run is complete, last.
    """
    found = self._found()
    changed = [name for name, state in found.items() if self._sent.get(name) != state]
    for name in sorted(changed, key=lambda name: (name.name == "summary.json", name.parts[0] == "checkpoints", name)):
      target = self.path / name
      target.parent.mkdir(parents=True, exist_ok=True)
      target.write_bytes((self._local / name).read_bytes())
    for name in self._sent.keys() - found:
      (self.path / name).unlink(missing_ok=True)
    self._sent = found

  def _found(self) -> dict[pathlib.Path, tuple[int, int]]:
    """Returns size and time of change of each local file, by its name within the directory."""
    files = (path for path in self._local.rglob("*") if path.is_file() and path.name != ".lock")
    return {path.relative_to(self._local): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}
