"""Gemma 3 checkpoints of a few kilobytes, laid out and named as Hugging Face has the real ones."""

import json
import struct

import numpy as np

from reasoner.models import gemma3

# config.json of google/gemma-3-1b-it, without the fields that say nothing about the computation.
PUBLISHED_1B = {
  "model_type": "gemma3_text",
  "attention_bias": False,
  "attn_logit_softcapping": None,
  "final_logit_softcapping": None,
  "head_dim": 256,
  "hidden_activation": "gelu_pytorch_tanh",
  "hidden_size": 1152,
  "intermediate_size": 6912,
  "num_attention_heads": 4,
  "num_hidden_layers": 26,
  "num_key_value_heads": 1,
  "query_pre_attn_scalar": 256,
  "rms_norm_eps": 1e-06,
  "rope_local_base_freq": 10000,
  "rope_scaling": None,
  "rope_theta": 1000000,
  "sliding_window": 512,
  "sliding_window_pattern": 6,
  "vocab_size": 262144,
}
TINY = PUBLISHED_1B | {
  "head_dim": 8,
  "hidden_size": 16,
  "intermediate_size": 32,
  "num_hidden_layers": 7,  # the sixth is the first with global attention
  "query_pre_attn_scalar": 8,
  "sliding_window": 4,
  "vocab_size": 64,
}
SIZES = {key: TINY[key] for key in gemma3.RELEASES["gemma3_1b_it"].sizes}


def tensors_of(config):
  """Returns weights drawn for each tensor of a configuration, float32."""
  rng = np.random.default_rng(0)
  shapes = gemma3._tensor_shapes(config)
  return {name: rng.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}


def write_safetensors(path, tensors):
  """Writes float32 or float16 arrays, without the package that reads them."""
  header, offset = {}, 0
  for name, value in tensors.items():
    kind = {"float32": "F32", "float16": "F16"}[str(value.dtype)]
    offsets = [offset, offset + value.nbytes]
    header[name] = {"dtype": kind, "shape": list(value.shape), "data_offsets": offsets}
    offset += value.nbytes
  text = json.dumps(header).encode()
  text += b" " * (-len(text) % 8)
  data = b"".join(value.tobytes() for value in tensors.values())
  path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def write(directory, tokenizer_proto, config=None, tensors=None):
  """Writes a checkpoint; returns its directory."""
  config = TINY if config is None else config
  directory.mkdir(parents=True)
  (directory / "config.json").write_text(json.dumps(config))
  (directory / "tokenizer.model").write_bytes(tokenizer_proto)
  write_safetensors(directory / "model.safetensors", tensors or tensors_of(config))
  return directory


def logits_of(model, ids):
  """Logits of the whole, unpadded sequences as the trainer computes them."""
  from flax import nnx
  import jax.numpy as jnp

  batch, length = ids.shape
  positions = jnp.broadcast_to(jnp.arange(length), (batch, length))
  mask = jnp.broadcast_to(jnp.tril(jnp.ones((length, length), bool)), (batch, length, length))
  forward = nnx.jit(lambda model, ids: model(ids, positions, None, mask)[0])
  return np.asarray(forward(model, jnp.asarray(ids)))
