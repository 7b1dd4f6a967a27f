"""A Tunix model as Hugging Face knows it: the directory that its family's load_directory reads back.

  write_directory(pathlib.Path("base"), model, tokenizer)
  # base/config.json, model.safetensors (float32), tokenizer.model
"""

import json
import pathlib
from typing import TYPE_CHECKING

from reasoner.models import family

if TYPE_CHECKING:
  from tunix.models.gemma3.model import Gemma3

  from reasoner.models.tokenizer import Tokenizer


def write_directory(directory: pathlib.Path, model: "Gemma3", tokenizer: "Tokenizer") -> None:
  """Writes the base model into a directory, made if absent."""
  import numpy as np
  from safetensors import numpy as safetensors

  kind = family.of_model(model)
  directory.mkdir(parents=True, exist_ok=True)
  weights = {name: np.ascontiguousarray(array) for name, array in kind.weights_of(model).items()}
  safetensors.save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})
  (directory / "tokenizer.model").write_bytes(tokenizer.proto)
  config = json.dumps(kind.config_of(model.config, tokenizer), indent=2)
  (directory / "config.json").write_text(config + "\n", encoding="utf-8")
