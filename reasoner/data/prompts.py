"""The one prompt: a Gemma user turn with the instruction and the task; then the model's turn opens.

Training and evaluation both call `render`. The template is saved with every checkpoint and a
checkpoint made under another one is refused: a mismatch in white space alone once cost 94 % -> 55 %
format compliance. Gemma has no system role, so the instruction stands in the user turn.
"""

import dataclasses
from typing import Protocol

from rewards.errors import ConfigError
from rewards.format import ANSWER_CLOSE
from rewards.format import ANSWER_OPEN
from rewards.format import REASONING_CLOSE
from rewards.format import REASONING_OPEN

INSTRUCTION = f"""\
Think step by step inside {REASONING_OPEN} tags, then give the final answer inside {ANSWER_OPEN} tags.
Use exactly this format:
{REASONING_OPEN}your step-by-step thinking{REASONING_CLOSE}
{ANSWER_OPEN}your final answer{ANSWER_CLOSE}"""

TEMPLATE = f"<start_of_turn>user\n{INSTRUCTION}\n\nTask: {{task}}<end_of_turn>\n<start_of_turn>model\n"

CUT_MARK = " … "
LEAST_TASK_TOKENS = 8


class Tokenizer(Protocol):
  """What is needed of a tokenizer; neither method adds or drops special tokens."""

  def encode(self, text: str) -> list[int]: ...

  def decode(self, ids: list[int]) -> str: ...


@dataclasses.dataclass(frozen=True)
class Prompt:
  """A rendered prompt. shortened: whether the task was cut to fit."""

  text: str
  shortened: bool


def render(task: str, tokenizer: Tokenizer | None = None, max_tokens: int | None = None) -> Prompt:
  """Returns the prompt for a task, cut in the task's middle to at most `max_tokens` tokens.

  Args:
    task: the question; surrounding white space is dropped, and turn markers in it are defused so
      that a data row cannot open a turn of its own.
    tokenizer: counts tokens; needed with max_tokens.
    max_tokens: room for the whole prompt including one BOS token.

  Raises:
    ConfigError: not even a few words of a task would fit.
  """
  task = task.strip().replace("<start_of_turn>", "< start_of_turn>").replace("<end_of_turn>", "< end_of_turn>")
  text = TEMPLATE.format(task=task)
  if max_tokens is None or 1 + len(tokenizer.encode(text)) <= max_tokens:
    return Prompt(text, shortened=False)
  frame = 1 + len(tokenizer.encode(TEMPLATE.format(task="")))
  room = max_tokens - frame - len(tokenizer.encode(CUT_MARK))
  if room < LEAST_TASK_TOKENS:
    raise ConfigError(
        f"config.rollout.max_prompt_tokens={max_tokens}: the instruction alone takes {frame} tokens; expected "
        f"{max_tokens + LEAST_TASK_TOKENS - room} or more."
    )
  ids = tokenizer.encode(task)
  while True:
    head, tail = ids[: (room + 1) // 2], ids[len(ids) - room // 2 :]
    # A cut inside of a byte-fallback character decodes to U+FFFD: drop the broken edge.
    middle = tokenizer.decode(head).rstrip("\ufffd ") + CUT_MARK + tokenizer.decode(tail).lstrip("\ufffd ")
    text = TEMPLATE.format(task=middle.strip())
    excess = 1 + len(tokenizer.encode(text)) - max_tokens
    if excess <= 0:
      return Prompt(text, shortened=True)
    room -= excess  # decoding and encoding again can take a token more
