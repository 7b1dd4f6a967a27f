"""What a recipe needs of its devices, by shapes: memory by compiling its programs, time by arithmetic.

No weight is loaded: the trainer's own jitted functions are compiled on `jax.ShapeDtypeStruct`s that are laid
out as its arrays are. A compiler's count of operations takes a loop's body once, so time is reckoned:

  a step     p prompts of l tokens, n = p G completions of t tokens; b bytes a weight
  model      L layers of width D and hidden width F, H heads and K key heads of width h, V entries
  weights    W = L (2 D H h + 2 D K h + 3 D F) in the layers, E = V D in the table, R in the adapter: L rank
             (inputs + outputs) of each module
  reading    x = n l / s + n t tokens in a log-probability: a prompt once for the s completions that a part
             leaves together on a device, s = gcd(G, n / micro_batches / fsdp)
  attention  A = 4 L H h (n l l / s + n t (l + t)); of the prefill 4 L H h p l l; no mask is made use of

  FLOPs      prefill 2 (W + R) p l + attention        decode n t (2 (W + R) + 2 E + 4 L H h (l + t))
             log-probabilities 2 (W + R) x + 2 E n t + A  (reference where beta > 0, old where iterations > 1)
             an update 4 (W + R) x + 2 R x + 4 E n t + 3 A, rematerialised 2 (W + R) x + A more; it comes
             num_iterations times
             cold start 4 (W + R) x + 2 R x + 4 E y + 12 L H h x (l + t) 5/4, on x tokens of packed rows of
             (l + t) 5/4 and y of completions; where all weights are trained 6 W x + 8 E y instead
  bytes      w = b (W + E) / tp a pass over the weights; prefill w; decode t (w + n / fsdp 2 L K h b (l + t));
             log-probabilities w a micro-batch and 8 V a position and tp for its float32 logits, written and
             read; an update 2 w a micro-batch (3 w rematerialised) and the same logits
  links      (fsdp - 1) / fsdp w a pass, for decode once a rollout where sampling is replicated, else at
             each token; with tp two sums a layer: 4 L D b (tp - 1) / tp a token, in an update twice
  seconds    the greatest of FLOPs / peak, bytes / bandwidth and links / link, all of one chip

Nothing here has seen the hardware: 10 to 30 % of that is what training reaches elsewhere.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
import dataclasses
import hashlib
import json
import math
import pathlib
import time
from typing import Any

from flax import nnx
import jax
import numpy as np

from reasoner import models
from reasoner.models import lora
from reasoner.models import mesh as mesh_lib
from reasoner.models.topology import Chip
from reasoner.policy import cold_start
from reasoner.policy import grpo
from reasoner.policy import losses
from reasoner.policy import optimizer
from reasoner.policy import rollout
from reasoner.policy import update
from reasoner.run import files
from reasoner.run.settings import Settings

SHARES = (0.1, 0.2, 0.3)  # of the roofline
_PAD_ID, _EOS_IDS = 0, (1, 106)  # Gemma's; any others cost the same


@dataclasses.dataclass(frozen=True, kw_only=True)
class Work:
  """What one chip does in a step. moved: bytes that come to it over its links."""

  flops: float
  bytes: float
  moved: float

  def seconds(self, chip: Chip) -> float:
    return max(self.flops / chip.flops, self.bytes / chip.bandwidth, self.moved / chip.link if chip.link else 0.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layout:
  """How a recipe is divided over devices; by it nothing changes in what is learned."""

  fsdp: int
  tp: int
  micro_batches: int
  rematerialize: bool
  replicated_sampling: bool

  @classmethod
  def of(cls, settings: Settings, devices: int) -> "Layout":
    mesh, train = settings.model.mesh, settings.train
    fsdp = mesh.fsdp or devices // mesh.tp
    return cls(
        fsdp=fsdp, tp=mesh.tp, micro_batches=train.micro_batches, rematerialize=train.rematerialize,
        replicated_sampling=mesh.replicated_sampling and fsdp > 1,
    )  # fmt: skip

  def put(self, settings: Settings) -> Settings:
    """Returns the settings with this layout."""
    mesh = mesh_lib.MeshShape(fsdp=self.fsdp, tp=self.tp, replicated_sampling=self.replicated_sampling)
    train = dataclasses.replace(
        settings.train, micro_batches=self.micro_batches, rematerialize=self.rematerialize
    )
    return dataclasses.replace(settings, model=dataclasses.replace(settings.model, mesh=mesh), train=train)

  def __str__(self) -> str:
    also = [name for name in ("rematerialize", "replicated_sampling") if getattr(self, name)]
    return ", ".join([f"fsdp {self.fsdp} x tp {self.tp}", f"{self.micro_batches} micro-batches", *also])


class Arithmetic:
  """The formulas above for one recipe, architecture (Tunix's ModelConfig) and layout."""

  def __init__(self, settings: Settings, config: Any, layout: Layout):
    self.settings, self.config, self.layout = settings, config, layout
    heads, keys = config.num_heads * config.head_dim, config.num_kv_heads * config.head_dim
    self.W = config.num_layers * config.embed_dim * (2 * heads + 2 * keys + 3 * config.hidden_dim)
    self.E = config.num_embed * config.embed_dim
    wide = config.embed_dim + config.hidden_dim
    sums = {  # of inputs and outputs
        "q": config.embed_dim + heads, "kv": config.embed_dim + 2 * keys,
        "attention_output": heads + config.embed_dim, "gate": wide, "up": wide, "down": wide,
    }  # fmt: skip
    adapter = settings.model.lora
    self.R = config.num_layers * adapter.rank * sum(sums[module] for module in adapter.modules)
    self.b = np.dtype(config.param_dtype).itemsize
    self.p, self.n = settings.train.prompts_per_step, settings.completions_per_step
    self.l, self.t = settings.rollout.max_prompt_tokens, settings.rollout.max_new_tokens
    self.s = math.gcd(settings.grpo.num_generations, self.n // layout.micro_batches // layout.fsdp)
    self.x = self.n * self.l // self.s + self.n * self.t
    self._pair = 4 * config.num_layers * heads  # FLOPs of a query and a key
    self.A = self._pair * (self.n * self.l**2 // self.s + self.n * self.t * (self.l + self.t))
    self._key = 2 * config.num_layers * keys * self.b  # bytes that a token keeps

  def _work(
      self, flops: float, passes: float, others: float, tokens: float, gathers: float | None = None
  ) -> Work:
    """passes: over the weights. others: bytes beside them on a chip. tokens: in all, whose sums tp shares."""
    fsdp, tp = self.layout.fsdp, self.layout.tp
    weights = self.b * (self.W + self.E) / tp
    sums = 4 * self.config.num_layers * self.config.embed_dim * self.b * (tp - 1) / tp
    return Work(
        flops=flops / fsdp / tp,
        bytes=passes * weights + others,
        moved=(passes if gathers is None else gathers) * weights * (fsdp - 1) / fsdp + sums * tokens / fsdp,
    )

  def rollout(self, prompts: int, completions: int) -> dict[str, Work]:
    length = self.l + self.t
    tokens = completions * self.t
    return {
        "prefill": self._work(
            2 * (self.W + self.R) * prompts * self.l + self._pair * prompts * self.l**2, 1, 0.0, prompts * self.l
        ),
        "decode": self._work(
            tokens * (2 * (self.W + self.R) + 2 * self.E + self._pair * length),
            self.t, self.t * completions / self.layout.fsdp * self._key * length, tokens,
            0 if self.layout.replicated_sampling else self.t,
        ),
    }  # fmt: skip

  def _logits(self, positions: int) -> float:
    return 8 * self.config.num_embed * positions / self.layout.fsdp / self.layout.tp

  def log_probabilities(self, times: int) -> Work:
    flops = 2 * (self.W + self.R) * self.x + 2 * self.E * self.n * self.t + self.A
    passes = times * self.layout.micro_batches
    return self._work(times * flops, passes, times * self._logits(self.n * self.t), times * self.x)

  def update(self) -> Work:
    times, again = self.settings.grpo.num_iterations, self.layout.rematerialize
    flops = ((4 + 2 * again) * (self.W + self.R) + 2 * self.R) * self.x
    flops += 4 * self.E * self.n * self.t + (3 + again) * self.A
    passes = (2 + again) * times * self.layout.micro_batches
    return self._work(times * flops, passes, times * self._logits(self.n * self.t), 2 * times * self.x)

  def cold_start(self, rows: int, length: int, y: int, whole: bool) -> Work:
    x = rows * length
    products = 6 * self.W * x + 8 * self.E * y if whole else (4 * self.W + 6 * self.R) * x + 4 * self.E * y
    return self._work(products + 3 * self._pair * x * length, 2, self._logits(y), 2 * x)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Program:
  """A program of the trainer. work: by part, in a step of its phase. beside: bytes a chip holds meanwhile.

  phase: grpo, evaluation or cold_start.
  """

  name: str
  phase: str
  work: Mapping[str, Work]
  beside: int
  lower: Callable[[], Any]


def bytes_of(tree: Any) -> int:
  """Returns what one device holds of shapes with shardings."""
  return sum(
      math.prod(array.sharding.shard_shape(array.shape)) * array.dtype.itemsize for array in jax.tree.leaves(tree)
  )


def programs(settings: Settings, source: models.ModelSource, devices: Sequence, dtype: Any) -> Iterator[Program]:
  """Yields what a run of these settings compiles, each with what is reckoned of it.

  Raises:
    ConfigError: the devices do not divide so.
  """
  layout = Layout.of(settings, len(devices))
  mesh = mesh_lib.make_mesh(layout.fsdp, layout.tp, devices)
  settings.check_devices(layout.fsdp)
  config = source.outline(dtype)
  arithmetic = Arithmetic(settings, config, layout)
  base = mesh_lib.outline(config, mesh)
  actor = lora.add_lora(base, seed=None, **dataclasses.asdict(settings.model.lora))
  train, limits, algorithm = settings.train, settings.rollout, settings.grpo
  policy = grpo.Policy(
      actor, None, mesh, max_prompt_tokens=limits.max_prompt_tokens, max_new_tokens=limits.max_new_tokens,
      replicated=layout.replicated_sampling,
  )  # fmt: skip

  def rows(dtype, *shape: int, axis: int = 0):
    place = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(*[None] * axis, "fsdp"))
    return jax.ShapeDtypeStruct(shape, dtype, sharding=place)

  def within_mesh(function, *arguments, **settings):
    def lower():
      with mesh:
        return function.lower(*arguments, **settings)

    return lower

  graph, adapter, frozen = nnx.split(actor, nnx.LoRAParam, ...)
  rate = optimizer.learning_rate(train, train.steps * algorithm.num_iterations)
  optimizer_graph, state = _optimizer(actor, optimizer.adamw(train, rate), nnx.LoRAParam, mesh)
  whole, kept = nnx.split(actor), bytes_of(state) + bytes_of(adapter)  # optimizer, the reference's adapter

  def generate(prompts: int, generations: int, sampling: rollout.Sampling):
    completions = prompts * generations
    return arithmetic.rollout(prompts, completions), within_mesh(
        rollout.generate, *whole, rows(np.int32, prompts + -prompts % layout.fsdp, limits.max_prompt_tokens),
        jax.eval_shape(lambda: jax.random.key(0)), count=prompts, generations=generations, sampling=sampling,
        pad_id=_PAD_ID, eos_ids=_EOS_IDS, halvings=policy.halvings(completions), replicated=policy.replicated,
    )  # fmt: skip

  work, lower = generate(train.prompts_per_step, algorithm.num_generations, grpo.Sampling.of(limits))
  yield Program(name="rollout", phase="grpo", work=work, beside=kept, lower=lower)

  parts, n = layout.micro_batches, settings.completions_per_step // layout.micro_batches
  read = n // arithmetic.s
  prompt_ids = rows(np.int32, read, limits.max_prompt_tokens)
  completion_ids = rows(np.int32, n, limits.max_new_tokens)
  static = dict(temperature=limits.temperature, pad_id=_PAD_ID)
  times = bool(algorithm.beta) + (algorithm.num_iterations > 1)
  if times:
    yield Program(
        name="log-probabilities", phase="grpo", work={"": arithmetic.log_probabilities(times)}, beside=kept,
        lower=within_mesh(grpo.of_completions, *whole, prompt_ids, completion_ids, **static),
    )  # fmt: skip

  shaped = lambda dtype, *shape: rows(dtype, parts, *shape, axis=1)  # noqa: E731
  tokens = n, limits.max_new_tokens
  batch = losses.Batch(
      advantages=shaped(np.float32, n), mask=shaped(bool, *tokens),
      reference=shaped(np.float32, *tokens) if algorithm.beta else None,
      old=shaped(np.float32, *tokens) if algorithm.num_iterations > 1 else None,
      rows=np.float32(1), tokens=np.float32(1),
  )  # fmt: skip
  divided = update.Parts(
      prompt_ids=shaped(np.int32, read, limits.max_prompt_tokens), completion_ids=shaped(np.int32, *tokens),
      sampled=shaped(np.float32, *tokens), batch=batch,
  )  # fmt: skip
  yield Program(
      name="update", phase="grpo", work={"": arithmetic.update()}, beside=bytes_of(adapter),
      lower=within_mesh(
          update.update, graph, adapter, frozen, optimizer_graph, state, divided, algorithm=algorithm,
          rematerialize=layout.rematerialize, **static,
      ),
  )  # fmt: skip

  greedy = grpo.Sampling(max_new_tokens=limits.max_new_tokens)
  work, lower = generate(settings.evaluated_at_once, 1, greedy)
  yield Program(name="evaluation", phase="evaluation", work=work, beside=kept, lower=lower)

  cold = settings.cold_start
  if cold.steps:
    taught, kind = (base, nnx.Param) if source.from_nothing else (actor, nnx.LoRAParam)
    most = settings.trace_tokens
    length = limits.max_prompt_tokens + most
    length += length // 4
    # A row a trace: as many as there are at most, were each of full length.
    packed = max(1, round(cold.batch_size / layout.fsdp)) * layout.fsdp
    batch = {name: rows(np.int32, packed, length) for name in ("tokens", "positions", "segments")}
    batch["targets"] = rows(np.int32, layout.fsdp, packed // layout.fsdp * most)
    transformation = cold_start.adamw(cold.steps, cold.learning_rate, cold.warmup_fraction)
    taught_graph, trained, others = nnx.split(taught, kind, ...)
    yield Program(
        name="cold start", phase="cold_start",
        work={"": arithmetic.cold_start(packed, length, packed * most, source.from_nothing)}, beside=0,
        lower=within_mesh(
            cold_start.jitted(kind), taught_graph, trained, others, *_optimizer(taught, transformation, kind, mesh),
            batch,
        ),
    )  # fmt: skip


def _optimizer(model, transformation, kind: type, mesh):
  """Returns graph and state of `update.make_optimizer`, of shapes."""
  graph, state = nnx.split(model)
  make = lambda state: nnx.Optimizer(nnx.merge(graph, state), transformation, wrt=kind)  # noqa: E731
  found = nnx.eval_shape(make, state)
  optimizer_graph, optimizer_state = nnx.split(found)
  return optimizer_graph, mesh_lib.outlined(optimizer_state, mesh)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Compiled:
  """What a compiler says of a program, in bytes of one chip; error: why it did not compile, else "".

  flops, bytes_accessed: its own count, each loop's body once.
  """

  arguments: int = 0
  temporaries: int = 0
  outputs: int = 0  # but for those that take an argument's place
  flops: float = 0.0
  bytes_accessed: float = 0.0
  seconds: float = 0.0  # that compiling took
  error: str = ""

  @property
  def peak(self) -> int:
    return self.arguments + self.temporaries + self.outputs


def compile_program(program: Program, cache: pathlib.Path, about: str) -> Compiled:
  """Compiles a program, or reads what was found for the same one. about: compiler and devices."""
  lowered = program.lower()
  key = hashlib.sha256(f"{about}\n{lowered.as_text()}".encode()).hexdigest()[:24]
  path = cache / f"{key}.json"
  if path.exists():
    return Compiled(**files.read_json(path))
  start = time.monotonic()
  try:
    compiled = lowered.compile()
  except jax.errors.JaxRuntimeError as error:
    found = Compiled(error=_reason(str(error)), seconds=round(time.monotonic() - start, 1))
  else:
    memory, costs = compiled.memory_analysis(), compiled.cost_analysis()
    found = Compiled(
        arguments=memory.argument_size_in_bytes, temporaries=memory.temp_size_in_bytes,
        outputs=memory.output_size_in_bytes - memory.alias_size_in_bytes,
        flops=costs.get("flops", 0.0), bytes_accessed=costs.get("bytes accessed", 0.0),
        seconds=round(time.monotonic() - start, 1),
    )  # fmt: skip
  cache.mkdir(parents=True, exist_ok=True)
  files.write_text(path, json.dumps(dataclasses.asdict(found)))
  return found


def _reason(error: str) -> str:
  """Returns the compiler's first sentence that says something."""
  lines = [line.strip() for line in error.splitlines() if line.strip()]
  return " ".join(lines[:2])[:300]


def layouts(settings: Settings, config: Any, chip: Chip, devices: int) -> list[tuple[float, Layout]]:
  """Returns every layout of so many devices with its roofline seconds a step, the quickest first.

  Of two as quick, the one comes first that needs less memory: more micro-batches, no copy.
  """
  heads, prompts, completions = config.num_heads, settings.train.prompts_per_step, settings.completions_per_step
  found = []
  for tp in (tp for tp in range(1, devices + 1) if devices % tp == 0 and heads % tp == 0):
    for parts in (parts for parts in range(1, prompts + 1) if prompts % parts == 0):
      for again, replicated in ((a, r) for a in (False, True) for r in (False, True)):
        fsdp = devices // tp
        if completions // parts % fsdp or replicated and fsdp == 1:
          continue
        layout = Layout(
            fsdp=fsdp, tp=tp, micro_batches=parts, rematerialize=again, replicated_sampling=replicated
        )
        found.append((step_seconds(Arithmetic(settings, config, layout), chip), layout))
  return sorted(found, key=lambda pair: (round(pair[0], 4), -pair[1].micro_batches, pair[1].replicated_sampling))


def step_seconds(arithmetic: Arithmetic, chip: Chip) -> float:
  """Returns the roofline seconds of one step of GRPO."""
  algorithm = arithmetic.settings.grpo
  work = [
      *arithmetic.rollout(arithmetic.p, arithmetic.n).values(),
      arithmetic.log_probabilities(bool(algorithm.beta) + (algorithm.num_iterations > 1)), arithmetic.update(),
  ]  # fmt: skip
  return sum(own.seconds(chip) for own in work)
