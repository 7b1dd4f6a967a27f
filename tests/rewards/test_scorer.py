"""The total and its rules, with sums worked by hand."""

import re

import pytest

from rewards import registry
from rewards.errors import ConfigError
from rewards.errors import Exhausted
from rewards.explanation import explain
from rewards.format import render
from rewards.registry import register
from rewards.schema import Example
from rewards.schema import Score
from rewards.schema import Text
from rewards.schema import UnitTests
from rewards.schema import Unscored
from rewards.scorer import check
from rewards.scorer import ComponentError
from rewards.scorer import Scorer
from rewards.scorer import Stopped
from rewards.scorer import STRICT


@pytest.fixture(autouse=True)
def components():
  """Each says what the answer tells it to: `truth=1 value=0.5 other=none`, 1 where it says nothing."""
  kinds = {"truth": "correctness", "value": "quality", "other": "quality", "watch": "guard", "ward": "guard"}
  with registry.temporary():
    for name, kind in kinds.items():
      _register(name, kind)
    yield


def _register(name, kind):
  @register(name, kind=kind)
  def component(completion, example):
    said = dict(part.split("=") for part in completion.answer.split() if "=" in part)
    return None if said.get(name, "1") == "none" else float(said.get(name, "1"))


def rewards(format=0.2, **weights):
  entries = {name: None if weight is None else {"weight": weight} for name, weight in weights.items()}
  return {"any": {"format": {"weight": format}, **entries}}


def example(uid="u", reference=Text(text="t")):
  return Example(uid=uid, domain="any", prompt="p", reference=reference)


def score(config, *answers, groups=None, defaults=None, reference=Text(text="t")):
  texts = [answer if answer.startswith("no tags") else render("why", answer) for answer in answers]
  return Scorer(config, defaults=defaults).score([example(reference=reference)] * len(texts), texts, groups)


def test_the_total_is_the_weighted_mean_behind_the_gate():
  (breakdown,) = score(rewards(truth=0.8, value=0.25), "truth=1 value=0.4")
  assert breakdown.total == pytest.approx((0.2 + 0.8 * 1 + 0.25 * 0.4) / 1.25)  # 1.1 / 1.25 = 0.88
  assert breakdown.scores == {"truth": 1.0, "value": 0.4}
  assert breakdown.weights == {"format": 0.2, "truth": 0.8, "value": 0.25}
  assert (breakdown.gate, breakdown.correct, breakdown.causes) == (True, True, ())


def test_a_wrong_answer_in_the_right_format_keeps_the_formats_share():
  (breakdown,) = score(rewards(truth=0.8), "truth=0")
  assert breakdown.total == pytest.approx(0.2) and breakdown.correct is False


def test_guards_take_away_from_what_the_others_pay_and_leave_the_formats_share():
  (breakdown,) = score(rewards(truth=0.8, value=0.4, watch=0.5, ward=1.0), "truth=1 value=0.5 watch=0.6 ward=0.75")
  # (1 - 0.5 * 0.4) * (1 - 1 * 0.25) = 0.8 * 0.75 = 0.6; (0.2 + 0.6 * (0.8 + 0.2)) / 1.4 = 0.8 / 1.4
  assert breakdown.guard_factor == pytest.approx(0.6)
  assert breakdown.total == breakdown.default_total == pytest.approx(0.8 / 1.4)
  assert breakdown.weights == {"format": 0.2, "truth": 0.8, "value": 0.4}
  assert breakdown.guards == {"watch": 0.5, "ward": 1.0}
  assert breakdown.correct is True


def test_what_a_guard_of_weight_one_refuses_whole_earns_the_format_alone():
  assert score(rewards(value=0.8, watch=1.0), "value=1 watch=0")[0].total == pytest.approx(0.2)


def test_guards_reach_as_much_of_the_formats_share_as_is_said():
  config = rewards(value=0.8, watch=0.5)
  reached = {"any": config["any"] | {"format": {"weight": 0.2, "guarded": 0.75}}}
  calm, loops = score(reached, "value=0 watch=1", "value=0 watch=0.2", defaults=config)
  # Without it both would earn 0.2 and a group of them teach nothing; 1 - 0.5 * 0.8 = 0.6 is left of the payers.
  assert calm.total == pytest.approx(0.2)
  assert loops.total == pytest.approx(0.2 * (1 - 0.75 * 0.4)) and loops.default_total == pytest.approx(0.2)
  assert loops.parts == pytest.approx({"format": 0.7, "value": 0.0}) and loops.ungated("order").total == 0.0
  assert explain(example(), loops)[-1].startswith("total = (0.14 + 0.600 x 0.000) / 1 = 0.140")


@pytest.mark.parametrize("share", [True, "half", -0.1, 1.1, float("nan")])
def test_the_share_of_the_format_that_guards_reach_is_a_share(share):
  with pytest.raises(ConfigError, match=r"config\.rewards\.any\.format\.guarded=.*expected a number from 0 to 1"):
    check({"any": {"format": {"weight": 0.2, "guarded": share}, "value": {"weight": 0.8}}})


def test_guards_that_reach_the_format_must_be_there():
  with pytest.raises(ConfigError, match=r"config\.rewards\.any\.format\.guarded=0\.5: there are no guards"):
    check({"any": {"format": {"weight": 0.2, "guarded": 0.5}, "value": {"weight": 0.8}}})


def test_a_guard_of_weight_zero_is_measured_and_not_applied():
  (breakdown,) = score(rewards(value=0.8, watch=0.0), "watch=0", defaults=rewards(value=0.8, watch=0.5))
  assert breakdown.total == breakdown.guard_factor == 1.0 and breakdown.scores["watch"] == 0.0
  assert breakdown.default_total == pytest.approx(0.2 + 0.5 * 0.8)  # the recipe's own guards


def test_a_guard_that_is_none_takes_nothing_away_and_is_counted():
  first, second = score(rewards(value=0.8, watch=1.0), "watch=none", "watch=0.5", groups=[3, 3])
  assert first.total == 1.0 and first.causes == ("watch:not_scored",)
  assert second.total == pytest.approx(0.2 + 0.5 * 0.8) and second.guards == {"watch": 1.0}


def test_guards_are_no_payers():
  assert [b.total for b in score(rewards(watch=1.0), "watch=0", "no tags")] == [1.0, 0.0]
  (breakdown,) = score(rewards(value=0.8, watch=1.0), "value=none watch=1")
  assert breakdown.total is None
  with pytest.raises(ConfigError, match="config.rewards.any: all weights are 0"):
    check(rewards(format=0.0, value=0.0, watch=1.0))


def test_a_refused_completion_has_no_guards_to_fear():
  (breakdown,) = score(rewards(value=0.8, watch=1.0), "no tags")
  assert (breakdown.total, breakdown.guard_factor, breakdown.scores) == (0.0, 1.0, {})


def test_only_a_score_of_one_is_correct():
  assert [b.correct for b in score(rewards(truth=0.8), "truth=1", "truth=0.999")] == [True, False]


def test_a_refused_completion_gets_zero_no_scores_and_is_not_correct():
  (breakdown,) = score(rewards(truth=0.8), "no tags at all")
  assert (breakdown.gate, breakdown.failure, breakdown.total, breakdown.correct) == (False, "missing", 0.0, False)
  assert breakdown.scores == {}


def test_where_there_is_no_truth_there_is_no_verdict():
  assert [b.correct for b in score(rewards(value=0.8), "value=1", "no tags")] == [None, None]
  without_tests = UnitTests(tests=())
  assert [b.correct for b in score(rewards(truth=0.8), "truth=none", "no tags", reference=without_tests)] == [None, None]


def test_a_correctness_that_is_none_is_never_paid_as_wrong_and_the_others_are():
  # It kept its weight and paid nothing before: the same right answer earned 1.0 judged, 0.2 unjudged.
  unjudged, judged = score(rewards(truth=0.8, value=0.5), "truth=none value=1", "truth=1 value=1", groups=[0, 0])
  assert unjudged.total is None and unjudged.default_total is None and unjudged.correct is None
  assert unjudged.causes == ("truth:not_scored",) and judged.total == 1.0


def test_a_correctness_that_is_measured_and_not_paid_may_be_none():
  (breakdown,) = score(rewards(truth=0.0, value=0.5), "truth=none value=1", defaults=rewards(truth=0.8, value=0.5))
  assert breakdown.total == 1.0 and breakdown.default_total is None and breakdown.correct is None


def _register_failing(kind="quality", scope="completion"):
  """`failing` cannot score an answer that says so."""
  score_one = lambda c: Unscored("judge", "the judge is asleep") if c and "asleep" in c.answer else 0.5

  @register("failing", kind=kind, scope=scope)
  def failing(completions, examples):
    return score_one(completions) if scope == "completion" else [score_one(c) for c in completions]


@pytest.mark.parametrize("scope", ["completion", "batch"])
def test_what_a_failed_judge_could_not_score_leaves_its_group_alone(scope):
  _register_failing(scope=scope)
  config = rewards(truth=0.8, failing=0.5)
  asleep, fine = score(config, "truth=1 asleep", "truth=1", groups=[0, 0])
  assert asleep.total is None and asleep.correct is True
  assert asleep.causes == ("failing:not_scored_judge",) and asleep.unscored == {"failing": "the judge is asleep"}
  assert asleep.as_record()["unscored"] == {"failing": "the judge is asleep"}
  assert fine.total == pytest.approx((0.2 + 0.8 + 0.25) / 1.5) and fine.weights["failing"] == 0.5
  assert "unscored" not in fine.as_record()


def test_a_failed_judge_that_is_not_paid_costs_nothing():
  _register_failing()
  assert score(rewards(truth=0.8, failing=0.0), "truth=1 asleep")[0].total == 1.0


def test_a_guard_that_failed_lets_nothing_pass_and_one_that_measures_costs_nothing():
  _register_failing(kind="guard")
  assert [b.total for b in score(rewards(truth=0.8, failing=1.0), "asleep", "truth=1")] == [None, (0.2 + 0.5 * 0.8)]
  assert score(rewards(truth=0.8, failing=0.0), "asleep")[0].total == 1.0


def test_a_quality_that_is_none_is_left_out_for_its_whole_group_and_for_no_other():
  answers = ["value=none other=1", "value=1 other=0", "no tags", "value=1 other=0"]
  first, second, refused, alone = score(rewards(value=0.3, other=0.5), *answers, groups=[7, 7, 7, 8])
  assert first.total == pytest.approx((0.2 + 0.5) / 0.7) == 1.0
  assert second.total == pytest.approx(0.2 / 0.7)
  assert second.scores == {"value": 1.0, "other": 0.0} and second.weights == {"format": 0.2, "other": 0.5}
  assert refused.total == 0.0 and refused.weights == {"format": 0.2, "other": 0.5}
  assert alone.total == pytest.approx((0.2 + 0.3) / 1.0)
  assert first.causes == ("value:not_scored",) and second.causes == ()


def test_where_nothing_paid_remains_the_total_is_none():
  paid_none, = score(rewards(value=0.3, other=0.0), "value=none other=1")
  assert paid_none.total is None
  assert paid_none.default_total is None


def test_a_default_total_remains_where_an_ablated_component_was_scored():
  ablated, full = rewards(value=0.3, other=0.0), rewards(value=0.3, other=0.5)
  (breakdown,) = score(ablated, "value=none other=0.6", defaults=full)
  assert breakdown.total is None
  assert breakdown.default_total == pytest.approx((0.2 + 0.5 * 0.6) / 0.7)


def test_a_domain_that_pays_format_alone_pays_it_whole():
  assert [b.total for b in score(rewards(value=0.0), "value=0", "no tags")] == [1.0, 0.0]


def test_weight_zero_measures_without_paying_and_the_default_total_still_pays():
  (breakdown,) = score(rewards(value=0.3, other=0.0), "value=1 other=0.5", defaults=rewards(value=0.3, other=0.25))
  assert breakdown.total == 1.0 and breakdown.scores["other"] == 0.5
  assert breakdown.default_total == pytest.approx((0.2 + 0.3 + 0.125) / 0.75)


def test_an_optional_component_is_neither_built_nor_scored():
  (breakdown,) = score(rewards(value=0.3, other=None), "value=1 other=0")
  assert breakdown.scores == {"value": 1.0} and breakdown.total == 1.0


def test_rounding_lifts_no_total_above_one():
  (breakdown,) = score(rewards(0.1, truth=0.7, value=0.2, other=0.3), "truth=1")
  assert breakdown.total == 1.0


def test_a_stopped_completion_gets_zero_and_says_why():
  scorer = Scorer(rewards(truth=0.8))
  stopped = Stopped(component="truth", cause="deadline")
  from rewards.format import parse

  (breakdown,) = scorer.combine([example()], [parse(render("a", "b"))], [0], [stopped], [{}])
  assert (breakdown.gate, breakdown.total, breakdown.correct) == (True, 0.0, False)
  assert breakdown.causes == ("truth:deadline",) and breakdown.scores == {}


def test_causes_of_scores_are_counted():
  @register("caused", kind="quality")
  def caused(completion, example):
    return Score(0.0, "it does not parse", cause="syntax")

  assert score(rewards(caused=0.5), "x")[0].causes == ("caused:syntax",)


@pytest.mark.parametrize("exhaustion, cause", [(RecursionError, "recursion"), (MemoryError, "memory")])
def test_a_completion_that_exhausts_memory_or_stack_is_stopped(exhaustion, cause):
  @register("greedy", kind="quality")
  def greedy(completion, example):
    raise exhaustion

  (breakdown,) = score(rewards(greedy=0.5), "x")
  assert breakdown.total == 0.0 and breakdown.causes == (f"greedy:{cause}",)


@pytest.mark.parametrize("value", [1.01, -0.1, float("nan"), "1", [1.0], 2])
def test_a_value_out_of_range_is_the_components_bug(value):
  @register("wild", kind="quality")
  def wild(completion, example):
    return value

  with pytest.raises(ComponentError, match=r"'wild' \(.*test_scorer.py:\d+\), u: expected a score in \[0, 1\] or None"):
    score(rewards(wild=0.5), "x")


def test_what_a_plugin_raises_names_the_uid_and_the_place_and_holds_the_completion():
  @register("broken", kind="quality")
  def broken(completion, example):
    return {}["nothing"]

  where = r"'broken' \(.*test_scorer.py:\d+\) failed on u: KeyError: 'nothing' \(line \d+ of test_scorer.py\)"
  with pytest.raises(ComponentError, match=where) as caught:
    score(rewards(broken=0.5), "x")
  assert caught.value.cases == ((example(), render("why", "x")),)


def _register_our_own(scope="completion"):
  """`ours` is as if it stood in rewards/domains, and has a bug."""

  def one(completion):
    return len({}[completion.answer]) if "bug" in completion.answer else 2.0 if "two" in completion.answer else 1.0

  def ours(completions, examples):
    return one(completions) if scope == "completion" else [one(c) for c in completions]

  ours.__module__ = "rewards.domains.logic"
  register("ours", kind="correctness", scope=scope)(ours)


@pytest.mark.parametrize("scope", ["completion", "batch"])
@pytest.mark.parametrize("wrong, said", [("bug", "KeyError: 'bug'"), ("two", r"got \[?2.0")])
def test_a_bug_of_our_own_costs_its_row_its_score_and_no_other_and_fails_a_test_run(monkeypatch, scope, wrong, said):
  _register_our_own(scope)
  with pytest.raises(ComponentError, match=said):
    score(rewards(ours=0.8), wrong, "right")
  monkeypatch.delenv(STRICT)
  stricken, right = score(rewards(ours=0.8), wrong, "right", groups=[0, 0])
  assert stricken.total is None and stricken.correct is None
  assert stricken.causes == ("ours:not_scored_bug",)
  assert re.search(said, stricken.unscored["ours"]) and "test_scorer.py" in stricken.unscored["ours"]
  assert right.total == 1.0


def test_what_ends_the_process_that_serves_it_is_stopped():
  @register("deadly", kind="quality")
  def deadly(completion, example):
    raise Exhausted("sandbox")

  (breakdown,) = score(rewards(deadly=0.5), "x")
  assert breakdown.total == 0.0 and breakdown.causes == ("deadly:sandbox",)


def test_a_batch_sees_the_valid_completions_of_its_domain_and_a_group_none_for_the_refused():
  seen = []

  @register("batched", kind="quality", scope="batch")
  def batched(completions, examples):
    seen.append([c.answer for c in completions])
    return [0.5] * len(completions)

  @register("grouped", kind="quality", scope="group")
  def grouped(completions, examples):
    seen.append([c and c.answer for c in completions])
    return [None if c is None else 1.0 for c in completions]

  breakdowns = score(rewards(batched=1.0, grouped=1.0), "a", "no tags", "b", "no tags", groups=[0, 0, 1, 2])
  assert seen == [["a", "b"], ["a", None], ["b"]]
  assert [b.scores for b in breakdowns] == [{"batched": 0.5, "grouped": 1.0}, {}] * 2


def test_a_list_of_another_length_is_the_components_bug():
  @register("short", kind="quality", scope="batch")
  def short(completions, examples):
    return [1.0]

  with pytest.raises(ComponentError, match="expected a list of 2 scores"):
    score(rewards(short=1.0), "a", "b")


def test_heavy_state_is_built_once_for_all_domains_with_the_same_settings():
  built = []

  @register("heavy", kind="quality")
  def heavy(*, size: int = 1):
    built.append(size)
    return lambda completion, example: 1.0

  entry = {"format": {"weight": 0.2}, "heavy": {"weight": 1.0}}
  other = {"format": {"weight": 0.2}, "heavy": {"weight": 0.5, "size": 2}}
  scorer = Scorer({"one": entry, "two": entry, "three": other})
  assert built == []
  scorer.build()
  assert sorted(built) == [1, 2]


@pytest.mark.parametrize(
    "config, wrong",
    [
        ({"any": {"format": {"weight": 0.2}, "thruth": {"weight": 1.0}}}, "unknown reward 'thruth'.*Did you mean 'truth'"),
        ({"any": {"format": {"weight": 0.2}, "thruth": None}}, "unknown reward 'thruth'"),
        (rewards(truth=-1.0), "config.rewards.any.truth.weight=-1.0"),
        (rewards(truth=float("inf")), "config.rewards.any.truth.weight=inf"),
        (rewards(truth="much"), "config.rewards.any.truth.weight='much'"),
        (rewards(truth=True), "config.rewards.any.truth.weight=True"),
        (rewards(watch=1.5), "config.rewards.any.watch.weight=1.5: 'watch' is a guard; expected a number from 0 to 1"),
        (rewards(format=0.0, truth=0.0), "config.rewards.any: all weights are 0"),
        ({"any": {"truth": {"weight": 1.0}}}, "config.rewards.any.format.weight=None"),
        ({"any": {"format": {"weight": 1.0, "wieght": 1.0}}}, "config.rewards.any.format.wieght"),
        ({"any": {"format": {"weight": 1.0}, "truth": {"weight": 1.0, "x": 1}}}, "config.rewards.any.truth.x: .*no such setting"),
        ({"any": 1.0}, "config.rewards.any=1.0"),
    ],
)
def test_a_config_that_makes_no_sense_is_refused_with_its_path(config, wrong):
  with pytest.raises(ConfigError, match=wrong):
    check(config)


def test_two_truths_in_one_domain_are_refused():
  _register("second_truth", "correctness")
  with pytest.raises(ConfigError, match="second_truth, truth.*at most one"):
    check(rewards(truth=0.5, second_truth=0.5))


def test_a_domain_without_rewards_is_named_with_the_nearest():
  with pytest.raises(ConfigError, match="u: domain 'any_' has no rewards. Did you mean 'any'"):
    Scorer(rewards(value=1.0)).score(
        [Example(uid="u", domain="any_", prompt="p", reference=Text(text="t"))], [render("a", "b")]
    )


class Model:
  """Says for each word how many letters it has, and how often it was asked."""

  def __init__(self):
    self.asked = 0

  def log_probabilities(self, prompts, texts):
    self.asked += 1
    return [[-float(len(word)) for word in (prompt + text).split()] for prompt, text in zip(prompts, texts)]


@pytest.fixture
def asking():
  @register("short", kind="quality", scope="model")
  def short(completions, examples, model, *, most: float = 10.0):
    sums = model.log_probabilities([""] * len(completions), [c.answer for c in completions])
    return [1 + sum(own) / most for own in sums]


def test_a_component_that_asks_a_model_sees_the_valid_completions_of_its_domain_at_once(asking):
  scorer = Scorer(rewards(short=0.8), has_model=True)
  scorer.model = model = Model()
  texts = [render("why", "abc de"), "no tags", render("why", "a")]
  breakdowns = scorer.score([example()] * 3, texts)
  assert [dict(b.scores) for b in breakdowns] == [{"short": 0.5}, {}, {"short": 0.9}] and model.asked == 1
  assert [b.total for b in breakdowns] == pytest.approx([0.2 + 0.8 * 0.5, 0.0, 0.2 + 0.8 * 0.9])


def test_before_the_model_is_there_what_asks_it_is_not_scored(asking):
  (breakdown,) = Scorer(rewards(short=0.8), has_model=True).score([example()], [render("why", "abc")])
  assert breakdown.total is None and breakdown.causes == ("short:not_scored_model",)


def test_where_there_is_no_model_what_asks_one_must_weigh_nothing_and_is_left_out(asking):
  with pytest.raises(ConfigError, match="config.rewards.any.short.weight=0.5: .* in training alone; expected 0.0"):
    Scorer(rewards(short=0.5))
  scorer = Scorer(rewards(value=0.8, short=0.0))
  (breakdown,) = scorer.score([example()], [render("why", "value=0.5")])
  assert breakdown.scores == {"value": 0.5} and breakdown.total == pytest.approx(0.6)
  assert set(check(rewards(short=0.5), has_model=True)["any"].components) == {"short"}


def test_a_bug_of_one_that_asks_a_model_names_the_uid(asking):
  scorer = Scorer(rewards(short=0.5), has_model=True)
  scorer.model = type("Broken", (), {"log_probabilities": lambda *_: [[1.0]]})()
  with pytest.raises(ComponentError, match="'short'.*u: expected a score in .0, 1. or None"):
    scorer.score([example()], [render("why", "abc")])
