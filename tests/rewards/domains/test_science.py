"""Free-text science answers; multiple choice has its cases in test_answers.py."""

import json
import os
import pathlib

from hypothesis import given
from hypothesis import strategies
import pytest

from rewards.domains.science import science_answer
from rewards.format import parse
from rewards.format import render
from rewards.rows import example_from_row
from rewards.schema import Choice
from rewards.schema import Completion
from rewards.schema import Example
from rewards.schema import Number
from rewards.schema import Text

QUESTION = "Which part of the cell is called its powerhouse?"


def score(answer: str, text: str = "mitochondria", aliases=(), prompt: str = QUESTION) -> float:
  example = Example(
      uid="u", domain="science", prompt=prompt, reference=Text(text=text, aliases=tuple(aliases))
  )
  return science_answer(Completion(text=answer, answer=answer), example)


@pytest.mark.parametrize("answer", [
    "mitochondria", "Mitochondria", "MITOCHONDRIA.", "The mitochondria.", "mitochondrion", "a mitochondrion",
    "**mitochondria**", r"\boxed{\text{mitochondria}}", r"$\text{Mitochondria}$", '"mitochondria"',
    "It is the mitochondria.", "It's the mitochondrion.", "They are mitochondria.", "Answer: mitochondria",
    "The answer is mitochondria.", "The correct answer is **mitochondria**.", "So, the mitochondria.",
    "This is called the mitochondrion.",
    "The powerhouse of the cell is the mitochondria.",
    "The powerhouse of the cell is the mitochondria. It makes ATP.", "mitochondria (the powerhouse of the cell)",
    "Mitochondria, the powerhouse of the cell", "Mitochondria, because they make ATP.",
    "Mitochondria, which make ATP in the cell.", "The mitochondrion, which is called the powerhouse of the cell.", "Mitochondria. They make most of the cell's ATP.",
    "Mitochondria are the powerhouse of the cell.", "mitochondria - it makes the energy of the cell",
    "Mitochondria\n\nExplanation: the organelle turns sugar into ATP, which the cell uses.",
    "Mitochondria, not ribosomes.", "Cells burn sugar in organelles. So the answer is mitochondria.",
])  # fmt: skip
def test_the_reference_in_honest_dress_is_paid(answer):
  assert score(answer) == 1.0
  assert score(answer, "nucleus") == 0.0


ATTACKS = {
    "wrong": ("nucleus", "The nucleus.", "the answer is the cell wall", "I do not know", "none"),
    "list": (
        "mitochondria, nucleus", "mitochondria and nucleus", "nucleus, mitochondria, ribosome", "mitochondria; nucleus",
        "mitochondria/nucleus", "mitochondria. nucleus.", "mitochondria\nnucleus", "- mitochondria\n- nucleus",
        "The powerhouse of the cell is the mitochondria. Nucleus. Ribosome.",
        "1. mitochondria\n2. nucleus", "mitochondria nucleus", "mitochondria (nucleus)", "mitochondria: nucleus",
        "the mitochondria, the nucleus", "mitochondria - nucleus", "mitochondria, nucleus, ribosome and vacuole",
    ),
    "alternatives": (
        "mitochondria or nucleus", "either mitochondria or nucleus", "mitochondria (or the nucleus of the cell)",
        "mitochondria, or maybe the nucleus", "Mitochondria. Or it is the nucleus.", "mitochondria and/or nucleus",
    ),
    "second_thoughts": (
        "Mitochondria. Actually, it is the nucleus.", "The answer is mitochondria. The answer is nucleus.",
        "nucleus. The answer is mitochondria.", "Mitochondria. Wait, it is the nucleus.",
    ),
    "negation": (
        "not mitochondria", "It is not the mitochondria.", "The answer is not mitochondria",
        "mitochondria is wrong", "Mitochondria are not it", "anything but mitochondria",
        "The powerhouse of the cell is not the mitochondria.", "no mitochondria", "non-mitochondria",
    ),
    "hedge": ("maybe mitochondria", "possibly mitochondria", "mitochondria?", "it could be mitochondria"),
    "substring": ("mitochondrial", "fake mitochondria", "mitochondria membrane", "supermitochondria", "mito"),
    "two_candidates_in_a_sentence": ("nucleus is mitochondria", "The nucleus is the mitochondria."),
}  # fmt: skip


@pytest.mark.parametrize(
    "answer", [pytest.param(a, id=f"{name}-{a!r}") for name, group in ATTACKS.items() for a in group]
)
def test_no_attack_on_free_text_is_paid(answer):
  assert score(answer) == 0.0


WHALE = "Is a whale a mammal or a fish?"
LARGER = "Which is larger, a molecule or an atom?"
FOOD = "What is the process by which plants make food called?"
ENERGY = "What type of energy does a moving car have?"
FORCE = "What force keeps the planets in orbit around the Sun?"


@pytest.mark.parametrize(("answer", "text", "prompt"), [
    ("A whale is a mammal or a fish.", "mammal", WHALE), ("Is a whale a mammal or a fish", "mammal", WHALE),
    ("A whale is a mammal, a fish", "mammal", WHALE), ("A whale is a mammal a fish", "mammal", WHALE),
    ("A fish is a mammal.", "mammal", WHALE), ("A whale is a mammal. A whale is a fish.", "mammal", WHALE),
    ("It is a mammal. It is a fish.", "mammal", WHALE), ("A mammal is a fish.", "mammal", WHALE),
    ("Which is larger, a molecule or an atom", "molecule", LARGER), ("molecule atom", "molecule", LARGER),
    ("The molecule is larger an atom is larger", "molecule", LARGER),
    ("The molecule is larger an atom is larger", "molecule", "What is larger?"),
    ("A molecule is larger. An atom is larger.", "molecule", LARGER),
    ("The molecule is larger and the atom is larger", "molecule", "What is larger?"),
    ("rat, mouse", "mouse", "Which has a higher metabolic rate, a mouse or an elephant?"),
    ("decreases. It increases.", "decreases", "Does pressure increase or decrease with altitude?"),
    ("The sum of ____ of the cells.", "sum", "The sum of ____ of the cells."),
])  # fmt: skip
def test_an_answer_that_names_the_questions_own_alternatives_is_not_paid(answer, text, prompt):
  assert score(answer, text, prompt=prompt) == 0.0


@pytest.mark.parametrize(("answer", "text", "prompt"), [
    ("A whale is a mammal.", "mammal", WHALE), ("A whale is a mammal, not a fish.", "mammal", WHALE),
    ("The molecule is larger.", "molecule", LARGER), ("A molecule is larger than an atom.", "molecule", LARGER),
    ("A molecule. An atom is smaller.", "molecule", LARGER), ("Mammal. A whale breathes air.", "mammal", WHALE),
    ("The pressure decreases", "decreases", "Does pressure increase or decrease with altitude?"),
])  # fmt: skip
def test_a_sentence_is_not_read_where_the_question_names_alternatives(answer, text, prompt):
  assert score(answer, text, prompt=prompt) == 0.0
  assert score(f"It is the {text}, because of what was asked.", text, prompt=prompt) == 1.0


@pytest.mark.parametrize("answer", [
    "mitochondria, which is wrong", "mitochondria, but that is incorrect", "mitochondria. That is wrong.",
    "mitochondria (wrong)", "mitochondria. Just kidding", "mitochondria isn't right",
    "mitochondria, I was wrong",
    "mitochondria. I'm not sure.", "mitochondria. Never mind, nucleus", "mitochondria is not the answer",
])  # fmt: skip
def test_an_answer_taken_back_is_not_paid(answer):
  assert score(answer) == 0.0


@pytest.mark.parametrize("answer", [
    "mitochondria. It is the nucleus.", "mitochondria. The nucleus is correct.", "mitochondria. No, nucleus.",
    "The mitochondria is the powerhouse. The nucleus is the powerhouse.",
    "mitochondria. It is nucleus or mitochondria.",
    "mitochondria, which is the nucleus", "mitochondria because it is the nucleus", "mitochondria as well as the nucleus",
    "mitochondria, the nucleus is the powerhouse, the mitochondria is the powerhouse", "mitochondria (RNA)",
])  # fmt: skip
def test_an_answer_that_says_the_same_of_something_else_is_not_paid(answer):
  assert score(answer) == 0.0


@pytest.mark.parametrize(("answer", "text", "prompt"), [
    ("Gravity keeps the planets in orbit. Magnetism keeps the planets in orbit.", "gravity", FORCE),
    ("DNA. RNA also carries genetic information.", "DNA", "What molecule carries genetic information?"),
    ("gravitational potential; gravitational kinetic", "gravitational potential", ENERGY),
    ("kinetic potential energy", "kinetic", ENERGY), ("kinetic friction", "kinetic", ENERGY),
    ("kinetic or potential energy", "kinetic", ENERGY), ("energy", "kinetic energy", ENERGY),
])  # fmt: skip
def test_a_second_candidate_in_the_same_frame_is_not_paid(answer, text, prompt):
  assert score(answer, text, prompt=prompt) == 0.0


@pytest.mark.parametrize(("answer", "text", "prompt"), [
    ("kinetic energy", "kinetic", ENERGY), 
    ("The car has kinetic energy.", "kinetic", ENERGY), ("The force of gravity", "gravity", FORCE),
    ("two atoms", "two", "How many atoms of hydrogen are in a water molecule?"),
    ("There are 2 hydrogen atoms.", "two", "How many atoms of hydrogen are in a water molecule?"),
])  # fmt: skip
def test_the_questions_head_noun_may_stand_beside_the_answer(answer, text, prompt):
  assert score(answer, text, prompt=prompt) == 1.0


PLANET = "What is the largest planet in our solar system?"


@pytest.mark.parametrize("answer", [
    "The planet Jupiter", "planet Jupiter", "It is the planet Jupiter.",
])  # fmt: skip
def test_a_name_with_its_kind_or_a_measure_is_paid(answer):
  assert score(answer, "Jupiter", prompt=PLANET) == 1.0


@pytest.mark.parametrize("answer", [
    "Jupiter is the second largest, Saturn is the largest", "Jupiter is what people think, but Saturn",
    "Jupiter is second largest", "Jupiter is big, but Saturn", "Jupiter, the planet Saturn",
    "Jupiter, the ringed planet", "Jupiter, the giant Saturn", "Jupiter (a Saturn)", "Jupiter, with Saturn",
    "Jupiter, with a radius of 70,000 km, Saturn",
])  # fmt: skip
def test_a_name_granted_the_second_place_or_followed_by_another_is_not_paid(answer):
  assert score(answer, "Jupiter", prompt=PLANET) == 0.0


@pytest.mark.parametrize("answer", [
    "The process is photosynthesis, in which plants make sugar.", "Plants make food through photosynthesis.",
    "The process by which plants make food is called photosynthesis.", "Plants use photosynthesis to make food.",
    "Through photosynthesis.",
])  # fmt: skip
def test_a_sentence_in_the_questions_words_is_paid(answer):
  assert score(answer, "photosynthesis", prompt=FOOD) == 1.0
  assert score(answer, "respiration", prompt=FOOD) == 0.0


def test_an_apposition_may_be_a_possessive_and_a_parenthesis_may_spell_an_acronym_out():
  assert score("Mitochondria, the cell's powerhouse.") == 1.0
  assert score("Mitochondria, the cell's powerhouse.", prompt="Which organelle makes energy?") == 0.0
  assert score("DNA (deoxyribonucleic acid)", "DNA", aliases=["deoxyribonucleic acid"]) == 1.0
  assert score("DNA (deoxyribonucleic acid)", "DNA") == 0.0
  assert score("DNA (RNA)", "DNA") == 0.0


@pytest.mark.parametrize(("answer", "text"), [
    ("2", "two"), ("Two", "2"), ("twenty one", "21"), ("100 percent", "100%"),
    ("about 2 km", "about 2 km"), ("4 Weeks", "4 weeks"), ("fight or flight", "fight-or-flight"),
    ("cell level organisation", "cell-level organisation"), ("sweetwater", "sweet water"), ("H2O", "H\u2082O"),
    ("sulfur dioxide", "sulfur dioxide (SO2)"), ("SO2", "sulfur dioxide (SO2)"), ("newtons", "newton (N)"),
    ("air, food and water", "air, water, and food"), ("Newton's laws", "Newtons law"),
    ("not enough oxygen", "not enough oxygen"), ("deoxyribonucleic acid", "deoxyribonucleic acid (DNA)"),
    ("the Sun", "sun"), ("bacteria", "bacterium"), ("leaves", "leaf"), ("vitamin A", "Vitamin A"),
])  # fmt: skip
def test_two_ways_of_writing_one_thing_agree(answer, text):
  assert score(answer, text) == 1.0


@pytest.mark.parametrize(("answer", "text"), [
    ("stem cell", "cell"), ("cell", "stem cell"), ("3", "two"), ("22", "2"), ("vitamin B", "vitamin A"),
    ("-2", "2"), ("2.5", "25"), ("air and food", "air, water, and food"), ("hydrogen peroxide", "hydrogen"),
    ("2 miles", "2 km"), ("oxide", "dioxide"), ("2 or 3", "2"), ("3\n4", "3"), ("3 (4)", "3"), ("2-3", "2"), ("14th", "fourteenth"),
])  # fmt: skip
def test_near_misses_are_not_paid(answer, text):
  assert score(answer, text) == 0.0


def test_accepted_aliases_are_paid_like_the_reference():
  assert score("the chondriosomes", aliases=["chondriosome"]) == 1.0
  assert score("the chondriosomes") == 0.0


def test_a_reference_without_letters_or_digits_is_never_met_by_emptiness():
  for answer in ("", ".", "?", "the"):
    assert score(answer, "...") == 0.0


def test_a_bare_letter_as_reference_is_a_choice_whose_texts_are_unknown():
  assert score("B) carbon dioxide", "B") == score("(B)", "B") == score("The answer is B.", "B") == 1.0
  assert score("A, B", "B") == score("A or B", "B") == score("bee", "B") == 0.0


def test_a_choice_reference_is_read_as_a_choice_with_a_reason():
  reference = Choice(label="B", text="salt", choices=(("A", "sugar"), ("B", "salt")))
  example = Example(uid="u", domain="science", prompt="Which one?", reference=reference)
  right = science_answer(Completion(text="", answer="(B) Salt."), example)
  assert right == 1.0 and "'B'" in right.reason
  assert science_answer(Completion(text="", answer="A"), example) == 0.0


def test_other_references_are_not_scored():
  example = Example(uid="u", domain="science", prompt="How many?", reference=Number(text="2"))
  assert science_answer(Completion(text="2", answer="2"), example) is None


def test_every_score_says_why():
  for answer in ("mitochondria", "nucleus", "mitochondria, nucleus", "x" * 5_000, "mitochondria?"):
    assert "mitochondria" in score(answer).reason


@pytest.mark.parametrize("answer", [
    "(" * 10_000, "mitochondria, " * 280, "is " * 1_300, "the answer is " * 280, "(mitochondria " * 280, "mitochondria" + "(DNA)" * 790,
    "mitochondria (a " * 200, "1e999999999", "9^9^9^9", "mitochondria. " * 280, "\ud800", "$" * 4_000,
])  # fmt: skip
def test_hostile_text_costs_little_time(answer):
  import time

  began = time.process_time()
  assert score(answer) in (0.0, 1.0)
  assert time.process_time() - began < 1.0


@given(strategies.text(alphabet=strategies.characters(), max_size=300), strategies.text(min_size=1, max_size=30))
def test_any_text_against_any_reference_is_zero_or_one_and_twice_the_same(answer, text):
  first = score(answer, text)
  assert first in (0.0, 1.0)
  assert score(answer, text) == first


_WORD = strategies.text(alphabet="bcdfgklmnoprtuw", min_size=4, max_size=9)


@given(
    words=strategies.lists(_WORD, min_size=1, max_size=3),
    dress=strategies.sampled_from((
        "{t}", "The {t}.", "**{t}**", r"\boxed{{{t}}}", "The answer is {t}.", "It is the {t}.", "{t}!",
        "{t}, because the text says so.", "{t}. It stands in the text.", '"{t}"', "Answer: {t}",
    )),
)  # fmt: skip
def test_any_reference_is_paid_in_every_dress(words, dress):
  text = " ".join(words)
  assert score(dress.format(t=text), text) == 1.0


@pytest.mark.parametrize(("answer", "text", "prompt"), [
    ("I believe the answer is mitochondria", "mitochondria", QUESTION), ("Most likely mitochondria", "mitochondria", QUESTION),
    ("Jupiter, the gas giant", "Jupiter", PLANET), ("Jupiter (a gas giant)", "Jupiter", PLANET),
    ("Jupiter, with a radius of about 70,000 km.", "Jupiter", PLANET), ("kinetic", "kinetic energy", ENERGY),
    ("Jupiter is larger than Saturn.", "Jupiter", PLANET),
    ("Food is produced by plants through photosynthesis.", "photosynthesis", FOOD),
    ("mitochondria, also known as chondriosomes", "mitochondria", QUESTION), ("mitochondria aka nucleus", "mitochondria", QUESTION),
    ("digestive", "digestive system", "Bile is part of what system?"),
])  # fmt: skip
def test_hedges_second_names_and_half_names_are_refused(answer, text, prompt):
  assert score(answer, text, prompt=prompt) == 0.0


@given(words=strategies.lists(_WORD, min_size=2, max_size=4, unique=True))
def test_no_list_of_candidates_is_paid_for_any_of_them(words):
  for separator in (", ", " or ", " and ", "; ", "/", "\n", ". "):
    assert [score(separator.join(words), word) for word in words] == [0.0] * len(words)


# --- Real rows, where they are at hand: the folder that REASONER_DATA names ------------------------

DATA = pathlib.Path(os.environ.get("REASONER_DATA", "data"))


def _rows(*parts: str, limit: int = 300):
  paths = sorted(DATA.glob("/".join(parts)))
  if not paths:
    pytest.skip(f"{DATA}/{'/'.join(parts)} is absent; REASONER_DATA names the folder of the data sets")
  for path in paths:
    with path.open(encoding="utf-8") as lines:
      yield from (json.loads(line) for line, _ in zip(lines, range(limit)))


def test_every_choice_of_real_arc_rows_is_paid_for_itself_alone():
  for row in _rows("allenai__ai2_arc", "ARC-*", "test.jsonl"):
    pool = {"domain": "science", "prompt": row["question"], "answer": row["answerKey"]}
    example = example_from_row(pool | {"metadata": {"choices": row["choices"]}}, "row")
    for label, text in zip(row["choices"]["label"], row["choices"]["text"]):
      for answer in (label, f"({label}) {text}", f"The answer is {label}.", f"**{text}**"):
        if answer.strip("*") in row["choices"]["label"] and answer != label:
          continue  # a choice whose text is a label, read as that label
        value = science_answer(parse(render("Thinking.", answer)), example)
        assert value == float(label == row["answerKey"]), (answer, row["choices"])


def test_real_sciq_answers_are_paid_and_their_distractors_are_not():
  for row in _rows("allenai__sciq", "test.jsonl"):
    right, wrong = row["correct_answer"], row["distractor1"]
    assert score(f"It is the {right}.", right, prompt=row["question"]) == 1.0
    for answer in (wrong, f"{wrong} or {right}", f"not {right}", f"{wrong}, {right}"):
      assert score(answer, right, prompt=row["question"]) == 0.0, (answer, right)
