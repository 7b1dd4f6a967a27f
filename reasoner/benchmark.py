"""The GRPO step beside a bare Tunix script doing the same work, phase by phase, interleaved.

  python -m reasoner.benchmark --rounds=10

The bare side is Tunix as its examples wire it: an RLCluster with rollout, reference and actor on
one mesh. Both sides hold the same embedded model and see the same prompts; rounds alternate, so a
machine that drifts does so for both, and what counts is the ratio within a round.
"""

import argparse
import statistics
import time

import jax
import numpy as np
import optax
from tunix.rl import common
from tunix.rl import rl_cluster
from tunix.rl.grpo import grpo_learner
from tunix.rl.rollout import base_rollout

from reasoner.models import embedded
from reasoner.models import lora
from reasoner.models import mesh as mesh_lib
from reasoner.policy import algorithms
from reasoner.policy import grpo

PROMPTS, GENERATIONS, PROMPT_TOKENS, NEW_TOKENS, BETA = 14, 8, 64, 96, 0.02
ROWS = PROMPTS * GENERATIONS
TEXTS = [f"After school Nora picks up {i} shells, then {i + 3}. How many is that?" for i in range(10, 38)]


def actor_and_base(mesh, seed: int = 0):
  base = mesh_lib.place(embedded.build(embedded.VOCABULARY_SIZE, seed, mesh_lib.compute_dtype("float32")), mesh)
  return lora.add_lora(base, rank=16, alpha=32.0, modules=tuple(lora.MODULES), seed=seed), base


class Ours:
  """One step through reasoner.policy.grpo."""

  def __init__(self, mesh, tokenizer, prompts: list[str]):
    actor, base = actor_and_base(mesh)
    self._policy = grpo.Policy(
        actor, tokenizer, mesh, max_prompt_tokens=PROMPT_TOKENS, max_new_tokens=NEW_TOKENS, reference=base
    )
    algorithm = algorithms.Algorithm(
        name="grpo", num_generations=GENERATIONS, num_iterations=1, beta=BETA, epsilon=0.2
    )
    self._learner = grpo.Learner(self._policy, algorithm, optax.adamw(1e-3), temperature=1.0)
    self._prompts = [[tokenizer.bos_id(), *tokenizer.encode(prompt)] for prompt in prompts]

  def rollout(self, seed: int):
    sampling = grpo.Sampling(max_new_tokens=NEW_TOKENS, temperature=1.0)
    self._rollout = self._policy.generate(self._prompts, sampling, jax.random.key(seed))

  def reference(self):
    self._frozen = jax.block_until_ready(self._learner.reference(self._rollout))

  def update(self, advantages: np.ndarray):
    self._learner.update(self._rollout, advantages, np.ones(ROWS, bool), self._frozen)


class Bare:
  """The same step through Tunix's RLCluster."""

  def __init__(self, mesh, tokenizer, prompts: list[str]):
    actor, base = actor_and_base(mesh)
    self._tokenizer, self._prompts = tokenizer, prompts
    roles = (rl_cluster.Role.ACTOR, rl_cluster.Role.REFERENCE, rl_cluster.Role.ROLLOUT)
    self._rollout_config = base_rollout.RolloutConfig(
        max_tokens_to_generate=NEW_TOKENS, max_prompt_length=PROMPT_TOKENS, temperature=1.0, top_p=1.0,
        top_k=None, kv_cache_size=PROMPT_TOKENS + NEW_TOKENS, eos_tokens=list(tokenizer.eos_ids),
    )
    self._cluster = rl_cluster.RLCluster(
        actor=actor,
        reference=base,
        tokenizer=tokenizer,
        cluster_config=rl_cluster.ClusterConfig(
            role_to_mesh=dict.fromkeys(roles, mesh),
            rollout_config=self._rollout_config,
            training_config=rl_cluster.RLTrainingConfig(
                actor_optimizer=optax.adamw(1e-3), eval_every_n_steps=10**9, max_steps=10**9
            ),
        ),
    )
    config = grpo_learner.GRPOConfig(
        num_generations=GENERATIONS, num_iterations=1, beta=BETA, epsilon=0.2, kl_loss_mode="low_var_kl"
    )
    grpo_learner.GRPOLearner(rl_cluster=self._cluster, algo_config=config, reward_fns=lambda **_: [])

  def rollout(self, seed: int):
    self._rollout_config.seed = seed
    output = self._cluster.generate(self._prompts)
    pad = self._tokenizer.pad_id()
    self._completions = np.full((ROWS, NEW_TOKENS), pad, np.int32)
    for row, tokens in zip(self._completions, output.tokens):
      row[: len(tokens)] = tokens
    self._prompt_ids = np.asarray(output.left_padded_prompt_tokens)

  def reference(self):
    self._logps = jax.block_until_ready(
        self._cluster.get_ref_per_token_logps(
            prompt_tokens=jax.numpy.asarray(self._prompt_ids),
            completion_tokens=jax.numpy.asarray(self._completions),
            pad_id=self._tokenizer.pad_id(),
            eos_id=self._tokenizer.eos_id(),
        )
    )

  def update(self, advantages: np.ndarray):
    pad = self._tokenizer.pad_id()
    example = grpo_learner.TrainExample(
        prompt_ids=jax.numpy.asarray(self._prompt_ids),
        prompt_mask=jax.numpy.asarray(self._prompt_ids != pad),
        completion_ids=jax.numpy.asarray(self._completions),
        completion_mask=jax.numpy.asarray(self._completions != pad),
        advantages=jax.numpy.asarray(advantages),
        ref_per_token_logps=self._logps,
        old_per_token_logps=None,
    )
    self._cluster.update_actor([example], None)
    state = common.nnx.state(self._cluster.actor_trainer.model, common.nnx.LoRAParam)
    jax.block_until_ready(jax.tree.leaves(state))


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
  parser.add_argument("--rounds", type=int, default=10, help="counted rounds, after two to warm up")
  rounds = parser.parse_args().rounds
  mesh = mesh_lib.make_mesh(1, 1)
  from reasoner.data import prompts as prompts_lib

  prompts = [prompts_lib.render(text) for text in TEXTS[:PROMPTS] for _ in range(GENERATIONS)]
  vocabulary = [prompts_lib.render(text) for text in TEXTS] + [
      f"word{i} {chr(97 + i % 26)}{chr(97 + i // 26)}x" for i in range(676)
  ]
  tokenizer = embedded.train_tokenizer(vocabulary, 256)
  sides = {"reasoner": Ours(mesh, tokenizer, prompts), "bare Tunix": Bare(mesh, tokenizer, prompts)}
  advantages = np.tile(np.linspace(-1, 1, GENERATIONS, dtype=np.float32), PROMPTS)
  seconds: dict[tuple[str, str], list[float]] = {}
  for number in range(rounds + 2):
    order = list(sides) if number % 2 else list(sides)[::-1]
    for phase, arguments in (("rollout", (number,)), ("reference", ()), ("update", (advantages,))):
      for name in order:
        start = time.perf_counter()
        getattr(sides[name], phase)(*arguments)
        if number >= 2:
          seconds.setdefault((phase, name), []).append(time.perf_counter() - start)
  print(f"{'phase':<12}{'reasoner, s':>14}{'bare Tunix, s':>16}{'ratio':>8}   (medians of {rounds} rounds)")
  phases = ("rollout", "reference", "update")
  for phase in phases:
    ours, bare = seconds[phase, "reasoner"], seconds[phase, "bare Tunix"]
    ratio = statistics.median(a / b for a, b in zip(ours, bare))
    print(f"{phase:<12}{statistics.median(ours):>14.3f}{statistics.median(bare):>16.3f}{ratio:>8.2f}")


if __name__ == "__main__":
  main()
