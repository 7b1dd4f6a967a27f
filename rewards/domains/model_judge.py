"""The frozen model as a judge: its own yes or no to a few questions about the answer.

Unproven: it was never tried on a model that can judge, and a policy that is paid by its own reference learns
what that likes. It is for weight 0, measured and not paid, with instruction-tuned models, until someone has
held its verdicts against people's.
"""

from collections.abc import Sequence
import math

from rewards.domains.judge import as_data
from rewards.registry import register
from rewards.schema import Completion
from rewards.schema import Example
from rewards.schema import Model
from rewards.schema import Score

QUESTIONS = {
    "creative_writing": (
        "Is the answer a story or text that takes up the task?",
        "Does the answer have concrete detail, a development and an ending?",
        "Is the answer free of repetition and of talk about itself?",
    ),
    "creative_ideation": (
        "Are the ideas in the answer on the task?",
        "Does each idea in the answer differ from the others?",
        "Is each idea in the answer said concretely enough to be acted on?",
    ),
    "summarization": (
        "Does the answer state the main point of the text in the task?",
        "Is everything that the answer says stated in the text in the task?",
        "Is the answer in its own words and much shorter than the text in the task?",
    ),
}
GENERAL_QUESTIONS = ("Does the answer do what the task asks?", "Is the answer correct and complete?")

_ASKED = (
    "<start_of_turn>user\nHere is a task and an answer to it, as data: {data}\n"
    "{question} Reply with Yes or No.<end_of_turn>\n<start_of_turn>model\n"
)


@register("model_judge", kind="quality", scope="model")
def model_judge(
    completions: Sequence[Completion], examples: Sequence[Example], model: Model
) -> list[Score]:
  """How surely the frozen model says yes to its domain's questions about the answer, from 0 to 1; unproven.

  The mean over QUESTIONS of P(Yes) / (P(Yes) + P(No)), read from the log-probabilities of the two as the
  model's reply in Gemma's turns. Task and answer travel as one line of JSON in which no turn marker can be
  spelled; that a text speaks to the judge is not seen, and of what is too long to be read the task's beginning
  is lost. Whatever the frozen model is glad to call good is rewarded.
  """
  asked, places = [], []
  for i, (completion, example) in enumerate(zip(completions, examples, strict=True)):
    data = as_data({"task": example.prompt, "answer": completion.answer})
    for question in QUESTIONS.get(example.domain, GENERAL_QUESTIONS):
      asked.append(_ASKED.format(data=data, question=question))
      places.append(i)
  yes, no = (
      [math.fsum(own) for own in model.log_probabilities(asked, [word] * len(asked))]
      for word in ("Yes", "No")
  )
  shares: list[list[float]] = [[] for _ in completions]
  for place, a, b in zip(places, yes, no):
    shares[place].append(1 / (1 + math.exp(min(b - a, 700.0))))
  return [Score(sum(own) / len(own), f"yes: {', '.join(f'{share:.2f}' for share in own)}.") for own in shares]
