"""Turns a Gemma 3 GGUF file into the directory that every other tool reads.

    convert(Path("gemma-3-270m-q4_k_m.gguf"), Path("gemma-3-270m"))
    # gemma-3-270m/config.json, model.safetensors (float32), tokenizer.model

GGUF keeps quantised blocks, `1 + weight` for each RMSNorm and the vocabulary as lists of strings;
here the blocks become float32, the 1 is taken off, the names become Hugging Face's and the lists a
SentencePiece model. Query and key weights need no permutation (Gemma's rotary halves are kept).
(transformers can read GGUF too, but splits "user" and needs six tokens for "<reasoning>".)

It converts text-only Gemma 3 alone; any other architecture is refused.
"""

from collections.abc import Iterable
import json
from pathlib import Path
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
  import gguf
  import numpy as np

# Names outside of the blocks, and inside of one: GGUF counts them as blk.<n>, Hugging Face as
# model.layers.<n>.
_NAMES = {"token_embd": "model.embed_tokens", "output_norm": "model.norm"}
_BLOCK_NAMES = {
  "attn_norm": "input_layernorm",
  "attn_q": "self_attn.q_proj",
  "attn_k": "self_attn.k_proj",
  "attn_v": "self_attn.v_proj",
  "attn_q_norm": "self_attn.q_norm",
  "attn_k_norm": "self_attn.k_norm",
  "attn_output": "self_attn.o_proj",
  "post_attention_norm": "post_attention_layernorm",
  "ffn_norm": "pre_feedforward_layernorm",
  "ffn_gate": "mlp.gate_proj",
  "ffn_up": "mlp.up_proj",
  "ffn_down": "mlp.down_proj",
  "post_ffw_norm": "post_feedforward_layernorm",
}
_ROWS_AT_ONCE = 16_384  # the embedding has 262,144 rows: 42 MB at a time instead of 671 MB


def convert(source: Path, target: Path) -> None:
  """Writes config.json, tokenizer.model and model.safetensors into the directory `target`.

  Peak memory is about the size of the file plus its vocabulary, not of the float32 weights.

  Raises:
    ValueError: the file is not a Gemma 3 text model.
  """
  import gguf

  reader = gguf.GGUFReader(source)
  architecture = reader.fields["general.architecture"].contents()
  if architecture != "gemma3":
    raise ValueError(f"{source}: architecture {architecture!r}; only 'gemma3' is converted.")
  target.mkdir(parents=True, exist_ok=True)
  config = json.dumps(_config(reader), indent=2)
  (target / "config.json").write_text(config + "\n", encoding="utf-8")
  (target / "tokenizer.model").write_bytes(_sentencepiece_model(reader))
  _write_float32_safetensors(target / "model.safetensors", reader.tensors)


def _config(reader: "gguf.GGUFReader") -> dict:
  """Returns the Hugging Face configuration; GGUF leaves out what all Gemma 3 models share."""

  def field(name):
    return reader.fields[f"gemma3.{name}"].contents()

  return {
    "architectures": ["Gemma3ForCausalLM"],
    "model_type": "gemma3_text",
    "torch_dtype": "float32",
    "vocab_size": len(reader.fields["tokenizer.ggml.tokens"].data),
    "hidden_size": field("embedding_length"),
    "intermediate_size": field("feed_forward_length"),
    "num_hidden_layers": field("block_count"),
    "num_attention_heads": field("attention.head_count"),
    "num_key_value_heads": field("attention.head_count_kv"),
    "head_dim": field("attention.key_length"),
    "query_pre_attn_scalar": field("attention.key_length"),
    "sliding_window": field("attention.sliding_window"),
    "sliding_window_pattern": 6,
    "rope_theta": field("rope.freq_base"),
    "rope_local_base_freq": 10_000,
    "rope_scaling": None,
    "rms_norm_eps": 1e-06,
    "hidden_activation": "gelu_pytorch_tanh",
    "max_position_embeddings": field("context_length"),
    "pad_token_id": 0,
    "eos_token_id": [1, reader.fields["tokenizer.ggml.eot_token_id"].contents()]
    if "tokenizer.ggml.eot_token_id" in reader.fields
    else [1, 106],
    "bos_token_id": 2,
  }


def _sentencepiece_model(reader: "gguf.GGUFReader") -> bytes:
  """Returns the vocabulary as a serialized SentencePiece model.

  The original is byte-pair encoding that knows a space as "▁" and puts none before the text. GGUF
  calls each special piece CONTROL, which SentencePiece would never find in a text; the turn markers
  and all others above <unk> are USER_DEFINED there. GGUF also writes runs of spaces as such, where
  SentencePiece looks for runs of "▁". (The type numbers of both formats agree.)
  """
  from sentencepiece import sentencepiece_model_pb2

  def field(name):
    return reader.fields[f"tokenizer.ggml.{name}"].contents()

  model = sentencepiece_model_pb2.ModelProto()
  kinds = sentencepiece_model_pb2.ModelProto.SentencePiece.Type
  tokens, unknown = field("tokens"), field("unknown_token_id")
  for i, (piece, score, kind) in enumerate(zip(tokens, field("scores"), field("token_type"))):
    if i == unknown:
      kind = kinds.UNKNOWN
    elif i > unknown and kind == kinds.CONTROL:
      kind = kinds.USER_DEFINED
    if kind == kinds.USER_DEFINED:
      piece = piece.replace(" ", "▁")
    model.pieces.add(piece=piece, score=score, type=kind)
  model.trainer_spec.model_type = sentencepiece_model_pb2.TrainerSpec.BPE
  model.trainer_spec.vocab_size = len(model.pieces)
  model.trainer_spec.byte_fallback = kinds.BYTE in field("token_type")
  for role, i in (
    ("unk", unknown),
    ("bos", field("bos_token_id")),
    ("eos", field("eos_token_id")),
    ("pad", field("padding_token_id")),
  ):
    setattr(model.trainer_spec, f"{role}_id", i)
    setattr(model.trainer_spec, f"{role}_piece", tokens[i])
  model.normalizer_spec.name = "identity"
  model.normalizer_spec.add_dummy_prefix = False
  model.normalizer_spec.remove_extra_whitespaces = False
  model.normalizer_spec.escape_whitespaces = True
  return model.SerializeToString()


def _write_float32_safetensors(path: Path, tensors: Iterable["gguf.ReaderTensor"]) -> None:
  """Streams the tensors, dequantised, into one safetensors file.

  The format is 8 bytes of header length, a JSON header of offsets, the data; the safetensors
  package itself would want all of the data in memory first.
  """
  header, offset = {}, 0
  for tensor in tensors:
    shape = [int(size) for size in reversed(tensor.shape)]  # GGUF names the fastest axis first
    size_bytes = 4 * int(tensor.n_elements)
    header[_hugging_face_name(tensor.name)] = {
      "dtype": "F32",
      "shape": shape,
      "data_offsets": [offset, offset + size_bytes],
    }
    offset += size_bytes
  text = json.dumps(header).encode()
  text += b" " * (-(8 + len(text)) % 64)  # aligned data can be mapped without a copy
  with open(path, "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text)
    for tensor in tensors:
      for rows in _float32_rows(tensor):
        file.write(rows.tobytes())


def _float32_rows(tensor: "gguf.ReaderTensor") -> "Iterable[np.ndarray]":
  """Yields the tensor's values as float32, some rows at a time."""
  import gguf

  for start in range(0, len(tensor.data), _ROWS_AT_ONCE):
    rows = gguf.dequantize(tensor.data[start : start + _ROWS_AT_ONCE], tensor.tensor_type)
    yield rows - 1.0 if tensor.name.endswith("norm.weight") else rows


def _hugging_face_name(name: str) -> str:
  """Returns e.g. model.layers.0.self_attn.q_proj.weight for blk.0.attn_q.weight."""
  outer = name.removesuffix(".weight")
  if outer in _NAMES:
    return f"{_NAMES[outer]}.weight"
  _, block, inner = outer.split(".")
  return f"model.layers.{block}.{_BLOCK_NAMES[inner]}.weight"


def gguf_name(name: str) -> str:
  """Returns e.g. blk.0.attn_q.weight for model.layers.0.self_attn.q_proj.weight."""
  inner = name.removesuffix(".weight")
  for ours, theirs in _NAMES.items():
    if inner == theirs:
      return f"{ours}.weight"
  _, _, block, inner = inner.split(".", 3)
  (ours,) = (ours for ours, theirs in _BLOCK_NAMES.items() if theirs == inner)
  return f"blk.{block}.{ours}.weight"
