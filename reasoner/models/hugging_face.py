"""A Tunix model as Hugging Face knows it: the directory that its family's load_directory reads back.

  write_directory(pathlib.Path("base"), model, tokenizer)
  # base/config.json, model.safetensors (float32), tokenizer.model
  write_weights(pathlib.Path("export"), merged(actor, settings), config)

Weights stay float32 wherever they are written: a trained adapter moves them by less than bfloat16's
steps.
"""

from collections.abc import Mapping
import json
import pathlib
from typing import Any
from typing import TYPE_CHECKING

from reasoner.models import family
from reasoner.models import peft_format
from reasoner.models.lora import Lora

if TYPE_CHECKING:
  import numpy as np
  from tunix.models.gemma3.model import Gemma3

  from reasoner.models.tokenizer import Tokenizer


def merged(model: "Gemma3", settings: Lora) -> dict[str, "np.ndarray"]:
  """Returns an actor's weights with its adapter added in, W + alpha / rank · B·A, by the hub's names."""
  weights = family.of_model(model).weights_of(model)
  for name, (a, b) in peft_format.adapter_of(model, settings).items():
    weights[f"{name}.weight"] = weights[f"{name}.weight"] + settings.alpha / settings.rank * (b @ a)
  return weights


def config_of(model: "Gemma3", tokenizer: "Tokenizer") -> dict[str, Any]:
  """Returns the model's config.json."""
  return family.of_model(model).config_of(model.config, tokenizer)


def write_directory(directory: pathlib.Path, model: "Gemma3", tokenizer: "Tokenizer") -> None:
  """Writes the base model, without any adapter, into a directory, made if absent."""
  write_weights(directory, family.of_model(model).weights_of(model), config_of(model, tokenizer))
  (directory / "tokenizer.model").write_bytes(tokenizer.proto)


def write_weights(
    directory: pathlib.Path, weights: Mapping[str, "np.ndarray"], config: Mapping[str, Any]
) -> None:
  """Writes model.safetensors and config.json into a directory, made if absent."""
  import numpy as np
  from safetensors import numpy as safetensors

  directory.mkdir(parents=True, exist_ok=True)
  own = {name: np.ascontiguousarray(array) for name, array in weights.items()}
  safetensors.save_file(own, directory / "model.safetensors", metadata={"format": "pt"})
  (directory / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
