"""Rewards that hold an answer against what a person wrote, or against the prompt where nobody did.

One real input: the prompt "You find a rotary phone in the woods.", a stranger's story as the
reference, and a completion's story. Agreement is measured sentence by sentence, in meaning and not
in words. Nothing here reads style, truth or taste: two stories with one plot and different craft get
about the same (see judge.py); what a text does wrong is for the guards.
"""

import collections
from collections.abc import Callable, Iterable, Mapping, Sequence
import dataclasses
import functools
import re
from typing import Any

from rewards.errors import ConfigError
from rewards.measures import embedding
from rewards.measures import text
from rewards.registry import register
from rewards.schema import Completion
from rewards.schema import Example
from rewards.schema import Score

# What anybody can write about anything. A sentence is paid for what it shares with the reference beyond
# a part of what it shares with the likest of these, or with the request.
_STOCK = (
    "There are many ways to think about this.",
    "It is important to take your time and to enjoy every step.",
    "Everybody is different, so find out what works for you.",
    "In the end it is up to you to decide what matters.",
    "People have always talked about it, and many like it.",
    "Ask a friend or an expert, or read a book about it.",
    "Try something new every day and make a plan for the week.",
    "Our shop has the best offers in town, so order today.",
    "Thousands of happy customers love our products.",
    "I am sorry, but I cannot help with that.",
    "As a language model I have no opinions.",
    "Once upon a time there was a young woman who lived in a village.",
    "One day a stranger came and told them a secret.",
    "He looked up at the sky and thought about his life.",
    "They talked until the morning and laughed.",
    "In the end everyone was happy and had learned a lesson.",
    "This is a story about a man who goes on a journey.",
    "It has a beginning, a middle and an end.",
    "This text is about an important topic and explains its main points.",
    "Two people talk about something and decide what to do.",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Scale:
  """What similarities under a model mean: `zero` is worth 0, `one` is worth 1.

  common: how much of what an answer's sentence shares with stock sentences or the request is taken off.
  """

  zero: float
  one: float
  common: float


_SCALES = {
    "all-MiniLM-L6-v2": _Scale(zero=0.04, one=0.45, common=0.33),
    embedding.PACKAGED: _Scale(zero=0.04, one=0.40, common=0.4),
}
_MOST_CACHED = 4096  # references, whose vectors stay from step to step


def _check_model(settings: Mapping[str, Any], place: str) -> None:
  embedding.check(settings.get("model", "all-MiniLM-L6-v2"), f"{place}.model")


@register("reference_similarity", kind="quality", scope="batch")
def reference_similarity(*, model: str = "all-MiniLM-L6-v2", scale: tuple = ()):
  """Likeness to the reference in meaning: soft F1 over the sentences of both, scaled to [0, 1].

  Each sentence of the answer looks for its likest in the reference (precision), and the other way round
  (recall), by the cosine of their embeddings, less a part of what the answer's sentence has in common with
  stock sentences and with the request, whose content words are left out of both texts: an advert, a
  refusal, advice for every occasion and the prompt in other words resemble every reference a little, and
  that is taken off. Brevity costs recall, padding
  precision, one good sentence over and over recall; shuffled sentences cost nothing, so `word_order` and
  `repetition` have to guard it. A text of its own with another plot than the reference's gets little: over
  a group that is noise, not direction.

  It is a topic detector above all: replacing sentences by foreign ones lowers it in order (rank correlation
  0.93 over 26 answers), cutting the end less so (0.40), shuffling sentences not at all.

  The scale is from training rows, unrelated texts against related ones (MiniLM; median): another prompt's
  brainstorm 0.02 against answers to nearly the same prompt 0.32, another prompt's story 0.18 against
  alternate sentences of one story 0.32, another article's summary 0.07 against an article's lead 0.42. So
  0.04 to 0.45 by default; longer texts agree by chance, and recipes set `scale` by domain.

  Args:
    model: "all-MiniLM-L6-v2" (extra [semantic]), "packaged" (word vectors, no torch), or whatever
      sentence-transformers takes; other models need a `scale`.
    scale: the similarities that are worth 0 and 1; () for those measured.

  None where the row has no reference. References are embedded once and kept.
  """
  known = _scale(model, scale)
  embed = embedding.load(model)
  stock = embed(_STOCK)
  references: collections.OrderedDict[tuple[str, str], Any] = collections.OrderedDict()

  def score_batch(completions: Sequence[Completion], examples: Sequence[Example]) -> list[float | None]:
    requests = [_request(e.prompt) for e in examples]
    wanted = [(e.reference.text, r) for e, r in zip(examples, requests)] + [(r, "") for r in requests]
    references.update(_vectors(embed, [key for key in wanted if key[0].strip() and key not in references]))
    answers = _vectors(embed, [(c.answer, r) for c, r in zip(completions, requests)])
    scores: list[float | None] = []
    for completion, example, request in zip(completions, examples, requests):
      reference = example.reference.text
      if not reference.strip():
        scores.append(None)
        continue
      raw, precision, recall = agreement(
          answers[completion.answer, request],
          references[reference, request],
          stock,
          references.get((request, "")),
          known.common,
      )
      scores.append(Score(
          text.ramp(raw, known.zero, known.one),
          f"similarity {raw:.3f} to the reference ({known.zero:g} is worth 0, {known.one:g} 1): the answer's "
          f"sentences find {precision:.2f} in it, its own {recall:.2f} in the answer.",
      ))
    while len(references) > _MOST_CACHED:
      references.popitem(last=False)
    return scores

  return score_batch


reference_similarity.check = _check_model


def _vectors(embed: Callable[..., Any], passages: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Any]:
  """Returns by (passage, request) the vectors [n, d] of the passage's sentences, all embedded in one call.

  The request's content words are left out of them: saying them again is no likeness.
  """
  parts = {key: _beyond(*key) for key in passages}
  unique = sorted({sentence for own in parts.values() for sentence in own})
  vectors = embed(unique) if unique else []
  at = {sentence: i for i, sentence in enumerate(unique)}
  return {key: vectors[[at[sentence] for sentence in own]] for key, own in parts.items()}


@functools.lru_cache(maxsize=256)
def _asked(request: str) -> frozenset[str]:
  return text.content_stems(text.words(request))


def _beyond(passage: str, request: str) -> list[str]:
  """Returns the sentences of a passage without the content words of the request; [""] where none is left."""
  asked, kept = _asked(request), []
  for sentence in embedding.sentences(passage):
    own = [w for w in sentence.split() if not asked.intersection(map(text.stem, text.words(w)))]
    rest = " ".join(own) if asked else sentence
    if any(text.is_content(word) for word in text.words(rest)):
      kept.append(rest)
  return kept or [""]


def agreement(answer, reference, stock, request, common: float) -> tuple[float, float, float]:
  """Returns the soft F1 of two texts' sentence vectors with its precision and recall, three decimals.

  A pair of sentences agrees by their cosine, less `common` times the largest cosine of the answer's
  sentence with a stock sentence or with the request, and not below 0. Precision is the mean over the
  answer's sentences of the best agreement, recall that over the reference's (as BERTScore does with tokens, Zhang et al.
  2020). Embeddings differ in their last bits with the shape of a batch, hence the rounding.

  Args:
    answer, reference, stock, request: [n, d] vectors of length 1, n of each one's own; None: no request.
    common: from 0 to 1.
  """
  agreed = answer @ reference.T
  anyway = (answer @ stock.T).max(1).clip(0)
  if request is not None:
    anyway = anyway.clip((answer @ request.T).max(1))
  agreed = (agreed - common * anyway[:, None]).clip(0)
  precision, recall = float(agreed.max(1).mean()), float(agreed.max(0).mean())
  f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
  return round(f1, 3), precision, recall


_REQUEST_WORDS = 60
_TAG = re.compile(r"^\s*[\[(]\s*\w{1,4}\s*[\])]")  # "[ WP ]" and its kind head Reddit prompts


def _request(prompt: str) -> str:
  """Returns what a prompt asks for: its first paragraph, at most sixty words of it."""
  return " ".join(_TAG.sub("", prompt).partition("\n\n")[0].split()[:_REQUEST_WORDS])


def _scale(model: str, scale: tuple) -> _Scale:
  if model not in _SCALES and not scale:
    raise ConfigError(
        f"reference_similarity.model={model!r} needs a scale, the similarities that are worth 0 and 1, as in "
        f"scale=(0.04, 0.45): only those of {' and '.join(map(repr, _SCALES))} have been measured."
    )
  known = _SCALES.get(model, _SCALES["all-MiniLM-L6-v2"])
  if not scale:
    return known
  if len(scale) != 2 or not all(isinstance(x, (int, float)) for x in scale) or not scale[0] < scale[1]:
    place = f"reference_similarity.scale={scale!r}"
    raise ConfigError(f"{place}: expected two rising numbers, as in (0.04, 0.45).")
  return _Scale(zero=scale[0], one=scale[1], common=known.common)


@register("semantic_relevance", kind="quality", scope="batch")
def semantic_relevance(*, model: str = "all-MiniLM-L6-v2", without_reference: bool = False):
  """Likeness of the answer's sentences to the request in meaning: 0 up to 0.1, 1 from 0.5 on.

  The mean over the answer's sentences of their largest cosine with the request's, its first paragraph. It
  measures topic: the prompt in other words earns all of it (`pasting` guards against its own words), and so
  does a fluent text that ignores what was asked. It is for rows without a reference: with
  `without_reference` all others are None.
  """
  embed = embedding.load(model)

  def score_batch(completions: Sequence[Completion], examples: Sequence[Example]) -> list[float | None]:
    meant = [not (without_reference and e.reference.text.strip()) for e in examples]
    requests = [_request(e.prompt) for e in examples]
    texts = {(p, "") for c, r, own in zip(completions, requests, meant) if own for p in (c.answer, r)}
    vectors = _vectors(embed, sorted(texts))
    scores: list[float | None] = []
    for completion, request, own in zip(completions, requests, meant):
      near = (vectors[completion.answer, ""] @ vectors[request, ""].T).max(1) if own else None
      cosine = None if near is None else round(float(near.clip(0).mean()), 3)
      said = None if cosine is None else f"similarity {cosine:.3f} to the request."
      scores.append(None if cosine is None else Score(text.ramp(cosine, 0.1, 0.5), said))
    return scores

  return score_batch


semantic_relevance.check = _check_model
