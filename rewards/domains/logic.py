"""Logic answers: yes or no, true or false, as the answer states it.

One real input: the answer `No, because the Police are musicians.` against YesNo(value=False). How it is
read stands in rewards/reading. Not here: whether the reasoning supports the verdict.
"""

from rewards import reading
from rewards.registry import register
from rewards.schema import Choice
from rewards.schema import Completion
from rewards.schema import Example
from rewards.schema import Score
from rewards.schema import YesNo


@register("yes_no", kind="correctness", domains=("logic",))
def yes_no(completion: Completion, example: Example) -> Score | None:
  """1.0 when the answer's verdict (yes, no, true or false) is the reference's, else 0.0.

  A row of choices is read as a choice; None for references of other types.

  A policy might say both ("Yes. No."), turn round ("Yes, but actually no"), hedge ("No. But it is not
  clear."), put a condition ("Yes, unless it can't") or restate the question against its own verdict; a
  verdict that anything behind it contradicts or withdraws is refused, and the reason names the rule.
  """
  if not isinstance(example.reference, (YesNo, Choice)):
    return None
  return reading.score(completion.answer, example.reference, example.prompt, completion.reasoning)
