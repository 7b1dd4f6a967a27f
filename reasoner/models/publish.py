"""Sends an exported directory to the Hugging Face hub or to Kaggle.

`prepare` is called before the export is made, so that a login or a name that is refused costs no time;
`upload` after it. Whatever the server says, the export stays on this machine.
"""

from pathlib import Path
import re
from typing import Protocol

from reasoner.models.family import License
from rewards.errors import ConfigError


class Target(Protocol):
  """place: for a person to read."""

  place: str

  def prepare(self) -> None: ...

  def upload(self, directory: Path, license: License) -> None: ...


class Hub:
  """A repository of yours on huggingface.co; made private where it is new."""

  def __init__(self, repository: str):
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
      raise ConfigError(f"--push_to_hub={repository}: expected owner/name.")
    self._repository = repository
    self.place = f"huggingface.co/{repository}"

  def prepare(self) -> None:
    import huggingface_hub

    self._ask(
        lambda: huggingface_hub.HfApi().create_repo(self._repository, private=True, exist_ok=True),
        "cannot be written to: run `hf auth login` (or set HF_TOKEN) with a token that may write there",
    )

  def upload(self, directory: Path, license: License) -> None:
    del license  # the card has it
    import huggingface_hub

    self._ask(
        lambda: huggingface_hub.HfApi().upload_folder(
            repo_id=self._repository, folder_path=directory, commit_message="A model exported by reasoner"
        ),
        f"took no upload; try `hf upload {self._repository} {directory}`",
    )

  def _ask(self, request, cure: str) -> None:
    import httpx

    try:
      request()
    except (OSError, httpx.HTTPError) as error:  # the hub's own errors are OSErrors
      status = getattr(getattr(error, "response", None), "status_code", type(error).__name__)
      raise ConfigError(f"{self.place} {cure} ({status}).") from error


class Kaggle:
  """A model of yours on Kaggle, as owner/model/framework/variation."""

  def __init__(self, handle: str):
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+){3}", handle):
      raise ConfigError(f"--push_to_kaggle={handle}: expected owner/model/framework/variation.")
    self._handle = handle
    self.place = f"kaggle.com/models/{handle}"

  def prepare(self) -> None:
    import importlib.util

    if importlib.util.find_spec("kagglehub") is None:
      raise ConfigError("--push_to_kaggle needs kagglehub; run pip install 'reasoner[kaggle]'.")
    from kagglehub import config

    if config.get_kaggle_credentials() is None:
      raise ConfigError("--push_to_kaggle: run kagglehub.login(), or set KAGGLE_USERNAME and KAGGLE_KEY.")

  def upload(self, directory: Path, license: License) -> None:
    import kagglehub
    from kagglehub import exceptions
    import requests

    try:
      kagglehub.model_upload(self._handle, str(directory), license_name=license.kaggle)
    except (exceptions.BackendError, exceptions.UnauthenticatedError, requests.RequestException) as error:
      first = str(error).partition("\n")[0]
      raise ConfigError(f"{self.place} took no upload ({first}); the export is in {directory}.") from error
