"""The page of rules, both ways: sentences drawn from the grammar are read, sentences beside it are refused."""

import itertools
import pickle
import random

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import pytest

from rewards import reading
from rewards.reading import words
from rewards.schema import Choice
from rewards.schema import Number
from rewards.schema import Text
from rewards.schema import UnitTests
from rewards.schema import YesNo

GASES = (("A", "oxygen"), ("B", "carbon dioxide"), ("C", "nitrogen"), ("D", "helium"))
# By kind: prompt, reference, ways to say it, ways to say another, and reasons that name no candidate.
KINDS = {
    "Number": (
        "Tom has 5 bags with 12 apples each. How many apples does he have?", Number(text="60"),
        ["60", "60.0", "60 apples", "$60$", "sixty", "5 * 12 = 60", "+60", r"6 \times 10^1", "60/1"],
        ["61", "59 apples", "$600$", "sixty-one", "5 * 13 = 65", "-60", "6.0"],
        ["", ", because 5 * 12 = 60.", ". He counted the apples of his bags.", "\n\nThe apples are red."],
    ),
    "Choice": (
        "Which gas do plants take in?", Choice(label="B", text="carbon dioxide", choices=GASES),
        ["B", "(B)", "B)", "carbon dioxide", "B) carbon dioxide", "B. carbon dioxide", "(B) Carbon dioxide", "Option B"],
        ["A", "(C)", "nitrogen", "D) helium", "A. oxygen", "Option C"],
        ["", ", because plants need it.", ". It makes sugar.", ", not oxygen.", "\n\nPlants use it."],
    ),
    "YesNo": (
        "Can a whale drown?", YesNo(value=True), ["Yes", "yes", "True", "YES"], ["No", "no", "False"],
        ["", ", because of its lungs.", ". Lungs need air.", "\n\nIts lungs need air.", ". There is no doubt about it."],
    ),
    "ShortText": (
        "What makes energy in a cell?", Text(text="mitochondria"), ["mitochondria", "The mitochondrion", "MITOCHONDRIA"],
        ["nucleus", "the ribosomes", "chloroplast"], ["", ", because of its membranes.", ". It burns sugar.", ", which burns sugar."],
    ),
    "Formula": (
        "What is the root of 12?", Number(text=r"2\sqrt{3}"), [r"$2\sqrt{3}$", r"$\frac{6}{\sqrt{3}}$", r"$x = 2\sqrt{3}$"],
        [r"$3\sqrt{2}$", r"$-2\sqrt{3}$", r"$\sqrt{3}$"], [""],
    ),
}  # fmt: skip
LEADS = ["{}", "The answer is {}", "Answer: {}", "**Final Answer:** {}", "#### {}", "We work it out.\n\nThe answer is {}", "So, {}"]
DRESSES = ["{}", "**{}**", "<b>{}</b>", "`{}`", '"{}"', "{} \u2705"]
COURTESIES = ["", " I hope this helps! \U0001f60a", "\nLet me know if you have any questions."]
DOUBTS = [
    "maybe {}", "perhaps {}", "{}?", "not {}", "{}, I think", "probably {}", "{}, but it is not clear.", "{}. Just kidding.",
    "{}. I could be mistaken.", "{}. No, wait.", "either {}", "I guess {}", "{}, unless it is otherwise.", "{}. That is wrong.",
    "It mustn't be that the answer is {}",
    "I don't think the answer is {}", "{}, in theory.", "{} or something", "It might be {}", "{}. Or it is another.", "It is false that it is {}",
]  # fmt: skip
RIVALS = [
    "{} or {}", "{}, or {}", "{}, maybe {}", "{}, {}", "{} and {}", "{}\n{}", "{}; {}", "{}. Actually, {}.", "{} (or {})", "{}/{}",
    "The answer is {}. The answer is {}.", "{}. The answer is {}.", "{}, also known as {}", "Answer: {}\nAnswer: {}", "{}, so {}",
    "{} rather, {}", "It is {}. It is {}.", "{} [{}]", "{} - {}", "{}, no, {}", r"\boxed{{{}}} or \boxed{{{}}}",
    "{} vs {}", "{} | {}", "{} ... {}", "{} -> {}", "1. {}\n2. {}", "{}, failing that {}", "{}, else {}", "{} as well as {}", "{} if not {}",
    "{} to {}", "{}! {}!", "some say {}, some say {}", "{}. Hmm, {}.", "{} which is {}", "{}, i.e. {}", "{}? {}?", "{} => {}", "{} {}",
]  # fmt: skip


def paid(kind, answer):
  prompt, reference, *_ = KINDS[kind]
  return reading.score(answer, reference, prompt)


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_a_sentence_of_the_grammar_is_read_and_is_right_only_when_equal(kind, data):
  _, _, right, wrong, reasons = KINDS[kind]
  dress, lead = data.draw(st.sampled_from(DRESSES)), data.draw(st.sampled_from(LEADS))
  end = data.draw(st.sampled_from(reasons)) + data.draw(st.sampled_from(COURTESIES))
  for ways, value in ((right, 1.0), (wrong, 0.0)):
    answer = lead.format(dress.format(data.draw(st.sampled_from(ways)))) + (end if value else "")
    verdict = paid(kind, answer)
    assert verdict == value, (answer, verdict.reason)
    if kind != "ShortText":
      assert verdict.reason.startswith("The answer states"), (answer, verdict.reason)


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_a_sentence_in_doubt_is_refused_in_every_dress(kind, data):
  dress, doubt = data.draw(st.sampled_from(DRESSES)), data.draw(st.sampled_from(DOUBTS))
  answer = doubt.format(dress.format(data.draw(st.sampled_from(KINDS[kind][2]))))
  assert paid(kind, answer) == 0.0, answer


# Question, reference, answers that the page of rules pays, answers that it refuses.
PAGE = [
    ('There are 5 bags with 12 apples each. How many apples does Tom have?', Number(text='60'),
     ['<think>59?</think>60', '**60**\n\nI hope this helps!', 'We add.\nThe final answer is: 60',
      '12 * 4 = 48, then 12 more. Answer: 60', 'Tom has 60 apples.', 'Tom needs 60 apples.', '60 minutes',
      '60, because 5 * 12 = 60', '5 * 12 = 60', '60/1', 'x = 60', '6e1', 'sixty', '$60'],
     ['60 ❌', '~60', 'The answer is 59.\n\nThe answer is 60.', '59\n\nThe answer is 60.',
      'I do not believe the answer is 60', r"\boxed{60} and \boxed{61}", 'Mary has 60 apples.',
      'Tom has 60 red apples.', 'Tom has 60 apples in 5 bags.', '60 dozen', '60, but I am not sure',
      '60, because 5 bags have 12 each', '5 * 12 = 61', '5 * 12', '120/2', '2x = 60', '60%',
      '60. 61 would be too much.']),
    ('How many hours?', Number(text='60'),
     [],
     ['60 minutes']),
    ('What is the chance?', Number(text='0.5'),
     ['50%'],
     []),
    ('What percent?', Number(text='50'),
     ['50%'],
     []),
    ('Write 3/8 as a decimal.', Number(text='0.375'),
     [],
     ['3/8']),
    ('What is the side of the triangle?', Number(text='2\\sqrt{3}'),
     [r"$\sqrt{12}$", r"The side is $2\sqrt{3}$ cm.", r"$x=2\sqrt{3}$"],
     [r"The edge is $2\sqrt{3}$.", r"$2\sqrt{3} \approx 3.46$", r"$\sqrt{3}+\sqrt{3}$", r"$2\sqrt{3}$, $x>1$"]),
    ('Simplify $\\sqrt{12}$.', Number(text='2\\sqrt{3}'),
     [],
     [r"$\sqrt{12}$"]),
    ('Solve.', Number(text='1,2'),
     ['$x=2$ or $x=1$'],
     []),
    ('Solve.', Number(text='(1,2)'),
     [],
     ['(2,1)']),
    ('Solve.', Number(text='x<3'),
     [r"$(-\infty,3)$"],
     []),
    ('Find the line.', Number(text='y=2x'),
     ['$2y=4x$'],
     []),
    ('Solve.', Number(text='n=3k'),
     [r"$n=3k$, $k \in \mathbb{Z}$"],
     []),
    ('Which gas do plants take in?', Choice(text='carbon dioxide', label='B', choices=(('A', 'oxygen'), ('B', 'carbon dioxide'), ('C', 'nitrogen'), ('D', 'helium'))),
     ['(b)', 'Option B', 'Carbon-dioxide', 'Plants take in carbon dioxide.', 'B, not C', 'B is correct',
      'A and C are wrong. The answer is B.', 'B. A and C are wrong.'],
     ['B. oxygen', 'Plants love carbon dioxide.', 'B. Oxygen is released.', 'B, if I had to choose']),
    ('Can a whale drown?', YesNo(value=True),
     ['Yes, because it has lungs.', 'It is true.', 'Yes, a whale can drown.'],
     ['No one knows', 'Yes. No.', 'Yes, it cannot', 'Yes, unless it flies', 'Yes. Although rare.']),
    ('Can a whale drown?', YesNo(value=False),
     ['No, it cannot'],
     []),
    ('Which organelle makes energy in a cell?', Text(text='mitochondria', aliases=('chondriosome',)),
     ['The chondriosomes', 'The organelle is the mitochondrion.', 'Mitochondria. They burn sugar.',
      'Mitochondria, not the nucleus.', 'Cells have mitochondria.'],
     ['mitochondria and nucleus', 'Mitochondria, the nucleus', 'mitochondria, also known as nucleus']),
    ('Is f even or odd?', Number(text='\\text{Even}'),
     ['even'],
     []),
]  # fmt: skip


@pytest.mark.parametrize("prompt, reference, paid_, refused", PAGE)
def test_the_page_of_rules_tells_these_verdicts(prompt, reference, paid_, refused):
  assert [answer for answer in paid_ if reading.score(answer, reference, prompt) != 1.0] == []
  assert [answer for answer in refused if reading.score(answer, reference, prompt) != 0.0] == []


WORD = st.text("abcdefghijklmnopqrstuvwxyz'", min_size=2, max_size=9)


@settings(deadline=None, max_examples=150)
@given(word=WORD | st.sampled_from(sorted(words.FUNCTION | words.UNITS)), place=st.sampled_from(
    ["{} 60", "60 {}", "There are {} 60 apples", "The {} is 60", "60 apples {}", "{} carbon dioxide", "carbon dioxide {}", "B {}", "{} B"]
))  # fmt: skip
def test_beside_a_verdict_stand_small_words_units_and_the_questions_words_alone(word, place):
  kind = "Number" if "60" in place else "Choice"
  known = words.FUNCTION | words.UNITS if kind == "Number" else words.FUNCTION | set("option choice letter label right best one".split())
  known = known | {"correct", "choose", "pick", "select"} | set(KINDS[kind][0].lower().strip("?").split())
  if paid(kind, place.format(word)) == 1.0:
    assert words.stem(word) in set(map(words.stem, known)) or words.stem(word.rstrip("s")) in set(map(words.stem, known)), (word, place)


@pytest.mark.parametrize("word", [
    "not", "no", "or", "if", "maybe", "about", "around", "nearly", "least", "most", "more", "less", "half", "twice", "dozen", "think",
    "guess", "wrong", "another", "over", "under", "without", "hundred", "squared", "isn't",
])  # fmt: skip
def test_a_word_that_turns_a_verdict_refuses_it_even_where_the_question_has_it(word):
  for kind in ("Number", "Choice", "ShortText"):
    prompt, reference, right, *_ = KINDS[kind]
    for place in ("{} {}", "It is {} {}"):
      assert reading.score(place.format(word, right[0]), reference, f"{prompt} It is {word} so.") == 0.0, (kind, place)


@pytest.mark.parametrize("kind", KINDS)
def test_two_candidates_are_never_paid_in_both_orders(kind):
  _, _, right, wrong, _ = KINDS[kind]
  pairs = random.Random(0).sample(list(itertools.product(RIVALS, right, wrong)), 60)
  for rival, one, other in pairs:
    values = [float(paid(kind, rival.format(*order))) for order in ((one, other), (other, one))]
    assert values != [1.0, 1.0], (rival, one, other)


@pytest.mark.parametrize(("answer", "reference", "value"), [
    (r"\frac{1}{2^{150}}", r"\frac{1}{2^{149}}", 0.0),
    (r"\frac{\sqrt{2}}{3^{500}}", r"\frac{\sqrt{5}}{3^{500}}", 0.0), ("-1+2^{20000}", "2^{20000}-1", 1.0),
    (r"\frac{\sqrt{2}}{2}", r"\frac{1}{\sqrt{2}}", 1.0), ("(-2)/3", "-2/3", 1.0), (r"\sqrt{2}", r"\sqrt{2}+\frac{1}{10^{30}}", 0.0),
    (r"\frac{2}{1+\sqrt{5}}", r"\frac{\sqrt{5}-1}{2}", 1.0), (r"\frac{1}{e^x}", "e^{-x}", 1.0), ("e^{-101}", "e^{-100}", 0.0),
    (r"\left[\begin{array}{cc}1&2\\3&4\end{array}\right]", r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", 1.0),
    (r"$n = 3k$ where $k\in\mathbb{Z}$", r"n=3k, k \in \mathbb{Z}", 1.0), ("$28$ %", r"28\%", 1.0), (r"$f(x)=0, x>5$", "f(x)=0", 0.0),
    (r"\boxed{5} \pmod{11}", "5", 1.0), (r"\boxed{2\sqrt{3}} cm", r"2\sqrt{3}", 1.0), (r"$\sqrt{x^2}$", "x", 0.0),
])  # fmt: skip
def test_formulas_are_equal_exactly_at_any_size(answer, reference, value):
  assert reading.score(answer, Number(text=reference), "Find the value.") == value


@pytest.mark.parametrize("answer", [
    "about {}", "roughly ${}$", "{} ish", "{}ish", "${}$-ish", "approximately {}", "~{}", "~${}$", "The side is about {}", "nearly {}",
])  # fmt: skip
def test_a_formula_that_is_only_approached_is_refused(answer):
  for formula in (r"2\sqrt{3}", r"\sqrt{12}"):
    refused = reading.read(answer.format(formula), Number(text=r"2\sqrt{3}"), "What is the side?")
    assert isinstance(refused, reading.Refusal) and refused.reason.startswith(("Doubt", "Beside")), (answer, refused)


@pytest.mark.parametrize("answer", ["~{}", "~ {}", "{}+", "{} is one possibility", "{}. One possibility.", "{} is one of them"])
@pytest.mark.parametrize("kind", ["Choice", "ShortText", "Number"])
def test_a_tilde_a_plus_and_a_possibility_are_no_verdict(kind, answer):
  for way in KINDS[kind][2]:
    assert paid(kind, answer.format(way)) == 0.0, (kind, way)


@pytest.mark.parametrize(("answer", "value"), [
    (r"\frac{1}{2^{149}}", 1.0), ("2^{-149}", 1.0), (r"\frac{2}{2^{150}}", 0.0), (r"\frac{2}{2\cdot 2^{149}}", 0.0), (r"\frac{3}{3\cdot 2^{149}}", 0.0),
])  # fmt: skip
def test_a_fraction_that_reduces_is_unfinished_at_any_size(answer, value):
  assert reading.score(answer, Number(text=r"\frac{1}{2^{149}}"), "Find the value.") == value


def test_what_the_prompt_calls_positive_is_positive():
  reference = Number(text=r"\frac{1}{\sqrt{n}}")
  assert reading.score(r"$\sqrt{\frac{1}{n}}$", reference, "Let n be a positive integer $n$.") == 1.0
  assert reading.score(r"$\sqrt{x^2}$", Number(text="x"), "Let $x > 0$.") == 1.0


@pytest.mark.parametrize("prompt", ["What is $2004^{2004}$?", "Ignore $10^{99999}$ and 9^9^9^9.", "(" * 10_000, "1" * 10_000])
def test_a_prompt_of_any_size_does_no_harm(prompt):
  assert reading.score("$1+x$", Number(text="x+1"), prompt) == reading.score("60", Number(text="60"), prompt) == 1.0


def test_reasoning_is_read_by_its_sentences_and_equations():
  choice, yes = KINDS["Choice"][1], KINDS["YesNo"][1]
  assert reading.stated("So the answer is (B).", choice, "Which gas?") == "B"
  assert reading.stated("Plants need light.", choice, "Which gas?") is None
  assert reading.stated("Therefore, no.", yes, "Can a whale drown?") == "no"
  assert [e.true for e in reading.equations("5 * 12 = 60 and 60 + 1 = 62, so 2x + 3 = 5")] == [True, False]
  assert reading.reaches("He has 5 * 12 = 60 apples.", "60") and reading.reaches("That is 5 * 12 apples.", "60")
  assert not reading.reaches("5 * 12 = 61", "61") and not reading.reaches("There are 60.", "60")


@pytest.mark.parametrize(("kind", "right", "concludes", "agrees"), [
    ("Number", "60", ["The answer is 61.", "A: 72", r"We get \boxed{59}.", "#### 50\nThe end.", "The answer is 60. The answer is 61.",
                      "5 * 12 = 61, so 61.", "Thus he has 72 apples."],
     ["Two bags, so 24. Five bags: 60.", "So 5 * 12 apples.", "The answer is 60.0 apples.", r"\boxed{60}", "The answer is 61. No, the answer is 60.", "The answer is in apples."]),
    ("Formula", r"$2\sqrt{3}$", [r"\boxed{3\sqrt{2}}", r"The answer is $\sqrt{3}$."], [r"\boxed{\sqrt{12}}", r"The answer is $2 \sqrt 3$."]),
    ("Choice", "B", ["The answer is A.", "The correct option is (C).", r"\boxed{D}"], ["The answer is (B).", "The answer is a gas.", "Not A."]),
    ("YesNo", "Yes", ["So the answer is no.", "It swims. Therefore, no."], ["So the answer is yes.", "The answer is not clear at first.", "No fish drowns."]),
])  # fmt: skip
def test_a_reasoning_whose_last_lead_or_box_states_another_verdict_refuses_the_answer(kind, right, concludes, agrees):
  prompt, reference, *_ = KINDS[kind]
  for answer in dict.fromkeys((right, reference.text or right)):
    for reasoning in concludes:
      refused = reading.score(answer, reference, prompt, reasoning)
      assert refused == 0.0 and "the reasoning concludes otherwise" in refused.reason, (answer, reasoning)
    assert [r for r in agrees if reading.score(answer, reference, prompt, r) != 1.0] == []


def test_an_en_dash_is_a_minus():
  assert reading.score("\u20137", Number(text="-7"), "") == reading.score("20 \u2013 12 = 8", Number(text="8"), "") == 1.0
  assert [reading.score(f"60{dash}65", Number(text=n), "") for n in ("60", "65", "-5") for dash in ("\u2013", " \u2013 ")] == [0.0] * 6


def test_a_calculators_mark_and_what_it_repeats_are_one_number():
  text = "It is 2*3 = $<<2*3=6.0>>6.00 and 6+1=<<6+1=7>>7, 7+1=<<7+1=8>> or 8+1=<<8+1=9>>10."
  assert [e.text for e in reading.equations(text)] == ["2*3 = 6.0", "6+1=7", "7+1=8"]
  assert reading.score("It is 2*3 = <<2*3=6.0>>6", Number(text="6"), "") == 1.0
  assert [reading.score("2*3=<<2*3=6>>7", Number(text=n), "") for n in ("6", "7", "67")] == [0.0, 0.0, 0.0]


def test_verdicts_are_pickled_and_programs_have_no_short_answer():
  verdict = reading.read("60", Number(text="60"), "")
  assert pickle.loads(pickle.dumps(verdict)) == verdict == reading.Verdict("60", True)
  with pytest.raises(TypeError, match="UnitTests"):
    reading.read("60", UnitTests(tests=()), "")
