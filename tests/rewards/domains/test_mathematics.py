"""math_answer: triples of right answers, near misses and cheats, and attacks each with a name."""

from fractions import Fraction
import subprocess
import sys
import threading
import time

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import pytest

from rewards.domains.mathematics import math_answer
from rewards.domains.mathematics import warm
from rewards.schema import Completion
from rewards.schema import Example
from rewards.schema import Number
from rewards.schema import UnitTests


def score(answer, reference, prompt="How many apples are there?"):
  completion = Completion(text=answer, reasoning="5 + 55 = 60", answer=answer)
  return math_answer(
      completion,
      Example(uid="test/1", domain="math", prompt=prompt, reference=Number(text=reference)),
  )


@pytest.fixture(scope="module", autouse=True)
def _warm():
  warm()


HONEST_60 = [
    "60", "60.", "60.0", "60.00", "+60", " 60\n", "060.0", "６０", "6e1", r"6 \times 10^1", "60/1",
    "$60", "$60.00", r"\$60", "60$", "$60$", "$$60$$", r"\(60\)", r"\[60\]", "€60", "60 €", "US$60",
    "**60**", "*60*", "__60__", "`60`", '"60"', "(60)", "**60** apples", "**60 apples**",
    r"\boxed{60}", r"$\boxed{60}$", r"**\boxed{60}**", r"\boxed{60.}", r"\boxed{\$60}",
    r"\boxed{60\text{ apples}}", r"\boxed{x = 60}", r"\fbox{60}", r"5 + 55 = \boxed{60}",
    r"\boxed{60} miles", r"The answer is \boxed{60}. I hope it is correct.",
    "The answer is 60.", "The answer is: 60", "the final answer is 60", "Final Answer: 60",
    "**Answer:** 60", "Answer: $60", "A: 60", "#### 60", "### Answer\n60", "Ans. 60",
    "60 is the answer.", "So, the answer is 60.", "12*4=48\n#### 60", "12 * 5 = 60\nAnswer: 60",
    "x = 60", "$x = 60$", "x=60", "60 = x", "f(2) = 60", "|AB| = 60", "P(3) = 60",
    r"\angle ABC = 60^\circ", "The value of x is 60.", "Total = 5 + 55 = 60", "Total = $60",
    "5 + 55 = 60", "12 * 5 = 60", r"12 \times 5 = 60", "12 × 5 = 60 apples", r"\sqrt{3600} = 60",
    "$5 + $55 = $60", "12 * 4 = 48\n48 + 12 = 60",
    "60, because 12 * 5 = 60", "60\n\nExplanation: 5 + 55 = 60.",
    "60 apples", "60 dollars", "60 miles per hour", "60 km/h", "60km",
    "60 m^2", "60 cm²", r"60 \text{ cm}^2", r"60\,\mathrm{km/h}", "60 square feet", "60°",
    r"60^\circ", "60 °C", "$60/week",
    "She has 60 apples left.",
    "If we count all of them, the total is 60.", "<think>59? No.</think>60", "\u200b60\ufeff",
    "<b>60</b>", "<strong>60</strong>", "60<br>", "60 \u2713", "\u2705 60", "60 \U0001F333",
    "sixty", "Sixty.", "sixty apples", "60 (sixty) apples", "There are sixty (60) apples.",
    r"\boxed{\text{sixty}}", r"\boxed{60} since 12 * 5 = 60.", "120 / 2 = 60", "(10 + 2) * 5 = 60",
]


@pytest.mark.parametrize("answer", HONEST_60)
def test_sixty_is_paid_in_every_honest_dress(answer):
  assert score(answer, "60") == 1.0, score(answer, "60").reason


@pytest.mark.parametrize("answer", [
    "59", "61", "600", "6", "-60", "−60", "minus 60", "negative 60", "60.001", "6.0", "60,000",
    "59.999999999999999999999999999", "60 000", "60 thousand", "60k", "60 dozen", "60 hundredths",
    "60 1/2", "60½", "60 and a half", "60²", "6⁰", "60^2", "60 squared", "half of 60", "60%1",
    "x60", "AZYUK60A", "A60", "60_8", "60x", "60 x", "60i", r"60\pi", "60 pi", r"60\sqrt{1}",
    "6\u200b0", "6 0", "6\x000", "٦٠", "sixty-one", "0x3C", "60.0.0", "6,0", "10:30", "60:00", "--60",
    "6000%", "sixty thousand", "sixty point two", "half of sixty", "sixty squared", "twenty plus forty",
    "6<b>0</b>", "\u2796 60", "60 \U0001F51F", "one hundred and sixty", "six",
])
def test_another_number_than_sixty_is_not_paid(answer):
  assert score(answer, "60") == 0.0


@pytest.mark.parametrize("answer", [
    "59 or 60", "60 or 59", "60, 61", "59, 60", "59 60", "60 60", "60; 59", "60|59", "60\n59",
    "59\n60", "1 2 3 60", "{59, 60}", "(59, 60)", "[60, 61]", r"\{60, 59\}", "60 (or 59)",
    "60 [59]",
    "59-60", "60-61", "1-100", "59 to 61", "between 59 and 61", "60..61", r"60 \pm 1", "±60",
    "60 apples and 5 oranges", "5 of the 60 apples", "sixty-one 60", "60, no, 59", "x=59, x=60",
    "x = 59 = 60", "59 = 60", "60 = 59", r"\boxed{59} \boxed{60}", r"\boxed{60} or \boxed{59}",
    r"\boxed{59, 60}", r"\boxed{60} or 59", r"\boxed{60}, 59", r"59, \boxed{60}", "59 #### 60",
    r"\boxed{60}\text{ or }59", r"\boxed{59} The answer is 60", "$60$ or $59$", "$59$, $60$",
    "Answer: 59\nAnswer: 60", "The answer is 59. The answer is 60.", "60 days 5 hours",
    r"\boxed{60}. Alternatively, 61.", r"\boxed{60}, or 61", "\\boxed{60}\n\nOr maybe 61",
    r"\boxed{60}. Another option is 61.", r"\boxed{60}; 61 is also possible",
    r"\boxed{60} but 61 is correct",
    r"\boxed{60}. It could also be 72.", r"\boxed{60}. No, 72.", r"\boxed{60}. Wait, it is 72.",
    r"\boxed{60} Scratch that: 72", r"\boxed{60}. Or sixty-one.", r"\boxed{60}. 60 + 1 = 61.",
    "sixty, sixty-one", "60 (sixty-one)", "sixty-one (60)", "<b>59</b> 60",
])
def test_several_candidates_are_not_paid(answer):
  assert score(answer, "60") == 0.0


@pytest.mark.parametrize("answer", [
    "60?", "not 60", "It is not 60", "isn't 60", "The answer isn't 60", "The answer is not 60.",
    "60 is wrong", "60 is not the answer", "I don't think the answer is 60", "None of these is 60",
    "I doubt that it is 60", "maybe 60", "60 or so", "perhaps 60", "either 60", "neither 60",
    "No: 60",
    "at least 60", "at most 60", "more than 60", "up to 60", "about 60", "over 60",
    "anything but 60",
    "x > 60", ">60", r"x \ge 60", "60 < x", "60 ≠ 59", r"not \boxed{60}", r"It might be \boxed{60}",
    r"\boxed{60} is wrong", r"\boxed{60?}", r"\boxed{\text{not }60}", "Is it 60?", "<think>60",
    "not sixty", "sixty or so", "60 something", "60 \u2717", "60 \U0001F44E",
    r"\boxed{60}. That is not correct.",
])
def test_hedges_denials_questions_and_bounds_are_not_paid(answer):
  assert score(answer, "60") == 0.0


@pytest.mark.parametrize("answer", [
    "12 * 5", r"12 \times 5", "120/2", r"\frac{120}{2}", r"\sqrt{3600}", "30+30", "60*1", "60^1",
    "2(30)", "(60)(1)", "(60)(60)", "60!", "-(-60)", r"\sum_{k=1}^{60} 1", r"\int_0^{60} dx",
    r"\binom{60}{1}", "60 mod 61", "sqrt(3600)", "2x = 120", "2x = 60", "x + 5 = 60", "print(60)",
    "5 * n = 60", "60 times 2", "60 plus one", "sum of 60", "0.5% of 60", "60 = 12 * 5", "twenty times three",
    "12*6=60", "5*13=60", r"12 \times 6 = 60 trees", "12 * 6 = 60. So there are 60 trees.",
    "5 + 56 = $60",
])
def test_arithmetic_left_to_the_grader_is_not_paid(answer):
  assert score(answer, "60") == 0.0


# Each: reference, answers that state it, answers that do not.
NUMBERS = [
    ("0.5", ["1/2", r"\frac{1}{2}", r"\frac12", "50%", "50 percent", ".5", "½"],
     ["0.5%", "5/10", "120/240", "0.3/0.6", "5%", "0.05", "0.49999", "1/2 1/2", "50", "1/2/1"]),
    ("1/2", ["50%", "½", "1/2"], ["half", "one half", "half of it", "one and a half", "two halves"]),
    ("1/3", [r"\dfrac{1}{3}", r"$k = \frac{1}{3}$", r"\frac13 \text{ m}"],
     ["0.333333333333", "one third", "1/3 ≈ 0.333", "33%", "3", "-1/3", "1/3x", "2/6", r"\frac{1}{3} \text{ or } \frac{1}{2}"]),
    ("-3", ["-3", "−3", "$-3", "-$3", "negative 3", r"\frac{-3}{1}", "x = -3"], ["3", "--3", "3-"]),
    ("3.5", ["3 1/2", "3½", r"3\frac{1}{2}", "7/2", "3.50"],
     ["3", "3 3/2", "3,5", "31/2", "3.5.1", "3 and a half"]),
    ("13.18", ["$13.18", "13.18 dollars"],
     ["13.2", "1318", r"13.175 \approx 13.18", "13 dollars and 18 cents", r"13.18 \approx 13.2", "13"]),
    ("1,450,000", ["1450000", "$1,450,000", "1.45 million", "1 450 000", "14,50,000", "1.45e6",
                   r"1.45 \times 10^6", "1{,}450{,}000", r"1,\!450,\!000"], ["1,450", "1,45",
                   "1450"]),
    (r"\$18.90", ["18.9", "$18.90"], ["18", "1890"]),
    (r"45^\circ", ["45", "45 degrees", "45°"], ["46", r"45\pi"]),
    ("0.0015", ["1.5e-3", r"1.5 \times 10^{-3}", "1.5×10⁻³", "0.15%"], ["1.5", r"1.5 \times 10^3"]),
    ("3", ["17 / 5 = 3 remainder 2. So 3", "10 / 3 = 3.33. So 3", "three", "three apples"],
     ["300%", "2 * 2 = 3"]),
    ("261", ["two hundred sixty-one", "Two hundred and sixty-one."], ["two hundred", "sixty-one"]),
    ("1000", ["a thousand", "one thousand"], ["one hundred thousand", "thousands"]),
    ("1", ["100%", "one"], ["1%"]),
    ("100000", ["10^5", "10^{5}", "100,000"], ["10^6", "105"]),
]


@pytest.mark.parametrize("reference, right, wrong", NUMBERS, ids=[n[0] for n in NUMBERS])
def test_numbers_are_equal_exactly_and_in_any_notation(reference, right, wrong):
  for answer in right:
    assert score(answer, reference) == 1.0, (answer, score(answer, reference).reason)
  for answer in wrong:
    assert score(answer, reference) == 0.0, answer


def test_a_percent_sign_is_a_unit_where_percentages_are_asked_for():
  assert score("50%", "50", prompt="What percent of them are red?") == 1.0
  assert score("50%", "50") == score("60%", "60", "How many apples are there?") == 0.0
  assert score("0.5%", "0.5", prompt="What percentage is defective?") == 1.0
  assert score("0.5%", "0.5", prompt="What is the probability?") == 0.0
  assert score("2500%", "25", prompt="What percent is 5 of 20?") == score("4000%", "40") == 0.0
  for answer in ("28%", "28 percent", "0.28", "28", "7/25", r"\boxed{28\%}",
  r"$\boxed{28}$ percent"):
    assert score(answer, r"28\%") == 1.0, answer
  for answer in ("2.8", "0.0028", "29%"):
    assert score(answer, r"28\%") == 0.0, answer


SYMBOLIC = [
    (r"2\sqrt{3}",
     ["2√3", "2 sqrt(3)", "2*sqrt(3)", r"\sqrt{12}", r"$x = 2\sqrt{3}$", r"\frac{6}{\sqrt{3}}",
      r"2\sqrt{3} \text{ cm}", r"It is $2\sqrt{3}$ units."],
     ["3.4641016151377544", r"2\sqrt{3} \approx 3.46", r"The side is $2\sqrt{3}$ units.", r"-2\sqrt{3}", r"\pm 2\sqrt{3}", r"2\sqrt{3}, 3", r"$2\sqrt{3}$ or $3$",
      r"not 2\sqrt{3}", r"2\sqrt{3}?", r"4\sin 60^\circ", r"2\sqrt{3}x", r"x > 2\sqrt{3}",
      r"[0, 2\sqrt{3}]", r"2\sqrt{3} = 3\sqrt{2}", r"2\sqrt{3}+10^{-30}",
      r"It is not $2\sqrt{3}$"]),
    (r"\frac{9}{4}\pi", [r"\frac94\pi", r"\frac{9\pi}{4}", "9π/4", r"2.25\pi"], ["9/4", "7.0685"]),
    (r"36\pi", ["36 pi", r"36\pi cubic units", r"V = 36\pi"], ["36", "113.1", r"36\pi^2"]),
    (r"(3,\frac{\pi}{2})", [r"(3, \pi/2)", r"\left(3, 0.5\pi\right)", r"(r,\theta) = (3, \pi/2)"],
     [r"(\frac{\pi}{2}, 3)", r"[3, \frac{\pi}{2}]", "3", r"(3,\pi/2),(3,\pi)"]),
    ("[0,1)", ["[0, 1)", r"0 \le x < 1", r"x \in [0,1)", "1 > x >= 0"],
     ["(0,1)", "[0,1]", "[0,2)", "0 < x < 1", "0", r"[0,1) \cup (2,3)"]),
    (r"(-\infty, 2) \cup (3, \infty)",
     ["x<2 or x>3", "(-inf, 2) U (3, inf)", r"(3,\infty) \cup (-\infty,2)", "(-∞,2)∪(3,∞)"],
     ["x<2 and x>3", "(2,3)", r"(-\infty,2]\cup(3,\infty)", r"(-\infty,2)", r"\mathbb{R}"]),
    ("1, -2", ["-2, 1", "1 and -2", "x=1 or x=-2", r"\{1,-2\}",
     r"\boxed{-2} \text{ and } \boxed{1}",
               "The solutions are $1$ and $-2$."], ["1", "-2", "1, 2", "1,-2,3", "(1,-2)"]),
    (r"3 \pm 2\sqrt{2}", [r"3+2\sqrt{2}, 3-2\sqrt{2}", "3 ± 2√2", r"3 \pm \sqrt{8}"],
     [r"3 + 2\sqrt{2}", r"-3 \pm 2\sqrt{2}"]),
    ("x < 3", ["3 > x", r"(-\infty,3)", r"x \lt 3"], ["x > 3", r"x \le 3", "3", "y < 3", "x < 4"]),
    (r"x \neq 5", ["x != 5", r"(-\infty,5)\cup(5,\infty)"], ["x = 5", "5", r"x \neq 4"]),
    ("y = 2x + 3", ["y=3+2x", "2x+3", "2x - y + 3 = 0", "The solution is y = 2x + 3"],
     ["y=2x-3", "x = 2y+3", "y < 2x+3", "3", "y"]),
    ("a + 3z = 0", ["3z + a = 0", "2a + 6z = 0"], ["0", "a = 0", "a - 3z = 0"]),
    ("2x + 3 > y", ["y < 2x+3", "2x + 3 - y > 0"], ["y > 2x+3", "2x+3 = y", r"y \le 2x+3"]),
    ("x^2+2x+1", ["(x+1)^2", "1 + 2x + x^2", "f(x) = (x+1)^2", "x^2+2x+1 = (x+1)^2"],
     ["x^3+2x+1", "(x-1)^2", "y^2+2y+1", "x^2+2x+1 = 0", "4"]),
    (r"\begin{pmatrix}1 & 2 \\ 3 & 4\end{pmatrix}",
     [r"\begin{bmatrix} 1&2\\ 3&4 \end{bmatrix}", r"A = \begin{pmatrix}1&2\\3&4.0\end{pmatrix}"],
     [r"\begin{pmatrix}1 & 2 \\ 3 & 5\end{pmatrix}", r"\begin{vmatrix}1&2\\3&4\end{vmatrix}", "-2",
      r"\begin{pmatrix}1 & 3 \\ 2 & 4\end{pmatrix}", "1,2,3,4"]),
    ("AB=4, CD=5", ["4, 5", "CD=5, AB=4", "4 and 5"], ["5, 4", "AB=5, CD=4", "4", "9"]),
    (r"\ln 2", ["ln(2)", r"-\ln(1/2)"], ["0.693", r"\ln 3", r"\log_{10} 2"]),
    (r"\pi, \ln 2", [r"\ln 2, \pi"], [r"\ln 2", r"\pi"]),
    ("2+i", ["i+2", "z = 2 + i"], ["2-i", "3", "1+2i"]),
    ("2^{10}", ["1024", "2^10"], ["2^{11}", "210"]),
    (r"\binom{n}{2}", [r"\frac{n(n-1)}{2}"], [r"\binom{n}{3}", "n(n+1)/2"]),
    ("204_5", ["204_{5}"], ["204_6", "204", "54"]),
    (r"\mathbb{R}", ["all real numbers", r"(-\infty,\infty)", "ℝ"], [r"\mathbb{Q}", "0"]),
    (r"\emptyset", ["no solution", "∅"], ["0", r"\{0\}"]),
    (r"\text{Even}", ["even", "$Even$", "It is even."],
     ["neve", "The function is even.", "odd or even", "not even", "uneven", "even, odd", "evenly"]),
    (r"\text{(B)}", ["B", "(B)", r"\boxed{B}"], ["A", "A or B", "AB"]),
    (r"4:30 \text{ p.m.}", ["4:30 p.m.", "4:30 P.M."], ["4:30 a.m.", "4", "4:31 p.m."]),
]


@pytest.mark.parametrize("reference, right, wrong", SYMBOLIC, ids=[s[0] for s in SYMBOLIC])
def test_symbolic_answers_are_paid_when_equivalent_and_only_then(reference, right, wrong):
  dressed = [reference, rf"$\boxed{{{reference}}}$", f"The answer is {reference}."]
  for answer in dressed + right:
    assert score(answer, reference) == 1.0, (answer, score(answer, reference).reason)
  for answer in wrong:
    assert score(answer, reference) == 0.0, answer


BAGS = "There are 5 bags with 12 apples each. How many apples does Tom have?"


@pytest.mark.parametrize("answer", [
    "There are 5 bags with 12 apples each, so Tom has 60 apples.",
    "There are 5 bags with 12 apples each. So Tom has 60 apples.",
    "The answer is 60 because 5 * 12 is 60.",
    "Each bag has 12 apples and there are 5 bags, therefore Tom has 60 apples.",
    "Tom has 5 * 12 = 60 apples.", "5 times 12 is 60", "5 x 12 = 60 apples", "5 * 12 = 60",
    "<<5*12=60>>60", "Tom has 5*12=<<5*12=60>>60 apples in total.", "12 + 12 + 12 + 12 + 12 = 60",
    "Tom has 60 apples (5 × 12).", "60 (5*12)",
    "- Bags: 5\n- Apples per bag: 12\n- Total: 60", "Bags: 5. Apples per bag: 12. Total: 60.",
])
def test_the_way_to_the_verdict_may_name_numbers(answer):
  assert score(answer, "60", BAGS) == 1.0, score(answer, "60", BAGS).reason
  for other in ("5", "12", "72"):
    assert score(answer, other, BAGS) == score(answer, other, "How many apples does Tom have?") == 0.0


@pytest.mark.parametrize("answer", [
    "The 5 bags hold 60 apples.", "Tom has 60 apples in his 5 bags.", "60. There are 5 bags with 12 apples each.",
    r"\boxed{60}. The 5 bags hold 12 apples each.", "Since there are 5 bags with 12 apples each, Tom has 60 apples.",
    "Tom has 60 apples because there are 5 bags with 12 apples each.", "With 5 bags of 12 apples, Tom has 60 apples.",
    "Tom has 5 bags with 12 apples each, for a total of 60 apples.",
])  # fmt: skip
def test_a_number_is_a_candidate_even_where_the_prompt_gives_it(answer):
  for reference in ("60", "5", "12"):
    assert score(answer, reference, BAGS) == 0.0


def test_beside_a_number_stand_the_questions_words_units_and_small_words_alone():
  for answer in ("60 apples", "Tom has 60 apples.", "In his bags he has 60 apples.", "There are 60.", "60 minutes", "It costs $60."):
    assert score(answer, "60", BAGS.replace("How", "What does it cost, and how")) == 1.0, answer
  for answer in (
      "60 pears", "Ann has 60 apples.", "60th", "60-year-old", "60 and 60", "60 gross", "Evidently 60", "60, ha ha", "Total weight = 60",
      "The apples that are not in the bags are 60.", "Verily I say 60", "60 fold", "60 shy", "minus the 60", "60 a piece of cake",
  ):  # fmt: skip
    assert score(answer, "60", BAGS) == 0.0, answer
  assert score("Janet makes $60 every day at the market.", "60", "What does Janet make each day at the farmers' market?") == 1.0


@pytest.mark.parametrize("answer", [
    "There are 5, 12, 60, 17 apples", "There are 5, 12, 60 apples", "5 12 60", "5 bags of 12 apples",
    "59, so 60", "It's 61, so it's 60", "60 (61)",
    "60 apples (or 59)", "60 apples (59 apples)", "Since 60 is wrong, 59 apples", "60 when 59",
    "Since there are 5 bags with 12 apples each, Tom has 59 or 60 apples.", "60 if 5 bags",
    "60 in 5 bags, 72 in 6 bags", "60 apples because it is not 59", "<<5*12=59>>60", "<<59>>60",
    "Tom has 60 apples, but with 1 more 61.", "60 + 60", "60 days + 60 days", "60 and three",
    "Multiply 5 by 12.", "5 bags times 12 apples", "60/12 = 5", "5 * 12 = 60 - 1",
    r"\boxed{60}. It is 12.", "60. It is 12.",
])
def test_several_numbers_without_a_clear_verdict_are_not_paid(answer):
  assert score(answer, "60", BAGS) == 0.0


@pytest.mark.parametrize("answer", [
    "~60", "~ 60 apples", r"~\boxed{60}", "close to 60", r"close to \boxed{60}", "near 60",
    "it may be 60", "minimum of 60", "a maximum of 60", "as many as 60", "60 is a lie",
    "60 is too high", "60 is nonsense", "60, just kidding", "60 is what you want to hear",
    "60 (I think)", "60-ish", "60-something", "Suppose it is 60", "supposedly 60", "60 and up",
    "60 tens", "60 sevenths", "60 doubled", "the reciprocal of 60", "60 in hexadecimal",
    "60 is the answer to another question", "other than 60", "instead of 60",
])
def test_bounds_doubts_and_other_readings_of_sixty_are_not_paid(answer):
  assert score(answer, "60") == 0.0


@pytest.mark.parametrize(("answer", "reference"), [
    ("120 minutes (2 hours)", "120"), ("2 hours = 120 minutes", "120"), ("120 minutes, or 2 hours", "120"),
    ("2 hours and 30 minutes", "2.5"), ("5 dollars and 20 cents", "5.20"), ("5 feet 6 inches", "5.5"),
    ("3/2 (1.6)", "1.5"), ("60 dollars and 0 cents", "60"), ("60 more apples", "60"), ("\u2248 60", "60"),
    ("approximately 60", "60"), ("m+n = 60", "60"), ("60 apples = 5 dozen apples", "60"), ("60 less", "60"),
    ("60 apples (5 bags with 12 each)", "60"), ("\\boxed{60}\n\nCheck: 60 / 12 = 5.", "60"),
    ("The total is 5 * 12, or 60.", "60"), ("5 bags of 12 make 60 apples.", "60"), ("5 apples + 55 apples = 60 apples", "60"), ("P(X = 3) = 60", "60"), ("Multiplying 5 by 12 gives us 60 apples.", "60"),
    ("1. There are 5 bags.\n2. Each has 12 apples.\n3. 5 * 12 = 60.\n\nTom has 60 apples.", "60"), ("3 minutes", "3"),
])  # fmt: skip
def test_two_quantities_comparisons_and_approximations_are_refused(answer, reference):
  assert score(answer, reference, "How many hours?" if answer == "3 minutes" else BAGS) == 0.0


@pytest.mark.parametrize("answer", [
    "2 and 3", "3 and 2", "2\n3", "2, 3", "2 (3)", "It is 2. It is 3.", "2. It is 3.", "2 apples and 3 apples", "2 apples. 3 apples.",
    "2, because it is 3",
])  # fmt: skip
def test_a_number_that_the_prompt_gives_is_a_rival_beside_the_answer(answer):
  for prompt in ("Ann has 5 apples and eats 3. How many are left?", "Ann has 5 apples and eats 3 apples. How many are left?"):
    assert score(answer, "2", prompt) == score(answer, "3", prompt) == 0.0, answer
  assert score("2 apples", "2", prompt) == 1.0


def test_a_name_that_the_prompt_asks_for_and_the_same_value_again_are_read():
  assert score("m+n = 60", "60", "Find m+n.") == score("3/2 (1.5)", "1.5") == score("60 minutes", "60", "How many minutes?") == 1.0


# Each: prompt, reference, answers that are finished, answers that are not.
UNFINISHED = [
    ("What is 3/8?", "0.375", ["3/8", "0.375", "37.5%"], ["30/80", "6/16"]),
    ("Write 3/8 as a decimal.", "0.375", ["0.375", ".375"], ["3/8", r"\frac{3}{8}"]),
    ("What is 3/8 as a percentage?", "37.5%", ["37.5%", "37.5"], ["3/8"]),
    ("Write 0.375 as a fraction.", "3/8", ["3/8"], ["0.375", "6/16"]),
    ("Write 50% as a decimal.", "0.5", ["0.5"], ["50%"]),
    ("What is 120/240?", "0.5", ["0.5", "1/2"], ["120/240", r"\frac{120}{240}"]),
    ("4 of 12 balls are red. What is the probability?", "1/3", ["1/3"], ["4/12", "2/6"]),
    ("What percent is 120 of 240?", "50%", ["50%", "1/2"], ["120/240"]),
    (r"Simplify $\sqrt{12}$.", r"2\sqrt{3}", [r"2\sqrt3", "2sqrt(3)", r"\sqrt{12} = 2\sqrt{3}"],
     [r"\sqrt{12}", r"x = \sqrt{12}", r"\sqrt{12}+0", r"\sqrt{12}\cdot 1", r"\sqrt{12}^1", "12^{1/2}",
      r"\sqrt{4 \cdot 3}", r"\frac{2\sqrt{12}}{2}", r"-(-\sqrt{12})", r"\sqrt{3}+\sqrt{3}"]),
    ("Simplify sqrt(12).", r"2\sqrt{3}", [r"2\sqrt{3}"], [r"\sqrt{12}", "√12"]),
    ("Expand (x+1)^2.", "x^2+2x+1", ["1+2x+x^2", "(x+1)^2 = x^2+2x+1"],
     ["(x+1)^2", "(1+x)^2", "(x+1)(x+1)", "x^2+2x+1 = (x+1)^2"]),
    ("Factor $x^2-4$.", "(x-2)(x+2)", ["(x+2)(x-2)"], ["x^2-4", "x^2 - 2^2"]),
    ("Simplify $5x + 6x - 3$.", "11x-3", ["-3+11x"], ["5x+6x-3", "6x-3+5x", "11x-2-1"]),
    ("Write $4x - 2y + 6 = 0$ as $y = mx + b$.", "y=2x+3", ["y = 3 + 2x"], ["4x - 2y + 6 = 0"]),
    ("The radius is 3. What is the area?", r"9\pi", [r"9\pi", r"\pi \cdot 3^2 = 9\pi"],
     [r"3*3*\pi", r"3^2\pi", r"\pi(3)(3)", r"\frac{18}{2}\pi", r"4\pi+5\pi", r"\sqrt{81}\pi"]),
    (r"Which is larger, $\sqrt{2}$ or $1.4$?", r"\sqrt{2}", [r"\sqrt2", "√2"], ["1.4"]),
]


@pytest.mark.parametrize("prompt, reference, right, wrong", UNFINISHED, ids=[u[0] for u in UNFINISHED])
def test_the_prompts_own_expression_and_work_left_to_do_are_not_paid(prompt, reference, right, wrong):
  for answer in right:
    assert score(answer, reference, prompt) == 1.0, (answer, score(answer, reference, prompt).reason)
  for answer in wrong:
    assert score(answer, reference, prompt) == 0.0, answer


def test_a_time_of_day_is_read_alone_or_behind_is():
  for answer in ("3:30 pm", "3:30 PM", "3:30 p.m.", "The time is 3:30 pm.", r"\boxed{3:30\text{ p.m.}}"):
    assert score(answer, "3:30 pm", "At what time?") == 1.0, answer
  for answer in ("3:30 am", "They arrive at 3:30 pm.", "after 3:30 pm", "3:30 pm or 4:30 pm", "not at 3:30 pm", "3:31 pm"):
    assert score(answer, "3:30 pm", "When?") == 0.0, answer


def test_a_long_solution_is_read_by_its_box():
  solution = "First we compute $3^2 = 9$ and then, since 4 is not prime, 16. " * 40
  assert score(solution + r"Therefore $x = \boxed{3 \pm 2\sqrt{2}}$.", r"3 \pm 2\sqrt{2}") == 1.0
  assert score(solution + r"Therefore $x = \boxed{3 \pm 3\sqrt{2}}$.", r"3 \pm 2\sqrt{2}") == 0.0


def test_the_reasoning_is_never_searched_for_the_answer():
  completion = Completion(text="60", reasoning="The answer is 60.", answer="See above.")
  example = Example(uid="u", domain="math", prompt="How many?", reference=Number(text="60"))
  assert math_answer(completion, example) == 0.0


def test_no_reference_is_not_scored():
  example = Example(uid="u", domain="math", prompt="How many?", reference=UnitTests(tests=()))
  assert math_answer(Completion(text="", answer="60"), example) is None


ABSURD = {
    "power_tower": "9^9^9^9", "braced_tower": "9^{9^{9^{9}}}",
    "tower_of_brackets": "(((9^9)^9)^9)^9",
    "wide_exponent": "1e999999999", "large_power": "(x+1)^{100000}", "factorial": "100000!",
    "nested_factorials": "9!!!!!!", "many_brackets": "(" * 10_000 + "60" + ")" * 10_000,
    "open_brackets": "(" * 10_000, "many_braces": "{" * 9_999 + "}" * 9_999,
    "nested_boxes": r"\boxed{" * 2_000 + "60" + "}" * 2_000, "many_digits": "9" * 5_000,
    "more_digits": "9" * 20_000, "endless": "60 " * 50_000, "nan": "nan", "infinity": "inf",
    "division_by_zero": "1/0", "zero_by_zero": r"\frac{0}{0}", "nul": "6\x000",
    "surrogate": "\ud800",
    "stars": "*" * 20_000, "dollars": "$" * 20_000, "equals": "1=" * 10_000,
    "commas": "1," * 10_000, "clauses": "Since 5 " * 240, "steps": "5. " * 330, "asides": "60 (5 " * 160,
    "because": "60 because 5, 61 because 6 " * 35, "annotations": "<<5*5=25>>" * 99, "units": "2 hours (" * 110,
    "nested_roots": r"\sqrt{" * 1_000 + "2" + "}" * 1_000, "plus_minus": r"\pm" * 900 + "1",
    "continued_fraction": r"\frac{1}{x+" * 15 + "1" + "}" * 15, "empty_box": r"\boxed{}",
    "empty_fraction": r"\frac{}{}", "lone_backslash": "\\", "relations": "x<" * 900,
}


@pytest.mark.parametrize("reference", ["60", r"2\sqrt{3}", "(1, 2)", "y = 2x + 3"])
@pytest.mark.parametrize("answer", ABSURD.values(), ids=ABSURD.keys())
def test_absurd_answers_are_refused_at_once(answer, reference):
  started = time.process_time()
  assert score(answer, reference) == 0.0
  assert time.process_time() - started < 2.0  # a deadline is ten seconds


def test_symbolic_answers_are_compared_off_the_main_thread():
  scores = []
  thread = threading.Thread(target=lambda: scores.append(score(r"\sqrt{20}", r"2\sqrt{5}")))
  thread.start()
  thread.join()
  assert scores == [1.0]


def test_numbers_need_no_sympy():
  code = (
      "import sys; from rewards.schema import *; from rewards.domains.mathematics import math_answer\n"
      "e = Example(uid='u', domain='math', prompt='p', reference=Number(text='60'))\n"
      "for a in ('5 + 55 = 60', '59', r'\\sqrt{3600}', '9^9^9'):\n"
      "  math_answer(Completion(text=a, answer=a), e)\n"
      "assert 'sympy' not in sys.modules"
  )
  subprocess.run([sys.executable, "-c", code], check=True)


def test_a_refusal_says_why_and_carries_a_cause():
  assert score("59 or 60", "60").cause == "several"
  assert score("perhaps 60", "60").cause == "hedged"
  assert score("60, 61", "60").cause == "several"
  assert score("12 * 5", "60").cause == "unevaluated"
  assert score("no idea", "60").cause in ("unreadable", "hedged")
  assert score("59", "60").reason == "The answer states '59', which is not '60'."


DRESSES = [
    "{}", "{}.", "${}", "{} apples", "**{}**", r"\boxed{{{}}}", "The answer is {}.", "x = {}",
    "#### {}", "$x = {}$", "{}.0", "Answer: {}", "It is {} dollars.", r"$\boxed{{{}}}$",
]
integers = st.integers(min_value=-(10**15), max_value=10**15)


@settings(deadline=None)
@given(number=integers, dress=st.sampled_from(DRESSES), grouped=st.booleans())
def test_any_integer_is_paid_in_any_dress_and_its_neighbours_are_not(number, dress, grouped):
  def written(value):
    return dress.format(f"{value:,}" if grouped else value)

  assert score(written(number), str(number)) == 1.0
  assert score(written(number + 1), str(number)) == 0.0
  assert score(written(number - 1), str(number)) == 0.0


@settings(deadline=None)
@given(numerator=st.integers(-999, 999), denominator=st.integers(2, 999))
def test_any_fraction_is_itself_and_not_its_decimal_unless_that_is_exact(numerator, denominator):
  value = Fraction(numerator, denominator)
  if value.denominator == 1:
    return
  reference = rf"\frac{{{numerator}}}{{{denominator}}}"
  assert score(f"{value.numerator}/{value.denominator}", reference) == 1.0
  rounded = f"{float(value):.6f}"
  assert score(rounded, reference) == float(Fraction(rounded) == value)


@settings(deadline=None)
@given(
    first=st.integers(0, 999),
    second=st.integers(0, 999),
    joined=st.sampled_from([" or ", ", ", " and ", " ", "\n", "; ", " to ", " - ", "/", "|", ":"]),
)
def test_two_different_numbers_are_never_paid_as_either(first, second, joined):
  if first == second:
    return
  answer = f"{first}{joined}{second}"
  for reference in (first, second):
    value = score(answer, str(reference))
    assert value == 0.0 or joined == "/" and Fraction(first, second) == reference, answer


FRAGMENTS = st.sampled_from(
    r"60 59 \ $ { } ( ) [ ] = 1 / \frac \boxed{ . , - \text{ and or x ^ _ ≈ % answer is # * < \le"
    .split()
    + r"\cup \sqrt{ \pm not ? : ' A: ! | \begin{pmatrix} \end{pmatrix} & \\ sqrt( pi e i 1e9 ½ ²"
    .split()
    + ["\n", " ", "\u200b"]
)
hostile = st.one_of(st.text(max_size=60), st.lists(FRAGMENTS, max_size=14).map("".join))


@settings(deadline=None)
@given(answer=hostile, reference=st.sampled_from(["60", "1/2", r"28\%"]))
def test_no_text_raises_against_a_number(answer, reference):
  first = score(answer, reference)
  assert first in (0.0, 1.0)
  assert (first, first.reason) == (score(answer, reference), score(answer, reference).reason)


@settings(deadline=None, max_examples=150)
@given(answer=hostile, reference=st.sampled_from([r"2\sqrt{3}", "(1,2)", "x<3", "y=2x+3", "x^2+1"]))
def test_no_text_raises_against_a_formula(answer, reference):
  assert score(answer, reference) in (0.0, 1.0)


@settings(deadline=None)
@given(reference=hostile.filter(str.strip))
def test_every_reference_is_paid_to_the_letter(reference):
  assert score(reference, reference) == 1.0
