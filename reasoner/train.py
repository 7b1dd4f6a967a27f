"""The story of a run: load, cold start, evaluate; sample, roll out, score, update, save; evaluate, report.

Killed at any instant, the same command continues to the same bits: all randomness is a function of
seed and step, a step's inputs are the last checkpoint's arrays, and what a killed run wrote beyond
its last checkpoint is dropped. No clock decides what is learned from, but for the logged wall-time
backstops of the scoring service.
"""

from collections.abc import Mapping, Sequence
import contextlib
import dataclasses
import hashlib
import json
import pathlib
import random
from typing import Any

from flax import nnx
import jax
import numpy as np

from reasoner import data
from reasoner import evaluate
from reasoner import models
from reasoner.data import prompts
from reasoner.data.corpus import EVALUATION
from reasoner.data import sampling
from reasoner.data import traces as traces_lib
from reasoner.models import lora
from reasoner.models import mesh as mesh_lib
from reasoner.policy import cold_start
from reasoner.policy import grpo
from reasoner.policy import optimizer as optimizer_lib
from reasoner.reporting import metrics
from reasoner.reporting import records as records_lib
from reasoner.reporting import report
from reasoner.run import assemble
from reasoner.run import checkpoints
from reasoner.run import environment
from reasoner.run import files
from reasoner.run import progress
from rewards import format as output_format
from rewards.errors import ConfigError
from rewards.schema import Example
from rewards.service import Service

BEFORE = assemble.BEFORE
AFTER, SAMPLES, SUMMARY = "evaluation_after.jsonl", "samples.jsonl", "summary.json"


def train(run: assemble.Run) -> None:
  """Runs everything that the work directory does not hold yet."""
  with files.lock(run.workdir), contextlib.ExitStack() as resources:
    if (run.workdir / SUMMARY).exists():
      print(f"{run.workdir} is finished: its report is {run.workdir / 'report.html'}.")
      return
    assemble.check_workdir(run.workdir, run.config)  # another run may have held the lock until now
    for warning in run.warnings:
      print(f"warning: {warning}")
    environment.check(run.workdir)
    clock = progress.Clock(run.workdir)
    settings = run.settings
    mesh = mesh_lib.make_mesh(settings.model.mesh.fsdp or None, settings.model.mesh.tp)
    settings.check_devices(mesh.shape["fsdp"])

    print("Loading rows ...", flush=True)
    corpus = run.load_rows(run.workdir / "quarantine.jsonl")
    service = resources.enter_context(
        Service(
            settings.rewards,
            defaults=run.default_rewards,
            plugins=settings.plugins,
            faults_path=run.workdir / "faults.jsonl",
            **dataclasses.asdict(settings.scoring),
        )
    )
    print("Checking gold answers against their own rewards ...", flush=True)
    corpus = data.check_gold(
        corpus, service, rewards=run.domains, cache_path=models.cache_directory() / "gold.txt"
    )
    try_rewards(corpus, service)
    sample = [example for domain in sorted(corpus.train) for example in corpus.train[domain][::10]]
    tokenizer = run.model.load_tokenizer(traces_lib.vocabulary_texts(sample, run.plan))
    fitter = prompts.Fitter(tokenizer=tokenizer, max_tokens=settings.rollout.max_prompt_tokens)
    corpus = fitter.drop_too_long(corpus)
    schedule = run.schedule(corpus)
    print("\n".join([*corpus.table(), "", *schedule.lines()]), flush=True)
    check_same_rows(run, corpus)
    files.write_json(run.workdir / "disco.json", schedule.table())
    files.write_json(run.workdir / assemble.CONFIG_FILE, run.config)

    used = uids_of(run, corpus, schedule)
    corpus, shortened = fitter.cut(corpus, used)
    print(f"{shortened} of {len(used)} prompts are shortened to fit.", flush=True)
    render = prompts.Renderer(tokenizer)
    actor, reference = load_models(run, corpus, tokenizer, mesh, clock)
    policy = grpo.Policy(
        actor,
        tokenizer,
        mesh,
        reference=reference,
        max_prompt_tokens=settings.rollout.max_prompt_tokens,
        max_new_tokens=settings.rollout.max_new_tokens,
    )
    run_evaluation(run, BEFORE, policy, service, corpus, render, clock)
    learn(run, policy, service, corpus, schedule, render, clock)
    run_evaluation(run, AFTER, policy, service, corpus, render, clock)
    finish(run, policy, clock, prompts={"count": len(used), "shortened": shortened})


def check_same_rows(run: assemble.Run, corpus: data.Corpus) -> None:
  """Records what the rows and plugins are, or refuses to go on with others.

  Raises:
    ConfigError: the domains whose rows changed since the run began.
  """
  now = {}
  for domain in sorted(run.domains):
    digest = hashlib.sha256()
    for example in (*corpus.train[domain], *corpus.evaluation[domain]):
      row = example.uid, example.prompt, example.reference, sorted(example.extra.items())
      digest.update(repr(row).encode("utf-8", "backslashreplace"))
    now[domain] = digest.hexdigest()
  now["plugins"] = [hashlib.sha256(pathlib.Path(p).read_bytes()).hexdigest() for p in run.settings.plugins]
  path = run.workdir / "rows.json"
  if path.exists() and assemble.has_results(run.workdir):
    then = json.loads(path.read_text())
    changed = [name for name in now if then.get(name) != now[name]]
    if changed:
      raise ConfigError(
          f"--workdir={run.workdir} began with other rows or code of {', '.join(changed)}: "
          "restore them to continue it, or name another directory."
      )
  files.write_json(path, now)


def try_rewards(corpus: data.Corpus, service: Service) -> None:
  """Scores a row of every domain, so that a reward's own bug shows before any weight is loaded.

  Raises:
    ComponentError: what the reward raised, with its place.
  """
  rows = [examples[0] for _, examples in sorted(corpus.train.items())]
  texts = [output_format.render("A first thought.", row.reference.text or "A first answer.") for row in rows]
  service.score(rows, texts)


def uids_of(run: assemble.Run, corpus: data.Corpus, schedule: sampling.Schedule) -> set[str]:
  """Returns the uid of every example that the run will train or evaluate on."""
  drawn = {pair for step in range(run.settings.train.steps) for pair in schedule.rows(step)}
  evaluated = {e.uid for examples in evaluation_sets(run, corpus).values() for e in examples}
  return evaluated | {corpus.train[domain][row].uid for domain, row in drawn}


def load_models(run: assemble.Run, corpus: data.Corpus, tokenizer, mesh, clock: progress.Clock):
  """Returns the LoRA actor as GRPO starts from it, and its reference (None: a snapshot of it).

  A model that starts from nothing learns with all its weights and gets its adapter afterwards; a
  pretrained one learns with the adapter alone, which GRPO then goes on with.
  """
  settings, seed = run.settings.model, run.settings.seed
  base = run.model.load(mesh, mesh_lib.compute_dtype(settings.dtype), seed)
  cold = run.settings.cold_start.steps > 0
  if cold and run.model.from_nothing:
    supervise(run, base, corpus, tokenizer, mesh, clock)
  actor = lora.add_lora(base, seed=seed, **dataclasses.asdict(settings.lora))
  if cold and not run.model.from_nothing:
    supervise(run, actor, corpus, tokenizer, mesh, clock)
    return actor, None
  return actor, base


def supervise(run: assemble.Run, model, corpus: data.Corpus, tokenizer, mesh, clock: progress.Clock) -> None:
  """Trains the model on traces of the training rows, drawn as GRPO draws them."""
  config, seed = run.settings.cold_start, run.settings.seed
  kind = nnx.Param if run.model.from_nothing else nnx.LoRAParam
  saved = checkpoints.Checkpoints(run.workdir / "checkpoints" / "cold_start", keep=1)
  learner = cold_start.Learner(
      model, mesh, steps=config.steps, learning_rate=config.learning_rate,
      warmup_fraction=config.warmup_fraction,
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
  if start < config.steps:
    rollout = run.settings.rollout
    draws = run.draws(corpus, config.traces, prompts_per_step=1, max_repeats=None)
    examples = [corpus.train[d][i] for k in range(config.traces) for d, i in draws.rows(k)]
    traces = traces_lib.build_traces(
        examples,
        tokenizer,
        max_prompt_tokens=rollout.max_prompt_tokens,
        max_completion_tokens=rollout.max_new_tokens,
        writers=run.flaws and run.flaws.writers(examples, seed),
        plan=run.plan,
    )
    if len(traces) < len(examples):
      print(f"{len(examples) - len(traces)} of {len(examples)} traces do not fit config.rollout and are left out.")
    if not traces:
      raise ConfigError(
          f"config.rollout.max_new_tokens={rollout.max_new_tokens}: no trace of the cold start fits."
      )
    batches = cold_start.batches(
        traces, tokenizer, batch_size=config.batch_size,
        max_tokens=rollout.max_prompt_tokens + rollout.max_new_tokens,
        seed=seed, start_step=start, steps=config.steps, divisor=mesh.shape["fsdp"],
    )
    with clock.phase("cold_start"), progress.Progress("cold start", start, config.steps) as bar:
      for step, batch in enumerate(batches, start=start + 1):
        loss = float(learner.update(batch))  # waits: steps queued without bound would fill memory
        bar.update(step, loss=loss)
        if step % config.checkpoint_every == 0 or step == config.steps:
          saved.save(step, arrays())
          clock.save()
  saved.close()


def run_evaluation(run, name: str, policy, service, corpus: data.Corpus, render, clock: progress.Clock) -> None:
  """Evaluates greedily on the held-out rows and writes the records, unless that is done."""
  path = run.workdir / name
  if path.exists():
    return
  with clock.phase("evaluation"):
    records = evaluate.evaluate(
        policy,
        service,
        evaluation_sets(run, corpus),
        render,
        grpo.Sampling(max_new_tokens=run.settings.rollout.max_new_tokens),
        batch_size=run.settings.completions_per_step,
    )
  files.write_lines(path, records)
  earlier = records_lib.summarize(files.read_lines(run.workdir / BEFORE)) if name == AFTER else None
  table = records_lib.table(records_lib.summarize(records), name, earlier)
  print("\n".join(table + prompts.too_long(corpus, {EVALUATION, *corpus.evaluation_sets})), flush=True)


def evaluation_sets(run: assemble.Run, corpus: data.Corpus) -> dict[str, list[Example]]:
  """Returns the examples to evaluate on, by the name of their set."""
  sets = {records_lib.HELD_OUT: corpus.evaluation, **corpus.evaluation_sets}
  count = run.settings.data.evaluation_rows
  return {name: [e for d in sorted(rows) for e in pick(rows[d], count)] for name, rows in sets.items()}


def pick(examples: Sequence[Example], count: int) -> list[Example]:
  """Returns a sample of a domain's evaluation rows, the same under every seed, so that seeds compare."""
  return random.Random("evaluation").sample(list(examples), min(count, len(examples)))


def learn(run, policy: grpo.Policy, service, corpus, schedule, render, clock: progress.Clock) -> None:
  """GRPO: every step samples prompts, rolls out, scores, updates, measures and, at times, saves."""
  config, algorithm, rollout = run.settings.train, run.settings.grpo, run.settings.rollout
  rate = optimizer_lib.learning_rate(config, config.steps * algorithm.num_iterations)
  learner = grpo.Learner(
      policy, algorithm, optimizer_lib.adamw(config, rate),
      temperature=rollout.temperature, micro_batches=config.micro_batches,
  )
  draw = grpo.Sampling(
      max_new_tokens=rollout.max_new_tokens,
      temperature=rollout.temperature,
      top_p=rollout.top_p,
      top_k=rollout.top_k or None,
  )
  saved = checkpoints.Checkpoints(run.workdir / "checkpoints" / "grpo", keep=config.checkpoints_kept)
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
  with clock.phase("grpo"), progress.Progress("grpo", start, config.steps) as bar:
    for step in range(start, config.steps):
      rows = [corpus.train[domain][row] for domain, row in schedule.rows(step)]
      measured = take_step(run, learner, service, rows, schedule.shares, render, draw, step)
      measured["train/learning_rate"] = float(rate(step * algorithm.num_iterations))
      shown = schedule.drawn(range(step - step % config.samples_every, step))
      for sample in measured.pop("samples"):
        if sample["domain"] not in shown:  # one a domain every so many steps, though not all draw it
          files.append_line(run.workdir / SAMPLES, {"step": step, **sample})
      log.write(step, measured)
      bar.update(
          step + 1,
          reward=measured.get("rewards/total"),
          format=measured["rewards/gate_pass_rate"],
          accuracy=measured.get("rewards/accuracy"),
      )
      if (step + 1) % config.checkpoint_every == 0 or step + 1 == config.steps:
        saved.save(step + 1, arrays())
        clock.save()
  log.close()
  saved.close()


def take_step(
    run, learner: grpo.Learner, service, rows, shares, render, draw: grpo.Sampling, step: int
) -> dict[str, Any]:
  """One step of GRPO on the given prompts; returns its metrics, and samples under "samples"."""
  watch = progress.Stopwatch()
  generations = run.settings.grpo.num_generations
  examples = [example for example in rows for _ in range(generations)]
  groups = [group for group in range(len(rows)) for _ in range(generations)]
  key = jax.random.fold_in(jax.random.key(run.settings.seed), step)
  rollout = learner.policy.generate([render(row) for row in rows], draw, key, generations)
  watch.lap("rollout")

  scores = service.submit(examples, rollout.texts, groups)  # while the device computes the rest
  frozen = jax.block_until_ready(learner.reference(rollout))
  watch.lap("reference")
  breakdowns = scores.result()
  watch.lap("reward")

  scored = np.array([breakdown.total is not None for breakdown in breakdowns])
  rewards = np.array([breakdown.total or 0.0 for breakdown in breakdowns])
  factors = run.settings.disco.reward_scaling.factors(
      [row.domain for row in rows], metrics.self_consistency(breakdowns, generations), shares
  )
  advantages = learner.advantages(rewards * np.repeat(factors, generations), scored)
  update = learner.update(rollout, advantages, scored, frozen)
  watch.lap("update")

  flat = ~advantages.reshape(-1, generations).any(axis=1) & scored.reshape(-1, generations).any(axis=1)
  return {
      **metrics.measure(examples, breakdowns),
      **metrics.describe(examples, rollout.texts, generations),
      "groups/zero_advantage_fraction": float(flat.mean()),
      "groups/not_scored_fraction": float(1 - scored.mean()),
      "groups/reward_factor": float(np.mean(factors)),
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
          **records_lib.as_record(breakdowns[i]),
      }
      for domain, i in sorted(first.items())
  ]


def finish(run: assemble.Run, policy: grpo.Policy, clock: progress.Clock, prompts: Mapping[str, int]) -> None:
  """Writes summary.json and the report: the run is then complete."""
  before, after = (files.read_lines(run.workdir / name) for name in (BEFORE, AFTER))
  seconds = clock.seconds()
  summary = {
      "config_hash": run.config_hash,
      "seed": run.settings.seed,
      "steps": run.settings.train.steps,
      "seconds": seconds,
      "peak_memory_gb": environment.peak_memory_gb(),
      "adapter_sha256": checkpoints.sha256(checkpoints.arrays_of(policy.actor, nnx.LoRAParam)),
      "environment": environment.recorded(run.workdir),
      "prompts": dict(prompts),
      "domains": records_lib.summary_by_domain(before, after),
  }
  report.write(run.workdir, summary, run.config)
  files.write_json(run.workdir / SUMMARY, summary)
  print(f"Report: {run.workdir / 'report.html'}")
