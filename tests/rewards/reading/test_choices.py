"""Multiple choice, shared by science and logic; keys of words; and dress."""

from hypothesis import given
from hypothesis import strategies
import pytest

from rewards.reading import words
from rewards.reading.words import key
from rewards import reading
from rewards.reading.dress import undress, wordy
from rewards.schema import Choice

def _unwrap(text):
  return wordy(undress(text))


GASES = (("A", "oxygen"), ("B", "carbon dioxide"), ("C", "nitrogen"), ("D", "water vapor"))
PROMPT = "Which gas do plants take in from the air?\n(A) oxygen (B) carbon dioxide (C) nitrogen"


def score(answer: str, right: str = "B", choices=GASES, prompt: str = PROMPT) -> float:
  return reading.score(answer, Choice(label=right, text=dict(choices)[right], choices=choices), prompt)


LABEL_DRESSES = (
    "B", "b", "(B)", "(b)", "[B]", "{B}", "B.", "B)", "B.)", "B:", "B!", "Option B", "option (b)",
    "Choice B", "Letter B", "**B**", "__B__", "`B`", '"B"', "'B'", "\u201cB\u201d", "<b>B</b>", "# B",
    "- B", r"\boxed{B}", r"$\boxed{\text{B}}$", r"\(\mathbf{B}\)", "\uff22", "Answer: B", "Ans: B",
    "**Answer:** B", "Final answer: B", "The answer is B", "The answer is: **B**.", "ANSWER: B",
    "The correct answer is option (B).", "The best choice is B.", "The answer would be B", "It is B.",
    "I choose B", "So B", "Therefore, B.",
    "Plants need it, so the answer is B.", "Plants need it, so B.", "A is wrong; the answer is B.",
    "B is correct", "B is the correct answer.", "Option B is correct because A, C and D are wrong",
    "B because plants need it", "B. A, C and D are wrong.",
    "B, not C", "Choose B", "Correct: B", "The correct one is B.", "B (because plants need it)",
)  # fmt: skip

TEXT_DRESSES = (
    "carbon dioxide", "Carbon dioxide.", "CARBON DIOXIDE", "The carbon dioxide", "carbon-dioxide",
    "**carbon dioxide**", "It's carbon dioxide", "The gas is carbon dioxide.", "carbon dioxides", "carbon dioxide gas",
    "The answer is carbon dioxide.", "Plants take in carbon dioxide.", "carbon dioxide (B)",
    "Carbon dioxide (option B)", "carbon dioxide, B", "carbon dioxide - it is used to make sugar",
    "The answer is carbon dioxide (B), not oxygen (A).",
)  # fmt: skip

LABEL_AND_TEXT_DRESSES = (
    "B) carbon dioxide", "B. Carbon dioxide", "(B) carbon dioxide.", "(B)carbon dioxide",
    "B carbon dioxide", "B (carbon dioxide)", "Option B (carbon dioxide), since it is used", "B - carbon dioxide", "B \u2013 carbon dioxide", "B | carbon dioxide",
    "B\ncarbon dioxide", "**B)** carbon dioxide", "The answer is **B) carbon dioxide**.",
    "The answer is:\nB) carbon dioxide", "B) CO2, the gas of soda",
)  # fmt: skip


@pytest.mark.parametrize("answer", LABEL_DRESSES + TEXT_DRESSES + LABEL_AND_TEXT_DRESSES)
def test_a_choice_is_found_in_every_honest_dress_and_is_that_choice_alone(answer):
  assert score(answer) == 1.0
  assert score(answer, right="C") == 0.0


ATTACKS = {
    "two_labels": ("A and B", "A, B", "A/B", "AB", "B C", "B & C", "B + C", "B; C", "B\nC", "both A and B"),
    "alternatives": ("A or B", "B or C", "B, or C", "B (or C)", "either B or C", "B and/or C", "B-C"),
    "all_labels": ("A, B, C, D", "A B C D", "(A) (B) (C) (D)", "ABCD", "A-D", "all of the above"),
    "all_choices": (
        "A) oxygen B) carbon dioxide C) nitrogen D) water vapor",
        "A) oxygen\nB) carbon dioxide\nC) nitrogen\nD) water vapor",
        "oxygen, carbon dioxide, nitrogen, water vapor",
    ),
    "right_choice_first": (
        "B) carbon dioxide, C) nitrogen", "B) carbon dioxide C) nitrogen", "B: carbon dioxide C: nitrogen",
        "carbon dioxide, oxygen", "carbon dioxide. Oxygen.", "carbon dioxide\noxygen",
        "carbon dioxide and water vapor", "carbon dioxide/oxygen", "carbon dioxide or oxygen",
    ),
    "second_thoughts": (
        "B. C.", "B. Alternatively, C", "B. Actually, C", "B or maybe C", "B. Or C, not sure.",
        "B, no wait, C", "The answer is B. The answer is C.", "B. The answer is C.", "B? C?",
    ),
    "label_against_text": ("(B) oxygen", "B: Oxygen, because", "oxygen (B)", "carbon dioxide (A)"),
    "negation": (
        "not B", "The answer is not B", "B is wrong", "B is incorrect", "B is not correct",
        "not carbon dioxide", "carbon dioxide is wrong", "anything but carbon dioxide",
        "Plants do not take in carbon dioxide.",
    ),
    "hedge": ("maybe B", "perhaps carbon dioxide", "B?", "could be B", "carbon dioxide?"),
    "substring": ("carbon", "dioxide", "solid carbon dioxide ice", "Bee", "abc", "B12", "Bcarbon dioxide"),
    "no_such_choice": ("E", "F)", "5", "none of the above", "", "?", "()"),
}  # fmt: skip


@pytest.mark.parametrize(
    "answer", [pytest.param(a, id=f"{name}-{a!r}") for name, group in ATTACKS.items() for a in group]
)
def test_no_attack_on_multiple_choice_is_paid(answer):
  assert score(answer) == 0.0


@pytest.mark.parametrize("prompt", [PROMPT, "Which gas do plants take in?"])
@pytest.mark.parametrize("answer", [
    "B. But C is better.", "B. Actually it is C", "B. Really it is C.", "B. C is right.",
    "B, although C is right",
    "B. I would go with C", "B. I meant C", "B. Let me change to C", "B. Hmm, C.", "B. My second guess is C.",
    "B > C > A", "B (60%), C (40%)", "B, else C", "B, but it could be C", "B. It's either B or C",
    "B. Better: C",
    "B. Nitrogen is the correct answer.", "B but nitrogen is more likely",
])  # fmt: skip
def test_a_choice_with_another_one_offered_later_is_not_paid(answer, prompt):
  assert score(answer, prompt=prompt) == score(answer, right="C", prompt=prompt) == 0.0


@pytest.mark.parametrize("answer", [
    "B, which is wrong", "B. That is wrong.", "B, but that is incorrect", "B. Just kidding.",
    "B. Never mind.",
    "B. I was wrong", "B. I'm not sure.", "B isn't right.", "B is the wrong answer", "B or not", "B. Not!",
    "carbon dioxide, which is wrong", "carbon dioxide. That is not the answer.",
])  # fmt: skip
def test_a_choice_taken_back_is_not_paid(answer):
  assert score(answer) == 0.0


@pytest.mark.parametrize("answer", [
    "B. Some people say oxygen, but that is wrong.",
    "B. Options A, C and D are incorrect.",
    "B. It is not A because oxygen is released.", "B, unlike C",
])  # fmt: skip
def test_a_choice_with_the_others_dismissed_is_paid(answer):
  assert score(answer) == 1.0


@pytest.mark.parametrize("prompt", [PROMPT, "Which gas do plants take in?"])
@pytest.mark.parametrize("answer", [
    "The gas that plants take in is carbon dioxide (B).",
    "The gas plants take in is carbon dioxide, which is used.",
    "The gas is B.",
    "Carbon dioxide is taken in by plants.",
])  # fmt: skip
def test_a_sentence_about_the_questions_subject_states_the_one_choice_it_names(answer, prompt):
  assert score(answer, prompt=prompt) == 1.0
  assert score(answer, right="A", prompt=prompt) == 0.0


@pytest.mark.parametrize("answer", [
    "The gas that plants take in is carbon dioxide (A).", "Plants absorb carbon dioxide or oxygen.",
    "The gas that plants take in is carbon dioxide or oxygen.", "Plants absorb anything but carbon dioxide.",
    "Plants do not absorb carbon dioxide.", "Plants absorb carbon dioxide. Actually, oxygen.",
    "Oxygen is carbon dioxide.", "Which gas do plants take in? (A) oxygen (B) carbon dioxide (C) nitrogen",
])  # fmt: skip
def test_a_sentence_that_names_several_choices_or_denies_one_is_not_paid(answer):
  assert score(answer) == score(answer, right="A") == 0.0


PRESSURES = (
    ("A", "It increases"), ("B", "It decreases"), ("C", "It stays the same"), ("D", "It doubles")
)  # fmt: skip
PRESSURE = "What happens to the pressure of a gas when its volume decreases at constant temperature?"


@pytest.mark.parametrize("answer", [
    "It increases", "increases", "Increases", "A) Increases",
])  # fmt: skip
def test_a_choice_about_it_may_name_what_it_is_or_nothing(answer):
  assert score(answer, "A", PRESSURES, PRESSURE) == 1.0
  assert score(answer, "B", PRESSURES, PRESSURE) == 0.0


@pytest.mark.parametrize("answer", [
    "It increases then decreases", "It increases and then decreases", "It increases, then decreases",
    "It increases and decreases", "The pressure increases then decreases", "increases or doubles",
    "A then decreases", "A) Decreases", "The volume increases.", "The volume decreases.",
    "The pressure does not increase.",
])  # fmt: skip
def test_a_choice_about_it_is_not_paid_beside_another_or_said_of_something_else(answer):
  for label, _ in PRESSURES:
    assert score(answer, label, PRESSURES, PRESSURE) == 0.0


def test_the_article_a_is_not_choice_a():
  choices = (("A", "mineral"), ("B", "rock"), ("C", "rock cycle"))
  assert score("A rock", "B", choices) == 1.0
  assert score("A rock", "A", choices) == 0.0
  assert score("A plant of some kind", "A", choices) == 0.0
  assert score("A mineral", "A", choices) == 1.0
  assert score("A", "A", choices) == score("A.", "A", choices) == score("a)", "A", choices) == 1.0


def test_a_choice_inside_of_another_choices_text_is_told_apart():
  choices = (("A", "cell"), ("B", "stem cell"), ("C", "cell, tissue"), ("D", "oxygen and a cell"))
  for label, text in choices:
    assert score(f"The {text}.", label, choices) == 1.0
    assert sum(score(text, other, choices) for other, _ in choices) == 1.0


def test_choices_that_differ_by_case_sign_or_number_alone_are_told_apart():
  genes = (("A", "TT"), ("B", "Tt"), ("C", "tt"))
  assert [score("Tt", label, genes) for label in "ABC"] == [0.0, 1.0, 0.0]
  assert [score("tT", label, genes) for label in "ABC"] == [0.0, 0.0, 0.0]
  charges = (("A", "+1"), ("B", "-1"), ("C", "1.5"), ("D", "15"))
  assert score("\u22121", "B", charges) == 1.0 and score("-1", "A", charges) == 0.0
  assert score("1.5", "C", charges) == 1.0 and score("1.5", "D", charges) == 0.0
  assert score("+1, -1", "A", charges) == 0.0


def test_digits_can_be_labels_and_a_number_of_something_is_not_a_label():
  choices = (("1", "4 meters"), ("2", "1 meter"), ("3", "3 meters"), ("4", "2 meters"))
  assert score("2", "2", choices) == score("(2)", "2", choices) == score("2) 1 meter", "2", choices) == 1.0
  assert score("2 meters", "4", choices) == 1.0
  assert score("2 meters", "2", choices) == 0.0
  assert score("2. 4 meters", "2", choices) == 0.0  # label and text contradict
  assert score("2.5", "2", choices) == 0.0


def test_a_label_comes_before_a_choice_whose_text_is_that_label():
  choices = (("A", "C"), ("B", "CO"), ("C", "O2"))
  assert score("C", "C", choices) == 1.0
  assert score("C", "A", choices) == 0.0
  assert score("C) O2", "C", choices) == 1.0


def test_labels_may_carry_parentheses_of_their_own():
  choices = (("(A)", "oxygen"), ("(B)", "carbon dioxide"))
  assert score("B", "(B)", choices) == score("(B)", "(B)", choices) == 1.0
  assert score("A", "(B)", choices) == 0.0


def test_formulas_agree_in_latex_and_unicode():
  choices = (("A", "CO_{2}"), ("B", "H_{2}O"), ("C", "a -> b"), ("D", "10\u00b0C"))
  assert score("H\u2082O", "B", choices) == score(r"$\text{H}_2\text{O}$", "B", choices) == 1.0
  assert score("a \u2192 b", "C", choices) == score(r"a \rightarrow b", "C", choices) == 1.0
  assert score("10 degrees Celsius", "D", choices) == score(r"$10^\circ$C", "D", choices) == 1.0


def test_questions_among_the_choices_may_be_answered_with_a_question_mark():
  choices = (("A", "How heavy is it?"), ("B", "How old is it?"))
  assert score("How old is it?", "B", choices) == score("B) How old is it?", "B", choices) == 1.0


def test_an_explanation_may_not_mention_another_choice():
  assert score("B. Plants take in carbon dioxide and make sugar.") == 1.0
  assert score("B. Plants take in carbon dioxide and release oxygen.") == 0.0
  assert score("B: plants use it with water, oxygen is a product.") == 0.0
  assert score("(B) Oxygen (A) is released, so it cannot be that.") == 0.0  # opens with A's own text


def test_a_sentence_of_the_questions_words_states_a_choice_and_no_other_sentence_does():
  assert score("The plants in the air take in carbon dioxide") == 1.0
  assert score("My grandmother bottles carbon dioxide on Sundays") == 0.0


@pytest.mark.parametrize("same", [
    ("The Fight-or-Flight responses.", "fight or flight response"), ("twenty-one", "21"),
    ("mitochondria", "mitochondrion"), ("1,000 grams", "1000 gram"), ("2.50", "2.5"),
    ("50 percent", "50%"), ("2 km", "2km"), ("viruses", "virus"),
    ("boxes", "box"), ("phases", "phase"), ("calories", "calorie"), ("houses", "house"),
])  # fmt: skip
def test_texts_that_say_the_same_share_a_key(same):
  assert key(same[0]) == key(same[1])


@pytest.mark.parametrize("different", [
    ("vitamin A", "vitamin"), ("1 0", "10"), ("-5", "5"), ("2.5", "25"), ("glass", "glas"),
    ("type A blood", "type B blood"), ("mass", "mas"), ("fourteenth", "14th"), ("water vapour", "water vapor"), ("virus", "viru"), ("10-20", "1020"),
])  # fmt: skip
def test_texts_that_differ_have_different_keys(different):
  assert key(different[0]) != key(different[1])


def test_unwrap_leaves_only_the_words():
  assert _unwrap(r"**\boxed{\text{CO}_{2}}**") == "CO2"
  assert _unwrap("<b>\u201cthe\u00a0nucleus\u201d</b>") == "the nucleus"
  assert _unwrap("> *nucleus*") == "nucleus"


@pytest.mark.parametrize("answer", [
    "(" * 10_000, "B" * 100_000, "B, " * 2_000, "the answer is " * 300, "so " * 1_500, "$" * 4_000,
    "\\text{" * 800, "a and " * 600, "1,000," * 500, "is the " * 600, "(B" * 2_000, "wait, " * 700,
])  # fmt: skip
def test_hostile_text_costs_little_time(answer, benchmark_seconds=1.0):
  import time

  began = time.process_time()
  assert score(answer) == 0.0
  assert time.process_time() - began < benchmark_seconds


@given(strategies.text(alphabet=strategies.characters(), max_size=300))
def test_any_text_is_scored_zero_or_one_and_twice_the_same(answer):
  first = score(answer)
  assert first in (0.0, 1.0)
  assert score(answer) == first and first.reason == score(answer).reason


_WORDS = strategies.sampled_from(
    "A B C or and not the answer is option oxygen carbon dioxide , . ( ) : because so \n ?".split(" ")
)


@given(strategies.lists(_WORDS, max_size=12).map(" ".join))
def test_no_answer_is_paid_for_two_different_choices(answer):
  assert sum(score(answer, right=label) for label, _ in GASES) <= 1.0


_TEXTS = strategies.text(alphabet="abcdefgh ", min_size=3, max_size=14).filter(
    lambda text: len(text.split()) > 0 and len(text.strip()) > 2 and words.key(text)
)


@given(
    texts=strategies.lists(_TEXTS, min_size=2, max_size=5, unique_by=words.key),
    dress=strategies.sampled_from(
        ("{l}", "({l})", "{l}.", "**{l}**", "The answer is {l}.", "{l}) {t}", "({l}) {t}", "{t}", "**{t}**")
    ),
)
def test_every_dress_of_every_choice_is_paid_for_that_choice_alone(texts, dress):
  choices = tuple(zip("ABCDE", texts))
  for label, text in choices:
    answer = dress.format(l=label, t=text.strip())
    assert [score(answer, other, choices) for other, _ in choices] == [
        float(other == label) for other, _ in choices
    ]


@pytest.mark.parametrize(("answer", "rule"), [
    ("the answer is most likely B", "Doubt"), ("I think the answer is B", "Doubt"),
    ("B, because A and C are not used", "Reason"), ("B. A is a gas too, yet plants release it.", "Reason"),
    ("B\n\nExplanation: plants take in one gas. They release oxygen.", "Reason"),
    ("Carbon dioxide, because plants need it, while oxygen is released.", "Reason"),
    ("B: carbon dioxide because plants take it in and release oxygen", "Reason"),
    ("B. Nitrogen is not used. Water vapor is released.", "Reason"),
    ("B) carbon dioxide. Option A is incorrect because oxygen is released.", "Reason"),
    ("Plants absorb carbon dioxide.", "Beside"), ("Plants absorb carbon dioxide through their leaves.", "Beside"),
    ("Carbon dioxide is poisonous to plants and they reject it.", "Beside"),
    ("B. carbon dioxide, though in truth it is oxygen.", "Doubt"),
])  # fmt: skip
def test_a_hedge_another_choice_in_the_reason_and_words_that_are_not_the_questions_are_refused(answer, rule):
  verdict = reading.read(answer, Choice(label="B", text="carbon dioxide", choices=GASES), "Which gas do plants take in?")
  assert isinstance(verdict, reading.Refusal) and verdict.reason.startswith(rule), verdict


@pytest.mark.parametrize("answer", [
    "The pressure increases.", "Pressure increases because molecules hit more often.",
    "It increases because the volume decreases", "It increases when the volume decreases",
    "As volume decreases, pressure increases.",
])  # fmt: skip
def test_a_choice_that_begins_with_a_pronoun_is_read_alone_and_its_reason_names_no_other(answer):
  assert [score(answer, label, PRESSURES, PRESSURE) for label, _ in PRESSURES] == [0.0] * 4
