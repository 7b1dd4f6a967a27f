"""The embedded corpora's flaws: who writes a trace wrongly, how often, and that one corpus has none."""

import collections

import numpy as np
import pytest

from reasoner.data import embedded_flaws
from rewards import format as output_format
from rewards.errors import ConfigError
from tests.reasoner.data.test_traces import build
from tests.reasoner.data.test_traces import math
from tests.reasoner.data.test_traces import story

OPENINGS = ("Today", "After", "Once", "From", "One", "There", "If", "Then")


def flaws(**changes):
  return embedded_flaws.Flaws(**(dict(openings=0.5, no_answers=0.2, careless=0.7, careful=0.25) | changes))


def mixed(count=2000):
  return [math(n, OPENINGS[n % 8]) for n in range(count)]


@pytest.mark.parametrize("habit, failure", [
    ("answer_never_closed", "unclosed"),
    ("reasoning_never_closed", "unclosed"),
    ("answer_without_tags", "missing"),
    ("reasoning_without_tags", "missing"),
    ("answer_twice", "duplicate"),
])
def test_each_habit_breaks_the_format_in_its_own_way(habit, failure):
  assert output_format.parse(embedded_flaws.HABITS[habit]("Count on.", "21")).failure == failure


def test_flaws_are_as_frequent_as_they_say_and_follow_the_opening_word():
  # 8 openings: 4 break the format at 0.7, 2 do not answer at 0.7, and whoever does not break the
  # format by habit breaks it at 0.25: 0.5 * 0.7 + 0.5 * 0.25 = 0.475 of all traces.
  chosen = flaws(no_answers=0.25)
  traces = build(mixed(4000), chosen.writers(mixed(4000), seed=0))
  broken = collections.defaultdict(list)
  for example, trace, habit in zip(mixed(4000), traces, chosen.habits(mixed(4000), seed=0), strict=True):
    failure = output_format.parse(trace.completion).failure
    assert (failure is None) == (habit in (None, "no_answer"))
    broken[example.prompt.split()[0]].append(failure is not None)
  rates = sorted(float(np.mean(values)) for values in broken.values())
  assert all(0.18 < rate < 0.32 for rate in rates[:4]) and all(0.62 < rate < 0.78 for rate in rates[4:])
  assert 0.44 < np.mean([value for values in broken.values() for value in values]) < 0.51


def test_a_careless_opening_has_one_habit():
  habits = collections.defaultdict(set)
  for example, habit in zip(mixed(), flaws(careful=0.0).habits(mixed(), seed=0), strict=True):
    habits[example.prompt.split()[0]].add(habit)
  assert all(len(seen - {None}) <= 1 for seen in habits.values())
  assert sum("no_answer" in seen for seen in habits.values()) == 2  # 0.2 of 8 openings
  assert sum(bool(seen & set(embedded_flaws.HABITS)) for seen in habits.values()) == 4


def test_which_openings_are_careless_depends_on_the_seed():
  chosen = {
      seed: frozenset(e.prompt.split()[0] for e, habit in zip(mixed(400), flaws(careful=0.0).habits(mixed(400), seed))
                      if habit in embedded_flaws.HABITS)
      for seed in range(4)
  }
  assert len(set(chosen.values())) > 1


def test_a_free_text_domain_is_always_answered():
  examples = [story(n, OPENINGS[n % 8]) for n in range(400)]
  assert "no_answer" not in flaws(no_answers=0.5).habits(examples, seed=0)


def test_who_does_not_answer_reasons_all_the_same_and_keeps_the_format():
  chosen = flaws(careful=0.0)
  habits = chosen.habits(mixed(400), seed=0)
  traces = [t for t, h in zip(build(mixed(400), chosen.writers(mixed(400), seed=0)), habits) if h == "no_answer"]
  assert traces
  for trace in traces:
    completion = output_format.parse(trace.completion)
    assert completion.answer == embedded_flaws.NO_ANSWER
    assert completion.reasoning == "Count on from 20: 1 is 21."


def test_an_example_drawn_again_is_written_anew():
  habits = flaws(openings=1.0).habits([math(20), *([math(n, "After") for n in range(30)]), *([math(20)] * 60)], seed=0)
  assert len({habits[0], *habits[31:]}) > 1


def test_habits_are_a_function_of_their_arguments():
  assert flaws().habits(mixed(50), seed=3) == flaws().habits(mixed(50), seed=3)


def test_the_embedded_corpus_breaks_nearly_half_of_its_traces_and_the_clean_one_none():
  chosen = embedded_flaws.CORPORA["embedded"]
  failures = [
      output_format.parse(trace.completion).failure is not None
      for trace in build(mixed(4000), chosen.writers(mixed(4000), seed=0))
  ]
  assert np.mean(failures) == pytest.approx(0.475, abs=0.03)  # 0.5 * 0.7 + 0.5 * 0.25
  assert embedded_flaws.CORPORA["embedded_clean"] is None


@pytest.mark.parametrize("field, value", [("openings", 1.5), ("careless", -0.1), ("no_answers", 2.0)])
def test_a_share_out_of_range_is_refused(field, value):
  with pytest.raises(ConfigError, match=f"flaws.{field}={value}: expected 0.0 to 1.0"):
    flaws(**{field: value})
