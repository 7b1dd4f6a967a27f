"""The seam to Tunix: rollout, log-probabilities and the policy update, free of its traps.

Tunix supplies the Gemma 3 model, the sampler, the trainer's jitted update, the loss and the
advantage estimators, all by name. Its learner loop is not used: the order of a step is train.py's
story, because resuming inside that loop skips data at num_iterations > 1
(https://github.com/google/tunix/issues/2290). What is done differently here, and why:

  * every step samples with its own key: Tunix's default seed repeats the same draws each call;
  * the end-of-turn token stays in the trained completion, so that stopping gets a gradient;
  * the KL estimator is `low_var_kl`: the default's expected on-policy gradient is zero;
  * old log-probabilities are taken at the sampling temperature, as the new ones are: otherwise
    the ratio at num_iterations > 1 is wrong from the first update;
  * actor and reference share the base weights, and rollouts are sharded over the mesh's fsdp axis
    (Tunix replicates them), with prompts and completions padded to fixed lengths: one compilation.

Not here: which prompts, what they are paid, when to save.
"""

from collections.abc import Callable, Sequence
import dataclasses
import functools
from typing import Any

from flax import nnx
import jax
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec
import numpy as np
import optax
from tunix.generate import sampler as sampler_lib
from tunix.rl import common
from tunix.rl import function_registry
from tunix.rl import trainer as trainer_lib
from tunix.rl.grpo import dapo_learner
from tunix.rl.grpo import drgrpo_learner
from tunix.rl.grpo import grpo_learner
from tunix.sft import metrics_logger
from tunix.sft import peft_trainer

from reasoner.policy import advantages as advantages_lib
from reasoner.policy import algorithms

KL_ESTIMATOR = "low_var_kl"  # Schulman's k3: unbiased, low variance, and it has a gradient


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sampling:
  """How completions are drawn. Greedy decoding is `temperature=0`."""

  max_new_tokens: int
  temperature: float = 0.0
  top_p: float = 1.0
  top_k: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rollout:
  """Completions of a batch of prompts, n = prompts x generations, those of a prompt adjacent.

  prompt_ids: [n, max_prompt_tokens] int32, padded on the left. completion_ids:
  [n, max_new_tokens] int32, padded on the right, with the end token where the model stopped by
  itself. lengths: [n] tokens including the end token. truncated: [n] bool, ran out of tokens.
  texts: n strings without the end token.
  """

  prompt_ids: np.ndarray
  completion_ids: np.ndarray
  lengths: np.ndarray
  truncated: np.ndarray
  texts: list[str]


class _Sampler(sampler_lib.Sampler):
  """Tunix's sampler over token ids, sharded over the batch, keeping the end token."""

  def sample(self, prompt_ids: np.ndarray, sampling: Sampling, key: jax.Array, mesh) -> np.ndarray:
    """Returns [n, max_new_tokens] int32 tokens; whatever follows an end token is noise."""
    greedy = sampling.temperature == 0.0
    state = self.init_sample_state(
        jax.numpy.asarray(prompt_ids),
        include_logits=False,
        total_sampling_steps=prompt_ids.shape[1] + sampling.max_new_tokens,
        # A sampled pad would be read as padding by the loss. Top-k needs no such rule when greedy.
        forbidden_token_ids=(self.tokenizer.pad_id(),),
        temperature=sampling.temperature,
        top_p=None if greedy else sampling.top_p,  # greedy with a top_p samples nothing
        top_k=None if greedy else sampling.top_k,
        seed=key,
        beam_size=None,
    )
    state = jax.tree.map(functools.partial(_shard_batch, mesh, len(prompt_ids)), state)
    state = self._compiled_prefill_fn(self._flattened_transformer_state, state, None, echo=False)
    state = self._compiled_decode_fn(self._flattened_transformer_state, state)
    return np.asarray(jax.device_get(state.token_buffer))[:, prompt_ids.shape[1] :]


def shard_rows(mesh, array: Any) -> jax.Array:
  """Places an array of rows over the mesh's fsdp axis."""
  return _shard_batch(mesh, len(array), array)


def _shard_batch(mesh, batch: int, leaf: Any):
  """Places arrays of leading size `batch` over the fsdp axis and all else everywhere."""
  if not hasattr(leaf, "shape"):
    return leaf
  batched = leaf.ndim > 0 and leaf.shape[0] == batch
  return jax.device_put(leaf, NamedSharding(mesh, PartitionSpec("fsdp") if batched else PartitionSpec()))


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
  """

  def __init__(
      self, actor, tokenizer, mesh, *, max_prompt_tokens: int, max_new_tokens: int, reference=None
  ):
    self.actor = actor
    self.mesh = mesh
    self.tokenizer = tokenizer
    self.max_prompt_tokens = max_prompt_tokens
    graph, state = nnx.split(reference or actor)
    self._reference = graph, jax.tree.map(lambda array: array, state)
    config = actor.config
    cache = sampler_lib.CacheConfig(
        cache_size=max_prompt_tokens + max_new_tokens,
        num_layers=config.num_layers,
        num_kv_heads=config.num_kv_heads,
        head_dim=config.head_dim,
    )
    with self.mesh:
      self._sampler = _Sampler(actor, tokenizer, cache)
    self._sampler.eos_ids = jax.numpy.array(tokenizer.eos_ids)

  def generate(self, prompts: Sequence[Sequence[int]], sampling: Sampling, key: jax.Array) -> Rollout:
    """Returns one completion for each prompt of token ids (BOS included)."""
    prompt_ids = self._pad_prompts(prompts)
    with self.mesh:
      tokens = self._sampler.sample(prompt_ids, sampling, key, self.mesh)
    ended = np.isin(tokens, self.tokenizer.eos_ids)
    truncated = ~ended.any(axis=1)
    stops = np.where(truncated, tokens.shape[1], ended.argmax(axis=1))
    lengths = stops + ~truncated
    kept = np.arange(tokens.shape[1]) < lengths[:, None]
    return Rollout(
        prompt_ids=prompt_ids,
        completion_ids=np.where(kept, tokens, self.tokenizer.pad_id()).astype(np.int32),
        lengths=lengths,
        truncated=truncated,
        texts=[self.tokenizer.decode(row[:stop].tolist()) for row, stop in zip(tokens, stops)],
    )

  def _pad_prompts(self, prompts: Sequence[Sequence[int]]) -> np.ndarray:
    ids = np.full((len(prompts), self.max_prompt_tokens), self.tokenizer.pad_id(), np.int32)
    for row, prompt in zip(ids, prompts):
      if len(prompt) > self.max_prompt_tokens:
        raise ValueError(f"a prompt of {len(prompt)} tokens exceeds {self.max_prompt_tokens}.")
      row[self.max_prompt_tokens - len(prompt) :] = prompt
    return ids

  def reference_log_probabilities(self, rollout: Rollout, temperature: float, parts: int = 1) -> jax.Array:
    """Returns [n, max_new_tokens] float32 under the frozen reference, computed in `parts`."""
    return self._log_probabilities(self._reference, rollout, temperature, parts)

  def log_probabilities(self, rollout: Rollout, temperature: float, parts: int = 1) -> jax.Array:
    """Returns [n, max_new_tokens] float32 under the actor as it is now, computed in `parts`."""
    return self._log_probabilities(nnx.split(self.actor), rollout, temperature, parts)

  def _log_probabilities(self, model, rollout: Rollout, temperature: float, parts: int) -> jax.Array:
    graph, state = model
    with self.mesh:
      outputs = [
          common.compute_per_token_logps(
              graph,
              state,
              prompt_tokens=self.shard(prompt_ids),
              completion_tokens=self.shard(completion_ids),
              pad_id=self.tokenizer.pad_id(),
              eos_id=self.tokenizer.eos_id(),
              temperature=temperature,
          )
          for prompt_ids, completion_ids in zip(
              np.split(rollout.prompt_ids, parts), np.split(rollout.completion_ids, parts)
          )
      ]
      return outputs[0] if parts == 1 else jax.numpy.concatenate(outputs)

  def shard(self, array: np.ndarray) -> jax.Array:
    """Places an array of rows over the fsdp axis."""
    return shard_rows(self.mesh, array)


class Learner:
  """GRPO and its relatives: from rewards to an update of the LoRA parameters.

  Args:
    policy: whose actor is trained.
    algorithm: its name and hyperparameters.
    optimizer: an optax transformation; one update is one call of it.
    temperature: of the rollouts, which the log-probabilities must share.
    micro_batches: parts in which gradients are computed and added up; dapo's mean over tokens is
      then taken within each part.
  """

  def __init__(
      self,
      policy: Policy,
      algorithm: algorithms.Algorithm,
      optimizer: optax.GradientTransformation,
      *,
      temperature: float,
      micro_batches: int = 1,
  ):
    self.policy = policy
    self.algorithm = algorithm
    self.temperature = temperature
    self.micro_batches = micro_batches
    self._config = _tunix_config(algorithm)
    self._config.temperature = temperature
    self._trainer = make_trainer(policy.actor, optimizer, micro_batches)
    loss = function_registry.get_policy_loss_fn(self._config.policy_loss_fn)

    def loss_fn(model, example):
      tokenizer = policy.tokenizer
      return loss(
          model,
          example,
          algo_config=self._config,
          pad_id=tokenizer.pad_id(),
          eos_id=tokenizer.eos_id(),
      )

    self._trainer.with_loss_fn(loss_fn, has_aux=True)
    self._trainer.with_gen_model_input_fn(lambda example: {"example": example})
    self._step: Callable[..., Any] | None = None

  @property
  def optimizer(self) -> nnx.Optimizer:
    return self._trainer.optimizer

  def advantages(self, rewards: np.ndarray, scored: np.ndarray | None = None) -> np.ndarray:
    """Returns [n] float32 advantages of [n] rewards, group by group; see advantages.over_scored.

    Args:
      rewards: [n], those of a prompt adjacent.
      scored: [n] bool; completions that were not leave their group. None: all were.
    """
    estimate = function_registry.get_advantage_estimator(self._config.advantage_estimator)
    scored = np.ones(len(rewards), bool) if scored is None else scored
    return advantages_lib.over_scored(rewards, scored, self.algorithm.num_generations, estimate)

  def reference(self, rollout: Rollout) -> tuple[jax.Array | None, jax.Array | None]:
    """Returns the frozen log-probabilities that the loss needs: (reference, old); None: not needed.

    The computation is dispatched, not awaited, so rewards can be computed meanwhile.
    """
    reference = old = None
    if self.algorithm.beta:
      reference = self.policy.reference_log_probabilities(rollout, self.temperature, self.micro_batches)
    if self.algorithm.num_iterations > 1:
      old = self.policy.log_probabilities(rollout, self.temperature, self.micro_batches)
    return reference, old

  def update(self, rollout: Rollout, advantages: np.ndarray, trained: np.ndarray, frozen) -> dict[str, float]:
    """Applies `num_iterations` updates on one rollout and returns the metrics of the last.

    Args:
      rollout: as drawn from the policy before this call.
      advantages: [n] float32.
      trained: [n] bool; rows that could not be scored carry no gradient at all.
      frozen: what `reference` returned.
    """
    policy = self.policy
    mask = (np.arange(rollout.completion_ids.shape[1]) < rollout.lengths[:, None]) & trained[:, None]
    example = common.TrainExample(
        prompt_ids=policy.shard(rollout.prompt_ids),
        prompt_mask=policy.shard(rollout.prompt_ids != policy.tokenizer.pad_id()),
        completion_ids=policy.shard(rollout.completion_ids),
        completion_mask=policy.shard(mask),
        advantages=policy.shard(np.asarray(advantages, np.float32)),
        ref_per_token_logps=frozen[0],
        old_per_token_logps=frozen[1],
    )
    parts = [example]
    if self.micro_batches > 1:
      size = len(mask) // self.micro_batches
      slices = [slice(i * size, (i + 1) * size) for i in range(self.micro_batches)]
      parts = [jax.tree.map(lambda a, s=s: policy.shard(a[s]), example) for s in slices]
    with policy.mesh:
      if self._step is None:
        self._step, _ = self._trainer.jit_train_and_eval_step(cache_nnx_graph=True)
      for _ in range(self.algorithm.num_iterations):
        outputs = [self._step(part) for part in parts]
    outputs = jax.device_get(outputs)
    loss, aux, gradient_norm = jax.tree.map(lambda *values: sum(values) / len(values), *outputs)
    return {
        "loss": float(loss),
        "kl": float(aux["kl"]),
        "clip_fraction": float(aux["pg_clipfrac"]),
        "entropy": float(aux["entropy"]),
        "gradient_norm": float(gradient_norm),
        "ratio_max": float(max(own["is_ratio/max"] for _, own, _ in outputs)),
    }


def make_trainer(model, optimizer: optax.GradientTransformation, micro_batches: int = 1):
  """Returns Tunix's trainer without its checkpoints, logging and progress bar."""
  config = peft_trainer.TrainingConfig(
      eval_every_n_steps=1,  # required, and unused: evaluation is evaluate.py's
      gradient_accumulation_steps=micro_batches if micro_batches > 1 else None,
  )
  return trainer_lib.Trainer(
      model,
      optimizer,
      config,
      custom_checkpoint_metadata_fn=dict,
      metrics_logger=metrics_logger.MetricsLogger(None),
  )


def _tunix_config(algorithm: algorithms.Algorithm) -> grpo_learner.GRPOConfig:
  common_settings = dict(
      num_generations=algorithm.num_generations,
      num_iterations=algorithm.num_iterations,
      epsilon=algorithm.epsilon,
      kl_loss_mode=KL_ESTIMATOR,
  )
  match algorithm.name:
    case "grpo":
      return grpo_learner.GRPOConfig(beta=algorithm.beta, **common_settings)
    case "gspo":
      return grpo_learner.GRPOConfig(beta=algorithm.beta, loss_algo="gspo-token", **common_settings)
    case "dr_grpo":
      return drgrpo_learner.DrGRPOConfig(beta=algorithm.beta, **common_settings)
    case "dapo":
      # Its dynamic sampling is not implemented in Tunix and its length penalty counts characters.
      return dapo_learner.DAPOConfig(
          epsilon_high=algorithm.epsilon_high,
          dynamic_sampling=False,
          overlong_buffer=None,
          **common_settings,
      )
    case _:
      raise ValueError(f"algorithm {algorithm.name!r}")
