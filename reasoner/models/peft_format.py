r"""A trained adapter in PEFT's format: what Hugging Face, vLLM and their like read.

  write(pathlib.Path("adapter"), actor, settings, base=HUB_1B, license="gemma", template=TEMPLATE)
  # adapter/adapter_model.safetensors, adapter_config.json, README.md

  from peft import PeftModel
  model = PeftModel.from_pretrained(Gemma3ForCausalLM.from_pretrained(base), "adapter")

PEFT keeps A as [rank, inputs] and B as [outputs, rank]. Tunix shares one A between keys and values,
which are two modules there: each gets a copy of it. The values are the trained ones to the bit, so
`read` gives the actor back.
"""

from collections.abc import Mapping
import json
import pathlib
from typing import TYPE_CHECKING

from reasoner import processes
from reasoner.models import family
from reasoner.models.lora import Lora
from rewards.errors import ConfigError

if TYPE_CHECKING:
  import numpy as np
  from tunix.models.gemma3.model import Gemma3

ADAPTER, CONFIG, CARD = "adapter_model.safetensors", "adapter_config.json", "README.md"


def adapter_of(model: "Gemma3", settings: Lora) -> dict[str, tuple["np.ndarray", "np.ndarray"]]:
  """Returns (A [rank, inputs], B [outputs, rank]), float32, by name as in "model.layers.0.mlp.up_proj"."""
  from flax import nnx

  state = nnx.to_flat_state(nnx.state(model, nnx.LoRAParam))
  flat = {"/".join(map(str, path)): processes.fetch(leaf.get_value()) for path, leaf in state}
  pairs, adapted = {}, family.of_model(model).MODULES
  for layer in range(model.config.num_layers):
    for module in settings.modules:
      path, names = adapted[module].tunix, adapted[module].hub
      a, b = (flat[f"layers/{layer}/{path}_lora_{factor}"] for factor in "ab")
      a = a.reshape(-1, settings.rank).T
      outputs = b.swapaxes(0, 1) if len(names) > 1 else [b]  # keys and values: [rank, 2, heads, head_dim]
      for name, own in zip(names, outputs, strict=True):
        pairs[f"model.layers.{layer}.{name}"] = a, own.reshape(settings.rank, -1).T
  return pairs


def write(
    directory: pathlib.Path, model: "Gemma3", settings: Lora, *, base: str, license: str, template: str
) -> None:
  """Writes the adapter of an actor into a directory, made if absent.

  Args:
    settings: the adapter's.
    base: the name or path of the model that it belongs to. license: its name on the hub.
    template: of the prompts that it was trained under, for the card.
  """
  import numpy as np
  from safetensors import numpy as safetensors

  directory.mkdir(parents=True, exist_ok=True)
  adapted = family.of_model(model).MODULES
  tensors = {}
  for name, pair in adapter_of(model, settings).items():
    for factor, array in zip("AB", pair):
      tensors[f"base_model.model.{name}.lora_{factor}.weight"] = np.ascontiguousarray(array)
  safetensors.save_file(tensors, directory / ADAPTER, metadata={"format": "pt"})
  config = {
      "peft_type": "LORA",
      "task_type": "CAUSAL_LM",
      "base_model_name_or_path": base,
      "r": settings.rank,
      "lora_alpha": settings.alpha,
      "lora_dropout": 0.0,
      "bias": "none",
      "target_modules": sorted(name.split(".")[-1] for m in settings.modules for name in adapted[m].hub),
      "fan_in_fan_out": False,
      "inference_mode": True,
      "use_rslora": False,
      "use_dora": False,
  }
  (directory / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
  (directory / CARD).write_text(_CARD.format(base=base, license=license, template=template), encoding="utf-8")


_CARD = """\
---
base_model: {base}
library_name: peft
pipeline_tag: text-generation
license: {license}
tags: [lora, grpo, reasoning]
---
A LoRA adapter that thinks in `<reasoning>…</reasoning>` and answers in `<answer>…</answer>`, trained
with GRPO under exactly this prompt (after one BOS token; `{{task}}` is what is asked):

```
{template}```

    from peft import PeftModel
    from transformers import AutoModelForCausalLM
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained("{base}"), ".")
"""


def check(
    directory: pathlib.Path, settings: Lora, adapted: Mapping[str, family.Adapted], place: str
) -> None:
  """Raises ConfigError unless a directory holds an adapter of these settings.

  Args:
    adapted: the MODULES of the model's family. place: the field that names the directory.
  """
  for name in (ADAPTER, CONFIG):
    if not (directory / name).is_file():
      raise ConfigError(f"{place}={str(directory)!r} holds no {name}: expected an adapter in PEFT's format.")
  own = json.loads((directory / CONFIG).read_text(encoding="utf-8"))
  targets = sorted(name.split(".")[-1] for m in settings.modules for name in adapted[m].hub)
  for field, theirs, ours in (
      ("rank", own.get("r"), settings.rank), ("alpha", own.get("lora_alpha"), settings.alpha),
      ("modules", sorted(own.get("target_modules") or ()), targets),
  ):  # fmt: skip
    if theirs != ours:
      raise ConfigError(
          f"{place}={str(directory)!r} has {field} {theirs}, config.model.lora.{field} stands for {ours}: "
          "set it to the adapter's."
      )


def read(directory: pathlib.Path, model: "Gemma3", settings: Lora) -> None:
  """Writes a directory's adapter into an actor that `lora.add_lora` has made with the same settings.

  Raises:
    ConfigError: there is none.
  """
  from flax import nnx
  import numpy as np
  from safetensors import numpy as safetensors

  if not (directory / ADAPTER).is_file():
    raise ConfigError(f"{directory} holds no {ADAPTER}.")
  tensors = safetensors.load_file(directory / ADAPTER)
  adapted = family.of_model(model).MODULES
  paths = {adapted[m].tunix: adapted[m].hub for m in settings.modules}
  new = []
  for path, leaf in nnx.to_flat_state(nnx.state(model, nnx.LoRAParam)):
    _, layer, *inner = map(str, path)
    module, factor = "/".join(inner)[: -len("_lora_a")], inner[-1][-1]
    own = [
        tensors[f"base_model.model.model.layers.{layer}.{name}.lora_{factor.upper()}.weight"].T
        for name in paths[module]
    ]
    value = (own[0] if factor == "a" else np.stack(own, axis=1)).reshape(leaf.shape).astype(leaf.dtype)
    new.append((path, leaf.replace(processes.put(value, leaf.get_value().sharding))))
  nnx.update(model, nnx.from_flat_state(new))
