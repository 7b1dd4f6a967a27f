"""The output format: the tags, how a completion is parsed, and the gate.

  >>> parse("<reasoning>6 times 7 is 42.</reasoning>\n<answer>42</answer>").answer
  '42'

The gate is strict because everything behind it is paid: exactly one closed pair of each tag,
reasoning before answer, no overlap, both non-empty. A reasoning in which no word stands ("...", "&nbsp;",
"<br>") or one word over and over ("banana banana banana") is empty. Text outside of the tags is allowed: it
is neither read nor paid. Tags are matched to the letter: `<Answer>` and `< answer>` are plain text.
"""

import re

from rewards.schema import Completion

REASONING_OPEN, REASONING_CLOSE = "<reasoning>", "</reasoning>"
ANSWER_OPEN, ANSWER_CLOSE = "<answer>", "</answer>"
TAGS = (REASONING_OPEN, REASONING_CLOSE, ANSWER_OPEN, ANSWER_CLOSE)

# Why the gate refuses, in the order in which it looks.
FAILURES = ("missing", "unclosed", "duplicate", "order", "empty")

# What renders as nothing is nothing: white space, control and formatting characters, fillers,
# variation selectors, tag characters and lone surrogates.
_VISIBLE = re.compile(
    r"[^\s\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    r"\u2028-\u202e\u2060-\u206f\u2800\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    r"\U000e0000-\U000e0fff]"
)
_TAG = re.compile("|".join(TAGS))
# Of reasoning, what is said: words, numbers and signs of arithmetic, but no markup and no layout.
_UNSAID = re.compile(r"<[^<>]*>|&#?\w+;|\\[a-zA-Z]+")
_SAID = re.compile(r"[^\W_]+|(?<=\d)\s*[-+*/=\u00d7\u00f7]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def render(reasoning: str, answer: str) -> str:
  """Returns a completion in the output format; `parse` gives both texts back."""
  return f"{REASONING_OPEN}{reasoning}{REASONING_CLOSE}\n{ANSWER_OPEN}{answer}{ANSWER_CLOSE}"


def parse(text: str) -> Completion:
  """Splits a completion into reasoning and answer and applies the gate.

  Args:
    text: anything a model can write. Lone surrogates are U+FFFD in reasoning and answer.

  Returns:
    A Completion whose `failure` is None when the format is right, else one of FAILURES:
    "missing" (a pair of tags never opens), "unclosed" (opened and never closed: usually truncated),
    "duplicate" (a tag twice), "order" (answer before or inside of reasoning, or closed before
    opened), "empty" (nothing visible inside, or a reasoning that says nothing). Reasoning and answer
    are then empty.
  """
  at = {tag: text.find(tag) for tag in TAGS}
  failure = _failure(text, at)
  if failure:
    return Completion(text=text, failure=failure)
  reasoning = text[at[REASONING_OPEN] + len(REASONING_OPEN) : at[REASONING_CLOSE]]
  answer = text[at[ANSWER_OPEN] + len(ANSWER_OPEN) : at[ANSWER_CLOSE]]
  said = [word.strip().lower() for word in _SAID.findall(_UNSAID.sub(" ", reasoning))]
  says_one_thing = len(said) > 1 == len(set(said))
  if not said or says_one_thing or not all(map(_VISIBLE.search, (reasoning, answer))):
    return Completion(text=text, failure="empty")
  return Completion(text=text, reasoning=_encodable(reasoning).strip(), answer=_encodable(answer).strip())


def mended(text: str) -> str:
  """Returns a refused completion as a lenient reader takes it, in the format: what training without a gate scores.

  The answer is what follows the last `<answer>`, else the last `</reasoning>`, else all of it; the
  reasoning is what stands before, or all of it too. Where one of them stays empty, the gate refuses the result as well.
  """
  opener = next((tag for tag in (ANSWER_OPEN, REASONING_CLOSE) if tag in text), None)
  before, _, answer = text.rpartition(opener) if opener else (text, "", text)
  return render(*(_TAG.sub(" ", part) for part in (before, answer.split(ANSWER_CLOSE)[0])))


def _encodable(text: str) -> str:
  # Tokenizers, files and sockets refuse a lone surrogate, and a batch with one would fail whole.
  return _SURROGATE.sub("\ufffd", text)


def _failure(text: str, at: dict[str, int]) -> str | None:
  for opened, closed in ((REASONING_OPEN, REASONING_CLOSE), (ANSWER_OPEN, ANSWER_CLOSE)):
    if at[opened] < 0:
      # Running out of tokens inside of the reasoning is a truncation, not a missing answer.
      unfinished = at[REASONING_OPEN] >= 0 and at[REASONING_CLOSE] < 0
      return "unclosed" if unfinished else "missing"
    if at[closed] < 0:
      return "unclosed"
  if any(text.count(tag) > 1 for tag in TAGS):
    return "duplicate"
  positions = [at[tag] for tag in TAGS]
  return None if positions == sorted(positions) else "order"
