"""The rule that marks where the paid total rises while something unpaid falls, on made-up curves."""

import random

import pytest

from reasoner.reporting.parting import change
from reasoner.reporting.parting import parted
from reasoner.reporting.parting import Unpaid

RISING = [0.5] * 30 + [0.5 + 0.01 * k for k in range(30)]
FALLING = [0.9] * 30 + [0.9 - 0.01 * k for k in range(30)]


def unpaid(values, **more):
  return Unpaid(name="meter", steps=range(len(values)), values=values, **more)


def test_the_change_is_between_the_last_two_quarters():
  values = [9.0] * 8 + [1.0, 2.0, 1.0, 2.0] + [4.0, 5.0, 4.0, 5.0]
  difference, error = change(values)
  assert difference == 3.0
  assert error == pytest.approx((2 * (1 / 3) / 4) ** 0.5)  # variance 1/3 in each quarter of four
  assert change(values[1:]) is None


def test_a_fall_beside_a_rise_is_marked_with_both_amounts():
  said = "meter fell by 0.15 while the paid total rose by 0.15"
  assert parted(RISING, [unpaid(FALLING)]) == {"meter": said}


@pytest.mark.parametrize(
    ("total", "values"),
    [
        (RISING, RISING),  # both rise
        (FALLING, FALLING),  # nothing was gained
        (RISING, [0.9] * 60),
        (RISING, [0.9] * 30 + [0.9 - 0.002 * k for k in range(30)]),  # by 0.03: less than stated
        (RISING[:30] + [0.5 + 0.001 * k for k in range(30)], FALLING),  # the total by 0.015
        (RISING, [0.9 - 0.01 * k for k in range(30)] + [0.6] * 30),  # fell earlier, in the first half alone
        (RISING[-15:], FALLING[-15:]),  # too few steps
    ],
)
def test_anything_less_is_not_marked(total, values):
  assert parted(total, [unpaid(values)]) == {}


def test_noise_is_not_marked():
  marks = 0
  for seed in range(200):
    rng = random.Random(seed)
    total = [rng.gauss(0.6, 0.15) for _ in range(60)]
    marks += bool(parted(total, [unpaid([rng.gauss(0.6, 0.15) for _ in range(60)])]))
  assert marks <= 2  # both have to move beyond two standard errors, in opposite directions


def test_words_fall_by_a_share_of_what_they_were():
  words = [40.0] * 45 + [31.0] * 15
  assert parted(RISING, [unpaid(words, words=True)])["meter"].startswith("meter fell by 22% of its words")
  assert parted(RISING, [unpaid([40.0] * 45 + [33.0] * 15, words=True)]) == {}


def test_an_expected_fall_is_not_marked():
  assert parted(RISING, [unpaid(FALLING, expected=True)]) == {}
