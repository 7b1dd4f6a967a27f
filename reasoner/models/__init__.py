"""Model sources by name: where `config.model.name` finds weights and a tokenizer.

`get_source("gemma3_270m")` returns a `ModelSource`; nothing heavy is imported and nothing is read
before one of its methods is called. A new source is a class with these three methods and one line
in `SOURCES`; its keyword arguments are its settings, the other fields of `config.model`.

Around a source stand `mesh.py` (devices), `lora.py` (the trained part) and `tokenizer.py`. What
this package does not do: it trains nothing and writes no checkpoint.
"""

from collections.abc import Iterable
import dataclasses
import importlib
import inspect
import os
from pathlib import Path
from typing import Annotated
from typing import Any
from typing import Protocol
from typing import TYPE_CHECKING

from reasoner.models.lora import Lora
from reasoner.models.mesh import DTYPES
from reasoner.models.mesh import MeshShape
from rewards.errors import ConfigError
from rewards.errors import suggest
from rewards.settings import OneOf
from rewards.settings import Section

if TYPE_CHECKING:
  from jax.sharding import Mesh
  from tunix.models.gemma3.model import Gemma3

  from reasoner.models.tokenizer import Tokenizer


@dataclasses.dataclass(frozen=True, kw_only=True)
class Model(Section, place="config.model"):
  """Which weights, on which devices, with which adapter."""

  name: str  # a key of SOURCES
  path: str  # a directory of config.json, tokenizer.model and safetensors; "" fetches them
  dtype: Annotated[str, OneOf(DTYPES)]  # of the base weights; auto: bfloat16 on an accelerator
  mesh: MeshShape
  lora: Lora

  def source(self) -> "ModelSource":
    """Returns what `name` stands for. Raises ConfigError where there is no such source."""
    return get_source(self.name, **({"path": self.path} if self.path else {}))


class ModelSource(Protocol):
  """Weights and tokenizer of one base model.

  Attributes:
    from_nothing: the weights are drawn, not read, and all of them need training before LoRA.
    hub_name: what the base is called on the Hugging Face hub; "" where it is not there.
    license: its name there.
  """

  from_nothing: bool
  hub_name: str
  license: str

  def check(self) -> None:
    """Raises ConfigError, naming the cure, where packages or files are missing.

    Takes under a second, reads no weights and imports no JAX.
    """

  def load_tokenizer(self, texts: Iterable[str]) -> "Tokenizer":
    """Returns the tokenizer; the same bytes at each call.

    Args:
      texts: what the run trains on; a source without a vocabulary of its own learns one from them.
    """

  def tokenizer_at_hand(self) -> "Tokenizer | None":
    """Returns the tokenizer if that takes neither fetching nor learning, else None."""

  def load(self, mesh: "Mesh", dtype: Any, seed: int) -> "Gemma3":
    """Returns the base model, each weight of `dtype` and placed on the mesh.

    The seed matters only to a source whose weights are drawn, not read.
    """


SOURCES = {
  "embedded": "reasoner.models.embedded:Embedded",
  "gemma3_270m": "reasoner.models.gemma3:Gemma3_270M",
  "gemma3_1b": "reasoner.models.gemma3:Gemma3_1B",
}


def cache_directory() -> Path:
  """Returns where files for all runs are kept: $REASONER_CACHE, else ~/.cache/reasoner."""
  return Path(os.environ.get("REASONER_CACHE") or "~/.cache/reasoner").expanduser()


def get_source(name: str, **settings: Any) -> ModelSource:
  """Returns the model source of that name, built with its settings.

  Raises:
    ConfigError: no such source, or no such setting.
  """
  if name not in SOURCES:
    raise ConfigError(
      f"config.model.name: unknown model {name!r}. {suggest(name, SOURCES)}"
      f"Accepted: {', '.join(sorted(SOURCES))}."
    )
  module, attribute = SOURCES[name].split(":")
  source = getattr(importlib.import_module(module), attribute)
  accepted = list(inspect.signature(source).parameters)
  for setting in settings:
    if setting not in accepted:
      raise ConfigError(
        f"config.model.{setting}: model {name!r} has no such setting. {suggest(setting, accepted)}"
        f"Accepted: {', '.join(accepted) or 'none'}."
      )
  return source(**settings)
