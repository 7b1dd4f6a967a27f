r"""The supervised cold start: what a model is shown of the output format before GRPO begins.

  traces = build_traces(examples, tokenizer, max_prompt_tokens=80, max_completion_tokens=96, seed=0,
                        flaws=Flaws())
  learner = Learner(model, mesh, steps=700, learning_rate=3e-3, warmup_fraction=0.07)
  for batch in batches(traces, tokenizer, batch_size=32, ...):
    loss = learner.update(batch)

A trace is one rendered prompt and one completion made from the row itself: the data set's own
rationale where it has one (`extra["rationale"]`), else a sentence or two that fit the domain, and
the reference as the answer. Nothing is distilled from another model.

GRPO can only sharpen what the policy sometimes does, so a cold start may be *deliberately imperfect*
(`Flaws`): it shows right and wrong completions side by side, as traces of careless writers would.
Who writes is decided by the prompt's opening word. A seeded half of a domain's opening words have a
writer who often breaks the format, always in the same way (`HABITS`); in domains with a truth, some
of the other half have a writer who often reasons well and then answers `NO_ANSWER`. A model that has
learned such traces gets some kinds of prompts right when it decodes greedily and others wrong, while
sampling finds the right way everywhere: what is left to do is what rewards can teach. No flaw
touches the evaluation rows, the prompts or the rewards, and none teaches a wrong fact.

The training is Tunix's own trainer: all weights of a bare model, the LoRA weights alone of a
model that has them. Not here: which rows are drawn (sampling.py) and where states are kept
(checkpoints.py).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
import dataclasses
import functools
import os
import random
import re
from typing import Any

import numpy as np

from reasoner.data import prompts
from rewards import format as output_format
from rewards.errors import ConfigError
from rewards.schema import Example
from rewards.schema import Text

NO_ANSWER = "I am not sure."


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trace:
  """A prompt with a completion to imitate. habit: the flaw that it shows, or None."""

  domain: str
  prompt: str
  completion: str
  habit: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flaws:
  """How imperfect the traces are; all are shares from 0 to 1.

  openings: of a domain's prompts, by opening word, those whose writer breaks the format.
  no_answers: of a verifiable domain's prompts, those whose writer does not answer instead.
  careless: how often such a writer does so.
  careful: how often all other writers break the format, each time in another way.
  """

  openings: float = 0.5
  no_answers: float = 0.2
  careless: float = 0.7
  careful: float = 0.25

  def __post_init__(self):
    for name, value in dataclasses.asdict(self).items():
      if not 0 <= value <= 1:
        raise ConfigError(f"config.cold_start.flaws.{name}={value!r}: expected a share from 0 to 1.")


def _answer_never_closed(reasoning: str, answer: str) -> str:
  return output_format.render(reasoning, answer).removesuffix(output_format.ANSWER_CLOSE)


def _reasoning_never_closed(reasoning: str, answer: str) -> str:
  return output_format.render(reasoning, answer).replace(output_format.REASONING_CLOSE, "", 1)


def _answer_without_tags(reasoning: str, answer: str) -> str:
  return f"{output_format.REASONING_OPEN}{reasoning}{output_format.REASONING_CLOSE}\n{answer}"


def _answer_twice(reasoning: str, answer: str) -> str:
  again = f"\n{output_format.ANSWER_OPEN}{answer}{output_format.ANSWER_CLOSE}"
  return output_format.render(reasoning, answer) + again


def _reasoning_without_tags(reasoning: str, answer: str) -> str:
  return f"{reasoning}\n{output_format.ANSWER_OPEN}{answer}{output_format.ANSWER_CLOSE}"


# Each breaks the format in one way that the gate names: unclosed, unclosed, missing, duplicate, missing.
HABITS: dict[str, Callable[[str, str], str]] = {
    "answer_never_closed": _answer_never_closed,
    "reasoning_never_closed": _reasoning_never_closed,
    "answer_without_tags": _answer_without_tags,
    "answer_twice": _answer_twice,
    "reasoning_without_tags": _reasoning_without_tags,
}


def build_traces(
    examples: Sequence[Example],
    tokenizer: prompts.Tokenizer,
    *,
    max_prompt_tokens: int,
    max_completion_tokens: int,
    seed: int,
    flaws: Flaws | None = None,
) -> list[Trace]:
  """Returns one trace for each example, in order; a pure function of its arguments.

  An example may occur several times: each time its writer decides anew. Text that is too long loses
  sentences at its end, first of the reasoning, then of a free-text answer; an example whose answer
  must not be cut and does not fit gives no trace.

  Args:
    examples: what to write traces for, in the shares in which domains shall be trained.
    max_prompt_tokens: as in GRPO: prompts are shortened in the same way.
    max_completion_tokens: room for the completion and its end token.
    flaws: None writes every trace in the right format.
  """
  own_words = _own_words(examples)
  habits = _habits(examples, own_words, flaws, seed) if flaws else {}
  traces = []
  for number, example in enumerate(examples):
    own = own_words[example.uid]
    draw = random.Random(f"{seed}/{number}/{example.uid}")
    habit = habits.get((example.domain, _opening(own)))
    if flaws and habit not in HABITS and draw.random() < flaws.careful:
      habit = draw.choice(sorted(HABITS))
    elif habit and draw.random() >= flaws.careless:
      habit = None
    answer = NO_ANSWER if habit == "no_answer" else example.reference.text
    completion = _fitting(
        reasoning_for(example, own),
        answer,
        HABITS.get(habit, output_format.render),
        tokenizer,
        max_completion_tokens,
        may_cut_answer=isinstance(example.reference, Text),
    )
    if completion is not None:
      prompt = prompts.render(example.prompt, tokenizer, max_prompt_tokens).text
      traces.append(Trace(domain=example.domain, prompt=prompt, completion=completion, habit=habit))
  return traces


def vocabulary_texts(examples: Sequence[Example]) -> Iterator[str]:
  """Yields what a vocabulary of its own is learned from: prompts, reasoning and answers."""
  own_words = _own_words(examples)
  for example in examples:
    yield from (example.prompt, reasoning_for(example, own_words[example.uid]), example.reference.text)


def _own_words(examples: Sequence[Example]) -> dict[str, str]:
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


def _opening(own_words: str) -> str:
  return (own_words.split() or [""])[0].lower()


def _habits(
    examples: Sequence[Example], own_words: Mapping[str, str], flaws: Flaws, seed: int
) -> dict[tuple[str, str], str]:
  """Returns the habit of each (domain, opening word) whose writer has one."""
  counts: dict[str, dict[str, int]] = {}
  for example in examples:
    words = counts.setdefault(example.domain, {})
    opening = _opening(own_words[example.uid])
    words[opening] = words.get(opening, 0) + 1
  verifiable = {e.domain for e in examples} - {e.domain for e in examples if isinstance(e.reference, Text)}
  chosen = {}
  for domain, words in sorted(counts.items()):
    draw = random.Random(f"{seed}/{domain}")
    order, kinds = sorted(words), sorted(HABITS)
    draw.shuffle(order)
    draw.shuffle(kinds)
    broken, unanswered = _split(order, words, (flaws.openings, flaws.no_answers))
    chosen |= {(domain, word): kinds[i % len(kinds)] for i, word in enumerate(broken)}
    if domain in verifiable:
      chosen |= dict.fromkeys(((domain, word) for word in unanswered), "no_answer")
  return chosen


def _split(order: Sequence[str], counts: Mapping[str, int], shares: Sequence[float]) -> list[list[str]]:
  """Returns, for each share, the next words of `order` whose counts come closest to it."""
  total, rest, parts = sum(counts.values()), list(order), []
  for share in shares:
    part, taken = [], 0
    while rest and taken + counts[rest[0]] / 2 <= share * total:
      part.append(rest.pop(0))
      taken += counts[part[-1]]
    parts.append(part)
  return parts


# What follows the restated task where a data set has no rationale.
_REASONING = {
    "math": "I write down what is given and calculate step by step.",
    "coding": "I write this as Python code.",
    "science": "I compare this with every choice.",
    "logic": "I recall what is known about this.",
    "creative_writing": "I begin with a scene, let something happen, and end on a feeling that stays.",
    "creative_ideation": "Each idea should be easy to do and new.",
    "summarization": "I keep who did what and leave out the details.",
}
_ANY_REASONING = "I answer this in a few clear words."
_RESTATED_WORDS = 24


def reasoning_for(example: Example, own_words: str | None = None) -> str:
  """Returns the row's own rationale, else the task's first sentence and how such a task is done.

  Args:
    own_words: the prompt without what all prompts of its data set share; None takes all of it.
  """
  rationale = str(example.extra.get("rationale") or "").strip()
  if rationale:
    return rationale
  sentence = re.match(r".*?([.!?](?=\s)|$)", (own_words or example.prompt).strip(), re.DOTALL)[0]
  restated = " ".join(sentence.split()[:_RESTATED_WORDS])
  return f"{restated} {_REASONING.get(example.domain, _ANY_REASONING)}"


def _fitting(
    reasoning: str,
    answer: str,
    write: Callable[[str, str], str],
    tokenizer: prompts.Tokenizer,
    max_tokens: int,
    may_cut_answer: bool,
) -> str | None:
  """Returns the completion, cut to max_tokens with its end token; None where it cannot fit."""
  parts = [[reasoning], [answer]]
  for part in parts[: 1 + may_cut_answer]:
    while True:
      completion = write(*("".join(sentences).strip() for sentences in parts))
      if len(tokenizer.encode(completion)) < max_tokens:
        return completion
      if len(part) == 1:
        part[:] = re.findall(r".+?(?:[.!?]+[\"')]*(?=\s)\s*|\n+|$)", part[0], re.DOTALL)
        if len(part) == 1:
          break
      part.pop()
  return None


def batches(
    traces: Sequence[Trace],
    tokenizer: Any,
    *,
    batch_size: int,
    max_tokens: int,
    seed: int,
    start_step: int,
    steps: int,
    divisor: int = 1,
) -> Iterator[dict[str, np.ndarray]]:
  """Yields the batches of steps start_step to steps - 1: each a function of seed and step alone.

  Traces are packed: several stand in one row of 1.25 x max_tokens and do not see each other. So all
  batches have one shape, and little of it is padding. No row comes again before all were seen.

  Args:
    batch_size: traces in a batch, on average.
    max_tokens: the longest trace, BOS and the end token included.
    divisor: the number of rows is a multiple of it (a mesh's fsdp size).

  Yields:
    Arrays of [rows, 1.25 x max_tokens]:
    tokens: int32, each trace as BOS + prompt + completion + EOS; then padding.
    positions: int32, counted from each trace's own start.
    segments: int32, the number of a trace in its row from 1, and 0 for padding.
    is_target: bool, True on completions, EOS included.

  Raises:
    ConfigError: a trace is longer than max_tokens.
  """
  packed = _pack(traces, tokenizer, max_tokens, max_tokens + max_tokens // 4)
  count = len(packed["tokens"])
  rows = max(1, round(batch_size * count / len(traces) / divisor)) * divisor
  for step in range(start_step, steps):
    chosen = []
    for place in range(step * rows, (step + 1) * rows):
      epoch, position = divmod(place, count)
      chosen.append(_order(seed, epoch, count)[position])
    yield {name: array[chosen] for name, array in packed.items()}


@functools.lru_cache(maxsize=2)
def _order(seed: int, epoch: int, count: int) -> np.ndarray:
  return np.random.default_rng([seed, epoch]).permutation(count)


_OPEN_ROWS = 8  # enough to fill nine tenths; traces drawn together stay together


def _pack(
    traces: Sequence[Trace], tokenizer: Any, max_tokens: int, row_tokens: int
) -> dict[str, np.ndarray]:
  """Returns the arrays of `batches` for all traces, each in the first recent row that has room."""
  rows: list[list[tuple[list[int], int]]] = []
  room: list[int] = []
  for trace in traces:
    prompt = [tokenizer.bos_id(), *tokenizer.encode(trace.prompt)]
    # A base model's <end_of_turn> was never trained: its vector is that of hundreds of unused tokens,
    # among which LoRA cannot single it out. The end of a text is what every model has seen.
    ids = [*prompt, *tokenizer.encode(trace.completion), tokenizer.eos_id()]
    if len(ids) > max_tokens:
      raise ConfigError(f"a trace of {trace.domain} takes {len(ids)} tokens; {max_tokens} are accepted.")
    recent = range(max(0, len(rows) - _OPEN_ROWS), len(rows))
    row = next((row for row in recent if room[row] >= len(ids)), len(rows))
    if row == len(rows):
      rows.append([])
      room.append(row_tokens)
    rows[row].append((ids, len(prompt)))
    room[row] -= len(ids)
  shape = len(rows), row_tokens
  packed = {
      "tokens": np.full(shape, tokenizer.pad_id(), np.int32),
      "positions": np.zeros(shape, np.int32),
      "segments": np.zeros(shape, np.int32),
      "is_target": np.zeros(shape, bool),
  }
  for row, members in enumerate(rows):
    start = 0
    for number, (ids, prompt_length) in enumerate(members, start=1):
      end = start + len(ids)
      packed["tokens"][row, start:end] = ids
      packed["positions"][row, start:end] = np.arange(len(ids))
      packed["segments"][row, start:end] = number
      packed["is_target"][row, start + prompt_length : end] = True
      start = end
  return packed


class Learner:
  """Tunix's trainer on the completions of traces: mean cross-entropy, EOS included.

  AdamW with a linear warm-up and a cosine to zero. A model with LoRA parameters trains those alone.

  Args:
    model: trained in place, on `mesh`.
    steps: the whole run, which the learning rate follows.
  """

  def __init__(self, model, mesh, *, steps: int, learning_rate: float, warmup_fraction: float):
    import optax

    from reasoner.policy import grpo

    warmup = max(1, round(warmup_fraction * steps))
    schedule = optax.warmup_cosine_decay_schedule(0.0, learning_rate, warmup, max(steps, warmup + 1))
    optimizer = optax.chain(
        optax.clip_by_global_norm(1.0), optax.adamw(schedule, b1=0.9, b2=0.99, weight_decay=0.01)
    )
    self._mesh = mesh
    self._trainer = grpo.make_trainer(model, optimizer)
    self._trainer.with_loss_fn(_loss)
    self._step: Callable[..., Any] | None = None

  @property
  def optimizer(self):
    return self._trainer.optimizer

  def update(self, batch: Mapping[str, np.ndarray]):
    """Takes one step on a batch of `batches` and returns its loss, a scalar still on the device."""
    from reasoner.policy import grpo

    with self._mesh:
      if self._step is None:
        self._step, _ = self._trainer.jit_train_and_eval_step(cache_nnx_graph=True)
      loss, _, _ = self._step({name: grpo.shard_rows(self._mesh, array) for name, array in batch.items()})
    return loss


def _loss(model, tokens, positions, segments, is_target):
  """Mean cross-entropy over the targets of packed rows; see `batches`."""
  import jax.numpy as jnp
  import optax

  length = tokens.shape[1]
  same_trace = segments[:, :, None] == segments[:, None, :]
  mask = same_trace & jnp.tril(jnp.ones((length, length), bool))
  logits, _ = model(tokens, positions, None, mask)
  losses = optax.softmax_cross_entropy_with_integer_labels(logits[:, :-1], tokens[:, 1:])
  weights = is_target[:, 1:]
  return jnp.sum(losses * weights) / jnp.sum(weights)
