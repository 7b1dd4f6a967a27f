"""The story of a run: load, cold start, evaluate; sample, roll out, score, update, save; evaluate, report.

Killed at any instant, the same command continues to the same bits: all randomness is a function of
seed and step, a step's inputs are the last checkpoint's arrays, and what a killed run wrote beyond
its last checkpoint is dropped. No clock decides anything that is learned from.
"""

from collections.abc import Mapping, Sequence
import contextlib
import random
import resource
import sys
from typing import Any

from flax import nnx
import jax
import numpy as np
import optax

from reasoner import assemble
from reasoner import checkpoints
from reasoner import cold_start
from reasoner import data
from reasoner import environment
from reasoner import evaluate
from reasoner import files
from reasoner import grpo
from reasoner import metrics
from reasoner import models
from reasoner import progress
from reasoner import prompts
from reasoner import report
from reasoner import sampling
from reasoner.models import lora
from reasoner.models import mesh as mesh_lib
from rewards import workers
from rewards.schema import Example

BEFORE, AFTER, SAMPLES, SUMMARY = (
    "evaluation_before.jsonl", "evaluation_after.jsonl", "samples.jsonl", "summary.json"
)


def train(run: assemble.Run) -> None:
  """Runs everything that the work directory does not hold yet."""
  with files.lock(run.workdir), contextlib.ExitStack() as resources:
    if (run.workdir / SUMMARY).exists():
      print(f"{run.workdir} is finished: its report is {run.workdir / 'report.html'}.")
      return
    for warning in run.warnings:
      print(f"warning: {warning}")
    environment.check(run.workdir)
    clock = progress.Clock(run.workdir)
    config = run.config

    corpus = load_corpus(run)
    service = resources.enter_context(
        workers.Service(
            config["rewards"], defaults=run.default_rewards, plugins=config["plugins"], **config["scoring"]
        )
    )
    print("Checking gold answers against their own rewards ...", flush=True)
    corpus = data.check_gold(
        corpus, service, rewards=run.domains, cache_path=models.cache_directory() / "gold.txt"
    )
    schedule = make_schedule(run, corpus)
    print("\n".join([*corpus.table(), "", *sampling_table(schedule)]), flush=True)
    files.write_json(run.workdir / "disco.json", schedule.table())

    sample = [example for domain in sorted(corpus.train) for example in corpus.train[domain][::10]]
    tokenizer = run.model.load_tokenizer(cold_start.vocabulary_texts(sample))
    render = Renderer(tokenizer, config["rollout"]["max_prompt_tokens"])
    mesh = mesh_lib.make_mesh(config["model"]["mesh"]["fsdp"] or None, config["model"]["mesh"]["tp"])
    actor, reference = load_models(run, corpus, tokenizer, mesh, clock)
    policy = grpo.Policy(
        actor,
        tokenizer,
        mesh,
        reference=reference,
        max_prompt_tokens=config["rollout"]["max_prompt_tokens"],
        max_new_tokens=config["rollout"]["max_new_tokens"],
    )
    run_evaluation(run, BEFORE, policy, service, corpus, render, clock)
    learn(run, policy, service, corpus, schedule, render, clock)
    run_evaluation(run, AFTER, policy, service, corpus, render, clock)
    print(f"{render.shortened} of {render.count} prompts were shortened to fit.")
    finish(run, policy, clock)


def load_corpus(run: assemble.Run) -> data.Corpus:
  """Reads all rows, those of training and of evaluation."""
  section = run.config["data"]
  corpus = data.load(
      section["sources"],
      domains=tuple(run.domains),
      root=assemble.data_root(section),
      pools=section["pools"],
      evaluation_sets=section["evaluation_sets"],
      on_bad_row=section["on_bad_row"],
      quarantine_path=run.workdir / "quarantine.jsonl",
      seed=run.seed,
  )
  corpus.require_rows()
  return corpus


def make_schedule(run: assemble.Run, corpus: data.Corpus) -> sampling.Schedule:
  """Returns which rows each step draws."""
  config = run.config
  return sampling.Schedule(
      {domain: len(examples) for domain, examples in corpus.train.items()},
      steps=config["train"]["steps"],
      prompts_per_step=config["train"]["prompts_per_step"],
      seed=run.seed,
      **config["disco"],
  )


def sampling_table(schedule: sampling.Schedule) -> list[str]:
  """Returns the DISCO table as lines: natural share -> DISCO share -> rows drawn."""
  lines = [f"{'domain':<20}{'rows':>8}{'natural':>10}{'DISCO':>10}{'drawn':>8}{'epochs':>8}"]
  for row in schedule.table():
    lines.append(
        f"{row['domain']:<20}{row['rows']:>8,}{row['natural_share']:>10.1%}{row['disco_share']:>10.1%}"
        f"{row['draws']:>8,}{row['epochs']:>8.2f}"
    )
  return lines


class Renderer:
  """Prompts as token ids, each made once. count, shortened: how many were made, and cut to fit."""

  def __init__(self, tokenizer, max_prompt_tokens: int):
    self._tokenizer = tokenizer
    self._max_prompt_tokens = max_prompt_tokens
    self._ids: dict[str, list[int]] = {}
    self.shortened = 0

  @property
  def count(self) -> int:
    return len(self._ids)

  def __call__(self, example: Example) -> list[int]:
    if example.uid not in self._ids:
      prompt = prompts.render(example.prompt, self._tokenizer, self._max_prompt_tokens)
      self.shortened += prompt.shortened
      self._ids[example.uid] = [self._tokenizer.bos_id(), *self._tokenizer.encode(prompt.text)]
    return self._ids[example.uid]


def load_models(run: assemble.Run, corpus: data.Corpus, tokenizer, mesh, clock: progress.Clock):
  """Returns the LoRA actor as GRPO starts from it, and its reference (None: a snapshot of it).

  A model that starts from nothing learns with all its weights and gets its adapter afterwards; a
  pretrained one learns with the adapter alone, which GRPO then goes on with.
  """
  settings = run.config["model"]
  base = run.model.load(mesh, mesh_lib.compute_dtype(settings["dtype"]), run.seed)
  cold = run.config["cold_start"]["steps"] > 0
  if cold and run.model.from_nothing:
    supervise(run, base, corpus, tokenizer, mesh, clock)
  actor = lora.add_lora(base, seed=run.seed, **settings["lora"])
  if cold and not run.model.from_nothing:
    supervise(run, actor, corpus, tokenizer, mesh, clock)
    return actor, None
  return actor, base


def supervise(run: assemble.Run, model, corpus: data.Corpus, tokenizer, mesh, clock: progress.Clock) -> None:
  """Trains the model on traces of the training rows, drawn as GRPO draws them."""
  config = run.config["cold_start"]
  kind = nnx.Param if run.model.from_nothing else nnx.LoRAParam
  saved = checkpoints.Checkpoints(run.workdir / "checkpoints" / "cold_start", keep=1)
  learner = cold_start.Learner(
      model, mesh, steps=config["steps"], learning_rate=config["learning_rate"],
      warmup_fraction=config["warmup_fraction"],
  )
  arrays = lambda: {  # noqa: E731
      "model": checkpoints.arrays_of(model, kind),
      "optimizer": checkpoints.arrays_of(learner.optimizer, nnx.Variable),
  }
  start = saved.latest() or 0
  if start:
    restored = saved.restore(start, arrays())
    checkpoints.assign(model, restored["model"], kind)
    checkpoints.assign(learner.optimizer, restored["optimizer"], nnx.Variable)
  if start < config["steps"]:
    rollout = run.config["rollout"]
    draws = sampling.Schedule(
        {domain: len(examples) for domain, examples in corpus.train.items()},
        steps=config["traces"], prompts_per_step=1, seed=run.seed, **run.config["disco"],
    )
    traces = cold_start.build_traces(
        [corpus.train[d][i] for k in range(config["traces"]) for d, i in draws.rows(k)],
        tokenizer,
        max_prompt_tokens=rollout["max_prompt_tokens"],
        max_completion_tokens=rollout["max_new_tokens"],
        seed=run.seed,
        flaws=cold_start.Flaws(**config["flaws"]),
    )
    batches = cold_start.batches(
        traces, tokenizer, batch_size=config["batch_size"],
        max_tokens=rollout["max_prompt_tokens"] + rollout["max_new_tokens"],
        seed=run.seed, start_step=start, steps=config["steps"],
    )
    with clock.phase("cold_start"), progress.Progress("cold start", start, config["steps"]) as bar:
      for step, batch in enumerate(batches, start=start + 1):
        loss = float(learner.update(batch))  # waits: steps queued without bound would fill memory
        bar.update(step, loss=loss)
        if step % config["checkpoint_every"] == 0 or step == config["steps"]:
          saved.save(step, arrays())
          clock.save()
  saved.close()


def run_evaluation(run, name: str, policy, service, corpus: data.Corpus, render, clock: progress.Clock) -> None:
  """Evaluates greedily on the held-out rows and writes the records, unless that is done."""
  path = run.workdir / name
  if path.exists():
    return
  config = run.config
  held_out = [e for d in sorted(corpus.evaluation) for e in pick(corpus.evaluation[d], run)]
  sets = {evaluate.HELD_OUT: held_out}
  for set_name, by_domain in corpus.evaluation_sets.items():
    sets[set_name] = [e for d in sorted(by_domain) for e in pick(by_domain[d], run)]
  with clock.phase("evaluation"):
    records = evaluate.evaluate(
        policy,
        service,
        sets,
        render,
        grpo.Sampling(max_new_tokens=config["rollout"]["max_new_tokens"]),
        batch_size=config["train"]["prompts_per_step"] * config["grpo"]["num_generations"],
    )
  files.write_lines(path, records)
  print("\n".join(evaluate.table(evaluate.summarize(records), title=name)), flush=True)


def pick(examples: Sequence[Example], run: assemble.Run) -> list[Example]:
  """Returns the seeded sample of a domain's evaluation rows that this run evaluates on."""
  count = min(run.config["data"]["evaluation_rows"], len(examples))
  return random.Random(f"{run.seed}/evaluation").sample(list(examples), count)


def learn(run, policy: grpo.Policy, service, corpus, schedule, render, clock: progress.Clock) -> None:
  """GRPO: every step samples prompts, rolls out, scores, updates, measures and, at times, saves."""
  config = run.config["train"]
  updates = config["steps"] * run.algorithm.num_iterations
  rate = learning_rate_schedule(config, updates)
  optimizer = optax.chain(
      optax.clip_by_global_norm(config["gradient_clip"]),
      optax.adamw(rate, b1=config["b1"], b2=config["b2"], weight_decay=config["weight_decay"]),
  )
  rollout = run.config["rollout"]
  learner = grpo.Learner(
      policy, run.algorithm, optimizer,
      temperature=rollout["temperature"], micro_batches=config["micro_batches"],
  )
  draw = grpo.Sampling(
      max_new_tokens=rollout["max_new_tokens"],
      temperature=rollout["temperature"],
      top_p=rollout["top_p"],
      top_k=rollout["top_k"] or None,
  )
  saved = checkpoints.Checkpoints(run.workdir / "checkpoints" / "grpo", keep=config["checkpoints_kept"])
  arrays = lambda: {  # noqa: E731
      "adapter": checkpoints.arrays_of(policy.actor, nnx.LoRAParam),
      "optimizer": checkpoints.arrays_of(learner.optimizer, nnx.Variable),
  }
  start = saved.latest() or 0
  if start:
    restored = saved.restore(start, arrays())
    checkpoints.assign(policy.actor, restored["adapter"], nnx.LoRAParam)
    checkpoints.assign(learner.optimizer, restored["optimizer"], nnx.Variable)
  log = metrics.Log(run.workdir, start)
  files.keep_steps(run.workdir / SAMPLES, below=start)
  with clock.phase("grpo"), progress.Progress("grpo", start, config["steps"]) as bar:
    for step in range(start, config["steps"]):
      rows = [corpus.train[domain][row] for domain, row in schedule.rows(step)]
      measured = take_step(run, learner, service, rows, render, draw, step)
      measured["train/learning_rate"] = float(rate(step * run.algorithm.num_iterations))
      if step % config["samples_every"] == 0:
        for sample in measured["samples"]:
          files.append_line(run.workdir / SAMPLES, {"step": step, **sample})
      log.write(step, {name: value for name, value in measured.items() if name != "samples"})
      bar.update(
          step + 1,
          reward=measured.get("rewards/total"),
          format=measured["rewards/gate_pass_rate"],
          accuracy=measured.get("rewards/accuracy"),
      )
      if (step + 1) % config["checkpoint_every"] == 0 or step + 1 == config["steps"]:
        saved.save(step + 1, arrays())
        clock.save()
  log.close()
  saved.close()


def take_step(run, learner: grpo.Learner, service, rows, render, draw: grpo.Sampling, step: int) -> dict[str, Any]:
  """One step of GRPO on the given prompts; returns its metrics, and samples under "samples"."""
  watch = progress.Stopwatch()
  generations = run.algorithm.num_generations
  examples = [example for example in rows for _ in range(generations)]
  groups = [group for group in range(len(rows)) for _ in range(generations)]
  key = jax.random.fold_in(jax.random.key(run.seed), step)
  rollout = learner.policy.generate([render(example) for example in examples], draw, key)
  watch.lap("rollout")

  scores = service.submit(examples, rollout.texts, groups)  # while the device computes the rest
  frozen = jax.block_until_ready(learner.reference(rollout))
  watch.lap("reference")
  breakdowns = scores.result()
  watch.lap("reward")

  trained = np.array([breakdown.total is not None for breakdown in breakdowns])
  whole = trained.reshape(-1, generations).all(axis=1).repeat(generations)
  rewards = np.where(whole, [breakdown.total or 0.0 for breakdown in breakdowns], 0.0)
  advantages = learner.advantages(rewards)
  update = learner.update(rollout, advantages, whole, frozen)
  watch.lap("update")

  flat = ~advantages.reshape(-1, generations).any(axis=1)
  return {
      **metrics.measure(examples, breakdowns),
      "groups/zero_advantage_fraction": float(flat.mean()),
      "groups/not_scored_fraction": float(1 - whole.mean()),
      "completions/length": float(rollout.lengths.mean()),
      "completions/truncated_fraction": float(rollout.truncated.mean()),
      **{f"train/{name}": value for name, value in update.items()},
      **watch.metrics(),
      "tokens_per_second": float(rollout.lengths.sum()) / watch.total,
      "samples": samples_of(examples, rollout, breakdowns, advantages),
  }


def samples_of(examples, rollout: grpo.Rollout, breakdowns, advantages) -> list[dict[str, Any]]:
  """Returns the first completion of each domain, with what it was paid."""
  first: dict[str, int] = {}
  for i, example in enumerate(examples):
    first.setdefault(example.domain, i)
  return [
      {
          "domain": domain,
          "uid": examples[i].uid,
          "prompt": examples[i].prompt,
          "completion": rollout.texts[i],
          "advantage": float(advantages[i]),
          **evaluate.as_record(breakdowns[i]),
      }
      for domain, i in sorted(first.items())
  ]


def learning_rate_schedule(config: Mapping[str, Any], updates: int) -> optax.Schedule:
  """Linear warm-up over a fraction of the updates, then a cosine to zero."""
  warmup = max(1, round(config["warmup_fraction"] * updates))
  return optax.warmup_cosine_decay_schedule(0.0, config["learning_rate"], warmup, max(updates, warmup + 1))


def finish(run: assemble.Run, policy: grpo.Policy, clock: progress.Clock) -> None:
  """Writes summary.json and the report: the run is then complete."""
  before = evaluate.summarize(files.read_lines(run.workdir / BEFORE))
  after = evaluate.summarize(files.read_lines(run.workdir / AFTER))
  seconds = clock.seconds()
  peak = sum(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
  summary = {
      "config_hash": run.config_hash,
      "seed": run.seed,
      "steps": run.config["train"]["steps"],
      "seconds": seconds,
      "peak_memory_gb": peak * (1 if sys.platform == "darwin" else 1024) / 1e9,
      "adapter_sha256": checkpoints.sha256(checkpoints.arrays_of(policy.actor, nnx.LoRAParam)),
      "environment": environment.fingerprint(),
      "domains": {
          name: {
              "n": before[name]["n"],
              **{
                  f"{field}_{when}": table[name][source]
                  for field, source in _SUMMARY_FIELDS.items()
                  for when, table in (("before", before), ("after", after))
              },
          }
          for name in before
          if name != "all"
      },
  }
  report.write(run.workdir, summary, run.config)
  files.write_json(run.workdir / SUMMARY, summary)
  print(f"Report: {run.workdir / 'report.html'}")


_SUMMARY_FIELDS = {
    "format": "format",
    "accuracy": "accuracy",
    "accuracy_given_format": "accuracy_given_format",
    "n_valid": "n_valid",
    "reward": "reward",
}
