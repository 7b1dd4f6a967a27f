"""The story of a run: load, cold start, evaluate; sample, roll out, score, update, save; evaluate, report.

Killed at any instant, the same command continues to the same bits: all randomness is a function of
seed and step, a step's inputs are the last checkpoint's arrays, and what a killed run wrote beyond
its last checkpoint is dropped. No clock decides what is learned from, but for the logged wall-time
backstops of the scoring service; where config.train.time_budget_hours is set, one decides how much, once.
"""

from collections.abc import Mapping
import contextlib
import dataclasses
import functools
import itertools

from flax import nnx
import jax
import numpy as np

from reasoner import data
from reasoner import evaluate
from reasoner import models
from reasoner import processes
from reasoner.data import prompts
from reasoner.data import sampling
from reasoner.data import traces
from reasoner.models import mesh as mesh_lib
from reasoner.policy import experience
from reasoner.policy import frozen_model
from reasoner.policy import grpo
from reasoner.policy import optimizer
from reasoner.policy import reward_scaling
from reasoner.policy.advantages import Paid
from reasoner.reporting import completions
from reasoner.reporting import metrics
from reasoner.reporting import records
from reasoner.reporting import report
from reasoner.run import assemble
from reasoner.run import budget
from reasoner.run import checkpoints
from reasoner.run import cold_start
from reasoner.run import environment
from reasoner.run import files
from reasoner.run import progress
from reasoner.run import stopping
from reasoner.run.settings import Settings
from reasoner.run.workdir import Workdir
from rewards.service import Service


def train(run: assemble.Run) -> None:
  """Runs everything that the work directory does not hold yet."""
  settings = run.settings
  with run.workdir.lock() as workdir, contextlib.ExitStack() as resources:
    run = dataclasses.replace(run, workdir=workdir)
    workdir.check_config(run.config)  # another run may have held the lock until now
    if workdir.finished(run.config):
      print(f"{workdir.path} is finished: its report is {workdir.report}.")
      return
    for warning in run.warnings:
      print(f"warning: {warning}")
    origin = run.model.origin()
    print("\n".join(assemble.origin_lines(origin)), flush=True)
    here = environment.fingerprint() | origin
    workdir.check_environment(here)
    clock = progress.Clock(
        workdir.seconds, goes_on=workdir.has_results, age=environment.process_seconds(), saved=workdir.carry
    )
    limit = budget.Budget(
        workdir.budget, settings.train, clock, goes_on=workdir.has_results,
        cold_start_steps=settings.cold_start.steps, evaluation_rows=settings.data.evaluation_rows,
    )  # fmt: skip
    mesh = mesh_lib.make_mesh(settings.model.mesh.fsdp or None, settings.model.mesh.tp)
    settings.check_devices(mesh.shape["fsdp"])

    print("Loading rows ...", flush=True)
    corpus = run.load_rows(workdir.quarantine)
    service = resources.enter_context(
        Service(
            settings.rewards,
            defaults=run.default_rewards,
            plugins=settings.plugins,
            has_model=True,
            faults_path=workdir.faults,
            **dataclasses.asdict(settings.scoring),
        )
    )
    print("Checking gold answers against their own rewards ...", flush=True)
    corpus = data.check_gold(
        corpus, service, rewards=run.domains, cache_path=models.cache_directory() / "gold.txt"
    )
    data.try_rewards(corpus, service)
    sample = [example for domain in sorted(corpus.train) for example in corpus.train[domain][::10]]
    tokenizer = run.model.load_tokenizer(traces.vocabulary_texts(sample, run.plan))
    fitter = prompts.Fitter(tokenizer=tokenizer, max_tokens=settings.rollout.max_prompt_tokens)
    corpus = fitter.drop_too_long(corpus)
    schedules = run.schedules(corpus)
    print("\n".join([*corpus.table(), "", *schedules[-1].lines()]), flush=True)
    rows = corpus.fingerprints() | run.fingerprints()
    processes.check_same(config=run.config_hash, rows=rows, model=origin, tokenizer=tokenizer.proto)
    workdir.check_rows(rows)
    workdir.begin(
        config=run.config, rows=rows, environment=here, disco=schedules[-1].table(), tokenizer=tokenizer
    )
    evaluated = itertools.chain(*corpus.sets(settings.data.evaluation_rows).values())
    used = {example.uid for example in itertools.chain(corpus.drawn(run.drawable(schedules)), evaluated)}
    corpus, shortened = fitter.cut(corpus, used)
    print(f"{shortened} of {len(used)} prompts are shortened to fit.", flush=True)

    render = prompts.Renderer(tokenizer)
    examples = corpus.drawn(run.cold_start_schedule(corpus).pairs())
    actor, reference = cold_start.load_actor(
        run.model, run.start, examples, run.flaws, run.plan, tokenizer, mesh, settings, workdir, clock,
        limit,
    )  # fmt: skip
    policy = grpo.Policy(
        actor,
        tokenizer,
        mesh,
        reference=reference,
        max_prompt_tokens=settings.rollout.max_prompt_tokens,
        max_new_tokens=settings.rollout.max_new_tokens,
        replicated=settings.model.mesh.replicated_sampling,
    )
    service.attach(frozen_model.FrozenModel(policy, rows=settings.completions_per_micro_batch))
    service = processes.shared(service)
    evaluator = evaluate.Evaluator(
        policy=policy, service=service, corpus=corpus, render=render, settings=settings, workdir=workdir,
        clock=clock, limit=limit, keep=lambda directory: run.write_adapter(directory, actor),
    )  # fmt: skip
    evaluator.whole(workdir.before)
    for schedule in schedules:  # one, unless config.train.steps were raised on a finished run
      for part, end in limit.parts(schedule):
        learn(policy, service, corpus, part, end, limit, render, settings, workdir, clock, evaluator)
    evaluator.whole(workdir.after)
    finish(run, actor, limit, seconds=clock.seconds(), prompt_counts={"count": len(used), "shortened": shortened})


def learn(
    policy: grpo.Policy, service: Service, corpus: data.Corpus, schedule: sampling.Schedule, end: int,
    limit: budget.Budget, render: prompts.Renderer, settings: Settings, workdir: Workdir, clock: progress.Clock,
    evaluator: evaluate.Evaluator,
) -> None:  # fmt: skip
  """GRPO: every step samples prompts, rolls out, scores, updates, measures and, at times, saves.

  end: where it stops in the schedule, by which the learning rate goes.
  """
  config, algorithm, rollout = settings.train, settings.grpo, settings.rollout
  first, last = schedule.first * algorithm.num_iterations, schedule.last * algorithm.num_iterations
  rate = optimizer.learning_rate(config, last - first, first)
  learner = grpo.Learner(
      policy, algorithm, optimizer.adamw(config, rate),
      temperature=rollout.temperature, micro_batches=config.micro_batches, rematerialize=config.rematerialize,
  )  # fmt: skip
  draw = grpo.Sampling.of(rollout)
  with contextlib.ExitStack() as resources:
    saved = resources.enter_context(checkpoints.Checkpoints(
        workdir.checkpoints("grpo"),
        {"adapter": (policy.actor, nnx.LoRAParam), "optimizer": (learner.optimizer, nnx.Variable)},
        keep=config.checkpoints_kept, template=prompts.template(policy.tokenizer.turns),
        every=config.checkpoint_every, minutes=config.checkpoint_minutes, recorder=schedule,
        before_save=lambda: (workdir.claim(), kept.flush()), after_save=clock.save,
    ))  # fmt: skip
    start = saved.resume()
    if start > end:
      return
    log = resources.enter_context(contextlib.closing(metrics.Log(workdir.path, start)))
    kept = completions.Completions(workdir.completions, start)
    files.keep_steps(workdir.samples, below=start)
    evaluator.begin(start, schedule.last)
    resources.enter_context(clock.phase("grpo"))
    bar = resources.enter_context(progress.Progress("grpo", start, end))
    for step in range(start, end):
      key = jax.random.fold_in(jax.random.key(settings.seed), step)
      measured, drawn, advantages = take_step(
          learner, service, corpus, schedule, step, render, draw, key, settings.disco.reward_scaling
      )
      learned = drawn.learned
      check = functools.partial(
          stopping.check_finite, "GRPO", step, rows=lambda: [row.uid for row in learned.rows],
          cure="config.train.learning_rate",
      )  # fmt: skip
      check({name: measured[f"train/{name}"] for name in ("loss", "gradient_norm")})
      measured["train/learning_rate"] = float(rate(step * algorithm.num_iterations))
      log.write(step, measured)
      kept.write(step, drawn, advantages)
      shown = schedule.drawn(range(step - step % config.samples_every, step))
      for sample in records.samples(learned.examples, learned.rollout.texts, learned.breakdowns, advantages):
        if sample["domain"] not in shown:  # one a domain every so many steps, though not all draw it
          files.append_line(workdir.samples, {"step": step, **sample})
      bar.update(
          step + 1,
          reward=measured.get("rewards/total"),
          format=measured["rewards/gate_pass_rate"],
          accuracy=measured.get("rewards/accuracy"),
      )
      over = limit.over(step + 1, measured["seconds/step"], evaluator.sample_share)
      if limit.decided("grpo"):
        saved.whole(step + 1)
      evaluator.during(step + 1, schedule.last)
      if limit.decided("grpo") and (over or saved.due(step + 1) or step + 1 == end):
        check({"log-likelihood under the updated weights": learner.log_likelihood(learned.rollout)})
        saved.save()
      stopping.TERMINATION.check()
      if over:
        break


def take_step(
    learner: grpo.Learner, service: Service, corpus: data.Corpus, schedule: sampling.Schedule, step: int,
    render: prompts.Renderer, draw: grpo.Sampling, key: jax.Array, scaling: reward_scaling.RewardScaling,
) -> tuple[dict[str, float], experience.Collected, np.ndarray]:  # fmt: skip
  """One step of GRPO; returns its metrics, what was drawn, and the advantages of what was learned from.

  Rewards and completions are measured on the prompts of the schedule, groups on what is learned from.
  """
  watch = progress.Stopwatch()
  generations = learner.algorithm.num_generations
  drawn = experience.collect(learner, service, corpus, schedule, step, render, draw, key, watch.lap)
  scheduled, learned = drawn.scheduled, drawn.learned
  consistency = metrics.self_consistency(learned.breakdowns, generations)
  paid = Paid.of(learned.breakdowns, scaling.factors(learned.domains, consistency, schedule.shares))
  advantages = learner.advantages(paid)
  update = learner.update(learned.rollout, advantages, paid.scored, drawn.frozen)
  watch.lap("update")

  measured = {
      **metrics.measure(scheduled.examples, scheduled.breakdowns),
      **metrics.describe(scheduled.examples, scheduled.rollout.texts, generations),
      **metrics.of_groups(learned.domains, paid, advantages, learner.weights(learned.rollout), consistency),
      **drawn.metrics(),
      "completions/length": float(scheduled.rollout.lengths.mean()),
      "completions/truncated_fraction": float(scheduled.rollout.truncated.mean()),
      **{f"train/{name}": value for name, value in update.items()},
      **watch.metrics(),
      "tokens_per_second": drawn.tokens / watch.total,
  }
  return measured, drawn, advantages


def finish(
    run: assemble.Run, actor, limit: budget.Budget, *, seconds: Mapping[str, float], prompt_counts: Mapping[str, int]
) -> None:
  """Writes the adapter, summary.json and the report: the run is then complete."""
  settings, workdir = run.settings, run.workdir
  run.write_adapter(workdir.adapter, actor)
  summary = {
      "config_hash": run.config_hash,
      "seed": settings.seed,
      "steps": limit.last,
      "budget": limit.decisions if settings.train.time_budget_hours else None,
      "continued_at": workdir.ends(settings.train.steps)[:-1],
      "seconds": dict(seconds),
      "peak_memory_gb": environment.peak_memory_gb(),
      "adapter_sha256": checkpoints.sha256(checkpoints.arrays_of(actor, nnx.LoRAParam)),
      "environment": files.read_json(workdir.environment),
      "prompts": dict(prompt_counts),
      "evaluated": {"adapter": "last", "step": limit.last},
      "best": records.best_of(files.read_lines(workdir.evaluations)),
      "domains": records.summary_by_domain(*map(files.read_lines, (workdir.before, workdir.after))),
      "faults": len({(fault["uid"], fault["completion"]) for fault in files.read_lines(workdir.faults)}),
  }
  report.write(workdir.path, summary, run.config)
  files.write_json(workdir.summary, summary)
  if summary["faults"]:
    print(f"{summary['faults']} completions met a bug of a reward and were not scored: {workdir.faults}")
  print(f"Report: {workdir.report}")
  print(f"Talk to it: make chat WORKDIR={workdir.path}, or python -m reasoner.chat --workdir={workdir.path}")
