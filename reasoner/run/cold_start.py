"""The actor as GRPO starts from it: a base model, a supervised cold start, an adapter.

A model that starts from nothing learns with all its weights and gets its adapter afterwards; a
pretrained one learns with the adapter alone, which GRPO then goes on with, as it does with the adapter
of an earlier run.
"""

from collections.abc import Sequence
import dataclasses
import functools
import pathlib

from flax import nnx

from reasoner import models
from reasoner.data import embedded_flaws
from reasoner.data import prompts
from reasoner.data import traces as traces_lib
from reasoner.models import hugging_face
from reasoner.models import lora
from reasoner.models import mesh as mesh_lib
from reasoner.models import peft_format
from reasoner.policy import cold_start
from reasoner.run import budget
from reasoner.run import checkpoints
from reasoner.run import progress
from reasoner.run import stopping
from reasoner.run.settings import Settings
from reasoner.run.workdir import Workdir
from rewards.errors import ConfigError
from rewards.schema import Example


def load_actor(
    source: models.ModelSource, start: pathlib.Path | None, examples: Sequence[Example],
    flaws: embedded_flaws.Flaws | None, plan: traces_lib.Plan, tokenizer, mesh, settings: Settings,
    workdir: Workdir, clock: progress.Clock, limit: budget.Budget,
):  # fmt: skip
  """Returns the LoRA actor and its reference (None: a snapshot of it).

  Args:
    start: the directory of an adapter that the actor goes on from.
    examples: in the order in which their traces are shown.
    flaws, plan: of the traces; see embedded_flaws.Flaws and traces.build_traces.
  """
  adapter = dataclasses.asdict(settings.model.lora) | {"seed": settings.seed}
  base = source.load(mesh, mesh_lib.compute_dtype(settings.model.dtype), settings.seed)
  taught = base if source.from_nothing else lora.add_lora(base, **adapter)
  if start:
    peft_format.read(start, taught, settings.model.lora)
  if settings.cold_start.steps:
    kind = nnx.Param if source.from_nothing else nnx.LoRAParam
    supervise(taught, kind, examples, flaws, plan, tokenizer, mesh, settings, workdir, clock, limit)
  if not source.base:
    workdir.claim()
    hugging_face.write_directory(workdir.base, base, tokenizer)  # nowhere else to be found
  if source.from_nothing:
    return lora.add_lora(base, **adapter), base
  learned = settings.cold_start.steps or start and settings.model.adapter_is_reference
  return taught, None if learned else base


def supervise(
    model, kind: type[nnx.Variable], examples: Sequence[Example], flaws: embedded_flaws.Flaws | None,
    plan: traces_lib.Plan, tokenizer, mesh, settings: Settings, workdir: Workdir, clock: progress.Clock,
    limit: budget.Budget,
) -> None:  # fmt: skip
  """Trains the variables of one kind on traces of the examples, from the last checkpoint on."""
  config, rollout = settings.cold_start, settings.rollout
  most = settings.trace_tokens
  shape = dict(
      batch_size=config.batch_size, max_tokens=rollout.max_prompt_tokens + most, seed=settings.seed,
      divisor=mesh.shape["fsdp"],
  )  # fmt: skip

  @functools.cache
  def traces() -> Sequence[traces_lib.Trace]:
    found = traces_lib.build_traces(
        examples,
        tokenizer,
        max_prompt_tokens=rollout.max_prompt_tokens,
        max_completion_tokens=most,
        writers=flaws and flaws.writers(examples, settings.seed),
        plan=plan,
    )
    if len(found) < len(examples):
      left_out = len(examples) - len(found)
      print(f"{left_out} of {len(examples)} traces do not fit {most} tokens and are left out.")
    if not found:
      raise ConfigError(f"config.cold_start: no trace fits {most} tokens.")
    return found

  def batches(start: int):  # their shape is that of the config's steps, fewer of which may be taken
    return cold_start.batches(traces(), tokenizer, start_step=start, steps=config.steps, **shape)

  def learner_of(steps: int) -> cold_start.Learner:
    return cold_start.Learner(
        model, mesh, steps=steps, learning_rate=config.learning_rate, warmup_fraction=config.warmup_fraction
    )

  steps, _ = limit.cold_start
  learner = learner_of(steps)
  if not limit.decided("cold_start"):
    with clock.phase("cold_start"):
      batch = next(batches(0))
      limit.decide_cold_start(budget.timed(lambda: float(learner.measure(batch)[0])))  # which changes nothing
    if limit.cold_start[0] < steps:
      learner = learner_of(limit.cold_start[0])
  with checkpoints.Checkpoints(
      workdir.checkpoints("cold_start"),
      {"model": (model, kind), "optimizer": (learner.optimizer, nnx.Variable)},
      keep=2, template=prompts.template(tokenizer.turns), every=config.checkpoint_every,
      minutes=settings.train.checkpoint_minutes, before_save=workdir.claim, after_save=clock.save,
  ) as saved:  # fmt: skip
    start, (_, last) = saved.resume(), limit.cold_start
    if start == last:
      return

    def check(step: int, name: str, loss, gradient_norm) -> float:
      values = {f"loss{name}": float(loss), f"gradient norm{name}": float(gradient_norm)}
      rows = functools.partial(cold_start.uids, traces(), tokenizer, step, **shape)
      stopping.check_finite("cold start", step, values, rows, "config.cold_start.learning_rate")
      return values[f"loss{name}"]

    with clock.phase("cold_start"), progress.Progress("cold start", start, last) as bar:
      for step, batch in zip(range(start, last), batches(start)):
        # Read at once: steps queued without bound would fill memory.
        loss = check(step, "", *learner.update(batch))
        bar.update(step + 1, loss=loss)
        over = limit.cold_start_over(step + 1)
        saved.whole(step + 1)
        if over or saved.due(step + 1):
          check(step, " of the updated weights", *learner.measure(batch))
          saved.save()
        stopping.TERMINATION.check()
        if over:
          break
