r"""How a short answer is read: the page of rules. Who knows it can tell any verdict.

    answer  := [work lead] verdict [end] [reason] [courtesy]

Strict on purpose: reinforcement teaches what is asked for, and a kind reader is an exploit for ever. What
is not on this page is refused with score 0.0 and a reason that begins with the rule's name.

Dress     Markdown, HTML, quotes, pictures, LaTeX layout and `<think>...</think>` say nothing. A cross or a
          thumb down is the word "not", a tilde before a verdict "about". A closing courtesy ("I
          hope this helps!") is left out.
Size      20,000 characters are read for mathematics, 4,000 elsewhere; a literal has 400 digits, a sentence
          with a number 2,000 characters, an expression 400, brackets go 10 deep.
Lead      "the answer is", "answer:", "A:", "####", the correct/best/final answer, option or choice is, or
          `\boxed{`; the last one counts. Where there is none, "so", "thus", "hence", "therefore", "finally",
          "in total", "altogether", "together", "total:" at the start of a clause, if a verdict follows it.
          What stands before is work and not read, unless it states another verdict: in an earlier lead, as
          a line or clause that is nothing else, or in the words of the conclusion with another number.
          Several boxes are a list for a Formula and rivals for all else. To the letter, a Number's or
          text's own reference is always right.
Doubt     withdraws the verdict. In its own sentence: not, no, never, or, either, may, might, could, if,
          unless, but, except, "?", I think, maybe, probably, likely, guess, seems, wrong, false, actually,
          another ... In a reason: the same hedges and retractions (not sure, unclear, nobody knows,
          mistaken, lying, kidding, opposite, instead, also known as, in theory), "it could be", and a
          reason that opens with but, though, although, however, except, unless, if, only, when, or. There
          "not", "may" and "if" further on explain and are no doubt. doubt.py holds the closed list.
Number    one literal: 60, 60.00, 1,000, 1/2 in lowest terms, 3 1/2, 50%, $60, 6e1, 6 \times 10^1, sixty,
          1.45 million, with a sign or brackets around; then one unit phrase. Without a lead the first
          sentence with a number must hold one candidate: "He has 60 apples."; a number that the prompt
          gives with the same word behind it ("in his 5 bags") is none, but in a list beside the verdict
          ("2 and 3", "2 apples, 3 pears") it is a rival. Or the last member of a true chain of equations,
          behind a name or not; lines of equations are read by the last, a chain with units inside of it
          (5 apples + 55 apples = ...) is not. A false equation anywhere refuses the answer.
          Refused: what is left to compute (12 * 5, 6/8), multiplying or comparing words (dozen, pairs,
          more, less, times, half of), approximation and bounds (about, ~, at least, over, \approx), a
          unit of the dimension asked for that is another one, a fraction where a decimal is asked.
          p% is p/100; where the question or the reference has percent, it is p too. Exact: no tolerance.
Formula   one formula, in its delimiters or alone, a list joined by commas, "and", "or"; a leading name
          (x =, f(x) =, "The side is") and a unit or \pmod{} behind it may be left out. Lists and sets in any
          order, intervals, tuples, matrices, equations (up to a constant factor), inequalities in one
          symbol as intervals. `exact \approx decimal` is the exact one. Equal is what is proved equal;
          nothing may be left to compute (3*3*\pi, 2/2^{150}: factors that reduce), nor functions used that
          the reference has not; simplify, expand, factor and rationalize are obeyed; the prompt's own
          expression is no answer. A condition behind it may only name a variable's domain ($k \in
          \mathbb{Z}$, "where n is the number of sides"). A time of day stands alone or behind "is".
          A value has at most 200,000 bits, a sum is raised to 60 at most.
Choice    a label (B, (b), "Option B"), the choice's text (by key: case, articles, hyphens and plural aside),
          or both where they agree; "B is correct". Or one sentence that names one choice and otherwise
          uses only the question's words. Its reason names no other choice, by label or text, unless it
          dismisses it: "not C", "unlike C", "rather than C", "A and C are wrong".
YesNo     yes, no, true or false first, then an end or a pronoun or "the" ("no one" is no verdict); "it is
          true". Its reason never says the other word or judgement ("it is false"), and a clause in the
          question's own words has the verdict's polarity: "No, it cannot" is no doubt.
ShortText the reference or an alias by key, alone, or in one sentence that otherwise uses only the
          question's words and names no alternative. Other candidates are unknown, so what follows must
          show that it is a reason: because, since, as, which, "It makes ...", "(plural: ...)", the
          question's own words, or "not X". A second name is refused. Keys know number words, but neither
          ordinals in words nor British spelling.
Reason    (Number, Formula) names no other number: given ones with their word, and true equations that end
          in the verdict, are none; a line or clause that is nothing but another number always is one.

`read` tells what an answer states, `score` says it as a component does, `stated`, `equations` and `reaches`
read reasoning. Pure, picklable, linear in the text; sympy and math-verify are only imported for formulas.
"""

from rewards.reading.numbers import equations
from rewards.reading.verdicts import reaches
from rewards.reading.verdicts import read
from rewards.reading.verdicts import Refusal
from rewards.reading.verdicts import stated
from rewards.reading.verdicts import Verdict
from rewards.schema import Reference
from rewards.schema import Score


def score(text: str, reference: Reference, prompt: str) -> Score:
  """Returns 1.0 when `text` states the reference, else 0.0, with the reason."""
  verdict, expected = read(text, reference, prompt), reference.text[-80:] or getattr(reference, "label", "")
  if isinstance(verdict, Refusal):
    return Score(0.0, reason=f"{verdict.reason} Expected {expected!r}.", cause=verdict.cause)
  agrees = "is" if verdict.correct else "is not"
  reason = f"The answer states {verdict.stated[:80]!r}, which {agrees} {expected!r}."
  return Score(float(verdict.correct), reason=reason)
