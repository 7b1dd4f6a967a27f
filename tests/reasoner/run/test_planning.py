"""What a recipe is said to need: the formulas by hand and beside a compiler's count, the programs the trainer's own."""

import dataclasses
import json
import pathlib

import jax
from jax.experimental.compilation_cache import compilation_cache
import jax.numpy as jnp
import numpy as np
import pytest

from reasoner import plan
from reasoner.models import lora
from reasoner.models import topology
from reasoner.policy import cold_start
from reasoner.policy import grpo
from reasoner.policy import optimizer
from reasoner.run import planning
from reasoner.run.settings import Settings
from rewards import recipes
from rewards.errors import ConfigError

RECIPE = f"{pathlib.Path(__file__).resolve().parents[3]}/experiments/seven_domain.py"
SMALL = [
    "--config.rollout.max_prompt_tokens=16", "--config.rollout.max_new_tokens=8", "--config.train.prompts_per_step=2",
    "--config.grpo.num_generations=2", "--config.grpo.num_iterations=2", "--config.cold_start.batch_size=2",
]  # fmt: skip


def settings_of(variant, *overrides):
  return Settings.of(recipes.load(f"{RECIPE}:{variant}", overrides, Settings)[0])


def arithmetic_of(settings, **changes):
  layout = dataclasses.replace(planning.Layout.of(settings, 8), **changes)
  return planning.Arithmetic(settings, settings.model.get_source().outline(jnp.dtype("bfloat16")), layout)


def test_the_headline_recipe_by_hand():
  settings = settings_of("gemma3_1b")
  own = arithmetic_of(
      settings, fsdp=8, tp=1, micro_batches=8, rematerialize=False, replicated_sampling=True
  )
  assert own.W == 26 * 1152 * (2 * 4 * 256 + 2 * 256 + 3 * 6912) == 697_761_792
  assert own.E == 262_144 * 1152 == 301_989_888
  assert own.R == 26 * 16 * ((1152 + 1024) + (1152 + 512) + (1024 + 1152) + 3 * (1152 + 6912)) == 12_566_528
  # A micro-batch leaves one completion on each of eight chips: each reads its prompt by itself.
  assert (own.s, own.x) == (1, 64 * 1536)
  parts = own.rollout(16, 64)
  tokens, pair = 64 * 512, 4 * 26 * 4 * 256
  assert parts["decode"].flops * 8 == tokens * (2 * 710_328_320 + 2 * 301_989_888 + pair * 1536)
  # Each token reads all weights in two bytes, and the keys and values of a chip's 8 rows: 26,624 bytes a token.
  assert parts["decode"].bytes == 512 * (2 * 999_751_680 + 8 * 26_624 * 1536)
  assert parts["decode"].moved == 0
  assert arithmetic_of(settings, replicated_sampling=False).rollout(16, 64)["decode"].moved == 512 * 2 * 999_751_680 * 7 / 8
  attention = pair * (64 * 1024**2 + 64 * 512 * 1536)
  assert own.update().flops * 8 == 4 * (
      (4 * 710_328_320 + 2 * 12_566_528) * 64 * 1536 + 4 * 301_989_888 * tokens + 3 * attention
  )
  # Two micro-batches leave the four completions of a prompt together: it is read once.
  shared = arithmetic_of(settings, micro_batches=2)
  assert (shared.s, shared.x) == (4, 16 * 1024 + 64 * 512)
  assert shared.update().seconds(topology.CHIPS["v5e"]) < 0.6 * own.update().seconds(topology.CHIPS["v5e"])


def test_at_a_fifth_of_the_roofline_the_published_prompts_take_less_than_three_hours_on_eight_chips():
  settings = settings_of("gemma3_1b")
  assert settings.train.steps * settings.train.prompts_per_step == 10_000 and settings.grpo.num_generations == 4
  seconds = planning.step_seconds(arithmetic_of(settings), topology.CHIPS["v5e"])
  assert 625 * seconds / 0.2 < 3 * 3600


def test_layouts_are_ranked_and_each_can_be_put_into_the_recipe():
  settings = settings_of("gemma3_1b")
  config = settings.model.get_source().outline(jnp.dtype("bfloat16"))
  ranked = planning.layouts(settings, config, topology.CHIPS["v5e"], 8)
  seconds = [own for own, _ in ranked]
  assert seconds == sorted(seconds) and len({layout for _, layout in ranked}) == len(ranked)
  assert {(layout.fsdp, layout.tp) for _, layout in ranked} == {(8, 1), (4, 2), (2, 4)}
  for own, layout in ranked:
    settled = layout.put(settings)
    settled.check_devices(layout.fsdp)
    assert planning.Layout.of(settled, 8) == layout
  by = {layout: own for own, layout in ranked}
  for layout, own in by.items():  # to compute again is never quicker, to sample with a copy never slower
    assert own <= by[dataclasses.replace(layout, rematerialize=True)]
    assert by[dataclasses.replace(layout, replicated_sampling=True)] <= own


@pytest.fixture(scope="module")
def compiler_cache(tmp_path_factory):
  """A cache of this file's own: what is in it was compiled here."""

  def use(directory):
    compilation_cache.reset_cache()  # JAX opens one directory, once
    jax.config.update("jax_compilation_cache_dir", directory)

  before, path = jax.config.jax_compilation_cache_dir, tmp_path_factory.mktemp("compiled")
  use(str(path))
  yield path
  use(before)


def test_the_reckoned_operations_are_those_that_a_compiler_counts(compiler_cache):
  """Of programs whose loops run once. The compiler counts norms and softmax, too."""
  settings = settings_of("embedded", *SMALL)
  for program in planning.programs(settings, settings.model.get_source(), jax.devices()[:1], jnp.dtype("float32")):
    if program.name in ("log-probabilities", "update"):
      counted = 2 * program.lower().compile().cost_analysis()["flops"]  # reference and old; two iterations
      assert 0.85 < program.work[""].flops / counted < 1.02, (program.name, program.work[""].flops / counted)


@pytest.mark.slow
def test_they_are_the_trainers_own_programs(compiler_cache):
  """What was compiled from shapes serves the real arrays: the compiler's cache gets no further program."""
  settings = settings_of("embedded", *SMALL)
  source = settings.model.get_source()
  names = ("jit_generate", "jit_update", "jit_of_completions", "jit__step")
  programs = lambda: {p.name for p in compiler_cache.iterdir() if p.name.startswith(names)}  # noqa: E731
  for program in planning.programs(settings, source, jax.devices()[:1], jnp.dtype("float32")):
    program.lower().compile()
  planned = programs()
  assert len(planned) >= 5
  _train_a_step(settings, source)
  assert programs() == planned


class _Tokenizer:
  eos_ids = (1, 106)

  def pad_id(self):
    return 0

  def decode(self, ids):
    return ""


def _train_a_step(settings, source):
  from flax import nnx

  from reasoner.models import mesh as mesh_lib

  mesh = mesh_lib.make_mesh(1, 1)
  base = source.load(mesh, jnp.dtype("float32"), 0)
  cold = settings.cold_start
  learner = cold_start.Learner(
      base, mesh, steps=cold.steps, learning_rate=cold.learning_rate, warmup_fraction=cold.warmup_fraction
  )
  batch = {name: np.ones((cold.batch_size, 30), np.int32) for name in ("tokens", "positions", "segments")}
  learner.update(batch | {"targets": np.ones((1, cold.batch_size * 8), np.int32)})
  actor = lora.add_lora(base, seed=0, **dataclasses.asdict(settings.model.lora))
  policy = grpo.Policy(actor, _Tokenizer(), mesh, max_prompt_tokens=16, max_new_tokens=8)
  rate = optimizer.learning_rate(settings.train, settings.train.steps * settings.grpo.num_iterations)
  learner = grpo.Learner(policy, settings.grpo, optimizer.adamw(settings.train, rate), temperature=1.0)
  draw = grpo.Sampling(max_new_tokens=8, temperature=1.0, top_p=1.0)
  rollout = policy.generate([[5, 6], [7, 8]], draw, jax.random.key(0), 2)
  learner.update(rollout, np.ones(4, np.float32), np.ones(4, bool), learner.reference(rollout))
  policy.generate([[5, 6]] * 32, grpo.Sampling(max_new_tokens=8), jax.random.key(0))
  assert jax.tree.leaves(nnx.state(policy.actor))


@pytest.fixture
def here(monkeypatch):
  """A machine with eight v5e chips whose compiler needs no time and says 1 GiB of everything."""
  chips = jax.devices() * 8, topology.CHIPS["v5e"]
  monkeypatch.setattr(topology, "devices_of", lambda name: chips)
  said = planning.Compiled(arguments=2**30, temporaries=2**30, outputs=2**30, seconds=60.0)
  work = {"": planning.Work(flops=197e12, bytes=0.0, moved=0.0)}  # a second

  def programs(settings, source, devices, dtype):
    for name, phase in (("rollout", "grpo"), ("update", "grpo"), ("evaluation", "evaluation")):
      yield planning.Program(name=name, phase=phase, work=work, beside=2**30, lower=None)

  monkeypatch.setattr(planning, "programs", programs)
  monkeypatch.setattr(planning, "compile_program", lambda program, cache, about: said)
  return said


def test_a_plan_says_what_fits_how_long_it_takes_and_what_a_session_holds(here, tmp_path, capsys):
  assert plan.main([f"--config={RECIPE}:gemma3_1b", f"--output={tmp_path}", "--hours=1"]) == 0
  said = capsys.readouterr().out
  assert "= 4.00 of 15.75 GiB: fits (compiled in 60 s)" in said and "the recipe's own" in said
  (layout,) = json.loads((tmp_path / "plan.json").read_text())["layouts"]
  assert layout["fits"] and layout["step_roofline_seconds"] == 2.0
  # 7 domains of 200 rows in batches of 64, before and after: 44 of a second. 20 %: (625 x 2 + 44) / 0.2 s.
  share = layout["shares"]["20%"]
  assert share["hours"] == pytest.approx(1294 / 0.2 / 3600) and share["step_seconds"] == 10.0
  assert (share["steps_that_fit"], share["prompts_that_fit"]) == ((3600 - 220) // 10, 338 * 16)
  assert (tmp_path / "plan.png").read_bytes().startswith(b"\x89PNG")


def test_the_quickest_layouts_that_fit_are_compiled(here, tmp_path, capsys):
  assert plan.main([f"--config={RECIPE}:gemma3_1b", f"--output={tmp_path}", "--layouts=3"]) == 0
  result = json.loads((tmp_path / "plan.json").read_text())
  assert [entry["layout"] for entry in result["layouts"]] == [entry["layout"] for entry in result["ranked"][:3]]
  assert "Roofline seconds of a step, by arithmetic:" in capsys.readouterr().out


@pytest.mark.slow
def test_the_plan_of_this_machine_is_compiled_once(tmp_path, capsys, monkeypatch, compiler_cache):
  monkeypatch.setenv("REASONER_CACHE", str(tmp_path / "cache"))
  flags = [f"--config={RECIPE}:embedded", f"--output={tmp_path}", *SMALL]
  assert plan.main(flags) == 0
  said = capsys.readouterr().out
  assert "as measured here" in said and "DOES NOT" not in said
  (layout,) = json.loads((tmp_path / "plan.json").read_text())["layouts"]
  assert [row["program"] for row in layout["programs"]] == [
      "rollout", "log-probabilities", "update", "evaluation", "cold start"
  ]
  monkeypatch.setattr(jax.stages.Lowered, "compile", None)  # all is kept
  assert plan.main(flags) == 0


def test_what_does_not_compile_says_why(tmp_path):
  class Lowered:
    def as_text(self):
      return "program"

    def compile(self):
      raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: it exceeds memory.\nUsed 20G of 15.75G hbm.\nmore")

  program = planning.Program(name="update", phase="grpo", work={}, beside=0, lower=Lowered)
  found = planning.compile_program(program, tmp_path, "here")
  assert found.error == "RESOURCE_EXHAUSTED: it exceeds memory. Used 20G of 15.75G hbm."
  row = plan._row(program, found, topology.CHIPS["v5e"])
  assert not row["fits"] and "does not compile: RESOURCE_EXHAUSTED" in plan._lines(row, 2**34)[0]


@pytest.mark.parametrize("topology_name, said", [
    ("v9:2x4", "--topology=v9:2x4: expected v5e, a colon, and chips such as 2x4."),
    ("v5e:8", "--topology=v5e:8: expected v5e"),
    ("v5e:2x4", "needs the compiler of TPUs: pip install 'reasoner[tpu]'"),
])
def test_a_topology_that_cannot_be_planned_for_is_one_sentence(topology_name, said, capsys, monkeypatch):
  monkeypatch.delenv("TPU_LIBRARY_PATH", raising=False)
  monkeypatch.setattr(topology.importlib.util, "find_spec", lambda name: None)
  assert plan.main([f"--config={RECIPE}:gemma3_1b", f"--topology={topology_name}"]) == 2
  assert said in capsys.readouterr().err


def test_a_model_of_any_size_has_no_plan_without_its_directory():
  with pytest.raises(ConfigError, match="has no sizes of its own"):
    own = "--config.model.name=gemma3", "--config.model.source=local", "--config.model.path=weights"
    settings_of("gemma3_1b", *own).model.get_source().outline(jnp.dtype("bfloat16"))
