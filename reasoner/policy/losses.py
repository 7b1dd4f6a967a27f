"""From log-probabilities to a scalar: what each algorithm minimises, as its paper writes it.

  loss, metrics = LOSSES["grpo"](new, batch, algorithm)

Every loss is a sum over the tokens given, divided by counts of the *whole* batch (`Batch.rows`,
`Batch.tokens`): the losses, and so the gradients, of any division into micro-batches add up to those
of the whole. Metrics are sums over tokens, to be divided by `Batch.tokens` when all are added up.
Notation: r the ratio of new to old probability, A the advantage, m the mask of trained tokens.
"""

import dataclasses

import jax
import jax.numpy as jnp

from reasoner.policy import algorithms

_LARGEST = 20.0  # of a logarithm of a ratio, far beyond any clip range: keeps exp finite


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Batch:
  """What a loss needs of n completions beside their new log-probabilities.

  advantages: [n]. mask: [n, t], the tokens that are trained; False throughout for a row that could not
  be scored. reference: [n, t] log-probabilities of the frozen reference, or None without a KL term.
  old: [n, t], of the policy that the first update of this rollout started from; None: that is the
  present one. rows, tokens: how many rows have trained tokens, and how many those are, in the whole batch.
  """

  advantages: jax.Array
  mask: jax.Array
  reference: jax.Array | None
  old: jax.Array | None
  rows: jax.Array
  tokens: jax.Array


def grpo(new: jax.Array, batch: Batch, algorithm: algorithms.Algorithm):
  """Group relative policy optimisation, https://arxiv.org/abs/2402.03300, equation 3.

    loss = - mean over rows of mean over tokens of [ min(r A, clip(r, 1 - e, 1 + e) A) - beta KL ]

  with the KL estimator of equation 4 (Schulman's k3): ref/new - log(ref/new) - 1.
  """
  ratio = jnp.exp(_log_ratio(new, batch))
  per_token, metrics = _objective(ratio, new, batch, algorithm)
  per_row = jnp.sum(per_token * batch.mask, axis=-1) / _lengths(batch)
  return -jnp.sum(per_row) / batch.rows, metrics


def dr_grpo(new: jax.Array, batch: Batch, algorithm: algorithms.Algorithm):
  """GRPO done right, https://arxiv.org/abs/2503.20783, section 3.2.

    loss = - mean over rows of (1 / t) sum over tokens of [ min(r A, clip(r, 1 - e, 1 + e) A) - beta KL ]

  t is the room for tokens, the same for all rows: dividing by a row's own length would favour short right
  answers and long wrong ones. Its advantages are not divided by a deviation either. maxrl
  (https://arxiv.org/abs/2602.02710) minimises the same, with advantages of its own.
  """
  ratio = jnp.exp(_log_ratio(new, batch))
  per_token, metrics = _objective(ratio, new, batch, algorithm)
  return -jnp.sum(per_token * batch.mask) / new.shape[1] / batch.rows, metrics


def dapo(new: jax.Array, batch: Batch, algorithm: algorithms.Algorithm):
  """Decoupled clip and a mean over tokens, https://arxiv.org/abs/2503.14476, equation 8.

    loss = - mean over all tokens of min(r A, clip(r, 1 - e, 1 + e_high) A)

  The higher upper bound lets unlikely tokens rise; a token weighs the same in a long row as in a short
  one. There is no KL term. The paper's dynamic sampling and length penalty are not part of the loss.
  """
  ratio = jnp.exp(_log_ratio(new, batch))
  per_token, metrics = _objective(ratio, new, batch, algorithm)
  return -jnp.sum(per_token * batch.mask) / batch.tokens, metrics


def gspo(new: jax.Array, batch: Batch, algorithm: algorithms.Algorithm):
  """Group sequence policy optimisation, https://arxiv.org/abs/2507.18071, equation 13 (GSPO-token).

    s = exp(mean over tokens of log r), one for the row;   s_token = sg[s] new / sg[new]
    loss = - mean over rows of mean over tokens of [ min(s_token A, clip(s_token, 1 - e, 1 + e_high) A) - beta KL ]

  The value is the row's, the gradient reaches each token. As s is a mean, its clip range is a thousandth
  of the other algorithms': 3e-4 and 4e-4 in the paper.
  """
  mean = jnp.sum(_log_ratio(new, batch) * batch.mask, axis=-1) / _lengths(batch)
  own = jax.lax.stop_gradient
  ratio = jnp.exp(new - own(new) + own(mean)[:, None])
  per_token, metrics = _objective(ratio, new, batch, algorithm)
  per_row = jnp.sum(per_token * batch.mask, axis=-1) / _lengths(batch)
  return -jnp.sum(per_row) / batch.rows, metrics


LOSSES = {"grpo": grpo, "dr_grpo": dr_grpo, "dapo": dapo, "gspo": gspo, "maxrl": dr_grpo}


def _log_ratio(new: jax.Array, batch: Batch) -> jax.Array:
  old = jax.lax.stop_gradient(new) if batch.old is None else batch.old
  return jnp.clip(new - old, -_LARGEST, _LARGEST)


def _objective(ratio: jax.Array, new: jax.Array, batch: Batch, algorithm: algorithms.Algorithm):
  """Returns what each token adds to the objective [n, t], and sums of metrics over the trained tokens."""
  advantages = batch.advantages[:, None]
  free = ratio * advantages
  low, high = algorithm.clip_range
  clipped = jnp.clip(ratio, 1 - low, 1 + high) * advantages
  objective, kl = jnp.minimum(free, clipped), jnp.zeros_like(new)
  if batch.reference is not None:
    difference = jnp.where(batch.mask, batch.reference - new, 0.0)
    kl = jnp.exp(difference) - difference - 1
    objective = objective - algorithm.beta * kl
  metrics = {
      "kl": jnp.sum(kl * batch.mask),
      "clip_fraction": jnp.sum((clipped < free) * batch.mask),
      "ratio_max": jnp.max(jnp.where(batch.mask, ratio, 0.0)),
  }
  return objective, metrics


def _lengths(batch: Batch) -> jax.Array:
  """Returns each row's number of trained tokens, at least 1: [n]."""
  return jnp.maximum(jnp.sum(batch.mask, axis=-1), 1)
