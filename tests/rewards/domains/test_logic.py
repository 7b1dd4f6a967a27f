"""Yes and no as the answer states it, and every way of saying both, neither or the word by chance."""

import json
import os
import pathlib

from hypothesis import given
from hypothesis import strategies
import pytest

from rewards.domains.logic import yes_no
from rewards.format import parse
from rewards.rows import example_from_row
from rewards.schema import Choice
from rewards.schema import Completion
from rewards.schema import Example
from rewards.schema import Number
from rewards.schema import YesNo


def score(answer: str, value: bool) -> float:
  example = Example(uid="u", domain="logic", prompt="Is it so?", reference=YesNo(value=value))
  return yes_no(Completion(text=answer, answer=answer), example)


YES = (
    "Yes", "yes", "YES", "Yes.", "yes!", '"Yes"', "**Yes**", "**Yes.**", "\\boxed{Yes}",
    "\\text{yes}", "True", "true.", "The answer is yes.", "The answer is: Yes",
    "So the answer is yes.", "Answer: Yes", "Final answer: **yes**", "Yes, because pears float.",
    "Yes because pears float", "Yes, there is no reason to doubt it.", "Yes. No doubt about it.",
    "Yes, no doubt.", "Yes - pears float", "Yes\u2014pears float", "Yes (pears float)",
    "Yes: pears float.", "Yes; pears float.", "Yes\nPears float.", "Yes, it is true.",
    "The statement is true.", "It is true.", "This is true", "True, because all of them are.",
    "Pears float, so yes.", "Therefore, yes.", "Therefore, the answer is yes, since it floats.",
    "Yes, nothing contradicts it.",
    "Yes, we know that yesterday was Monday.", "Yes it would", "(Yes)", "- Yes",
    "Yes, a pear would not sink.",
    "Yes, it could float.",
    "Yes, that is not false.", "It's a yes.",
    "Yes, both are mammals.", "Yes, definitely.", "Yes, of course!", "Correct answer: yes",
    "Yes, the answer is yes.",
    "Pears float and stones sink So the answer is yes.",
)  # fmt: skip

NO = (
    "No", "no", "NO.", "No, because X is not Y.", "The answer is no.", "False, all of them sink.",
    "False", "false.", "**False**", "No, the Albany in Georgia will not reach a hundred thousand.",
    "No the Albany in Georgia will not", "No, not before 2050.", "No. That is not true.",
    "No, that is false.", "No, it is not true that pears sink.", "No, there is no such thing.",
    "So no.", "It is false.", "The statement is false.", "No, they are neither.", "No - it sinks",
    "No it would not", "No; pears are fruit.", "\\(\\text{No}\\)",
    "The answer to the question is no.",
    "No, the answer isn't yes.", "No, nobody would.", "No, no one would.",
    "No, Yesterday is a song.", "No, none of them", "No. In fact, it is made of iron.",
    "It is true that the answer is no.", "This means that the answer is no.",
    "Pears may float but stones do not so the answer is no.",
)  # fmt: skip

ATTACKS = {
    "both": (
        "yes and no", "Yes. No.", "Yes, no", "Yes; no", "yes/no", "yes or no", "No. Yes.", "true or false",
        "True, false", "True. False.", "both yes and no", "either yes or no", "neither yes nor no", "yes no",
        "no yes", "yes-no", "yesno", "Yes\nNo", "- Yes\n- No", "Yes (or no)", "Yes, or no", "Yes=No", "yes & no",
        "Options: yes, no", "Answer: yes and no", "yes, no, yes", "No doubt, yes and no", "Yes, false.",
    ),
    "turning_around": (
        "Yes, but actually no", "yes, but no", "no, but yes", "No... wait, yes", "No wait, yes",
        "Yes. The answer is no.", "The answer is yes. The answer is no.", "Yes, although no", "No. It is true.",
    ),
    "hedging": (
        "probably yes", "maybe yes", "Maybe", "perhaps no", "yes, probably", "Yes, maybe.", "yes probably",
        "possibly, yes", "Most likely, no", "it depends", "yes, but it depends", "no, it depends", "yes, I guess",
        "It is unlikely that the answer is no", "The answer is no or something", "Perhaps the answer is no",
        "Some say the answer is no", "It may be that the answer is yes", "If the answer is yes",
        "I'm not sure, but yes", "I am not sure, but no", "hard to say, but yes", "likely no", "either",
    ),
    "asking": ("yes?", "no?", "Yes? No?", "Is it yes?"),
    "negating": (
        "not yes", "not no", "Not true", "not false", "It is not true.", "The answer is not yes",
        "The answer isn't no", "I don't think the answer is yes", "never yes",
        "It is false that the answer is no", "It is not true that the answer is no", "The answer no is false",
        "The answer yes is false", "Nobody says the answer is no", "I doubt that the answer is yes",
    ),
    "other_words": (
        "know", "nothing", "yesterday", "not", "none", "nobody", "eyes", "nose", "truely", "falsehood", "noyes",
        "unknown", "I don't know", "correct", "B", "", "...", "1", "y", "n",
    ),
    "determiners_and_adjectives": (
        "No one knows", "No idea", "no answer", "no doubt", "No way to tell", "True story", "False positive",
        "There is no way", "It is true that pears float",
    ),
}  # fmt: skip


@pytest.mark.parametrize("answer", YES)
def test_yes_in_honest_dress_says_yes_alone(answer):
  assert score(answer, True) == 1.0
  assert score(answer, False) == 0.0


@pytest.mark.parametrize("answer", NO)
def test_no_in_honest_dress_says_no_alone(answer):
  assert score(answer, False) == 1.0
  assert score(answer, True) == 0.0


@pytest.mark.parametrize(
    "answer", [pytest.param(a, id=f"{name}-{a!r}") for name, group in ATTACKS.items() for a in group]
)
def test_no_attack_on_yes_and_no_is_paid(answer):
  assert score(answer, True) == 0.0
  assert score(answer, False) == 0.0


@pytest.mark.parametrize("answer", [
    "No. It is true that he did.", "Yes. It is false.", "Yes, that is false.", "Yes. That's a lie.",
    "No, it's true.",
    "Yes, that is not true.", "Yes. The answer is not yes.", "Yes, incorrect", "no, yeah", "yes, nope",
    "Yes... NOT!",
    "No. Actually, it is.", "No. Actually, it would.", "Yes. Actually, it is not.", "No, it does.",
    "False, it's false that no",
    "Yes for some and no for others", "Yes in some cases, no in others", "Yes... or is it no?", "Yes? No.",
])  # fmt: skip
def test_a_verdict_that_its_own_aside_contradicts_is_not_paid(answer):
  assert score(answer, True) == score(answer, False) == 0.0


@pytest.mark.parametrize("answer", [
    "Yes. Just kidding, no", "Yes is wrong.", "The answer yes is wrong.", "Yes, but that is wrong",
    "No, which is wrong",
    "Yes (wrong)", "No (wrong)", "Yes. Strike that.", "No. I was joking.", "Yes, or not",
    "No, but that is wrong.",
])  # fmt: skip
def test_a_verdict_taken_back_is_not_paid(answer):
  assert score(answer, True) == score(answer, False) == 0.0


def test_yes_before_a_lone_noun_is_no_verdict():
  for answer in ("yes man", "yes vote", "yes boss", "no man"):
    assert score(answer, True) == score(answer, False) == 0.0
  for answer in ("Yes indeed", "Yes it is", "Yes is the answer."):
    assert score(answer, True) == 1.0


def test_an_aside_that_agrees_or_concedes_keeps_the_verdict():
  for answer in ("Yes, correct.", "Yes, that's right.", "Yes, it is true that he did."):
    assert (score(answer, True), score(answer, False)) == (1.0, 0.0)
  for answer in ("No, nope.", "No, incorrect.", "No, this is a myth."):
    assert (score(answer, True), score(answer, False)) == (0.0, 1.0)


@pytest.mark.parametrize(("answer", "rule"), [
    ("I believe the answer is yes.", "Doubt"), ("Yes, it is likely to float.", "Doubt"), ("Indeed, yes.", "YesNo"),
    ("Yes, the claim that no pear floats is false in general", "Doubt"), ("Yes pears float", "YesNo"),
    ("Yes, although few know it.", "Doubt"), ("No. Actually, it would not.", "Doubt"),
    ("Would a pear float? Yes.", "YesNo"), ("Since stones are not fruit the answer is no.", "Doubt"),
    ("No, while it is true that pears float, plums do not.", "YesNo"), ("No. But it is not clear.", "Doubt"),
    ("No, because it is true that he left.", "YesNo"), ("Yes, unless it can't", "Doubt"),
    ("No. It is true that he was there, but he did not do it.", "YesNo"), ("No. I could be mistaken.", "Doubt"),
    ("No, it is false that the answer is yes.", "Doubt"), ("Yes, in theory.", "Doubt"), ("50% yes", "YesNo"),
])  # fmt: skip
def test_hedges_concessions_and_judgements_against_the_verdict_are_refused_by_a_rule(answer, rule):
  for value in (True, False):
    assert score(answer, value) == 0.0
    assert score(answer, value).reason.startswith(rule), score(answer, value).reason


def test_a_clause_of_the_questions_words_has_the_verdicts_polarity():
  example = Example(uid="u", domain="logic", prompt="Can a whale drown?", reference=YesNo(value=True))
  def paid(answer):
    return yes_no(Completion(text=answer, answer=answer), example)
  assert paid("Yes, a whale can drown.") == paid("Yes. Whales breathe air, so they can drown.") == 1.0
  assert paid("Yes, it cannot drown.") == paid("Yes. A whale can never drown.") == 0.0


def test_a_contracted_verb_claims_too():
  example = Example(uid="u", domain="logic", prompt="Is a whale a fish?", reference=YesNo(value=False))
  def paid(answer):
    return yes_no(Completion(text=answer, answer=answer), example)
  assert paid("No, it's a mammal.") == paid("No, it's not a fish.") == paid("No, it's no fish.") == 1.0
  assert paid("No, it's a fish.") == paid("No, as it's a fish.") == paid("No. They're fish.") == 0.0


def test_a_question_about_what_is_wrong_may_be_answered_in_its_own_words():
  example = Example(uid="u", domain="logic", prompt="Is it wrong to lie?", reference=YesNo(value=True))
  assert yes_no(Completion(text="", answer="Yes, it is wrong."), example) == 1.0


def test_the_reason_names_the_verdict_or_what_is_wrong():
  assert "states 'no'" in score("No.", True).reason
  assert "contradicts" in score("Yes. No.", True).reason
  assert "Doubt" in score("Yes, probably.", True).reason
  assert "states none" in score("Pears float.", True).reason
  assert "too long" in score("yes " * 2_000, True).reason


def test_a_row_of_choices_is_judged_as_a_choice():
  reference = Choice(label="A", text="valid", choices=(("A", "valid"), ("B", "invalid")))
  example = Example(uid="u", domain="logic", prompt="Is it valid?", reference=reference)
  answers = ("A", "(A) valid", "valid", "B", "invalid", "A or B")
  values = [yes_no(Completion(text=a, answer=a), example) for a in answers]
  assert values == [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]


def test_other_references_are_not_scored():
  example = Example(uid="u", domain="logic", prompt="How many?", reference=Number(text="2"))
  assert yes_no(Completion(text="yes", answer="yes"), example) is None


@pytest.mark.parametrize("answer", [
    "(" * 10_000, "yes, " * 800, "no " * 1_300, "the answer is " * 280, "so " * 1_300, "it is " * 660,
    "yes no " * 500, "1e999999999", "\ud800", "y" * 4_000, "but and or " * 360,
])  # fmt: skip
def test_hostile_text_costs_little_time(answer):
  import time

  began = time.process_time()
  assert score(answer, True) in (0.0, 1.0)
  assert time.process_time() - began < 1.0


@given(strategies.text(alphabet=strategies.characters(), max_size=300))
def test_any_text_is_zero_or_one_twice_the_same_and_never_both(answer):
  assert score(answer, True) + score(answer, False) in (0.0, 1.0)
  assert score(answer, True) == score(answer, True)


_WORDS = strategies.sampled_from(
    "yes no true false Yes. No. and or but not maybe it is the answer , . ? so because probably".split()
)


@given(strategies.lists(_WORDS, max_size=10).map(" ".join))
def test_no_mixture_of_words_is_paid_for_both_verdicts(answer):
  assert score(answer, True) + score(answer, False) <= 1.0


_PROSE = strategies.lists(
    strategies.sampled_from("pears float on cold water since they hold air inside of them".split()), min_size=1
).map(" ".join)


@given(
    explanation=_PROSE,
    value=strategies.booleans(),
    dress=strategies.sampled_from((
        "{v}", "{v}.", "{v}, {e}.", "{v}. {e}.", "{v}, because {e}", "{v}\n{e}", "The answer is {v}. {e}.",
        "{e}. So the answer is {v}.", "**{v}** ({e})", "{e}, so {v}.", "Therefore, {v}: {e}",
    )),
)  # fmt: skip
def test_any_verdict_with_any_explanation_is_paid_for_that_verdict_alone(explanation, value, dress):
  for word in ("Yes", "yes", "True") if value else ("No", "no", "False"):
    answer = dress.format(v=word, e=explanation)
    assert score(answer, value) == 1.0
    assert score(answer, not value) == 0.0


def test_labelled_chains_of_thought_are_judged_as_their_authors_did():
  path = pathlib.Path(os.environ.get("REASONER_LABELLED", "labelled")) / "logic_yes_no.jsonl"
  if not path.is_file():
    pytest.skip(f"{path} is absent; REASONER_LABELLED names the folder of labelled completions")
  rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
  values = [yes_no(parse(row["completion"]), example_from_row(row, row["uid"])) for row in rows]
  assert values == [row["expect"] for row in rows]
