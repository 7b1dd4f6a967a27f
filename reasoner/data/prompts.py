"""The one prompt: a user turn with the instruction and the task; then the model's turn opens.

Training and evaluation both call `render`. The template is saved with every checkpoint and a
checkpoint made under another one is refused: a mismatch in white space alone once cost 94 % -> 55 %
format compliance. Gemma has no system role, so the instruction stands in the user turn. How turns are
marked is the model family's own: its tokenizer carries them.

The reward reads what the policy read: an over-long Example is replaced by one whose passage is cut,
and one that cannot be cut to fit is dropped and counted, both before anything is drawn.
"""

from collections.abc import Collection
import dataclasses
import json
from typing import Protocol

from reasoner.data.corpus import Corpus

from rewards.errors import ConfigError
from rewards.format import ANSWER_CLOSE
from rewards.format import ANSWER_OPEN
from rewards.format import REASONING_CLOSE
from rewards.format import REASONING_OPEN
from rewards.schema import Example

INSTRUCTION = f"""\
Think step by step inside {REASONING_OPEN} tags, then give the final answer inside {ANSWER_OPEN} tags.
Use exactly this format:
{REASONING_OPEN}your step-by-step thinking{REASONING_CLOSE}
{ANSWER_OPEN}your final answer{ANSWER_CLOSE}"""

BEFORE_TASK = f"{INSTRUCTION}\n\nTask: "

CUT_MARK = " … "
LEAST_TASK_TOKENS = 8
TOO_LONG = "longer than the prompt limit"
_MOST_TOKENS_BESIDES = 16  # what a tokenizer may add to one token a byte


@dataclasses.dataclass(frozen=True, kw_only=True)
class Turns:
  """How a family marks who speaks. start, end: one token each; user, model: what names them after `start`."""

  start: str
  end: str
  user: str = "user\n"
  model: str = "model\n"


class Tokenizer(Protocol):
  """What is needed of a tokenizer; neither method adds or drops special tokens."""

  turns: Turns

  def encode(self, text: str) -> list[int]: ...

  def decode(self, ids: list[int]) -> str: ...


def template(turns: Turns) -> str:
  """Returns the prompt with "{task}" where the task belongs."""
  return f"{turns.start}{turns.user}{BEFORE_TASK}{{task}}{turns.end}\n{turns.start}{turns.model}"


def render(task: str, turns: Turns) -> str:
  """Returns the prompt for a task, without BOS.

  Surrounding white space is dropped, and turn markers in it are defused so that a data row cannot
  open a turn of its own.
  """
  return template(turns).format(task=_defused(task, turns).strip())


def chat_template(turns: Turns) -> str:
  """Returns Jinja source that makes of one user message what `render` does, after a BOS token.

  It goes with an exported model, so that whoever chats with it asks as it was trained. A system message
  stands before the task of the next user message; earlier turns keep the instruction.
  """
  defused = "".join(f" | replace({json.dumps(a)}, {json.dumps(b)})" for a, b in defusals(turns).items())
  opened, reply, closed = turns.start + turns.user + BEFORE_TASK, turns.start + turns.model, turns.end + "\n"
  user, model, end = map(json.dumps, (opened, reply, closed))
  return f"""\
{{{{- bos_token -}}}}
{{%- set told = namespace(system="") -%}}
{{%- for message in messages -%}}
  {{%- set text = message["content"]{defused} | trim -%}}
  {{%- if message["role"] == "system" -%}}
    {{%- set told.system = text + "\\n\\n" -%}}
  {{%- elif message["role"] == "user" -%}}
    {{{{- {user} + told.system + text + {end} -}}}}
    {{%- set told.system = "" -%}}
  {{%- else -%}}
    {{{{- {model} + text + {end} -}}}}
  {{%- endif -%}}
{{%- endfor -%}}
{{%- if add_generation_prompt -%}}
  {{{{- {model} -}}}}
{{%- endif -%}}
"""


def defusals(turns: Turns) -> dict[str, str]:
  """Returns what stands in a text in place of each marker: itself, with a space after its first character."""
  return {marker: f"{marker[0]} {marker[1:]}" for marker in (turns.start, turns.end)}


def _defused(text: str, turns: Turns) -> str:
  for marker, harmless in defusals(turns).items():
    text = text.replace(marker, harmless)
  return text


class Renderer:
  """Prompts as token ids, BOS included, each made once. count: how many were made."""

  def __init__(self, tokenizer):
    self._tokenizer = tokenizer
    self._ids: dict[str, list[int]] = {}

  @property
  def count(self) -> int:
    return len(self._ids)

  def __call__(self, example: Example) -> list[int]:
    if example.uid not in self._ids:
      prompt = render(example.prompt, self._tokenizer.turns)
      self._ids[example.uid] = [self._tokenizer.bos_id(), *self._tokenizer.encode(prompt)]
    return self._ids[example.uid]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fitter:
  """Makes prompts fit by cutting passages in their middle, and nothing else.

  tokenizer: counts tokens. max_tokens: room for the whole prompt including one BOS token.

  Raises:
    ConfigError: not even a few words of a task would fit.
  """

  tokenizer: Tokenizer
  max_tokens: int

  def __post_init__(self):
    frame = self._frame()
    if self.max_tokens - frame < LEAST_TASK_TOKENS:
      raise ConfigError(
          f"config.rollout.max_prompt_tokens={self.max_tokens}: the instruction alone takes {frame} tokens; "
          f"expected {frame + LEAST_TASK_TOKENS} or more."
      )

  def _frame(self) -> int:
    return self._length("")

  def _length(self, task: str) -> int:
    return 1 + len(self.tokenizer.encode(render(task, self.tokenizer.turns)))

  def fit(self, example: Example) -> Example | None:
    """Returns the example, its passage cut to fit where need be; None where that does not help."""
    if self._length(example.prompt) <= self.max_tokens:
      return example
    if not example.passage:
      return None
    turns = self.tokenizer.turns
    before, passage, after = (_defused(part, turns) for part in example.prompt.partition(example.passage))
    room = self.max_tokens - self._length(before + CUT_MARK + after)
    ids = self.tokenizer.encode(passage)
    while room >= LEAST_TASK_TOKENS:
      head, tail = ids[: (room + 1) // 2], ids[len(ids) - room // 2 :]
      # A cut inside of a byte-fallback character decodes to U+FFFD: drop the broken edge.
      head, tail = self.tokenizer.decode(head).rstrip("\ufffd "), self.tokenizer.decode(tail).lstrip("\ufffd ")
      cut = head + CUT_MARK + tail
      prompt = before + cut + after
      excess = self._length(prompt) - self.max_tokens
      if excess <= 0:
        extra = dict(example.extra)
        if isinstance(extra.get("task_text"), str):  # a reward that compares with it must see no more
          extra["task_text"] = _defused(extra["task_text"], turns).replace(passage, cut)
        return dataclasses.replace(example, prompt=prompt, passage=cut, extra=extra)
      room -= excess  # decoding and encoding again can take a token more
    return None

  def drop_too_long(self, corpus: Corpus) -> Corpus:
    """Returns the corpus without the rows of which what must not be cut is too long, counted.

    Raises:
      ConfigError: a domain has no row left.
    """
    frame = self._frame() + _MOST_TOKENS_BESIDES

    def fits(example: Example) -> bool:
      kept = example.prompt.replace(example.passage, CUT_MARK, 1) if example.passage else example.prompt
      if frame + LEAST_TASK_TOKENS + len(kept.encode("utf-8", "replace")) <= self.max_tokens:
        return True  # without the cost of encoding it
      return self.fit(example) is not None

    dropped = {example.uid: TOO_LONG for example in corpus.examples() if not fits(example)}
    corpus = corpus.without(dropped)
    corpus.require_rows()
    return corpus

  def cut(self, corpus: Corpus, uids: Collection[str]) -> tuple[Corpus, int]:
    """Returns the corpus with the examples of these uids as the policy will read them, and how many were cut."""
    read = {e.uid: self.fit(e) for e in corpus.examples() if e.uid in uids}
    shortened = sum(read[e.uid] is not e for e in corpus.examples() if e.uid in uids)
    return corpus.map(lambda example: read.get(example.uid, example)), shortened


def too_long(corpus: Corpus, roles: Collection[str]) -> list[str]:
  """Returns a line that tells, by data set, how many rows of these roles were too long; none for none."""
  counts: dict[str, int] = {}
  for origin, reasons in corpus.counts.items():
    if origin.role in roles and reasons[TOO_LONG]:
      counts[origin.dataset] = counts.get(origin.dataset, 0) + reasons[TOO_LONG]
  listed = ", ".join(f"{dataset} {count:,}" for dataset, count in sorted(counts.items()))
  return [f"left out, {TOO_LONG}: {listed}"] if counts else []
