"""Summaries: words shared with a reference, and a guard for what the source does not say.

One real input: the prompt "Summarize this article:\n\nFirefighters were called to ...", a reference
summary, and an answer of two sentences. The source is the prompt after its first blank line, or all
of it where there is none. Nothing here understands a sentence: a summary that turns "A sued B" into
"B sued A" out of the source's own words is caught by ROUGE alone; for that, see judge.py.
"""

import functools

from rewards.errors import ConfigError
from rewards.measures import text
from rewards.registry import register
from rewards.schema import Completion
from rewards.schema import Example
from rewards.schema import Score

_MOST_WORDS = 400  # of a summary that ROUGE reads, and of a reference: the rest is no summary


@functools.cache
def _rouge_scorer():
  try:
    from rouge_score import rouge_scorer  # loads nltk: a second or two, once a worker
  except ImportError as error:
    raise ConfigError(f"rouge needs the package rouge-score: pip install rouge-score ({error}).") from error
  return rouge_scorer.RougeScorer(["rougeL"], use_stemmer=False)


@register("rouge", kind="quality", domains=("summarization",))
def rouge(*, scale: tuple = (0.1, 0.5)):
  """ROUGE-L F1 against the reference (Lin 2004): the longest common subsequence of words, in [0, 1].

  0 up to the first and 1 from the second number of `scale`: a summary of another article of CNN/DailyMail's
  training rows reaches 0.10 on average, and 0.5 is a close paraphrase. The package rouge-score counts,
  unstemmed, the first 400 words. Padding costs precision, brevity recall, shuffling the order that it is
  made of; of ROUGE's variants it agrees best with SummEval's experts where systems do not paste, and best
  tells who did what to whom. Paraphrase in other words is missed: `reference_similarity` sees that. None
  where the row has no reference.
  """
  if len(scale) != 2 or not all(isinstance(x, (int, float)) for x in scale) or not scale[0] < scale[1]:
    raise ConfigError(f"rouge.scale={scale!r}: expected two rising numbers, as in (0.1, 0.5).")
  scorer = _rouge_scorer()

  def score(completion: Completion, example: Example) -> float | None:
    reference = example.reference.text
    if not reference.strip():
      return None
    found = scorer.score(_first_words(reference), _first_words(completion.answer))["rougeL"]
    return Score(
        text.ramp(found.fmeasure, *scale),
        f"ROUGE-L {found.fmeasure:.2f} to the reference: precision {found.precision:.2f}, "
        f"recall {found.recall:.2f}.",
    )

  return score


def _first_words(passage: str) -> str:
  return " ".join(text.visible(passage).split()[:_MOST_WORDS])


@functools.lru_cache(maxsize=64)
def _source(prompt: str) -> tuple[str, ...]:
  after = text.split_at_blank_line(prompt)[1]
  return text.words(after if after.strip() else prompt)


@functools.lru_cache(maxsize=64)
def _said(prompt: str) -> tuple[frozenset[str], frozenset[str]]:
  """Returns a source's pairs of adjacent words and its stems, found once for all summaries of it."""
  words = _source(prompt)
  return frozenset(map(" ".join, zip(words, words[1:]))), frozenset(map(text.stem, words))


@register("faithfulness", kind="guard", domains=("summarization",))
def faithfulness(completion: Completion, example: Example) -> float:
  """Support by the source: names, numbers and pairs of words that it does not have cost.

  A pair of adjacent words is unsupported when neither the source nor common English has it: 1 for none, 0
  once half of the pairs are. Times the share of content words and numbers that the source has. Paraphrase
  in plain words is nearly free; invented names, numbers and garbled sentences are not. Copying is
  faithful: `pasting` is what it then fails; so is turning who did what to whom around.
  """
  pairs_of_source, stems = _said(example.prompt)
  words = text.words(completion.answer)
  pairs, common = list(map(" ".join, zip(words, words[1:]))), text.word_pairs()
  supported = sum(p in pairs_of_source or p in common for p in pairs) / len(pairs) if pairs else 0.0
  content = [w for w in words if text.is_content(w) or w.isdigit()]
  found = sum(text.stem(w) in stems for w in content) / len(content) if content else 0.0
  return Score(
      text.ramp(supported, 0.5, 1.0) * found,
      f"{supported:.0%} of the word pairs stand in the source or in common English, "
      f"{found:.0%} of the content words in the source.",
  )
