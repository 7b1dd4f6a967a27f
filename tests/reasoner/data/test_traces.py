"""Traces: what rows look like as completions to imitate."""

import pytest

from reasoner.data import embedded_flaws
from reasoner.data import plans
from reasoner.data import traces as traces_lib
from reasoner.models.gemma3 import TURNS
from rewards import format as output_format
from rewards.schema import Example
from rewards.schema import Number
from rewards.schema import Text
from rewards.schema import UnitTests


class Tokenizer:
  """One token a character; the turn's end and the tags are one token each."""

  pieces = ("<end_of_turn>", *output_format.TAGS)
  turns = TURNS
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


def build(examples, writers=None, max_completion_tokens=400, plan=embedded_flaws.restated):
  return traces_lib.build_traces(
      examples, Tokenizer(), max_prompt_tokens=600, max_completion_tokens=max_completion_tokens,
      writers=writers, plan=plan,
  )  # fmt: skip


def test_without_careless_writers_every_trace_has_the_right_format_and_the_right_answer():
  traces = build([math(n) for n in range(20, 40)])
  for number, trace in zip(range(20, 40), traces, strict=True):
    completion = output_format.parse(trace.completion)
    assert completion.failure is None
    assert completion.answer == str(number + 1)
    assert completion.reasoning == "Count on from 20: 1 is 21."


def test_where_a_row_has_no_rationale_the_task_s_first_sentence_is_restated():
  first = build([story(1, "When"), story(2, "Once")])[0]
  reasoning = output_format.parse(first.completion).reasoning
  assert reasoning.startswith("When a baker finds key 1. I begin with a scene")


def test_a_real_row_without_a_rationale_reasons_in_a_few_words_of_its_own():
  first = build([story(1, "When"), story(2, "Once")], plan=plans.plan)[0]
  assert output_format.parse(first.completion).reasoning == "It tells of baker, finds and sings."


def test_a_domain_never_seen_gets_a_trace_too():
  example = Example(uid="x/1", domain="haiku", prompt="Write of snow.", reference=Text(text="Snow."))
  assert output_format.parse(build([example])[0].completion).answer == "Snow."


def test_too_long_a_text_loses_sentences_first_of_the_reasoning():
  # One token a character and tag: about 100 of reasoning, 43 of answer, 6 of frame.
  stories = [story(1, "When"), story(2, "Once")]
  whole, shorter, shortest = (
      output_format.parse(build(stories, max_completion_tokens=room)[0].completion) for room in (170, 90, 50)
  )
  assert whole.reasoning.startswith("When a baker finds key 1. I begin with a scene")
  assert shorter.reasoning == "When a baker finds key 1." and shorter.answer == whole.answer
  assert shortest.reasoning == "When a baker finds key 1." and shortest.answer == "The key sang."


@pytest.mark.parametrize(
    "listed, kept",
    [
        ("1. Boats\n2. Rafts\n3. Corks", ["1. Boats", "1. Boats\n2. Rafts"]),
        ("1.\nBoats 2.\nRafts 3.\nCorks", ["1.\nBoats", "1.\nBoats 2.\nRafts"]),
        ("Take these: 1) Boats 2) Rafts", ["Take these:", "Take these: 1) Boats"]),
        ("He is 12. She is 7. We left.", ["He is 12.", "He is 12. She is 7."]),
    ],
)
def test_a_list_is_cut_before_an_item_s_number_not_behind_it(listed, kept):
  example = Example(uid="c/1", domain="haiku", prompt="List.", reference=Text(text=listed))
  traces = [trace for room in range(14, 60) for trace in build([example], max_completion_tokens=room)]
  assert {output_format.parse(trace.completion).answer for trace in traces} == {*kept, listed}


def test_an_answer_that_cannot_be_cut_and_does_not_fit_gives_no_trace():
  long = Example(
      uid="c/1", domain="coding", prompt="Write f of x as code.",
      reference=UnitTests(tests=(), text="def f(x):\n  return " + "x + " * 100 + "x"),
  )
  assert build([long, math(20)], max_completion_tokens=100) == build([math(20)], max_completion_tokens=100)
