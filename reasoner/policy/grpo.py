"""The policy and its learner: rollout, log-probabilities and update as train.py calls them.

Tunix supplies the Gemma 3 model and qwix its adapters; the two programs are ours (rollout.py, and
update.py over log_probabilities.py and losses.py). What they do differently from Tunix's, and why:

  * every step samples with its own key: Tunix's default seed repeats the same draws each call;
  * the end-of-turn token stays in the trained completion, so that stopping gets a gradient;
  * the KL estimator is Schulman's k3: the expected on-policy gradient of Tunix's default is zero;
  * old log-probabilities are taken at the sampling temperature, as the new ones are: otherwise
    the ratio at num_iterations > 1 is wrong from the first update;
  * actor and reference share the base weights, and rollouts are sharded over the mesh's fsdp axis
    (Tunix replicates them), with prompts and completions padded to fixed lengths: one compilation;
  * a prompt is read once for its completions, in the rollout and in every log-probability;
  * a step's order is train.py's story, because resuming inside Tunix's loop skips data at
    num_iterations > 1 (https://github.com/google/tunix/issues/2290).

Not here: which prompts, what they are paid, when to save.
"""

from collections.abc import Sequence
import dataclasses
import functools
import math

from flax import nnx
import jax
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec
import numpy as np
import optax

from reasoner import processes
from reasoner.policy import advantages as advantages_lib
from reasoner.policy import algorithms
from reasoner.policy import log_probabilities
from reasoner.policy import losses
from reasoner.policy import rollout as rollout_lib
from reasoner.policy import update as update_lib
from rewards.schema import RewardBreakdown

Sampling = rollout_lib.Sampling


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rollout:
  """Completions of a batch of prompts, n = prompts x generations, those of a prompt adjacent.

  prompt_ids: [n, max_prompt_tokens] int32, padded on the left. completion_ids:
  [n, max_new_tokens] int32, padded on the right, with the end token where the model stopped by
  itself. log_probabilities: [n, max_new_tokens] float32, of each token as it was drawn. lengths: [n]
  tokens including the end token. truncated: [n] bool, ran out of tokens. texts: n strings without
  the end token.
  """

  prompt_ids: np.ndarray
  completion_ids: np.ndarray
  log_probabilities: np.ndarray
  lengths: np.ndarray
  truncated: np.ndarray
  texts: list[str]

  def with_rows(self, places: Sequence[int], other: "Rollout", rows: Sequence[int]) -> "Rollout":
    """Returns it with the rows of another at `places`."""
    fields = {}
    for field in dataclasses.fields(self):
      fields[field.name] = own = getattr(self, field.name).copy()
      for place, row in zip(places, rows, strict=True):
        own[place] = getattr(other, field.name)[row]
    return Rollout(**fields)


class Policy:
  """The LoRA actor and its frozen reference over one set of base weights.

  Args:
    actor: Gemma 3 with LoRA parameters, on `mesh`.
    reference: the actor's base, where the adapter is still empty. None takes a snapshot of the
      actor as it is now: base arrays are shared, not copied, and the adapter's few arrays stay as
      a supervised cold start left them.
    tokenizer: see reasoner.models.
    mesh: axes "fsdp" and "tp".
    max_prompt_tokens, max_new_tokens: fixed lengths; the KV cache is sized from them.
    replicated: whether weights that are split over fsdp are gathered once a rollout, and not at each token.
  """

  def __init__(
      self, actor, tokenizer, mesh, *, max_prompt_tokens: int, max_new_tokens: int, reference=None,
      replicated: bool = False,
  ):  # fmt: skip
    self.actor = actor
    self.mesh = mesh
    self.tokenizer = tokenizer
    self.max_prompt_tokens = max_prompt_tokens
    self.max_new_tokens = max_new_tokens
    self.replicated = replicated and mesh.shape["fsdp"] > 1
    graph, state = nnx.split(reference or actor)
    self._reference = graph, jax.tree.map(lambda array: array, state)

  def generate(
      self, prompts: Sequence[Sequence[int]], sampling: Sampling, key: jax.Array, num_generations: int = 1
  ) -> Rollout:
    """Returns `num_generations` completions for each prompt of token ids (BOS included).

    The weights are the actor's as they are at this call.
    """
    prompt_ids = self.pad_prompts(prompts)
    spare = -len(prompts) % self.mesh.shape["fsdp"]  # prompts are read by whole devices
    pad = self.tokenizer.pad_id()
    with self.mesh:
      output = rollout_lib.generate(
          *nnx.split(self.actor),
          self.shard(np.concatenate([prompt_ids, prompt_ids[:1].repeat(spare, axis=0)])),
          key,
          count=len(prompts),
          generations=num_generations,
          sampling=sampling,
          pad_id=pad,
          eos_ids=tuple(self.tokenizer.eos_ids),
          halvings=self.halvings(len(prompts) * num_generations),
          replicated=self.replicated,
      )
    tokens, log_probs = map(np.asarray, processes.fetch((output["tokens"], output["log_probabilities"])))
    lengths = (tokens != pad).sum(axis=1)  # pads are never drawn: the first ends the row
    truncated = ~np.isin(tokens, self.tokenizer.eos_ids).any(axis=1)
    stops = lengths - ~truncated
    return Rollout(
        prompt_ids=prompt_ids.repeat(num_generations, axis=0),
        completion_ids=tokens,
        log_probabilities=log_probs,
        lengths=lengths,
        truncated=truncated,
        texts=[self.tokenizer.decode(row[:stop].tolist()) for row, stop in zip(tokens, stops)],
    )

  def halvings(self, rows: int) -> int:
    """How often a rollout of so many rows halves them, see rollout.py.

    Not below 16, which cost what reading the weights costs, and each halving is a loop to compile. On several
    devices rows stay where they are.
    """
    return min(2, max(0, rows.bit_length() - 5)) if self.mesh.size == 1 else 0

  def pad_prompts(self, prompts: Sequence[Sequence[int]]) -> np.ndarray:
    """Returns token ids as [n, max_prompt_tokens] int32, padded on the left. Raises ValueError: too long."""
    ids = np.full((len(prompts), self.max_prompt_tokens), self.tokenizer.pad_id(), np.int32)
    for row, prompt in zip(ids, prompts):
      if len(prompt) > self.max_prompt_tokens:
        raise ValueError(f"a prompt of {len(prompt)} tokens exceeds {self.max_prompt_tokens}.")
      row[self.max_prompt_tokens - len(prompt) :] = prompt
    return ids

  def reference_log_probabilities(
      self, rollout: Rollout, temperature: float, parts: int = 1, generations: int = 1
  ) -> jax.Array:
    """Returns [n, max_new_tokens] float32 under the frozen reference; see `log_probabilities`."""
    return self._log_probabilities(self._reference, rollout, temperature, parts, generations)

  def log_probabilities(
      self, rollout: Rollout, temperature: float, parts: int = 1, generations: int = 1
  ) -> jax.Array:
    """Returns [n, max_new_tokens] float32 under the actor as it is now.

    Args:
      parts: it is computed in so many.
      generations: adjacent completions that have a prompt in common, which is then read once for them.
    """
    return self._log_probabilities(nnx.split(self.actor), rollout, temperature, parts, generations)

  def _log_probabilities(self, model, rollout, temperature, parts, generations) -> jax.Array:
    with self.mesh:
      outputs = [
          of_completions(
              *model,
              self.shard(prompt_ids),
              self.shard(completion_ids),
              temperature=temperature,
              pad_id=self.tokenizer.pad_id(),
          )
          for prompt_ids, completion_ids in zip(
              np.split(self.prompts_once(rollout, parts, generations), parts),
              np.split(rollout.completion_ids, parts),
          )
      ]
      return outputs[0] if parts == 1 else jax.numpy.concatenate(outputs)

  def prompts_once(self, rollout: Rollout, parts: int, generations: int) -> np.ndarray:
    """Returns each prompt once for as many of its completions as `parts` and devices leave together."""
    rows = len(rollout.completion_ids) // parts // self.mesh.shape["fsdp"]  # of a part on a device
    return rollout.prompt_ids[:: math.gcd(generations, rows)]

  def shard(self, array) -> jax.Array:
    """Places an array of rows over the fsdp axis."""
    return shard_rows(self.mesh, array)


@functools.partial(jax.jit, static_argnames=("temperature", "pad_id"))
def of_completions(graph, state, prompt_ids, completion_ids, *, temperature: float, pad_id: int) -> jax.Array:
  """The program behind `Policy.log_probabilities`."""
  model = nnx.merge(graph, state)
  return log_probabilities.of_completions(
      model, prompt_ids, completion_ids, temperature=temperature, pad_id=pad_id
  )[0]


def shard_rows(mesh, array, axis: int = 0) -> jax.Array:
  """Places an array over the mesh's fsdp axis, by its rows, which are on the given axis."""
  return processes.put(array, NamedSharding(mesh, PartitionSpec(*[None] * axis, "fsdp")))


class Learner:
  """GRPO and its relatives: from rewards to an update of the LoRA parameters.

  Args:
    policy: whose actor is trained.
    algorithm: its name and hyperparameters.
    optimizer: an optax transformation; one update is one call of it.
    temperature: of the rollouts, which the log-probabilities must share.
    micro_batches: parts in which gradients are computed and added up; memory, not the result, depends
      on them.
    rematerialize: layers are computed again for their gradients in place of being kept.
  """

  def __init__(
      self,
      policy: Policy,
      algorithm: algorithms.Algorithm,
      optimizer: optax.GradientTransformation,
      *,
      temperature: float,
      micro_batches: int = 1,
      rematerialize: bool = False,
  ):
    self.policy = policy
    self.algorithm = algorithm
    self.temperature = temperature
    self.micro_batches = micro_batches
    self.rematerialize = rematerialize
    with policy.mesh:
      self.optimizer = update_lib.make_optimizer(policy.actor, optimizer, nnx.LoRAParam, policy.mesh)

  def advantages(self, paid: advantages_lib.Paid) -> np.ndarray:
    """Returns [n] float32 advantages of what the completions were paid, those of a prompt adjacent."""
    return advantages_lib.estimate(paid, self.algorithm)

  def has_signal(self, breakdowns: Sequence[RewardBreakdown]) -> np.ndarray:
    """Returns [p] bool, which of the p groups have an advantage that is not 0."""
    groups = len(breakdowns) // self.algorithm.num_generations
    paid = advantages_lib.Paid.of(breakdowns, np.ones(groups))
    return self.advantages(paid).reshape(groups, -1).any(axis=1)

  def weights(self, rollout: Rollout) -> np.ndarray:
    """Returns [n], what each completion's advantage weighs in the loss beside the others'."""
    return rollout.lengths if self.algorithm.name in algorithms.SUMS_TOKENS else np.ones(len(rollout.lengths))

  def reference(self, rollout: Rollout) -> tuple[jax.Array | None, jax.Array | None]:
    """Returns the frozen log-probabilities that the loss needs: (reference, old); None: not needed.

    The computation is dispatched, not awaited, so rewards can be computed meanwhile.
    """
    reference = old = None
    division = self.temperature, self.micro_batches, self.algorithm.num_generations
    if self.algorithm.beta:
      reference = self.policy.reference_log_probabilities(rollout, *division)
    if self.algorithm.num_iterations > 1:
      old = self.policy.log_probabilities(rollout, *division)
    return reference, old

  def update(self, rollout: Rollout, advantages: np.ndarray, trained: np.ndarray, frozen) -> dict[str, float]:
    """Applies `num_iterations` updates on one rollout and returns the metrics of the last.

    `sampler_gap` is the first's: the mean over tokens of how far the log-probability that a token was
    drawn with lies from the policy's own, before the policy moves. Top-p and top-k open it.

    Args:
      rollout: as drawn from the policy before this call.
      advantages: [n] float32.
      trained: [n] bool; rows that could not be scored carry no gradient at all.
      frozen: what `reference` returned.
    """
    policy = self.policy
    mask = (np.arange(rollout.completion_ids.shape[1]) < rollout.lengths[:, None]) & trained[:, None]
    parts = update_lib.Parts(
        prompt_ids=self._divide(policy.prompts_once(rollout, self.micro_batches, self.algorithm.num_generations)),
        completion_ids=self._divide(rollout.completion_ids),
        sampled=self._divide(rollout.log_probabilities),
        batch=losses.Batch(
            advantages=self._divide(np.asarray(advantages, np.float32)),
            mask=self._divide(mask),
            reference=self._divide(frozen[0]),
            old=self._divide(frozen[1]),
            rows=np.float32(max(1, mask.any(axis=1).sum())),
            tokens=np.float32(max(1, mask.sum())),
        ),
    )
    measured = []
    for _ in range(self.algorithm.num_iterations):
      graph, lora, base = nnx.split(policy.actor, nnx.LoRAParam, ...)
      optimizer, state = nnx.split(self.optimizer)
      with policy.mesh:
        new_lora, new_state, metrics = update_lib.update(
            graph,
            lora,
            base,
            optimizer,
            state,
            parts,
            algorithm=self.algorithm,
            temperature=self.temperature,
            pad_id=policy.tokenizer.pad_id(),
            rematerialize=self.rematerialize,
        )
      update_lib.assign(policy.actor, lora, new_lora)
      update_lib.assign(self.optimizer, state, new_state)
      measured.append(metrics)
    first, last = jax.device_get((measured[0], measured[-1]))
    return {name: float(value) for name, value in (last | {"sampler_gap": first["sampler_gap"]}).items()}

  def log_likelihood(self, rollout: Rollout) -> float:
    """Returns the mean over completions of their log-probability under the policy as it is now."""
    mask = np.arange(rollout.completion_ids.shape[1]) < rollout.lengths[:, None]
    division = self.temperature, self.micro_batches, self.algorithm.num_generations
    found = processes.fetch(self.policy.log_probabilities(rollout, *division))
    return float(np.where(mask, found, 0.0).sum(axis=1).mean())

  def _divide(self, array):
    """[n, ...] -> [micro_batches, n / micro_batches, ...], rows over the devices; None stays None."""
    if array is None:
      return None
    array = array.reshape(self.micro_batches, -1, *array.shape[1:])
    return shard_rows(self.policy.mesh, array, axis=1)
