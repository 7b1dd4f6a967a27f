"""Science answers: one of several choices, or a short free text.

One real input: `(B) Carbon dioxide` against Choice(label="B", text="carbon dioxide", ...), or the answer
`The mitochondria.` against Text("mitochondrion"). How they are read stands in rewards/reading.
Not here: synonyms that the row does not list as aliases, paraphrase, formulas.
"""

from rewards import reading
from rewards.registry import register
from rewards.schema import Choice
from rewards.schema import Completion
from rewards.schema import Example
from rewards.schema import Score
from rewards.schema import Text


@register("science_answer", kind="correctness", domains=("science",))
def science_answer(completion: Completion, example: Example) -> Score | None:
  """1.0 when the answer is the reference's choice or text, however it is dressed, else 0.0.

  A choice is given by its label, its text, or both where they agree; free text agrees by key (case,
  articles, punctuation, hyphens and plural aside) with the reference or an alias. A reference that is a
  bare letter, of a row that lost its choices, is a label. None for references of other types.

  A policy might list candidates, give a label with another choice's text, deny ("not B"), hedge, hide
  the word in a longer one ("stem cell") or add a second name ("X, also known as Y"). None is paid: what
  follows the verdict must name no other candidate, and in free text must show that it is a reason.
  """
  if not isinstance(example.reference, (Choice, Text)):
    return None
  return reading.score(completion.answer, example.reference, example.prompt, completion.reasoning)
