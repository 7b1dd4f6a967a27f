r"""Mathematical answers: one final value, compared exactly.

One real input: the answer `The total is 5 + 55 = **60** apples.` against the reference `60`; or
`$x = \frac{\sqrt{12}}{2}$` against `\sqrt{3}`. How they are read stands in rewards/reading.
Not here: deadlines. Absurd input is refused before sympy sees it, and the worker process is killed when
something slow gets through.
"""

from rewards import reading
from rewards.reading import formula
from rewards.registry import register
from rewards.schema import Completion
from rewards.schema import Example
from rewards.schema import Number
from rewards.schema import Score


@register("math_answer", kind="correctness", domains=("math",))
def math_answer(completion: Completion, example: Example) -> Score | None:
  r"""1.0 when the answer states exactly the reference and nothing else, else 0.0.

  Awkward input: several candidates, negations, hedges, bounds, false equations, unevaluated arithmetic
  and anything too long, too deep or too large to compute score 0.0 with a reason that names the rule.
  None where there is no reference, or another than a number or a formula.

  How a policy might cheat, and what stops it: naming several candidates (one is read, rivals refuse it),
  also one in the answer and another where the reasoning concludes;
  leaving the work to the grader with `12 * 5`, `\sum` or `4!` (a number must be written out, and a
  function must stand in the reference to stand in the answer); rounding (no tolerance anywhere);
  9^9^9^9, 1e999999999, thousands of brackets or digits (sizes are checked before anything computes).
  """
  if not isinstance(example.reference, Number) or not example.reference.text:
    return None
  return reading.score(completion.answer, example.reference, example.prompt, completion.reasoning)


def warm() -> None:
  """Pays sympy's import and first call before the first symbolic answer has to."""
  formula.warm()
