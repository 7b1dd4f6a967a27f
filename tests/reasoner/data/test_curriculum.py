"""The curriculum: weights by hand, domains as ever, and the same draws from the same record."""

from collections import Counter
import json
import math

import pytest

from reasoner.data import curriculum
from reasoner.data.sampling import Outcome
from reasoner.data.sampling import Schedule

COUNTS = dict(a=40, b=12, c=3)


def make(kind=curriculum.Curriculum, **changes):
  return kind(COUNTS, **(dict(steps=30, prompts_per_step=6, seed=3, max_repeats=8) | changes))


def outcome(domain, row, right, wrong=0, spread=0.0):
  return Outcome(pair=(domain, row), right=right, wrong=wrong, spread=spread)


def ran(schedule, steps, right_of=lambda pair: pair[1] % 5):
  """Steps through `steps`, each group of four right as often as its row says."""
  drawn = []
  for step in steps:
    pairs = schedule.rows(step)
    drawn.append(pairs)
    schedule.record(outcome(*pair, right_of(pair), 4 - right_of(pair), spread=0.25) for pair in pairs)
  return drawn


@pytest.mark.parametrize("right, wrong, expected", [
    (0, 0, 1 / 6), (4, 4, 25 / 110), (8, 0, 9 / 110), (0, 8, 9 / 110), (16, 0, 17 / 342),
])
def test_a_row_weighs_the_mean_variance_of_its_correctness(right, wrong, expected):
  assert curriculum.of_correctness(right, wrong) == pytest.approx(expected)
  # The mean of p (1 - p) over p with density p^right (1 - p)^wrong, by sum.
  ps = [(k + 0.5) / 20_000 for k in range(20_000)]
  density = [p**right * (1 - p) ** wrong for p in ps]
  assert math.fsum(d * p * (1 - p) for d, p in zip(density, ps)) / math.fsum(density) == pytest.approx(expected, rel=1e-4)


def test_what_was_seen_ages_by_half_with_each_further_group():
  schedule = make()
  schedule.record([outcome("a", 7, 4, 0), outcome("a", 7, 0, 4), outcome("a", 7, 1, 3)])
  # Right 4 / 4 + 0 / 2 + 1 = 2, wrong 0 + 4 / 2 + 3 = 5.
  assert schedule.weights("a")[7] == curriculum.of_correctness(2, 5)
  assert schedule.weights("a")[:7] == [curriculum.UNSEEN] * 7


def test_without_a_truth_a_row_weighs_its_spread_beside_its_domain_s():
  schedule = make()
  schedule.record([outcome("b", 0, 0, spread=0.3), outcome("b", 1, 0, spread=0.1), outcome("b", 2, 0, spread=0.0)])
  # The domain's mean spread is 0.4 / 3; a row: (spread / mean + 1) / 2 of an unseen one's weight.
  weights = [w / curriculum.UNSEEN for w in schedule.weights("b")]
  assert weights[:4] == pytest.approx([(0.3 * 3 / 0.4 + 1) / 2, (0.1 * 3 / 0.4 + 1) / 2, 0.5, 1.0])
  still = make()
  still.record([outcome("b", 0, 0, spread=0.0)])
  assert still.weights("b") == [curriculum.UNSEEN] * 12


def test_a_group_that_was_not_scored_says_nothing():
  schedule = make()
  schedule.record([outcome("a", 1, 0, 1, spread=math.nan)])
  assert schedule.weights("a") == [curriculum.UNSEEN] * 40
  assert schedule.state()["a"]["1"][-1] == 1  # though it was drawn


def test_domains_are_drawn_as_the_schedule_has_them_step_by_step():
  learned, fixed = make(), make(Schedule)
  drawn = ran(learned, range(30))
  for step, pairs in enumerate(drawn):
    assert [domain for domain, _ in pairs] == [domain for domain, _ in fixed.rows(step)]
  assert Counter(domain for pairs in drawn for domain, _ in pairs) == Counter(fixed.quotas)
  assert learned.drawn([2, 3]) == fixed.drawn([2, 3])


def test_no_row_is_drawn_more_often_than_allowed_nor_twice_in_a_step_that_has_others():
  schedule = make(max_repeats=4, steps=36)  # 216 draws of at most 220
  drawn = ran(schedule, range(36))
  times = Counter(pair for pairs in drawn for pair in pairs)
  assert max(times.values()) == 4
  for pairs in drawn[:10]:
    for domain, count in COUNTS.items():
      own = [row for name, row in pairs if name == domain]
      assert len(set(own)) == min(len(own), count)


def test_rows_that_are_answered_now_and_then_are_drawn_more():
  """Of 40 rows, 8 are right half of the time and the rest always or never."""
  right_of = lambda pair: 2 if pair[1] < 8 else 4 * (pair[1] % 2)  # noqa: E731
  learned, fixed = (kind({"a": 40}, steps=200, prompts_per_step=4, seed=1) for kind in (curriculum.Curriculum, Schedule))
  drawn = ran(learned, range(200), right_of)
  share = lambda steps: sum(row < 8 for pairs in steps for _, row in pairs) / sum(map(len, steps))  # noqa: E731
  assert share([fixed.rows(step) for step in range(200)]) == 0.2
  # Once all are known: 8 of weight 25 / 110 (4 and 4 in the long run), 32 of 9 / 110 (8 of 8): 0.41 of the draws.
  assert share(drawn[100:]) > 0.35
  assert {row for pairs in drawn[100:] for _, row in pairs} >= set(range(8, 40))  # and none is forgotten


def test_a_restored_record_draws_what_an_uninterrupted_one_does():
  whole, begun = make(), make()
  expected = ran(whole, range(20))
  assert ran(begun, range(9)) == expected[:9]
  resumed = make()
  resumed.restore(json.loads(json.dumps(begun.state(), sort_keys=True)))
  others = [schedule.others(9, 1, ["a", "b", "a"], [("a", 0)]) for schedule in (begun, resumed)]
  assert others[0] == others[1]
  assert ran(resumed, range(9, 20)) == expected[9:]
  assert resumed.state() == whole.state()
  assert make(seed=4).rows(0) != make().rows(0)


@pytest.mark.parametrize("kind", [Schedule, curriculum.Curriculum])
def test_others_are_of_the_domains_asked_for_and_not_those_taken(kind):
  schedule = make(kind)
  taken = schedule.rows(5)
  domains = ["a"] * 20 + ["c", "b", "c", "c", "c"]
  others = schedule.others(5, 1, domains, taken)
  assert [domain for domain, _ in others] == domains
  assert others == schedule.others(5, 1, domains, taken)
  assert others != schedule.others(5, 2, domains, taken) and others != schedule.others(6, 1, domains, taken)
  assert len({pair for pair in others if pair[0] == "a"}) == 20
  assert not {pair for pair in others if pair[0] == "a"} & set(taken)
  assert {pair for pair in others if pair[0] == "c"} >= {("c", k) for k in range(3)} - set(taken)  # four of three


def test_what_replaces_a_group_is_learned_from_and_not_counted_as_drawn():
  schedule = make(max_repeats=1, steps=5)
  schedule.record([outcome("a", row, 4) for row in range(40)], scheduled=False)
  assert schedule.weights("a")[0] == curriculum.of_correctness(4, 0)
  assert all(record[-1] == 0 for record in schedule.state()["a"].values())
  assert len(schedule.rows(0)) == 6


def test_a_curriculum_may_draw_any_row():
  assert set(make().pairs()) == {(d, row) for d, n in COUNTS.items() for row in range(n)} == set(make(Schedule).every())
