r"""The GRPO step beside a bare Tunix script doing the same work: phase by phase, in turn, each in its process.

  python -m reasoner.benchmark --model=embedded --rounds=10
  python -m reasoner.benchmark --model=gemma3_270m --rounds=3
  python -m reasoner.benchmark --model=gemma3_270m --rounds=3 --against=trl    # where TRL is installed

Every side holds the same weights and sees the same prompts, and no two compute at once: round by round
one goes after the other, so a machine that drifts does so for all. What counts is the ratio of a
round's steps; the last line is `step OURS BARE RATIO`, in seconds, medians. The bare side is Tunix as
its examples wire it, an RLCluster with rollout, reference and actor on one mesh, under the default
allocator. With `--against=trl` it is a step of TRL's GRPOTrainer with PEFT, on the same weights, as a whole.
"""

import argparse
import importlib.util
import json
import os
import pathlib
import queue
import statistics
import subprocess
import sys
import tempfile
import threading
import time

PHASES = ("rollout", "reference", "update")
TEXTS = [
    f"<start_of_turn>user\nAfter school Nora picks up {i} shells, then {i + 3}. How many is that?<end_of_turn>\n"
    "<start_of_turn>model\n"
    for i in range(10, 38)
]
# Prompts, completions of each, tokens of either, weight of the KL term, rounds that are not counted.
SIZES = {
    "embedded": dict(prompts=14, generations=8, prompt_tokens=64, new_tokens=96, beta=0.02, warm_up=2),
    "gemma3_270m": dict(prompts=2, generations=4, prompt_tokens=64, new_tokens=128, beta=0.04, warm_up=1),
}


class Task:
  """What all sides share: the model, its tokenizer, prompts and advantages."""

  def __init__(self, model: str):
    import numpy as np

    from reasoner.models import mesh as mesh_lib

    vars(self).update(SIZES[model])
    self.model, self.rows = model, self.prompts * self.generations
    self.mesh = mesh_lib.make_mesh(1, 1)
    self.tokenizer = self._tokenizer()
    self.texts = TEXTS[: self.prompts]
    self.advantages = np.tile(np.linspace(-1, 1, self.generations, dtype=np.float32), self.prompts)

  def _tokenizer(self):
    from reasoner import models
    from reasoner.models import embedded

    if self.model != "embedded":
      return models.get_source(self.model).load_tokenizer(())
    words = [f"word{i} {chr(97 + i % 26)}{chr(97 + i // 26)}x" for i in range(676)]
    return embedded.train_tokenizer([*TEXTS, *words], 256)

  def actor_and_base(self):
    from reasoner import models
    from reasoner.models import embedded
    from reasoner.models import family
    from reasoner.models import lora
    from reasoner.models import mesh as mesh_lib

    dtype = mesh_lib.compute_dtype("auto")
    if self.model == "embedded":
      base = mesh_lib.place(embedded.build(embedded.VOCABULARY_SIZE, 0, dtype), self.mesh)
    else:
      base = models.get_source(self.model).load(self.mesh, dtype, 0)
    modules = tuple(family.of_model(base).MODULES)
    return lora.add_lora(base, rank=16, alpha=32.0, modules=modules, seed=0), base


class Ours:
  """One step through reasoner.policy.grpo."""

  phases = PHASES

  def __init__(self, task: Task):
    import optax

    from reasoner.policy import algorithms
    from reasoner.policy import grpo

    actor, base = task.actor_and_base()
    self._task = task
    self._policy = grpo.Policy(
        actor, task.tokenizer, task.mesh, reference=base,
        max_prompt_tokens=task.prompt_tokens, max_new_tokens=task.new_tokens,
    )
    algorithm = algorithms.Algorithm(
        name="grpo", num_generations=task.generations, num_iterations=1, beta=task.beta
    )
    self._learner = grpo.Learner(self._policy, algorithm, optax.adamw(1e-5), temperature=1.0)
    self._prompts = [[task.tokenizer.bos_id(), *task.tokenizer.encode(text)] for text in task.texts]
    self._sampling = grpo.Sampling(max_new_tokens=task.new_tokens, temperature=1.0)

  def rollout(self, seed: int) -> int:
    import jax

    self._rollout = self._policy.generate(
        self._prompts, self._sampling, jax.random.key(seed), self._task.generations
    )
    return int(self._rollout.lengths.sum())

  def reference(self):
    import jax

    self._frozen = jax.block_until_ready(self._learner.reference(self._rollout))

  def update(self):
    import numpy as np

    self._learner.update(self._rollout, self._task.advantages, np.ones(self._task.rows, bool), self._frozen)


class Bare:
  """The same step through Tunix's RLCluster."""

  phases = PHASES

  def __init__(self, task: Task):
    import optax
    from tunix.rl import rl_cluster
    from tunix.rl.grpo import grpo_learner
    from tunix.rl.rollout import base_rollout

    actor, base = task.actor_and_base()
    self._task = task
    self._prompts = [text for text in task.texts for _ in range(task.generations)]
    roles = (rl_cluster.Role.ACTOR, rl_cluster.Role.REFERENCE, rl_cluster.Role.ROLLOUT)
    self._rollout_config = base_rollout.RolloutConfig(
        max_tokens_to_generate=task.new_tokens, max_prompt_length=task.prompt_tokens, temperature=1.0, top_p=1.0,
        top_k=None, kv_cache_size=task.prompt_tokens + task.new_tokens, eos_tokens=list(task.tokenizer.eos_ids),
    )
    self._cluster = rl_cluster.RLCluster(
        actor=actor,
        reference=base,
        tokenizer=task.tokenizer,
        cluster_config=rl_cluster.ClusterConfig(
            role_to_mesh=dict.fromkeys(roles, task.mesh),
            rollout_config=self._rollout_config,
            training_config=rl_cluster.RLTrainingConfig(
                actor_optimizer=optax.adamw(1e-5), eval_every_n_steps=10**9, max_steps=10**9
            ),
        ),
    )
    config = grpo_learner.GRPOConfig(
        num_generations=task.generations, num_iterations=1, beta=task.beta, epsilon=0.2, kl_loss_mode="low_var_kl"
    )
    grpo_learner.GRPOLearner(rl_cluster=self._cluster, algo_config=config, reward_fns=lambda **_: [])

  def rollout(self, seed: int) -> int:
    import numpy as np

    self._rollout_config.seed = seed
    output = self._cluster.generate(self._prompts)
    pad = self._task.tokenizer.pad_id()
    self._completions = np.full((self._task.rows, self._task.new_tokens), pad, np.int32)
    for row, tokens in zip(self._completions, output.tokens):
      row[: len(tokens)] = tokens
    self._prompt_ids = np.asarray(output.left_padded_prompt_tokens)
    return int((self._completions != pad).sum())

  def reference(self):
    import jax

    self._logps = jax.block_until_ready(
        self._cluster.get_ref_per_token_logps(
            prompt_tokens=jax.numpy.asarray(self._prompt_ids),
            completion_tokens=jax.numpy.asarray(self._completions),
            pad_id=self._task.tokenizer.pad_id(),
            eos_id=self._task.tokenizer.eos_id(),
        )
    )

  def update(self):
    from flax import nnx
    import jax
    from tunix.rl.grpo import grpo_learner

    pad = self._task.tokenizer.pad_id()
    example = grpo_learner.TrainExample(
        prompt_ids=jax.numpy.asarray(self._prompt_ids),
        prompt_mask=jax.numpy.asarray(self._prompt_ids != pad),
        completion_ids=jax.numpy.asarray(self._completions),
        completion_mask=jax.numpy.asarray(self._completions != pad),
        advantages=jax.numpy.asarray(self._task.advantages),
        ref_per_token_logps=self._logps,
        old_per_token_logps=None,
    )
    self._cluster.update_actor([example], None)
    jax.block_until_ready(jax.tree.leaves(nnx.state(self._cluster.actor_trainer.model, nnx.LoRAParam)))


class Trl:
  """The same step through TRL's GRPOTrainer, which has no phases to call: its loop runs in a thread of its
  own and waits at the beginning of each step until `step` is called."""

  phases = ("step",)

  def __init__(self, task: Task):
    import datasets
    import peft
    import transformers
    import trl

    from reasoner.models import hugging_face

    self._task, self._seeds, self._done = task, queue.Queue(), queue.Queue()
    self._directory = tempfile.TemporaryDirectory()
    hugging_face.write_directory(pathlib.Path(self._directory.name), task.actor_and_base()[1], task.tokenizer)
    settings = trl.GRPOConfig(
        output_dir=self._directory.name, use_cpu=True, bf16=False, gradient_checkpointing=False, report_to=[],
        save_strategy="no", logging_strategy="no", disable_tqdm=True, max_steps=10**6, learning_rate=1e-5,
        per_device_train_batch_size=task.rows, num_generations=task.generations, beta=task.beta, temperature=1.0,
        max_completion_length=task.new_tokens, num_iterations=1, shuffle_dataset=False,
    )
    trainer = trl.GRPOTrainer(
        model=transformers.AutoModelForCausalLM.from_pretrained(self._directory.name, dtype="float32"),
        reward_funcs=self._reward, args=settings, processing_class=_pieces(task.tokenizer),
        train_dataset=datasets.Dataset.from_list([{"prompt": text} for text in task.texts]),
        peft_config=peft.LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"),
        callbacks=[self._turnstile(transformers)],
    )
    threading.Thread(target=trainer.train, daemon=True).start()

  def _reward(self, completion_ids, **_):
    self._tokens = sum(map(len, completion_ids))
    return self._task.advantages.tolist()

  def _turnstile(self, transformers):
    seeds, done = self._seeds, self._done

    class Turnstile(transformers.TrainerCallback):
      """One step for each seed."""

      def on_step_begin(self, *_, **__):
        transformers.set_seed(seeds.get())

      def on_step_end(self, *_, **__):
        done.put(None)

    return Turnstile()

  def step(self, seed: int) -> int:
    self._seeds.put(seed)
    self._done.get()
    return self._tokens


def _pieces(tokenizer):
  """Returns a tokenizer as transformers wants it, of the same ids."""
  import transformers

  class Pieces(transformers.PreTrainedTokenizer):
    """Its tokens are named after their ids: no conversion of the vocabulary, hence no difference."""

    vocab_size = tokenizer.vocab_size

    def get_vocab(self):
      return {f"<id{i}>": i for i in range(tokenizer.vocab_size)}

    def _tokenize(self, text, **_):
      return [f"<id{i}>" for i in tokenizer.encode(text)]

    def _convert_token_to_id(self, token):
      return int(token[3:-1])

    def _convert_id_to_token(self, index):
      return f"<id{index}>"

    def build_inputs_with_special_tokens(self, ids, _=None):
      return [tokenizer.bos_id(), *ids]

  name = lambda index: f"<id{index}>"  # noqa: E731
  return Pieces(
      bos_token=name(tokenizer.bos_id()), eos_token=name(tokenizer.eos_id()), pad_token=name(tokenizer.pad_id()),
      unk_token=name(tokenizer.pad_id()),
  )


SIDES = {"ours": Ours, "tunix": Bare, "trl": Trl}


def serve(side: str, model: str, keep_memory: bool) -> None:
  """A side's process: for each line of its input, a seed, takes a step and answers with its times."""
  if keep_memory:
    from reasoner.run import memory

    memory.keep_freed()
  answers, sys.stdout = sys.stdout, sys.stderr  # Tunix prints
  step = SIDES[side](Task(model))
  for line in sys.stdin:
    seconds, marks = {}, [time.perf_counter()]
    for phase in step.phases:
      if phase == step.phases[0]:
        tokens = getattr(step, phase)(int(line))
      else:
        getattr(step, phase)()
      marks.append(time.perf_counter())
      seconds[phase] = marks[-1] - marks[-2]
    answer = {"seconds": seconds, "tokens": tokens, "peak_gb": _peak_gb()}
    print(json.dumps(answer), file=answers, flush=True)


def _peak_gb() -> float:
  from reasoner.run import environment

  return environment.peak_memory_gb()


def _start(side: str, arguments) -> subprocess.Popen:
  command = [sys.executable, "-m", "reasoner.benchmark", f"--serve={side}", f"--model={arguments.model}"]
  if side == "ours" and arguments.keep_memory:
    command.append("--keep_memory")
  return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(os.environ))


def _step(process: subprocess.Popen, seed: int) -> dict:
  process.stdin.write(f"{seed}\n")
  process.stdin.flush()
  line = process.stdout.readline()
  if not line:
    raise SystemExit(f"error: {' '.join(process.args[2:])} ended with status {process.wait()}.")
  return json.loads(line)


def measure(arguments) -> dict:
  """Returns medians by side and phase, the ratio of the steps, and each side's peak memory."""
  sides = "ours", arguments.against
  processes = {side: _start(side, arguments) for side in sides}
  rounds = {side: [] for side in sides}
  try:
    warm_up = SIZES[arguments.model]["warm_up"]
    for number in range(warm_up + arguments.rounds):
      for side in sides if number % 2 else sides[::-1]:
        answer = _step(processes[side], number)
        if number >= warm_up:
          rounds[side].append(answer)
        if not arguments.json:
          times = "  ".join(f"{phase} {value:.3f}" for phase, value in answer["seconds"].items())
          counted = "" if number >= warm_up else " (not counted)"
          print(f"round {number} {side:<6} {times}{counted}", flush=True)
  finally:
    for process in processes.values():
      process.stdin.close()
      process.wait()
  result = {"model": arguments.model, "rounds": arguments.rounds, "keep_memory": arguments.keep_memory, "sides": {}}
  for side in sides:
    phases = {p: statistics.median(r["seconds"][p] for r in rounds[side]) for p in rounds[side][0]["seconds"]}
    steps = [sum(r["seconds"].values()) for r in rounds[side]]
    result["sides"][side] = phases | {
        "step": statistics.median(steps),
        "tokens": statistics.median(r["tokens"] for r in rounds[side]),
        "peak_gb": max(r["peak_gb"] for r in rounds[side]),
    }
  pairs = zip(*([sum(r["seconds"].values()) for r in rounds[side]] for side in sides))
  result["ratio"] = statistics.median(ours / theirs for ours, theirs in pairs)
  return result


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
  parser.add_argument("--model", choices=sorted(SIZES), default="embedded")
  parser.add_argument("--rounds", type=int, default=10, help="counted rounds, after those that warm up")
  parser.add_argument("--keep_memory", action="store_true", help="our side as config.train.keep_memory has it")
  parser.add_argument("--against", choices=[side for side in SIDES if side != "ours"], default="tunix")
  parser.add_argument("--json", action="store_true", help="one JSON object in place of the table")
  parser.add_argument("--serve", choices=sorted(SIDES), help=argparse.SUPPRESS)
  arguments = parser.parse_args()
  if arguments.serve:
    serve(arguments.serve, arguments.model, arguments.keep_memory)
    return
  if arguments.against == "trl" and importlib.util.find_spec("trl") is None:
    raise SystemExit("error: --against=trl: TRL is not installed here; pip install trl.")
  result = measure(arguments)
  if arguments.json:
    print(json.dumps(result))
    return
  ours, theirs = result["sides"].values()
  name = {"tunix": "bare Tunix", "trl": "TRL"}[arguments.against]
  print(f"{'':<12}{'reasoner':>12}{name:>12}{'ratio':>8}   medians of {arguments.rounds} rounds")
  for row in theirs:
    print(f"{row:<12}{ours[row]:>12.3f}{theirs[row]:>12.3f}{ours[row] / theirs[row]:>8.2f}")
  print(f"step {ours['step']:.3f} {theirs['step']:.3f} {result['ratio']:.3f}")


if __name__ == "__main__":
  main()
