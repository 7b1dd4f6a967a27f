"""A Tunix Gemma 3 as Hugging Face knows it: the directory that gemma3.load_directory reads back.

  write_directory(pathlib.Path("base"), model, tokenizer)
  # base/config.json, model.safetensors (float32), tokenizer.model

Names and shapes alone differ: Tunix splits heads and multiplies from the right.
"""

import json
import pathlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
  import numpy as np
  from tunix.models.gemma3.model import Gemma3
  from tunix.models.gemma3.model import ModelConfig

  from reasoner.models.tokenizer import Tokenizer

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
      "/".join(map(str, path)): np.asarray(leaf.get_value(), np.float32)
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


def write_directory(directory: pathlib.Path, model: "Gemma3", tokenizer: "Tokenizer") -> None:
  """Writes the base model into a directory, made if absent."""
  import numpy as np
  from safetensors import numpy as safetensors

  directory.mkdir(parents=True, exist_ok=True)
  weights = {name: np.ascontiguousarray(array) for name, array in weights_of(model).items()}
  safetensors.save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})
  (directory / "tokenizer.model").write_bytes(tokenizer.proto)
  config = json.dumps(config_of(model.config, tokenizer), indent=2)
  (directory / "config.json").write_text(config + "\n", encoding="utf-8")
