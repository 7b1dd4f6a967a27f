"""Statistics of an evaluation, worked by hand."""

import pytest

from reasoner.reporting import records as records_lib
from rewards import format as output_format


def record(domain="math", gate=True, correct=True, total=1.0, set_name="held_out", reference="7",
           reference_label=None, **scores):
  return {
      "set": set_name, "domain": domain, "gate": gate, "failure": None if gate else "missing",
      "correct": correct, "total": total, "default_total": total, "scores": scores, "tokens": 10,
      "truncated": False, "reference": reference, "reference_label": reference_label,
      "completion": "<reasoning>3 and 4 is 7.</reasoning><answer>7</answer>" if gate else "seven",
  }


def test_accuracy_counts_invalid_format_as_wrong_and_given_format_does_not():
  # 4 completions: 1 right, 2 wrong with valid format, 1 without format.
  records = [record(), record(correct=False, total=0.2), record(correct=False, total=0.2),
             record(gate=False, correct=False, total=0.0)]
  row = records_lib.summarize(records)["math"]
  assert (row["n"], row["n_valid"], row["format"]) == (4, 3, 0.75)
  assert row["accuracy"] == 0.25
  assert row["accuracy_given_format"] == pytest.approx(1 / 3)
  assert row["reward"] == pytest.approx((1.0 + 0.2 + 0.2 + 0.0) / 4)
  assert row["failures"] == {"missing": 1}


def test_a_domain_without_truth_has_no_accuracy():
  row = records_lib.summarize([record(domain="creative_writing", correct=None, length_band=0.5)])["creative_writing"]
  assert row["accuracy"] is None and row["accuracy_interval"] is None
  assert row["scores"] == {"length_band": 0.5}


def test_sets_do_not_mix():
  records = [record(), record(set_name="unseen_templates", correct=False)]
  assert records_lib.summarize(records)["math"]["n"] == 1
  assert records_lib.summarize(records, "unseen_templates")["math"]["accuracy"] == 0.0


def test_the_wilson_interval_of_eight_in_ten():
  # Wilson (1927) at p = 0.8, n = 10, z = 1.96: (0.4902, 0.9433).
  low, high = records_lib.wilson(8, 10)
  assert (round(low, 4), round(high, 4)) == (0.4902, 0.9433)
  assert records_lib.wilson(0, 5)[0] == 0.0 and records_lib.wilson(5, 5)[1] == 1.0
  assert records_lib.wilson(0, 0) is None


def test_the_best_constant_answer_is_the_most_frequent_reference():
  records = [record(domain="logic", reference=r) for r in ("yes", "yes", "no")]
  assert records_lib.best_constant_answer(records) == {"logic": pytest.approx(2 / 3)}


def test_the_best_constant_answer_of_a_multiple_choice_is_a_letter_where_texts_differ():
  rows = [record(domain="science", reference=text, reference_label=label)
          for text, label in (("oxygen", "B"), ("iron", "B"), ("oxygen", "A"), ("salt", "B"), ("lead", "D"))]
  assert records_lib.best_constant_answer(rows) == {"science": 0.6}  # "B", not "oxygen"
  rows = [record(domain="science", reference="oxygen", reference_label=label) for label in "ABCD"]
  assert records_lib.best_constant_answer(rows) == {"science": 1.0}


def test_mean_lengths_are_words_of_valid_completions():
  style = records_lib.summarize([record(), record(gate=False, correct=False)])["math"]["style"]
  assert (style["reasoning_words"], style["answer_words"]) == (5.0, 1.0)
  assert style["n"] == 1 and style["reasoning_sentences"] == 1.0
  style = records_lib.summarize([record(gate=False, correct=False)])["math"]["style"]
  assert style.pop("n") == 0 and set(style.values()) == {None}


@pytest.mark.parametrize("reasoning, answer, marks", [
    ("Tom has 3 apples and buys 4, so 3 + 4 = 7.", "7", {"equations", "connectives"}),
    ("Then x = 5 follows.", "5", {"equations"}),
    ("Because it rains. However,\nit stops.", "no", {"connectives"}),
    ("Some sobriety, sincerely.", "Sofia", set()),  # whole words alone
    ("Two parts:\n- red\n- blue", "red", {"lists"}),
    ("Think.", "1. a walk\n2. a swim", {"lists"}),
    ("Think.", "- one thing", set()),
    ("The year was 1990. It rained.", "A. oxygen", set()),
    ("It adds three.", "def f(x):\n  return x + 3", {"code"}),
    ("It adds three.", "```\nprint(3)\n```", {"code"}),
    ("It compares: x == 3, x >= 4, f(a=b).", "import duties rose", set()),
])
def test_style_is_read_off_the_completion(reasoning, answer, marks):
  style = records_lib.style([output_format.render(reasoning, answer)])
  assert {name for name in ("lists", "code", "equations", "connectives") if style[name] == 1.0} == marks
  assert all(style[name] in (0.0, 1.0) for name in ("lists", "code", "equations", "connectives"))


def test_style_is_a_mean_over_completions():
  texts = [output_format.render(r, "7") for r in ("One. Two! Three?", "So 1 = 1.")]
  style = records_lib.style(texts)
  assert style["reasoning_sentences"] == 2.0 and style["connectives"] == 0.5 and style["equations"] == 0.5


def test_the_summary_holds_each_domain_before_and_after_and_what_a_constant_answer_reaches():
  rows = records_lib.summary_by_domain(
      [record(gate=False, correct=False, total=0.0), record(domain="poems", correct=None)],
      [record(), record(domain="poems", correct=None)],
  )
  assert list(rows) == ["math", "poems"]
  assert (rows["math"]["format_before"], rows["math"]["format_after"]) == (0.0, 1.0)
  assert (rows["math"]["best_constant_answer"], rows["poems"]["best_constant_answer"]) == (1.0, None)
  assert rows["math"]["style_before"]["n"] == 0 and rows["math"]["style_after"]["reasoning_words"] == 5.0


def test_the_table_shows_each_domain_with_its_interval_and_the_union_last():
  # 1 of 2 right: the Wilson interval at z = 1.96 is (0.0945, 0.9055).
  lines = records_lib.table(
      records_lib.summarize([record(), record(correct=False, total=0.25), record(domain="zoology")]), "after"
  )
  assert lines[0] == "after"
  assert lines[1].split()[:3] == ["domain", "n", "format"]
  assert lines[2].split() == (
      "math 2 100.0 % 50.0 % [ 9.5, 90.5] 50.0 % of 2 0.625 10 0.0 %".split()
  )
  assert [line.split()[0] for line in lines[2:]] == ["math", "zoology", "all"]
  assert len({len(line) for line in lines[1:]}) == 1


def changed(lost, won, field="correct", **fields):
  """Returns the records of ten rows before and after, of which so many were lost, and so many won."""
  before = [record(**{field: n < lost}, **fields) | {"uid": str(n)} for n in range(10)]
  after = [record(**{field: lost <= n < lost + won}, **fields) | {"uid": str(n)} for n in range(10)]
  return before, after[::-1]


def said_lost(before, after):
  return records_lib.lost(records_lib.changes(before, after))


def test_what_a_domain_has_lost_is_said_where_the_rows_show_it():
  # McNemar, exact: 6 of 6 changes down, p = 2 / 64; 7 of 8, p = 2 * 9 / 256 = 0.07; 5 of 5, p = 2 / 32.
  said = "math lost accuracy: 60.0 -> 0.0 % of the same 10 rows (6 lost, 0 won)."
  assert said_lost(*changed(6, 0)) == [said]
  assert said_lost(*changed(7, 1)) == said_lost(*changed(5, 0)) == said_lost(*changed(0, 9)) == []
  (format_lost,) = said_lost(*changed(9, 0, "gate", domain="poems", correct=None))
  assert format_lost.startswith("poems lost valid format: 90.0 -> 0.0 %")
  assert said_lost(*changed(6, 0, set_name="further")) == []
  before, after = changed(6, 0)
  assert said_lost(before[:5], after) == []  # of rows that both have


def test_a_change_is_of_rows_that_both_evaluations_have_and_all_is_their_union():
  rows = lambda *verdicts: [  # noqa: E731
      record(correct=right, total=total, domain=domain) | {"uid": str(n)}
      for n, (domain, right, total) in enumerate(verdicts)
  ]
  before = rows(("poems", None, 0.5), ("math", False, 0.2), ("math", True, 1.0), ("math", False, 0.2), ("math", True, 1.0))
  after = rows(("poems", None, 0.3), ("math", True, 1.0), ("math", False, 0.2), ("math", True, None))
  found = records_lib.changes(before, after)
  assert list(found) == ["math", "poems", "all"] and found["poems"].accuracy is None is found["poems"].reward
  flips = found["math"].accuracy
  assert (flips.n, flips.won, flips.lost, flips.p) == (3, 2, 1, 1.0)
  assert (flips.before, flips.after) == (pytest.approx(1 / 3), pytest.approx(2 / 3))
  # Of +0.8, -0.8 and -0.2: mean -0.067, standard deviation 0.808, so 1.96 standard errors are 0.915.
  assert found["all"].reward == pytest.approx((-0.2 / 3, -0.981, 0.848), abs=1e-3)
  assert records_lib.overall(found) == [
      "On the same rows: valid format 0 won, 0 lost of 4 (McNemar p = 1); accuracy 2 won, 1 lost of 3 (McNemar p = 1); "
      "reward -0.067 [-0.981, 0.848]."
  ]
  assert records_lib.changes((), after) == {} and records_lib.overall({}) == []


def test_the_table_reads_before_and_after_where_an_earlier_evaluation_is_given():
  earlier = records_lib.summarize([record(gate=False, correct=False, total=0.0)])
  row = records_lib.table(records_lib.summarize([record()]), "after", earlier)[2]
  assert "0.0 -> 100.0 %" in row and "0.000 -> 1.000" in row
  # Nothing was valid before, so there is no earlier accuracy given the format.
  assert "  100.0 % of 1" in row


def test_the_table_shows_a_dash_where_there_is_no_truth():
  statistics = records_lib.summarize([record(domain="poems", correct=None)])
  assert records_lib.table(statistics, "before")[2].split()[4:6] == ["-", "-"]
  assert records_lib.table({}, "before")[0] == "before"
