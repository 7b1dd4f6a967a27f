"""Where a model's files come from: the Hugging Face hub, Kaggle, Python packages, a directory.

Each door has
  place      where that is, for a person to read
  check()    raises ConfigError where fetching cannot succeed; reads no weights, asks no server
  at_hand()  the directory if it is on this machine already, else None
  fetch()    the directory; the first call downloads or converts

A directory holds config.json, tokenizer.model and *.safetensors. A server that refuses or cannot be
reached is one sentence that names the cure.
"""

import hashlib
import importlib
import importlib.util
from pathlib import Path
import re
import tempfile

from reasoner.models.family import Release
from rewards.errors import ConfigError

PATTERNS = ("config.json", "tokenizer.model", "*.safetensors")
# Raised when gguf_convert.py writes other bytes, so that an older cache is not taken for a new one.
GGUF_CONVERSION = 1
_OR_LOCAL = 'Or have a directory of its files: config.model.source="local", config.model.path.'


def _whole(directory: Path) -> bool:
  return all(any(directory.glob(pattern)) for pattern in PATTERNS)


class Local:
  """A directory of yours."""

  def __init__(self, path: str):
    self._path = path
    self.place = f"the directory {path}"

  def check(self) -> None:
    if not self._path:
      raise ConfigError('config.model.source="local" needs config.model.path: a directory of its files.')
    self.fetch()

  def at_hand(self) -> Path | None:
    directory = Path(self._path).expanduser()
    return directory if _whole(directory) else None

  def fetch(self) -> Path:
    directory = Path(self._path).expanduser()
    if not directory.is_dir():
      raise ConfigError(f"config.model.path: there is no directory {self._path!r}.")
    for pattern in PATTERNS:
      if not any(directory.glob(pattern)):
        raise ConfigError(
            f"config.model.path: {self._path!r} has no {pattern}; it must hold config.json, tokenizer.model"
            " and the weights as safetensors."
        )
    return directory


class HuggingFace:
  """A repository on huggingface.co; "owner/name@revision" pins a commit, a branch or a tag."""

  def __init__(self, repository: str):
    self._asked = repository
    self._repository, _, revision = repository.partition("@")
    self._revision = revision or None
    self.place = f"huggingface.co/{repository}"

  def _download(self, **settings) -> Path:
    import huggingface_hub

    return Path(
        huggingface_hub.snapshot_download(
            self._repository, revision=self._revision, allow_patterns=list(PATTERNS), **settings
        )
    )

  def check(self) -> None:
    """Finds out without asking that a gated repository has nobody's login: that would cost minutes of a run."""
    _check_path(self._asked, r"[\w.-]+/[\w.-]+(@[\w./-]+)?", "owner/name of a repository")
    if self.at_hand() is None and self._repository.startswith("google/"):
      import huggingface_hub

      if huggingface_hub.get_token() is None:
        raise ConfigError(f"config.model: {self.place} is not on this machine and is gated. {self._login}")

  @property
  def _login(self) -> str:
    return (
        f"Accept the terms at https://huggingface.co/{self._repository} and run `hf auth login` (or set"
        f" HF_TOKEN). {_OR_LOCAL}"
    )

  def at_hand(self) -> Path | None:
    from huggingface_hub import errors

    try:
      directory = self._download(local_files_only=True)
    except errors.LocalEntryNotFoundError:
      return None
    return directory if _whole(directory) else None

  def fetch(self) -> Path:
    directory = self.at_hand()
    if directory is not None:
      return directory
    import httpx

    print(f"Downloading {self.place}, once ...", flush=True)
    try:
      return self._download()
    except (OSError, httpx.HTTPError) as error:  # the hub's own errors are OSErrors
      raise ConfigError(f"config.model: {self.place} {self._reason(error)}") from error

  def _reason(self, error: Exception) -> str:
    """What the hub's refusal means, and what helps."""
    from huggingface_hub import errors

    while isinstance(error, errors.LocalEntryNotFoundError) and error.__cause__:
      error = error.__cause__  # what kept it from the net
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, errors.GatedRepoError):
      return f"is gated. {self._login}"
    if isinstance(error, errors.RevisionNotFoundError):
      return f"has no revision {self._revision!r} (404)."
    if isinstance(error, errors.RepositoryNotFoundError) or status == 404:
      return f"is not there, or is private and not yours to read ({status})."
    if status in (401, 403):
      return f"does not accept this login ({status}). {self._login}"
    if status:
      return f"could not be downloaded: the hub answered {status}. Try again later."
    return f"could not be downloaded: the hub cannot be reached ({type(error).__name__}). {_OR_LOCAL}"


class Kaggle:
  """A model on Kaggle, by kagglehub; in a Kaggle notebook it is mounted, not downloaded."""

  def __init__(self, handle: str):
    self._handle = handle
    self.place = f"kaggle.com/models/{handle}"

  def check(self) -> None:
    _check_path(self._handle, r"[\w.-]+(/[\w.-]+){3}(/\d+)?", "owner/model/framework/variation")
    if importlib.util.find_spec("kagglehub") is None:
      raise ConfigError(
          'config.model.source="kaggle" needs the Python package kagglehub; run'
          " pip install 'reasoner[kaggle]'."
      )

  def at_hand(self) -> None:
    """kagglehub asks the server which version is the newest before it looks into its cache."""

  def fetch(self) -> Path:
    import kagglehub
    from kagglehub import exceptions
    import requests

    print(f"Fetching {self.place} ...", flush=True)
    try:
      return Path(kagglehub.model_download(self._handle))
    except (
        exceptions.BackendError, exceptions.CredentialError, exceptions.DataCorruptionError,
        exceptions.NotFoundError, exceptions.UnauthenticatedError, requests.RequestException,
    ) as error:  # fmt: skip
      raise ConfigError(f"config.model: {self.place} {self._reason(error)}") from error

  def _reason(self, error: Exception) -> str:
    from kagglehub import exceptions

    status = getattr(getattr(error, "response", None), "status_code", None)
    no_login = isinstance(error, (exceptions.CredentialError, exceptions.UnauthenticatedError))
    if no_login or status in (401, 403):
      return (
          "needs your consent and login: accept the terms on that page, then kagglehub.login(), or set"
          f" KAGGLE_USERNAME and KAGGLE_KEY. {_OR_LOCAL}"
      )
    if status == 404 or isinstance(error, exceptions.NotFoundError):
      return "is not there (404)."
    if status:
      return f"could not be downloaded: Kaggle answered {status}. Try again later."
    return f"could not be downloaded ({type(error).__name__}: {error}). {_OR_LOCAL}"


class PyPI:
  """A GGUF file in chunk packages, converted once into the cache directory."""

  def __init__(self, release: Release):
    self._packages = release.pypi
    self._name = release.hub.rpartition("/")[2]
    self.place = f"the Python package {release.pypi.package}, four to six bits a weight"

  def _converted(self) -> Path:
    from reasoner.models import cache_directory

    return cache_directory() / f"{self._name}-{self._packages.sha256[:8]}-{GGUF_CONVERSION}"

  def check(self) -> None:
    if self._converted().is_dir():
      return
    package = self._packages.package
    names = (package, *(f"{package}_part{i + 1}" for i in range(self._packages.parts)), "gguf")
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
      raise ConfigError(
          f'config.model.source="pypi" needs the Python packages {", ".join(missing)}; run'
          f" pip install 'reasoner[{self._packages.extra}]'. {_OR_LOCAL}"
      )

  def at_hand(self) -> Path | None:
    return self._converted() if self._converted().is_dir() else None

  def fetch(self) -> Path:
    """Returns the converted directory; the first call writes it (270M: 1.1 GB, about half a minute).

    It appears under its name only when complete, so a killed conversion leaves nothing to trip
    over, and two processes at once do no harm.

    Raises:
      ConfigError: the packages' file is not the one that was checked for this project.
    """
    target = self._converted()
    if target.is_dir():
      return target
    from reasoner.models import gguf_convert

    print(f"Converting {self._name} into {target}, once ...", flush=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as scratch:
      gguf_path = Path(scratch, "model.gguf")
      self._assemble(gguf_path)
      gguf_convert.convert(gguf_path, Path(scratch, "model"))
      try:
        Path(scratch, "model").rename(target)
      except OSError:
        if not target.is_dir():  # not merely another process that was faster
          raise
    return target

  def _assemble(self, path: Path) -> None:
    """Joins the chunk packages into one file and checks what came out."""
    packages = self._packages
    try:
      importlib.import_module(packages.package).assemble(path)
    except (FileNotFoundError, ValueError) as error:  # a chunk is missing or damaged
      raise ConfigError(f"config.model: {packages.package}: {error}; reinstall it.") from error
    with open(path, "rb") as file:
      digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != packages.sha256:
      raise ConfigError(
          f"config.model: {packages.package} is known with sha256 {packages.sha256}; the installed packages"
          f" hold {digest}."
      )


def _check_path(path: str, pattern: str, expected: str) -> None:
  if not re.fullmatch(pattern, path) or Path(path).expanduser().is_dir():
    raise ConfigError(
        f"config.model.path={path!r}: expected {expected}; for a directory of yours set"
        ' config.model.source="local".'
    )
