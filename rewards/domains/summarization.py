"""Rewards for summaries: likeness to a reference, support by the source, coverage, brevity.

One real input: the prompt "Summarize this article:\n\nFirefighters were called to ...", a reference
summary, and an answer of two sentences. The source is the prompt after its first blank line, or all
of it where there is none. Nothing here understands a sentence: a summary that turns "A sued B" into
"B sued A" out of the source's own words is caught by ROUGE alone; for that, see judge.py.

The recipe's weights were chosen on expert scores (SummEval, Fabbri et al. 2021); BUILD_NOTES has
the correlation of each component and of the total.
"""

import collections
from collections.abc import Mapping
import dataclasses
import functools
import re

from rewards.measures import text
from rewards.registry import register
from rewards.schema import Completion
from rewards.schema import Example
from rewards.schema import Score

_MOST_WORDS = 1000  # of a summary that ROUGE reads; the rest is no summary


@functools.lru_cache(maxsize=64)
def _source(prompt: str) -> tuple[str, ...]:
  _, blank, after = prompt.partition("\n\n")
  return text.words(after if blank and after.strip() else prompt)


@functools.lru_cache(maxsize=256)
def _rouge_tokens(words: str) -> list[str]:
  return re.findall(r"[a-z0-9]+", words.lower())


def rouge_scores(reference: str, summary: str) -> tuple[float, float, float]:
  """Returns F1 of ROUGE-1, ROUGE-2 and ROUGE-L (Lin 2004), unstemmed.

  What the rouge-score package gives by default, which a test checks. The package is not called
  because its table of the longest common subsequence takes longer than all else here, and because
  importing it loads nltk, scikit-learn and pandas: three seconds in each worker process.
  """
  a, b = _rouge_tokens(reference), _rouge_tokens(summary)
  longest = _longest_common_subsequence(a, b)
  return _ngram_f1(a, b, 1), _ngram_f1(a, b, 2), _f1(longest, len(a), len(b))


def _ngram_f1(a: list[str], b: list[str], n: int) -> float:
  of_a, of_b = collections.Counter(text.ngrams(a, n)), collections.Counter(text.ngrams(b, n))
  shared = sum(min(count, of_b[gram]) for gram, count in of_a.items() if gram in of_b)
  return _f1(shared, sum(of_a.values()), sum(of_b.values()))


def _f1(shared: int, of_reference: int, of_summary: int) -> float:
  recall, precision = shared / max(of_reference, 1), shared / max(of_summary, 1)
  return 2 * precision * recall / (precision + recall) if shared else 0.0


def _longest_common_subsequence(a: list[str], b: list[str]) -> int:
  """Returns the length, a row of the table at a time in the bits of one integer (Hyyrö 2004)."""
  where = collections.defaultdict(int)
  for i, word in enumerate(a):
    where[word] |= 1 << i
  everything = (1 << len(a)) - 1
  row = everything
  for word in b:
    matches = row & where.get(word, 0)
    row = (row + matches) | (row - matches) & everything
  return len(a) - (row & everything).bit_count()


@register("rouge", kind="quality", domains=("summarization",))
def rouge(completion: Completion, example: Example) -> float | None:
  """Mean of ROUGE-1, ROUGE-2 and ROUGE-L F1 against the reference (Lin 2004), in [0, 1].

  A good summary in other words gets 0.2 to 0.4. Padding costs precision, brevity recall, shuffling
  ROUGE-2 and ROUGE-L. None where the row has no reference.
  """
  reference = example.reference.text
  if not reference.strip():
    return None
  answer = " ".join(completion.answer.split()[:_MOST_WORDS])
  one, two, longest = rouge_scores(reference, answer)
  return Score(
      (one + two + longest) / 3,
      f"ROUGE-1 {one:.2f}, ROUGE-2 {two:.2f}, ROUGE-L {longest:.2f} to the reference.",
  )


@dataclasses.dataclass(frozen=True, eq=False)
class _Article:
  """What the components ask of a source, found once for all summaries of it."""

  length: int
  pairs: frozenset[str]
  stems: frozenset[str]
  salience: Mapping[str, int]  # how often each topical stem occurs
  run: int  # words from which a run shared with the source counts as copied
  text: str  # its words, between spaces


@functools.lru_cache(maxsize=64)
def _article(prompt: str) -> _Article:
  words = _source(prompt)
  counts = collections.Counter(words)
  salience = collections.Counter()
  for word, count in counts.items():
    if _is_topical(word):
      salience[text.stem(word)] += count
  return _Article(
      length=len(words),
      pairs=frozenset(map(" ".join, zip(words, words[1:]))),
      stems=frozenset(map(text.stem, counts)),
      salience=salience,
      run=min(_LONGEST_RUN, max(_SHORTEST_RUN, len(words) // 4)),
      text=f" {' '.join(words)} ",
  )


_SHORTEST_RUN, _LONGEST_RUN = 8, 25  # an inserted word between long runs hides nothing


def _is_topical(word: str) -> bool:
  """Content words and half-way ones ("police", "money"), which news is made of."""
  return text.information(word) > 5.0 and len(word) > 1


@dataclasses.dataclass(frozen=True, eq=False)
class _Summary:
  """A summary held against its source.

  supported: share of adjacent word pairs that the source, or common English, has. copied: words in
  long runs of the source. own: 1 for a text that neither repeats itself nor pastes more than a
  summary's length from the source, the factor by which such a text loses what it would earn.
  """

  words: tuple[str, ...]
  supported: float
  copied: int
  own: float


@functools.lru_cache(maxsize=64)
def _summary(answer: str, prompt: str) -> _Summary:
  said, article, common = text.read(answer), _article(prompt), text.word_pairs()
  words = said.words
  pairs = list(map(" ".join, zip(words, words[1:])))
  in_source = [pair in article.pairs for pair in pairs]
  supported = sum(known or pair in common for known, pair in zip(in_source, pairs))
  copied, streak = bytearray(len(words)), 0
  for i, known in enumerate(in_source, start=2):
    streak = streak + 1 if known else 0
    # Pairs that all stand in the source make a run of it only where they stand there together.
    if streak >= article.run - 1 and f" {' '.join(words[i - article.run : i])} " in article.text:
      copied[i - article.run : i] = b"\x01" * article.run
  return _Summary(
      words=words,
      supported=supported / len(pairs) if pairs else 0.0,
      copied=sum(copied),
      own=text.ramp(text.repeated_share(said), 0.5, 0.0) * text.ramp(sum(copied), *_PASTED),
  )


_PASTED = (160.0, 90.0)  # experts rate three copied sentences, up to 90 words, as highly as any summary


@register("faithfulness", kind="quality", domains=("summarization",))
def faithfulness(completion: Completion, example: Example) -> float:
  """Support by the source: pairs of words, and names and numbers, that it does not have cost.

  A pair of adjacent words is unsupported when neither the source nor common English has it: 1 for
  none, 0 once half of the pairs are. Paraphrase in plain words is free; invented names, numbers and
  garbled sentences are not. Times the share of content words and numbers that the source has, less
  what repeats itself and what pastes a page. Copying a sentence is faithful: `copy_rate` and
  `compression` are what it then fails.
  """
  summary = _summary(completion.answer, example.prompt)
  stems = _article(example.prompt).stems
  content = [w for w in summary.words if text.is_content(w) or w.isdigit()]
  found = sum(text.stem(w) in stems for w in content) / len(content) if content else 0.0
  return Score(
      text.ramp(summary.supported, 0.5, 1.0) * found * summary.own,
      f"{summary.supported:.0%} of the word pairs stand in the source or in common English, "
      f"{found:.0%} of the content words in the source; own {summary.own:.2f}.",
  )


@register("coverage", kind="quality", domains=("summarization",))
def coverage(completion: Completion, example: Example) -> float:
  """Share of the source's content, each word counted as often as it occurs, that the summary names.

  1 from 60 % on. Times `compression`, or the whole article would cover itself, less what repeats
  itself and what pastes a page, and nothing for a list of its keywords, whose pairs of words
  neither the source nor common English has.
  """
  summary, salience = _summary(completion.answer, example.prompt), _article(example.prompt).salience
  stems = frozenset(map(text.stem, summary.words))
  covered = sum(map(salience.get, stems & salience.keys())) / (sum(salience.values()) or 1)
  short = _compression(completion, example)
  order = text.ramp(summary.supported, 0.3, 0.7)
  return Score(
      text.ramp(covered, 0.0, 0.6) * short * order * summary.own,
      f"names {covered:.0%} of the source's content; compression {short:.2f}, order {order:.2f}, "
      f"own {summary.own:.2f}.",
  )


def _compression(completion: Completion, example: Example) -> float:
  source = _article(example.prompt).length
  ratio = len(text.read(completion.answer).words) / source if source else 1.0
  return text.ramp(ratio, 0.9, 0.5)


@register("compression", kind="quality", domains=("summarization",))
def compression(completion: Completion, example: Example) -> float:
  """Shorter than the source: 1 up to half of its words, 0 from 90 % on.

  Says nothing against a summary of one word; `coverage` and `rouge` do.
  """
  words, of = len(text.read(completion.answer).words), _article(example.prompt).length
  return Score(_compression(completion, example), f"{words} words for a source of {of}.")


@register("copy_rate", kind="quality", domains=("summarization",))
def copy_rate(completion: Completion, example: Example) -> float:
  """1 unless the summary is pasted from the source, wherever it stands there: then 0.

  The share of the summary's words that lie in long runs of the source, of a quarter of its words,
  at least 8 and at most 25: free up to 80 %, nothing is paid when it is all of them. So a word
  inserted into the lead does not hide it, and a whole sentence of that length counts too.
  SummEval's experts rate even copied leads highly (4.5 of 5, against 4.1 for all), so the recipe's
  weight is small.
  """
  summary = _summary(completion.answer, example.prompt)
  share = summary.copied / len(summary.words) if summary.words else 1.0
  reason = f"{summary.copied} of {len(summary.words)} words lie in long runs of the source."
  return Score(text.ramp(share, 1.0, 0.8), reason)
