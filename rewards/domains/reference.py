"""Rewards that hold an answer against what a person wrote, or against the prompt where nobody did.

One real input: the prompt "You find a rotary phone in the woods.", a stranger's story as the
reference, and a completion's story. Agreement is measured sentence by sentence, in meaning and not
in words. Nothing here reads style, truth or taste: two stories with one plot and different craft get
about the same (see judge.py); what a text does wrong is for the guards.
"""

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

  common: how much of what an answer's sentence shares with stock sentences is taken off.
  chance: what is taken off besides, as the best of many strangers' sentences have it too.
  topic: whether the answer's nearness to the request is a factor.
  """

  zero: float
  one: float
  common: float
  chance: float
  topic: bool


_SCALES = {
    "all-MiniLM-L6-v2": _Scale(zero=0.05, one=0.28, common=0.33, chance=0.05, topic=True),
    embedding.PACKAGED: _Scale(zero=0.06, one=0.40, common=0.4, chance=0.0, topic=False),
}


def _check_model(settings: Mapping[str, Any], place: str) -> None:
  embedding.check(settings.get("model", "all-MiniLM-L6-v2"), f"{place}.model")


@register("reference_similarity", kind="quality", scope="batch")
def reference_similarity(*, model: str = "all-MiniLM-L6-v2", scale: tuple = (), on_topic: bool = True):
  """Likeness to the reference in meaning: soft F2 over the sentences of both, scaled to [0, 1].

  Each sentence of the reference looks for its likest in the answer (recall, which counts twice: an answer
  may say more than a short reference), and the other way round (precision), by the cosine of their
  embeddings. The request's content words are left out of both texts: the prompt again is no likeness. Of
  each cosine is taken off a part of what the answer's sentence has in common with stock sentences, as an
  advert, a refusal and advice for every occasion resemble every reference, and what the best of many
  strangers' sentences reaches. Times the root of the answer's own nearness to the request: a mosaic of
  sentences about other things is near none. Brevity costs recall, padding precision; shuffled sentences
  cost nothing, so `word_order` and `repetition` have to guard it. A text of its own with another plot than
  the reference's gets little: over a group that is noise, not direction.

  It is a topic detector above all: of 26 answers replacing sentences by foreign ones lowers it in order
  (rank correlation 0.88), so does cutting the end (0.71), shuffling sentences does nothing (MiniLM).

  The scale is from training rows (MiniLM; quartiles): another prompt's story 0.03/0.05/0.06, alternate
  sentences of one story 0.12/0.15/0.18, the likest mosaic that a search finds in a dozen strangers' 0.12;
  another prompt's brainstorm 0/0/0.01, answers to nearly the same prompt 0.12/0.24/0.29; without the topic,
  another article's summary 0.01/0.02/0.06, an article against its lead 0.28/0.40/0.46. So 0.05 to 0.28.

  Args:
    model: "all-MiniLM-L6-v2" (extra [semantic]), "packaged" (word vectors, no torch), or whatever
      sentence-transformers takes; other models need a `scale`.
    scale: the similarities that are worth 0 and 1; () for those measured.
    on_topic: whether nearness to the request counts, which is all of a prompt of up to sixty words. Not where
      every prompt asks the same, as in "Summarize this article": there the request is the first paragraph and
      what stands below it the answer's to use. Nearness never counts for word vectors, too coarse for it.

  None where the row has no reference.
  """
  known = _scale(model, scale)
  topical = known.topic and on_topic
  embed = embedding.load(model)
  stock = embed(_STOCK)

  def score_batch(completions: Sequence[Completion], examples: Sequence[Example]) -> list[float | None]:
    meant = [bool(e.reference.text.strip()) for e in examples]
    requests = [_request(e.prompt, on_topic) for e in examples]
    texts = zip(completions, examples, requests)
    parts = [
        (_beyond(c.answer, r), _beyond(e.reference.text, r), _beyond(r, "") if topical else ())
        for c, e, r in texts
    ]
    vectors = _vectors(embed, [own for three, scored in zip(parts, meant) if scored for own in three])
    scores: list[float | None] = []
    for (answer, reference, request), scored in zip(parts, meant):
      if not scored:
        scores.append(None)
        continue
      said = vectors[answer]
      raw, precision, recall = agreement(said, vectors[reference], stock, known.common, known.chance)
      near = topic(said, vectors[request]) if topical and request != _NOTHING else 1.0
      raw = round(raw * near, 3)
      scores.append(Score(
          text.ramp(raw, known.zero, known.one),
          f"similarity {raw:.3f} to the reference ({known.zero:g} is worth 0, {known.one:g} 1): the answer's "
          f"sentences find {precision:.2f} in it, its own {recall:.2f} in the answer, on topic {near:.2f}.",
      ))
    return scores

  return score_batch


reference_similarity.check = _check_model


def _vectors(embed: Callable[..., Any], passages: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], Any]:
  """Returns by passage, in sentences, their vectors [n, d], all embedded in one call; that of "" is 0.

  A transformer embeds "" as it does any text, and two of them would be as like as can be.
  """
  passages = set(passages)
  unique = sorted({sentence for passage in passages for sentence in passage})
  vectors = embed(unique) if unique else []
  if "" in unique:  # the first, as sorted
    vectors = vectors.copy()
    vectors[0] = 0
  at = {sentence: i for i, sentence in enumerate(unique)}
  return {passage: vectors[[at[sentence] for sentence in passage]] for passage in passages}


_NOTHING = ("",)  # as sentences; "Who are you?" has no content word, and then no answer is off its topic


@functools.lru_cache(maxsize=256)
def _asked(request: str) -> frozenset[str]:
  return text.content_stems(text.words(request))


@functools.lru_cache(maxsize=65536)
def _read(token: str) -> tuple[frozenset[str], bool]:
  """Returns the stems of a token between spaces, and whether one of its words is a content word."""
  words = text.words(token)
  return frozenset(map(text.stem, words)), any(map(text.is_content, words))


@functools.lru_cache(maxsize=4096)
def _beyond(passage: str, request: str) -> tuple[str, ...]:
  """Returns the sentences of a passage without the content words of the request; _NOTHING where none is left."""
  asked, kept = _asked(request), []
  for sentence in embedding.sentences(passage):
    own = [token for token in sentence.split() if asked.isdisjoint(_read(token)[0])]
    if any(_read(token)[1] for token in own):
      kept.append(" ".join(own) if asked else sentence)
  return tuple(kept) or _NOTHING


_RECALL = 2  # recall counts twice as much as precision: an answer may say more than a short reference


def agreement(answer, reference, stock, common: float, chance: float) -> tuple[float, float, float]:
  """Returns the soft F2 of two texts' sentence vectors, its precision and its recall.

  A pair of sentences agrees by their cosine, less `common` times the largest cosine of the answer's
  sentence with a stock sentence, less `chance`, and not below 0. Precision is the mean over the answer's
  sentences of the best agreement, recall that over the reference's (as BERTScore does with tokens, Zhang
  et al. 2020).

  Args:
    answer, reference, stock: [n, d] vectors of length 1, n of each one's own.
    common, chance: from 0 to 1.
  """
  anyway = common * (answer @ stock.T).max(1).clip(0) + chance
  agreed = (answer @ reference.T - anyway[:, None]).clip(0)
  precision, recall = float(agreed.max(1).mean()), float(agreed.max(0).mean())
  square = _RECALL**2
  f = (1 + square) * precision * recall / (square * precision + recall) if precision + recall else 0.0
  return f, precision, recall


def topic(answer, request) -> float:
  """Returns the root of the cosine of two texts' mean vectors, 0 where it is negative."""
  a, b = answer.sum(0), request.sum(0)
  lengths = float((a @ a) * (b @ b)) ** 0.5
  return max(0.0, float(a @ b) / lengths) ** 0.5 if lengths else 0.0


_REQUEST_WORDS = 60
_TAG = re.compile(r"^\s*[\[(]\s*\w{1,4}\s*[\])]")  # "[ WP ]" and its kind head Reddit prompts


def _request(prompt: str, whole: bool) -> str:
  """Returns what a prompt asks for: all of a short one if `whole`, else sixty words of its first paragraph."""
  prompt = _TAG.sub("", prompt).strip()
  if whole and len(words := prompt.split()) <= _REQUEST_WORDS:
    return " ".join(words)
  return " ".join(text.split_at_blank_line(prompt)[0].split()[:_REQUEST_WORDS])


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
  return dataclasses.replace(known, zero=scale[0], one=scale[1])


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
    requests = [_request(e.prompt, False) for e in examples]
    parts = [(_beyond(c.answer, ""), _beyond(r, "")) for c, r in zip(completions, requests)]
    vectors = _vectors(embed, [own for two, scored in zip(parts, meant) if scored for own in two])
    scores: list[float | None] = []
    for (answer, request), scored in zip(parts, meant):
      near = (vectors[answer] @ vectors[request].T).max(1) if scored else None
      cosine = None if near is None else round(float(near.clip(0).mean()), 3)
      said = None if cosine is None else f"similarity {cosine:.3f} to the request."
      scores.append(None if cosine is None else Score(text.ramp(cosine, 0.1, 0.5), said))
    return scores

  return score_batch


semantic_relevance.check = _check_model
