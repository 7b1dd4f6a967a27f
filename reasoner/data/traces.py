"""Traces: what rows look like as completions to imitate, for the supervised cold start.

  Trace(uid="gsm8k/main/train/4", domain="math", prompt="<start_of_turn>user\n... Nora has 27 shells ...",
        completion="<reasoning>Count on from 27: ...</reasoning>\n<answer>30</answer>")

A trace is one rendered prompt and one completion made from the row itself: the data set's own
rationale where it has one (`extra["rationale"]`, which rationales.py may have joined), else what
plans.py makes of it, and the reference as the answer. Which rows become traces is not decided here.
"""

from collections.abc import Callable, Iterator, Sequence
import dataclasses
import os
import re

from reasoner.data import plans
from reasoner.data import prompts
from rewards import format as output_format
from rewards.schema import Example
from rewards.schema import Text

Writer = Callable[[str, str], str]  # (reasoning, answer) -> completion
Plan = Callable[[Example, str], str]  # (example, its own words) -> reasoning where it has no rationale


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trace:
  """A prompt with a completion to imitate."""

  uid: str
  domain: str
  prompt: str
  completion: str


# A sentence, or an item of a list with its number: an answer that ends in a bare "3." teaches to count on.
_NUMBER_AHEAD = r"\s+(?=\d\d?[.)]\s)"
_SENTENCE = re.compile(
    rf"(\d+[.)]\s+)?.+?(?:[.!?]+[\"')]*(?=\s)\s*|\n+|(?<=:){_NUMBER_AHEAD}|(?(1){_NUMBER_AHEAD}|(?!))|$)",
    re.DOTALL,
)


def build_traces(
    examples: Sequence[Example],
    tokenizer: prompts.Tokenizer,
    *,
    max_prompt_tokens: int,
    max_completion_tokens: int,
    writers: Sequence[Writer] | None = None,
    plan: Plan = plans.plan,
) -> list[Trace]:
  """Returns one trace for each example, in order; a pure function of its arguments.

  Text that is too long loses sentences at its end: first the reasoning, unless it is the row's own
  way to an answer that can be checked, then a free-text answer. An example that still does not fit, or that
  has no reference to imitate, gives no trace: half of a chain of reasoning does not lead to its answer.

  Args:
    examples: what to write traces for, in the shares in which domains shall be trained.
    max_prompt_tokens: as in GRPO: prompts are shortened in the same way.
    max_completion_tokens: the longest completion, its end token included. Below what sampling has room
      for, completions learn to end early, which keeps greedy decoding from looping until it is cut off.
    writers: who writes each trace; None writes all of them in the right format.
    plan: what rows without a rationale reason.
  """
  own = own_words(examples)
  fitter = prompts.Fitter(tokenizer=tokenizer, max_tokens=max_prompt_tokens)
  traces = []
  for number, example in enumerate(examples):
    if not example.reference.text:
      continue
    completion = _fitting(
        reasoning_for(example, own[example.uid], plan),
        example.reference.text,
        writers[number] if writers else output_format.render,
        tokenizer,
        max_completion_tokens,
        may_cut=(
            isinstance(example.reference, Text) or not example.extra.get("rationale"),
            isinstance(example.reference, Text),
        ),
    )
    read = fitter.fit(example)
    if completion is not None and read is not None:
      prompt = prompts.render(read.prompt, tokenizer.turns)
      traces.append(Trace(uid=example.uid, domain=example.domain, prompt=prompt, completion=completion))
  return traces


def vocabulary_texts(examples: Sequence[Example], plan: Plan = plans.plan) -> Iterator[str]:
  """Yields what a vocabulary of its own is learned from: prompts, reasoning and answers."""
  own = own_words(examples)
  for example in examples:
    yield from (example.prompt, reasoning_for(example, own[example.uid], plan), example.reference.text)


def own_words(examples: Sequence[Example]) -> dict[str, str]:
  """Returns by uid the prompt without what all prompts of its data set begin with."""
  by_dataset: dict[str, dict[str, str]] = {}
  for example in examples:
    by_dataset.setdefault(example.uid.split("/")[0], {})[example.uid] = example.prompt
  own = {}
  for texts in by_dataset.values():
    shared = os.path.commonprefix(list(texts.values())) if len(texts) > 1 else ""
    start = len(shared) - len(re.search(r"\S*$", shared)[0])  # back to where a word begins
    own |= {uid: text[start:] for uid, text in texts.items()}
  return own


def reasoning_for(example: Example, own_words: str, plan: Plan = plans.plan) -> str:
  """Returns the row's own rationale, else a plan.

  Args:
    own_words: the prompt without what all prompts of its data set share.
  """
  return str(example.extra.get("rationale") or "").strip() or plan(example, own_words)


def _fitting(
    reasoning: str,
    answer: str,
    write: Writer,
    tokenizer: prompts.Tokenizer,
    max_tokens: int,
    may_cut: tuple[bool, bool],
) -> str | None:
  """Returns the completion, its reasoning and its answer cut where they may be; None where it cannot fit."""
  parts = [[reasoning], [answer]]
  fits = lambda completion: len(tokenizer.encode(completion)) < max_tokens  # noqa: E731 - and the end token
  for part, cut in zip(parts, may_cut):
    completion = write(*("".join(sentences).strip() for sentences in parts))
    if cut and not fits(completion):
      part[:] = [found[0] for found in _SENTENCE.finditer(part[0])]
      while len(part) > 1 and not fits(completion):
        part.pop()
        completion = write(*("".join(sentences).strip() for sentences in parts))
  return completion if fits(completion) else None
