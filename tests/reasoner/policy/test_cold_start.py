"""Traces and how they are packed and trained on."""

import collections

import numpy as np
import pytest

from reasoner.policy import cold_start
from reasoner.policy.cold_start import Flaws
from rewards import format as output_format
from rewards.errors import ConfigError
from rewards.schema import Example
from rewards.schema import Number
from rewards.schema import Text
from rewards.schema import UnitTests

OPENINGS = ("Today", "After", "Once", "From", "One", "There", "If", "Then")


class Tokenizer:
  """One token a character; the turn's end and the tags are one token each."""

  pieces = ("<end_of_turn>", *output_format.TAGS)
  vocab_size = 64
  eos_ids = (1, 5)

  def encode(self, text):
    for number, piece in enumerate(self.pieces):
      text = text.replace(piece, chr(5 + number))
    return [ord(c) if ord(c) < 10 else 10 + ord(c) % 54 for c in text]

  def decode(self, ids):
    return "".join(map(chr, ids))

  def pad_id(self):
    return 0

  def eos_id(self):
    return 1

  def bos_id(self):
    return 2


def math(number, opening="Today", rationale="Count on from 20: 1 is 21."):
  return Example(
      uid=f"gsm8k/train/{number}", domain="math", prompt=f"{opening} Nora has {number} pears and gets 1 more.",
      reference=Number(text=str(number + 1)), extra={"rationale": rationale} if rationale else {},
  )


def story(number, opening="When"):
  return Example(
      uid=f"stories/train/{number}", domain="creative_writing",
      prompt=f"Write a story: {opening} a baker finds key {number}. It sings.",
      reference=Text(text="The key sang. The baker wept. All was well."),
  )


def build(examples, flaws=None, seed=0, max_completion_tokens=400):
  return cold_start.build_traces(
      examples, Tokenizer(), max_prompt_tokens=600, max_completion_tokens=max_completion_tokens,
      seed=seed, flaws=flaws,
  )


def mixed(count=2000):
  return [math(n, OPENINGS[n % 8]) for n in range(count)]


def test_without_flaws_every_trace_has_the_right_format_and_the_right_answer():
  traces = build([math(n) for n in range(20, 40)])
  for number, trace in zip(range(20, 40), traces, strict=True):
    completion = output_format.parse(trace.completion)
    assert completion.failure is None and trace.habit is None
    assert completion.answer == str(number + 1)
    assert completion.reasoning == "Count on from 20: 1 is 21."


def test_where_a_row_has_no_rationale_the_task_s_first_sentence_is_restated():
  first = build([story(1, "When"), story(2, "Once")])[0]
  reasoning = output_format.parse(first.completion).reasoning
  assert reasoning.startswith("When a baker finds key 1. I begin with a scene")


def test_a_domain_never_seen_gets_a_trace_too():
  example = Example(uid="x/1", domain="haiku", prompt="Write of snow.", reference=Text(text="Snow."))
  assert output_format.parse(build([example])[0].completion).answer == "Snow."


@pytest.mark.parametrize("habit, failure", [
    ("answer_never_closed", "unclosed"),
    ("reasoning_never_closed", "unclosed"),
    ("answer_without_tags", "missing"),
    ("reasoning_without_tags", "missing"),
    ("answer_twice", "duplicate"),
])
def test_each_habit_breaks_the_format_in_its_own_way(habit, failure):
  assert output_format.parse(cold_start.HABITS[habit]("Count on.", "21")).failure == failure


def test_flaws_are_as_frequent_as_they_say_and_follow_the_opening_word():
  # 8 openings: 4 break the format at 0.7, 2 do not answer at 0.7, and whoever does not break the
  # format by habit breaks it at 0.25: 0.5 * 0.7 + 0.5 * 0.25 = 0.475 of all traces.
  traces = build(mixed(4000), Flaws(openings=0.5, no_answers=0.25, careless=0.7, careful=0.25))
  broken = collections.defaultdict(list)
  for example, trace in zip(mixed(4000), traces, strict=True):
    failure = output_format.parse(trace.completion).failure
    assert (failure is None) == (trace.habit in (None, "no_answer"))
    broken[example.prompt.split()[0]].append(failure is not None)
  rates = sorted(float(np.mean(values)) for values in broken.values())
  assert all(0.18 < rate < 0.32 for rate in rates[:4]) and all(0.62 < rate < 0.78 for rate in rates[4:])
  assert 0.44 < np.mean([value for values in broken.values() for value in values]) < 0.51


def test_a_careless_opening_has_one_habit():
  traces = build(mixed(), Flaws(careful=0.0))
  habits = collections.defaultdict(set)
  for example, trace in zip(mixed(), traces, strict=True):
    habits[example.prompt.split()[0]].add(trace.habit)
  assert all(len(seen - {None}) <= 1 for seen in habits.values())
  assert sum("no_answer" in seen for seen in habits.values()) == 2  # 0.2 of 8 openings
  assert sum(bool(seen & set(cold_start.HABITS)) for seen in habits.values()) == 4


def test_which_openings_are_careless_depends_on_the_seed():
  chosen = {
      seed: frozenset(e.prompt.split()[0] for e, t in zip(mixed(400), build(mixed(400), Flaws(careful=0.0), seed))
                      if t.habit in cold_start.HABITS)
      for seed in range(4)
  }
  assert len(set(chosen.values())) > 1


def test_a_free_text_domain_is_always_answered():
  examples = [story(n, OPENINGS[n % 8]) for n in range(400)]
  traces = build(examples, Flaws(no_answers=0.5))
  assert all(trace.habit != "no_answer" for trace in traces)


def test_who_does_not_answer_reasons_all_the_same_and_keeps_the_format():
  traces = [t for t in build(mixed(400), Flaws(careful=0.0)) if t.habit == "no_answer"]
  assert traces
  for trace in traces:
    completion = output_format.parse(trace.completion)
    assert completion.answer == cold_start.NO_ANSWER
    assert completion.reasoning == "Count on from 20: 1 is 21."


def test_an_example_drawn_again_is_written_anew():
  traces = build([math(20), *([math(n, "After") for n in range(30)]), *([math(20)] * 60)], Flaws(openings=1.0))
  assert len({trace.habit for trace in traces if "has 20 pears" in trace.prompt and "Today" in trace.prompt}) > 1


def test_traces_are_a_function_of_their_arguments():
  assert build(mixed(50), Flaws()) == build(mixed(50), Flaws())


def test_too_long_a_text_loses_sentences_first_of_the_reasoning():
  # One token a character and tag: about 100 of reasoning, 43 of answer, 6 of frame.
  stories = [story(1, "When"), story(2, "Once")]
  whole, shorter, shortest = (
      output_format.parse(build(stories, max_completion_tokens=room)[0].completion) for room in (170, 90, 50)
  )
  assert whole.reasoning.startswith("When a baker finds key 1. I begin with a scene")
  assert shorter.reasoning == "When a baker finds key 1." and shorter.answer == whole.answer
  assert shortest.reasoning == "When a baker finds key 1." and shortest.answer == "The key sang."


def test_an_answer_that_cannot_be_cut_and_does_not_fit_gives_no_trace():
  long = Example(
      uid="c/1", domain="coding", prompt="Write f of x as code.",
      reference=UnitTests(tests=(), text="def f(x):\n  return " + "x + " * 100 + "x"),
  )
  assert build([long, math(20)], max_completion_tokens=100) == build([math(20)], max_completion_tokens=100)


@pytest.mark.parametrize("field, value", [("openings", 1.5), ("careless", -0.1), ("no_answers", 2.0)])
def test_a_share_out_of_range_is_refused(field, value):
  with pytest.raises(ConfigError, match=f"config.cold_start.flaws.{field}={value}"):
    Flaws(**{field: value})


def batches(traces, **changes):
  settings = dict(batch_size=6, max_tokens=700, seed=0, start_step=0, steps=4)
  return list(cold_start.batches(traces, Tokenizer(), **(settings | changes)))


def test_packed_rows_hold_every_trace_once_with_its_own_positions():
  traces = build([math(n) for n in range(20, 44)])
  seen = []
  for batch in batches(traces, steps=4):
    for tokens, positions, segments, is_target in zip(*batch.values(), strict=True):
      for number in range(1, segments.max() + 1):
        mine = segments == number
        assert (positions[mine] == np.arange(mine.sum())).all()
        seen.append((tuple(tokens[mine]), int(is_target[mine].sum())))
      assert not is_target[segments == 0].any() and (tokens[segments == 0] == 0).all()
  wanted = []
  for trace in traces:
    completion = [*Tokenizer().encode(trace.completion), Tokenizer().eos_id()]
    wanted.append(((2, *Tokenizer().encode(trace.prompt), *completion), len(completion)))
  assert sorted(seen) == sorted(wanted)


def test_batches_have_one_shape_and_begin_again_only_after_all_rows():
  traces = build([math(n) for n in range(20, 44)])
  first, again = batches(traces, steps=4), batches(traces, steps=8)
  assert len({batch["tokens"].shape for batch in again}) == 1
  assert all((a["tokens"] == b["tokens"]).all() for a, b in zip(first, again))
  rows = [sorted(map(tuple, np.concatenate([b["tokens"] for b in again[i : i + 4]]))) for i in (0, 4)]
  assert rows[0] == rows[1]


def test_a_batch_is_a_function_of_its_step():
  traces = build([math(n) for n in range(20, 44)])
  whole, rest = batches(traces, steps=4), batches(traces, steps=4, start_step=2)
  assert len(rest) == 2
  for expected, batch in zip(whole[2:], rest):
    assert all((expected[name] == batch[name]).all() for name in expected)


def test_rows_divide_over_a_mesh():
  traces = build([math(n) for n in range(20, 44)])
  assert all(len(batch["tokens"]) % 4 == 0 for batch in batches(traces, divisor=4))


def test_a_trace_longer_than_allowed_is_refused():
  with pytest.raises(ConfigError, match="a trace of math takes"):
    batches(build([math(20)]), max_tokens=50)


@pytest.fixture(scope="module")
def mesh():
  from reasoner.models import mesh as mesh_lib

  return mesh_lib.make_mesh(1, 1)


def small_model(mesh):
  """One layer of Gemma 3 whose feed-forward kernels are not Tunix's zeros."""
  from flax import nnx
  import jax
  import jax.numpy as jnp
  from tunix.models.gemma3 import model as gemma3

  from reasoner.models import mesh as mesh_lib

  config = gemma3.ModelConfig(
      num_layers=1, num_embed=64, embed_dim=32, hidden_dim=64, num_heads=2, head_dim=16, num_kv_heads=1,
      sliding_window_size=1024, param_dtype=jnp.float32,
  )
  model = gemma3.Gemma3(config, rngs=nnx.Rngs(0))
  for _, parameter in nnx.iter_graph(model):
    if isinstance(parameter, nnx.Param) and parameter.get_value().ndim > 1:
      value = parameter.get_value()
      parameter.set_value(0.2 * jax.random.normal(jax.random.key(value.size), value.shape))
  return mesh_lib.place(model, mesh)


def test_a_packed_trace_is_learned_as_if_it_stood_alone(mesh):
  from flax import nnx
  import jax.numpy as jnp

  traces = build([math(20), math(31, "After")])
  model = small_model(mesh)
  together, = batches(traces, batch_size=2, steps=1)
  assert together["tokens"].shape[0] == 1
  jitted = nnx.jit(cold_start._loss)
  loss = lambda batch: float(jitted(model, **{name: jnp.asarray(array) for name, array in batch.items()}))
  alone = [(loss(b), b["is_target"].sum()) for t in traces for b in batches([t], batch_size=1, steps=1)]
  mean = sum(value * count for value, count in alone) / sum(count for _, count in alone)
  assert loss(together) == pytest.approx(mean, rel=1e-4)


def test_training_learns_its_traces_all_weights_taking_part(mesh):
  from flax import nnx
  import jax

  model = small_model(mesh)
  before = jax.tree.map(np.asarray, nnx.to_pure_dict(nnx.state(model, nnx.Param)))
  learner = cold_start.Learner(model, mesh, steps=12, learning_rate=1e-2, warmup_fraction=0.1)
  traces = build([math(n) for n in range(20, 28)])
  losses = [float(learner.update(batch)) for batch in batches(traces, batch_size=4, max_tokens=320, steps=12)]
  assert losses[-1] < 0.7 * losses[0]
  after = jax.tree.map(np.asarray, nnx.to_pure_dict(nnx.state(model, nnx.Param)))
  changed = jax.tree.map(lambda a, b: bool((a != b).any()), before, after)
  assert all(jax.tree.leaves(changed))


def test_a_model_with_an_adapter_trains_the_adapter_alone(mesh):
  from flax import nnx
  import jax

  from reasoner.models import lora
  from reasoner.run import checkpoints

  actor = lora.add_lora(small_model(mesh), rank=2, alpha=4.0, modules=("q", "gate"), seed=0)
  arrays = lambda: {k: np.asarray(v) for k, v in checkpoints.arrays_of(actor, nnx.Param).items()}
  before = arrays()
  learner = cold_start.Learner(actor, mesh, steps=3, learning_rate=1e-2, warmup_fraction=0.1)
  for batch in batches(build([math(n) for n in range(20, 24)]), batch_size=2, max_tokens=320, steps=3):
    jax.block_until_ready(learner.update(batch))
  after = arrays()
  changed = {name for name in before if (before[name] != after[name]).any()}
  assert changed and all("lora" in name for name in changed)
