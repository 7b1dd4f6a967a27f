"""DISCO quotas worked by hand, and the laws that a schedule keeps."""

from collections import Counter

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import pytest

from reasoner.data.sampling import quotas
from reasoner.data.sampling import Schedule
from reasoner.data.sampling import Shares
from reasoner.data.sampling import shares
from rewards.errors import ConfigError

POOL = dict(
    science=13610, summarization=10000, math=7473, creative_writing=5968,
    creative_ideation=2831, logic=2260, coding=974,
)


def test_the_published_table_comes_out():
  percent = {domain: round(100 * share, 1) for domain, share in shares(POOL, alpha=0.5).items()}
  assert percent == dict(
      science=22.8, summarization=19.5, math=16.9, creative_writing=15.1,
      creative_ideation=10.4, logic=9.3, coding=6.1,
  )
  assert sum(quotas(POOL, 10_000).values()) == 10_000


def test_alpha_one_is_natural_and_alpha_zero_uniform():
  assert shares(dict(a=30, b=10), alpha=1.0) == dict(a=0.75, b=0.25)
  assert shares(dict(a=30, b=10), alpha=0.0) == dict(a=0.5, b=0.5)


def test_weights_multiply_the_share():
  # sqrt(4) * 1 = 2 and sqrt(16) * 0.5 = 2: equal.
  assert shares(dict(a=4, b=16), weights=dict(b=0.5)) == dict(a=0.5, b=0.5)


def test_largest_remainder_gives_the_spare_draw_to_the_largest_fraction():
  # shares 0.5, 0.3, 0.2 of 11: 5.5, 3.3, 2.2 -> 5, 3, 2, and the spare one to a.
  assert quotas(dict(a=5, b=3, c=2), 11, alpha=1.0) == dict(a=6, b=3, c=2)


def test_a_capped_domain_leaves_its_draws_to_the_others():
  # uniform would give 10 each; b may give 2 x 2 = 4, so a takes 16.
  assert quotas(dict(a=100, b=2), 20, alpha=0.0, max_repeats=2) == dict(a=16, b=4)


def test_more_draws_than_the_cap_allows_is_refused():
  with pytest.raises(ConfigError, match="max_repeats=2 allows 6"):
    quotas(dict(a=1, b=2), 7, max_repeats=2)


@pytest.mark.parametrize("weights", [dict(a=-1.0), dict(a=float("nan")), dict(a="1")])
def test_impossible_weights_are_refused_with_the_field(weights):
  with pytest.raises(ConfigError, match="config.disco.weights.a="):
    Shares(alpha=0.5, max_repeats=8, weights=weights)


def test_weights_under_which_nothing_is_drawn_are_refused():
  with pytest.raises(ConfigError, match="config.disco.weights are all 0"):
    shares(dict(a=1, b=1), weights=dict(a=0.0, b=0.0))


_counts = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 500), min_size=1)


@settings(max_examples=200, deadline=None)
@given(_counts, st.integers(1, 400), st.floats(0, 1.5), st.integers(1, 5))
def test_quotas_add_up_and_keep_the_cap(counts, draws, alpha, max_repeats):
  allowed = max_repeats * sum(counts.values())
  quota = quotas(counts, min(draws, allowed), alpha=alpha, max_repeats=max_repeats)
  assert sum(quota.values()) == min(draws, allowed)
  assert all(0 <= q <= counts[d] * max_repeats for d, q in quota.items())


def _schedule(**changes):
  arguments = dict(steps=40, prompts_per_step=7, seed=3, max_repeats=None) | changes
  return Schedule(dict(a=90, b=20, c=5), **arguments)


def test_a_step_is_a_function_of_seed_and_step():
  one, other = _schedule(), _schedule()
  later_first = [other.rows(step) for step in reversed(range(40))]
  assert [one.rows(step) for step in range(40)] == later_first[::-1]
  assert _schedule(seed=4).rows(0) != one.rows(0)


def test_no_row_repeats_before_its_domain_is_exhausted():
  schedule = _schedule()
  drawn = [row for step in range(40) for row in schedule.rows(step)]
  assert Counter(domain for domain, _ in drawn) == Counter(schedule.quotas)
  for domain, count in schedule.counts.items():
    rows = [row for d, row in drawn if d == domain]
    for start in range(0, len(rows), count):
      epoch = rows[start : start + count]
      assert len(set(epoch)) == len(epoch)


def test_every_step_has_close_to_the_whole_runs_mix():
  schedule = _schedule()
  for domain, quota in schedule.quotas.items():
    per_step = [sum(d == domain for d, _ in schedule.rows(step)) for step in range(40)]
    assert max(per_step) - quota / 40 < 2.0 and quota / 40 - min(per_step) < 2.0


def test_a_schedule_that_goes_on_draws_from_its_first_step_in_an_order_of_its_own():
  counts = dict(math=50, logic=20)
  whole = Schedule(counts, steps=5, prompts_per_step=7, seed=3)
  after = Schedule(counts, steps=4, prompts_per_step=7, seed=3, first=5)
  assert after.rows(4) == [] and all(len(after.rows(step)) == 7 for step in range(5, 9)) and after.rows(9) == []
  assert len(after.pairs()) == 28 and after.pairs() != whole.pairs()[:28]
  assert (whole.first, whole.last, after.first, after.last) == (0, 5, 5, 9)
