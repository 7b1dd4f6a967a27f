"""Work that leads to the answer, a near miss, and work that is none; in the four verifiable domains."""

import pytest

from rewards.domains import reasoning
from rewards.format import parse
from rewards.format import render
from rewards.schema import Choice
from rewards.schema import Example
from rewards.schema import Number
from rewards.schema import UnitTests
from rewards.schema import YesNo

MATH = Example(
    uid="a", domain="math", prompt="A box holds 12 eggs. How many eggs do 5 boxes hold?", reference=Number(text="60")
)
GASES = (("A", "oxygen"), ("B", "carbon dioxide"), ("C", "argon"))
SCIENCE = Example(
    uid="b", domain="science", prompt="Which gas do plants take in?\nA. oxygen\nB. carbon dioxide\nC. argon",
    reference=Choice(label="B", text="carbon dioxide", choices=GASES),
)
LOGIC = Example(uid="c", domain="logic", prompt="Could a whale climb a tree?", reference=YesNo(value=False))
CODING = Example(
    uid="d", domain="coding", prompt="Write a function to sort a list of words by their length.",
    reference=UnitTests(tests=("assert by_length(['aa', 'b']) == ['b', 'aa']",)),
)
PROGRAM = "def by_length(words):\n  return sorted(words, key=len)"


def score(example, said, answer):
  return reasoning.reasoning(parse(render(said, answer)), example)


HONEST = {
    "math": (MATH, "Each box holds 12 eggs, so 5 boxes hold 5 * 12 = 60 eggs.", "60"),
    "math with units": (MATH, "5 boxes * 12 eggs each = 60 eggs in all.", "60"),
    "science": (SCIENCE, "Leaves need carbon for sugar and get it from the air. So it is carbon dioxide.", "B"),
    "logic": (LOGIC, "A whale has fins instead of legs and cannot leave the sea. So the answer is no.", "no"),
    "coding": (CODING, "Python's sorted takes a key, and len gives the length of each word in the list.", PROGRAM),
}


@pytest.mark.parametrize("name", HONEST)
def test_work_that_leads_to_the_answer_earns_all(name):
  assert score(*HONEST[name]) == 1.0


def test_facts_without_a_verdict_earn_most():
  assert score(LOGIC, "Whales live in the sea and have fins instead of legs; trees stand on land.", "no") == 0.8


BACKWARDS = (
    "60 + 5 = 65, and 65 - 5 = 60.",  # from the answer
    "60 * 1 = 60. So the answer is 60.",
    "5 + 55 = 60. So the answer is 60.",  # from a number that nobody gave
)


@pytest.mark.parametrize("said", BACKWARDS)
def test_arithmetic_made_up_from_the_answer_earns_half_at_most(said):
  assert score(MATH, said, "60") <= 0.5


GIVEN = (
    "Half of 12 is 6, and 10 * 6 = 60.",  # 10 is anybody's
    "12 * 3 = 36, 12 * 2 = 24, and 36 + 24 = 60.",
    "5 boxes hold 5 * 12 = 60 eggs.\nThat is 60 eggs.",
)


@pytest.mark.parametrize("said", GIVEN)
def test_numbers_of_the_question_small_ones_and_results_are_given(said):
  assert score(MATH, said, "60") == 1.0


CHEATS = {
    "nothing": ".",
    "the answer": "so {answer}",
    "the question": "{prompt}",
    "the question and the answer": "{prompt} So the answer is {answer}.",
    "stock": "I read the question with care and think step by step about what is asked.",
    "over and over": "The answer is clear. " * 10,
    "talk about thinking": "I know some facts about this, and they help me here. After some thought only one of "
    "them is left. I check the result once more, and it looks right. So I can give the answer now.",
}


@pytest.mark.parametrize("cheat", CHEATS)
@pytest.mark.parametrize("name", HONEST)
def test_work_that_is_none_earns_little(name, cheat):
  example, honest, answer = HONEST[name]
  if example is CODING and "answer}" in CHEATS[cheat]:
    pytest.skip("a program is no sentence")
  said = CHEATS[cheat].format(prompt=example.prompt, answer=answer)
  assert score(example, said, answer) < score(example, honest, answer) - 0.5


@pytest.mark.parametrize(
    ("example", "said", "answer"),
    [
        (MATH, "5 times 12 is 71, so I say 71.", "71"),
        (MATH, "Each box holds 12 eggs, so 5 boxes hold 5 * 12 = 71 eggs.", "71"),
        (MATH, "Each box holds 12 eggs, so 5 boxes hold 5 * 12 = 60 eggs.", "71"),
        (SCIENCE, "Leaves need carbon for sugar and get it from the air. So it is carbon dioxide.", "A"),
        (LOGIC, "A whale has fins instead of legs and cannot leave the sea. So the answer is no.", "yes"),
        (LOGIC, "A whale has fins instead of legs. It cannot be otherwise: yes, and so I say yes.", "no"),
    ],
)
def test_work_that_leads_elsewhere_earns_nothing(example, said, answer):
  assert score(example, said, answer) == 0.0


@pytest.mark.parametrize(
    ("example", "said", "answer"),
    [
        (LOGIC, "The question is this: Might a whale climb up a tree? So the answer is no.", "no"),
        (LOGIC, "tree, whale, climb, a whale tree. So the answer is no.", "no"),
        (SCIENCE, "You want to say which gas do plants take in. So it is carbon dioxide.", "B"),
        (SCIENCE, "plants, oxygen, argon, gas. So it is carbon dioxide.", "B"),
        (CODING, "So def by_length(words): is what it is.", PROGRAM),
        (LOGIC, "Mix the flour with butter and bake the cake for an hour in the oven. So the answer is no.", "no"),
    ],
)
def test_the_question_in_other_words_its_keywords_and_other_topics_are_half_of_work_at_most(example, said, answer):
  assert score(example, said, answer) <= 0.5


def test_an_article_is_no_choice_and_the_is_no_part_of_one():
  said = "A leaf takes carbon from the air. A root drinks water instead. Leaves breathe in the carbon dioxide."
  assert score(SCIENCE, said, "B") == 1.0


def test_the_completions_own_answer_counts_be_it_wrong():
  assert score(MATH, "Each box holds 12 eggs, so 5 boxes hold 12 + 5 = 17 eggs.", "17") == 1.0


def test_a_quoted_part_of_the_prompt_that_names_the_answer_is_evidence_and_the_whole_is_not():
  prompt = "In nature the topaz turns black and forms in glaciers. What colour does it turn?\nA. green\nB. red\nC. black"
  example = Example(
      uid="q", domain="science", prompt=prompt,
      reference=Choice(label="C", text="black", choices=(("A", "green"), ("B", "red"), ("C", "black"))),
  )
  assert score(example, "In nature the topaz turns black and forms in glaciers.", "C") == 1.0
  assert score(example, "In nature the topaz turns black and forms in glaciers.", "A") <= 0.2
  assert score(example, prompt, "C") == 0.0


def test_an_answer_that_states_nothing_cannot_be_led_to():
  assert score(MATH, "Each box holds 12 eggs, so 5 boxes hold 5 * 12 = 60 eggs.", "60 or 71") == 0.0


def test_a_formula_has_to_be_written_down():
  example = Example(uid="f", domain="math", prompt="Solve x^2 = 2 for x > 0.", reference=Number(text=r"\sqrt{2}"))
  assert score(example, r"The square root undoes the square, so $x = \sqrt{2}$.", r"$\sqrt{2}$") == 1.0
  assert score(example, "The square root undoes the square, so we are done here.", r"$\sqrt{2}$") <= 0.2
