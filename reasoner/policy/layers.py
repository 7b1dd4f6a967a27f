"""Gemma 3's layers over Tunix's weights, with the products in whatever form is fastest where they are used.

  layers = of_model(model)                        # inside a jitted function
  x = block(layer, x, positions, attend)          # [p, s, width] -> the same

What a layer computes stands here once; what its queries attend to is the caller's `attend`. Tunix's own
`Gemma3.__call__` has one way only: whole rows, each with its own copy of the prompt, and for a single
token every weight transposed and every cache copied. tests/reasoner/policy/test_layers.py holds both
to the same logits.
"""

from collections.abc import Callable
import dataclasses
import math

import jax
import jax.numpy as jnp

MASKED = -2.3819763e38  # finite: a row that sees nothing is padding and must not become NaN


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Matrix:
  """x W + scale (x A) B for many rows: W is [inputs, outputs], A [inputs, rank], B [rank, outputs] or None."""

  weight: jax.Array
  a: jax.Array | None
  b: jax.Array | None
  scale: float = dataclasses.field(metadata=dict(static=True))

  def __call__(self, x: jax.Array) -> jax.Array:
    """[..., inputs] -> [..., outputs]. As one product of two matrices: XLA's CPU gradient is twice as fast."""
    rows = x.reshape(-1, x.shape[-1])
    product = rows @ self.weight
    if self.a is not None:  # float32, whatever the weights are
      product = (product + self.scale * (rows @ self.a @ self.b)).astype(product.dtype)
    return product.reshape(*x.shape[:-1], -1)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Layer:
  """One layer's weights; window: how many tokens back a query sees, itself included; None: all."""

  query: Matrix
  key_value: Matrix
  output: Matrix
  gate: Matrix
  up: Matrix
  down: Matrix
  query_norm: jax.Array
  key_norm: jax.Array
  norms: tuple[jax.Array, ...]  # before and after attention, before and after feed-forward
  heads: tuple[int, int, int] = dataclasses.field(metadata=dict(static=True))  # keys, queries a key, width
  window: int | None = dataclasses.field(metadata=dict(static=True))
  base_frequency: float = dataclasses.field(metadata=dict(static=True))
  frequency_scale: float = dataclasses.field(metadata=dict(static=True))
  query_scale: float = dataclasses.field(metadata=dict(static=True))


def of_model(model) -> list[Layer]:
  """Returns the layers of a Tunix Gemma 3, with or without the adapter of models/lora.py; nothing is computed."""
  scale = getattr(model, "lora_scale", 0.0)
  layers = []
  for layer in model.layers:
    attention, mlp = layer.attn, layer.mlp
    local = attention.attn_type.name == "LOCAL_SLIDING"
    keys = attention.num_kv_heads
    norms = layer.pre_attention_norm, layer.post_attention_norm, layer.pre_ffw_norm, layer.post_ffw_norm
    layers.append(
        Layer(
            query=_matrix(attention.q_einsum, "w", scale, (1,)),
            key_value=_matrix(attention.kv_einsum, "w", scale, (2,)),
            output=_matrix(attention.attn_vec_einsum, "w", scale, (0, 1)),
            gate=_matrix(mlp.gate_proj, "kernel", scale),
            up=_matrix(mlp.up_proj, "kernel", scale),
            down=_matrix(mlp.down_proj, "kernel", scale),
            query_norm=attention._query_norm.scale.get_value(),
            key_norm=attention._key_norm.scale.get_value(),
            norms=tuple(norm.scale.get_value() for norm in norms),
            heads=(keys, attention.num_heads // keys, attention.head_dim),
            window=attention.sliding_window_size if local else None,
            base_frequency=attention.rope_base_frequency,
            frequency_scale=attention.rope_scale_factor,
            query_scale=attention.query_pre_attn_scalar,
        )
    )
  return layers


def _matrix(module, name: str, scale: float, inputs: tuple[int, ...] = (0,)) -> Matrix:
  """Reads a weight whose axes `inputs` are summed over, and its adapter where it has one."""
  weight = getattr(module, name).get_value()
  weight = jnp.moveaxis(weight, inputs, range(len(inputs)))
  width = math.prod(weight.shape[: len(inputs)])
  a, b = (getattr(module, f"{name}_lora_{factor}", None) for factor in "ab")
  if a is not None:
    a, b = a.get_value().reshape(width, -1), b.get_value().reshape(b.get_value().shape[0], -1)
  return Matrix(weight=weight.reshape(width, -1), a=a, b=b, scale=scale)


def block(layer: Layer, x: jax.Array, positions: jax.Array, attend: Callable[..., jax.Array]) -> jax.Array:
  """One layer on x [p, s, width].

  Args:
    positions: [p, s] int32, of each token in its own text.
    attend: takes queries [p, s, keys, queries a key, head width], scaled, and keys and values [p, s, keys,
      head width]; returns what the queries gather, shaped like them. The only place where tokens meet.
  """
  keys, group, width = layer.heads
  h = rms_norm(x, layer.norms[0])
  queries = layer.query(h).reshape(*x.shape[:2], keys, group, width)
  key_value = layer.key_value(h).reshape(*x.shape[:2], 2, keys, width)
  queries = rotate(rms_norm(queries, layer.query_norm), positions, layer) * layer.query_scale
  own_keys = rotate(rms_norm(key_value[:, :, 0], layer.key_norm), positions, layer)
  gathered = attend(queries, own_keys, key_value[:, :, 1])
  x = x + rms_norm(layer.output(gathered.reshape(*x.shape[:2], -1)), layer.norms[1])
  h = rms_norm(x, layer.norms[2])
  h = layer.down(jax.nn.gelu(layer.gate(h)) * layer.up(h))
  return x + rms_norm(h, layer.norms[3])


def rms_norm(x: jax.Array, scale: jax.Array) -> jax.Array:
  return x * jax.lax.rsqrt(jnp.mean(jnp.square(x), axis=-1, keepdims=True) + 1e-6) * (1 + scale)


def rotate(x: jax.Array, positions: jax.Array, layer: Layer) -> jax.Array:
  """Turns the halves of each head by its token's position (RoPE): x [p, s, ..., head width]."""
  half = x.shape[-1] // 2
  frequencies = layer.base_frequency ** (-jnp.arange(half) / half) / layer.frequency_scale
  angles = positions[..., None] * frequencies
  angles = angles.reshape(*positions.shape, *[1] * (x.ndim - 3), half)
  sin, cos = jnp.sin(angles), jnp.cos(angles)
  first, second = x[..., :half], x[..., half:]
  return jnp.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1).astype(x.dtype)


def softmax(scores: jax.Array, seen: jax.Array) -> jax.Array:
  """Returns the weights of scores [..., keys] where `seen`, 0 elsewhere."""
  return jax.nn.softmax(jnp.where(seen, scores, MASKED), axis=-1)
