"""What a prompt tells the frozen model about an answer: a quality for tasks that have no truth.

One real input: "Give me a list of five fruits." makes "apple, pear, plum, fig, kiwi" far likelier than it is
out of nowhere, and "How do volcanoes form?" does not. Nothing is trained for this: the policy's own
reference answers, see `rewards.schema.Model`.
"""

from collections.abc import Mapping, Sequence
import math
from typing import Any

from rewards.domains import guards
from rewards.errors import ConfigError
from rewards.measures import text
from rewards.registry import register
from rewards.schema import Completion
from rewards.schema import Example
from rewards.schema import Model
from rewards.schema import Score

# What stands between a task and its answer where a base model goes on from one to the other.
BREAK = "\n\n"


def gains(prompts: Sequence[str], answers: Sequence[str], model: Model) -> list[float]:
  """Returns by how many nats a token each prompt makes its answer likelier; 0 for an answer of no token."""
  given = model.log_probabilities([f"{prompt.strip()}{BREAK}" for prompt in prompts], answers)
  alone = model.log_probabilities([""] * len(answers), answers)
  return [(math.fsum(a) - math.fsum(b)) / max(1, len(a)) for a, b in zip(given, alone, strict=True)]


@register("information", kind="quality", scope="model")
def information(
    completions: Sequence[Completion],
    examples: Sequence[Example],
    model: Model,
    *,
    full: float = 0.5,
) -> list[Score]:
  """How much likelier the prompt makes the answer under the frozen model, in nats a token.

  The mean log-probability of the answer's tokens given the prompt less that given an empty one: 0 up to 0,
  1 from `full` on. Nothing raises it like repeating the prompt, so it is
  multiplied by `pasting`, the guard at its own settings. It knows what belongs to the prompt and not what is
  good: a paraphrase that changes every third word of the prompt, or a salad of words that go with it, passes.
  Under Gemma 3 270M it put a person's list or short story above another task's in 28 of 29, but a Reddit
  story, whose beginning need not show its prompt, in 33 of 40.
  """
  scores = []
  found = gains([e.prompt for e in examples], [c.answer for c in completions], model)
  for completion, example, gain in zip(completions, examples, found):
    own = guards.pasting(completion, example)
    score = own * text.ramp(gain, 0.0, full)
    scores.append(Score(score, f"{gain:+.2f} nats a token by the prompt; pasting {float(own):.2f}."))
  return scores


def _check(settings: Mapping[str, Any], place: str) -> None:
  if settings.get("full") == 0:
    raise ConfigError(f"{place}.full=0: expected nats above 0.")


information.check = _check
