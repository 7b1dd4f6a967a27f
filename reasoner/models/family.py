"""What a model family is: one module of this package, named in `FAMILIES`. gemma3.py is one.

It has these names, and nothing outside of it knows them otherwise:

  RELEASES    {config.model.name: Release}
  LICENSE     License
  TURNS       prompts.Turns: how it marks who speaks
  MODULES     {a name in config.model.lora.modules: Adapted}
  TUNIX       the module of Tunix that holds its class

  tokenizer(file)                          its Tokenizer, of tokenizer.model
  check_directory(directory, name)         raises ConfigError where Tunix cannot load it, or it is not `name`
  outline(name, dtype)                     the architecture of a release, with nothing fetched
  load_directory(directory, mesh, dtype)   the model, on the mesh
  weights_of(model)                        name on the hub -> float32 array
  config_of(config, tokenizer)             its config.json
"""

from collections.abc import Mapping
import dataclasses
import importlib
from types import ModuleType
from typing import Any

FAMILIES = ("reasoner.models.gemma3",)


@dataclasses.dataclass(frozen=True, kw_only=True)
class License:
  """The terms that weights come under. name: as the hub has it; kaggle: as Kaggle does."""

  name: str
  kaggle: str
  title: str
  url: str

  @property
  def text(self) -> str:
    return f"{self.name}: {self.title}, {self.url}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Packages:
  """A GGUF file in Python packages: `package` joins the chunks of `package`_part1 to _part`parts`."""

  package: str
  parts: int
  sha256: str  # of the joined file
  extra: str  # of this project, which installs them


@dataclasses.dataclass(frozen=True, kw_only=True)
class Release:
  """One model: its sizes as config.json names them, and where it is published. "": nowhere there."""

  sizes: Mapping[str, int]
  hub: str = ""  # owner/name on huggingface.co
  kaggle: str = ""  # owner/model/framework/variation
  pypi: Packages | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Adapted:
  """What LoRA adapts under one name, in every layer."""

  tunix: str  # the path of its weights in Tunix's layer
  hub: tuple[str, ...]  # the modules of Hugging Face's layer that it is


def families() -> list[ModuleType]:
  return [importlib.import_module(name) for name in FAMILIES]


def of_model(model: Any) -> ModuleType:
  """Returns the family of a Tunix model, adapted or not."""
  modules = {cls.__module__ for cls in type(model).__mro__}
  (found,) = (family for family in families() if family.TUNIX in modules)
  return found
