"""One expression expands to runs."""

import pytest

from reasoner.run import variants
from rewards.errors import ConfigError

CONFIG = {
  "seed": 0,
  "disco": {"alpha": 0.5, "weights": {"math": 1.0}},
  "grpo": {"algorithm": "grpo"},
  "rewards": {
    "math": {"format": {"weight": 0.2}, "math_answer": {"weight": 0.8}, "hint": None},
    "poems": {"format": {"weight": 0.2}, "rhyme": {"weight": 0.3}, "meter": {"weight": 0.0}},
  },
}


def names(**expressions):
  return [variant.name for variant in variants.expand(CONFIG, **expressions)]


def test_a_pattern_drops_each_paid_component_in_a_run_of_its_own():
  found = variants.expand(CONFIG, drop=["rewards.poems.*"])
  assert [(v.name, v.fields) for v in found] == [
    ("as_it_is", ()),
    ("no_poems.format", ("rewards.poems.format.weight=0.0",)),
    ("no_poems.rhyme", ("rewards.poems.rhyme.weight=0.0",)),  # and not meter, which is not paid
  ]


def test_leaving_one_out_takes_all_that_is_paid_but_the_format():
  assert names(leave_one_out=True) == ["as_it_is", "no_math.math_answer", "no_poems.rhyme"]


def test_what_is_dropped_together_is_one_run():
  found = variants.expand(CONFIG, drop_together=["rewards.*.format"])
  assert [v.name for v in found] == ["as_it_is", "no_all.format"]
  assert found[1].fields == ("rewards.math.format.weight=0.0", "rewards.poems.format.weight=0.0")


def test_a_field_gets_a_run_for_each_value_that_it_does_not_have_already():
  assert names(vary=["disco.alpha=0.0,0.5,1.0"]) == ["as_it_is", "disco.alpha=0.0", "disco.alpha=1.0"]
  assert names(vary=["grpo.algorithm=grpo,dapo"]) == ["as_it_is", "grpo.algorithm=dapo"]


def test_a_change_of_what_a_cold_start_sees_shares_none():
  found = variants.expand(CONFIG | {"data": {"root": "x"}}, vary=["disco.alpha=1.0", "data.root=y"])
  assert [v.shares_cold_start for v in found] == [True, True, False]


@pytest.mark.parametrize(
  "expressions, sentence",
  [
    (dict(), "nothing would differ"),
    (dict(vary=["disco.alpha=0.5"]), "nothing would differ"),
    (
      dict(drop=["rewards.maths.*"]),
      "matches nothing that is paid; what is: rewards.math.format, rewards.math.math_answer",
    ),
    (dict(vary=["disco.alpha"]), "expected FIELD=VALUE,VALUE"),
  ],
)
def test_an_expression_that_means_nothing_is_refused(expressions, sentence):
  with pytest.raises(ConfigError, match=sentence):
    variants.expand(CONFIG, **expressions)
