"""Measures of English text that the quality rewards share: words, pairs, diversity, likeness.

  >>> read("The dragon didn't sleep. It waited, patient as stone.").words[:5]
  ('the', 'dragon', 'did', 'not', 'sleep')

Two tables stand behind them. symspellpy carries 82,765 English words with frequencies and the
242,342 most frequent pairs of adjacent words (both from Google Books n-grams and SCOWL; read as
plain files, its code is not used); data/word_vectors.npz, distilled from all-MiniLM-L6-v2, tells
which words are related. No component is registered here, and no other language is understood:
text that is not English reads as gibberish.
"""

from collections.abc import Sequence
import dataclasses
import functools
import importlib.util
import itertools
import math
import pathlib
import re
import unicodedata

from rewards.errors import ConfigError

# Reading: what a person would see -------------------------------------------------------------

# Comments and hidden elements are invisible where markup is rendered; unclosed, they hide the rest.
_HIDDEN = re.compile(
    r"<!--.*?(?:-->|\Z)"
    r"|<(\w{1,20})\b[^<>]{0,200}"
    r"(?:\bhidden\b|display\s{0,3}:\s{0,3}none|font-size\s{0,3}:\s{0,3}0)[^<>]{0,200}>"
    r".*?(?:</\1\s{0,3}>|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_MARKUP = re.compile(r"</?[a-zA-Z][^<>]{0,200}>")
# Corpora tokenise "didn't" as "did n't" and "it's" as "it 's": both come out as "did not" and "it".
_CONTRACTION = re.compile(r"n't\b|'(?:m|re|ve|ll|d|s)?(?![a-z])")
_SPELLED_OUT = {
    "n't": " not", "'m": " am", "'re": " are", "'ve": " have", "'ll": " will", "'d": " would"
}  # fmt: skip
# The look behind tries a run of stops once, at its start: 30,000 dots took ten seconds without it.
_SENTENCE_END = re.compile(r"(?<![.!?])[.!?]++(?=[\s\"')\]*_]|$)|[\n\r]+")
_CLAUSE_END = re.compile(r"[,;:()\[\]{}\"“”|•/*_#=<>–—]+|--+|\s[-']+\s")
_WORD = re.compile(r"[^\W_]+")
_BLANK_LINE = re.compile(r"(?>\r\n|\r|\n)[^\S\r\n]*(?>\r\n|\r|\n)")
# What a transformer's tokenizer drops would hide a word here alone: nothing of it is left inside one.
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]")
_CONTROL_SPACE = re.compile(r"[\v\f\x1c-\x1f\x85]")
_FILLERS = "\u115f\u1160\ufffd"  # Hangul's, which NFKC makes of its others, and what could not be decoded
_MARKS = ("Mn", "Me")
_LATIN_GREEK_CYRILLIC = "\u0530"  # below it; a mark on a letter of another script may be its vowel


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)  # caches key on identity: it is fast
class Text:
  """A text as read: its words in order, and the same words by clause and by sentence."""

  words: tuple[str, ...]
  clauses: tuple[tuple[str, ...], ...]
  sentences: tuple[tuple[str, ...], ...]


@functools.lru_cache(maxsize=512)
def read(text: str) -> Text:
  """Returns the words that a reader would see, in lower case, contractions spelled out.

  Hidden markup, zero-width characters and accents are dropped. A clause ends at punctuation, a
  sentence at full stops and line breaks. A look-alike letter of another script stays what it is
  and so makes an unknown word.
  """
  sentences = []
  for line in _SENTENCE_END.split(fold(text)):
    clauses = (tuple(_WORD.findall(clause)) for clause in _CLAUSE_END.split(line))
    sentences.append(tuple(clause for clause in clauses if clause))
  clauses = tuple(clause for sentence in sentences for clause in sentence)
  return Text(
      words=_flat(clauses),
      clauses=clauses,
      sentences=tuple(_flat(sentence) for sentence in sentences if sentence),
  )


def words(text: str) -> tuple[str, ...]:
  """Returns `read(text).words` without looking for clauses: a third of the time for an article."""
  return tuple(_WORD.findall(fold(text)))


def _flat(parts) -> tuple[str, ...]:
  return tuple(itertools.chain.from_iterable(parts))


def visible(text: str) -> str:
  """Returns what a reader would see: no hidden markup, plain quotes, unaccented letters."""
  if "<" in text:
    text = _MARKUP.sub(" ", _HIDDEN.sub(" ", text))
  if not text.isascii():
    text = _without_marks(unicodedata.normalize("NFKC", text))
  return _CONTROL_SPACE.sub(" ", _CONTROL.sub("", text))


def _without_marks(text: str) -> str:
  """Returns the text as `_plain` shows each character, but for marks on letters whose vowels they may be."""
  shown, base = [], ""
  for character in text:
    plain = _plain(character)
    if not plain and base >= _LATIN_GREEK_CYRILLIC and unicodedata.category(character) in _MARKS:
      plain = character
    elif plain:
      base = plain
    shown.append(plain)
  return "".join(shown)


def split_at_blank_line(text: str) -> tuple[str, str]:
  """Returns what stands before and after the first blank line (breaks are \\n, \\r\\n or \\r); without one all, and ""."""
  before, *after = _BLANK_LINE.split(text, maxsplit=1)
  return before, "".join(after)


def fold(text: str) -> str:
  """Returns the visible text in lower case, contractions spelled out."""
  text = visible(text).lower()
  if "'" in text:
    text = text.replace("can't", "can n't").replace("ca n't", "can n't")
    text = text.replace("won't", "will n't").replace("wo n't", "will n't")
    text = _CONTRACTION.sub(lambda match: _SPELLED_OUT.get(match[0], " "), text)
  return text


@functools.lru_cache(maxsize=4096)
def _plain(character: str) -> str:
  """One visible character without its accent; "" for what does not show, such as zero-width."""
  if character in "‘’ʼ":
    return "'"
  if unicodedata.category(character) in ("Cf", "Cs", "Co", "Cn", *_MARKS) or character in _FILLERS:
    return ""
  return unicodedata.normalize("NFD", character)[0]


# Tables ---------------------------------------------------------------------------------------


def _symspell_file(name: str) -> pathlib.Path:
  spec = importlib.util.find_spec("symspellpy")
  if spec is None or spec.origin is None:
    raise ConfigError("the quality rewards need the tables of symspellpy: pip install symspellpy.")
  return pathlib.Path(spec.origin).with_name(name)


@functools.cache
def word_pairs() -> frozenset[str]:
  """Returns the most frequent pairs of adjacent English words, as "of the"."""
  path = _symspell_file("frequency_bigramdictionary_en_243_342.txt")
  with path.open(encoding="utf-8-sig") as lines:
    return frozenset(line[: line.rindex(" ")] for line in lines)


@functools.cache
def word_frequencies() -> dict[str, int]:
  """Returns English words with their counts in a large corpus."""
  path = _symspell_file("frequency_dictionary_en_82_765.txt")
  with path.open(encoding="utf-8-sig") as lines:
    return {word: int(count) for word, count in (line.split() for line in lines)}


@functools.cache
def _corpus_size() -> int:
  return sum(word_frequencies().values())


@functools.lru_cache(maxsize=65536)
def information(word: str) -> float:
  """Returns -ln of the word's share of English: 3 for "the", 10 for "dragon", 17 if unknown."""
  return math.log(_corpus_size() / word_frequencies().get(word, 30_000))


@functools.lru_cache(maxsize=65536)
def is_content(word: str) -> bool:
  """Tells words that say what a text is about from those that hold it together ("the", "would")."""
  return information(word) > 7.0 and len(word) > 1


@functools.lru_cache(maxsize=65536)
def stem(word: str) -> str:
  """Returns the word without its inflection: "makes" and "making" are "mak", "stories" "story".

  Light on purpose: it only has to make forms of one word meet, and Porter's takes 30 times as long.
  """
  for suffix, rest in _SUFFIXES:
    if word.endswith(suffix) and len(word) - len(suffix) >= 3:
      word = word[: -len(suffix)] + rest
      break
  if len(word) > 3 and word[-1] == "e":
    word = word[:-1]
  elif len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeiouls":
    word = word[:-1]
  return word


_SUFFIXES = (
    ("ies", "y"), ("ied", "y"), ("ing", ""), ("ed", ""),
    ("ss", "ss"), ("es", "e"), ("s", ""), ("ly", ""),
)  # fmt: skip


def content_stems(words: Sequence[str]) -> frozenset[str]:
  """Returns the stems of the content words."""
  return frozenset(stem(word) for word in words if is_content(word))


# Measures -------------------------------------------------------------------------------------


def ramp(value: float, zero: float, one: float) -> float:
  """Returns 0 up to `zero`, 1 from `one` on, linear between; falling where `zero` > `one`."""
  return min(1.0, max(0.0, (value - zero) / (one - zero)))


def ngrams(words: Sequence[str], n: int) -> list[tuple[str, ...]]:
  """Returns the runs of n words, in order."""
  return list(zip(*(words[i:] for i in range(n))))


# Word order in real stories and summaries lifts the share of known pairs by 0.23 or more (5th
# percentile); shuffling brings the lift to 0.12 or less (95th). 0.05 and 0.20 stand between.
_LIFT_OF_NOISE, _LIFT_OF_LANGUAGE = 0.05, 0.20
_DISTANCES = (3, 6, 9, 13)


@functools.lru_cache(maxsize=512)  # several components ask for the same text's
def fluency(text: Text, list_items: bool = False) -> float:
  """How far the order of the words is that of English: 0 for gibberish, 1 for real text.

  The share of adjacent words that are a known pair, less the share among words of the same text
  that stand 3, 6, 9 and 13 apart. The difference, not the share, because simple words form known
  pairs by chance; shuffled words, keywords and nonsense give about 0 whatever the vocabulary.

  Args:
    text: what to measure. Fewer than about six words cannot show any order and score low.
    list_items: count a clause of one to four words, half of them known, as a list's item, which is
      in order by itself, as far as its words are known; without it a mere list scores low.
  """
  pairs, words = word_pairs(), text.words
  known_share = [_item_share(clause) if list_items else 0.0 for clause in text.clauses]
  adjacent = []
  for clause, share in zip(text.clauses, known_share):
    if not share:
      adjacent += map(" ".join, zip(clause, clause[1:]))
  apart = []
  for distance in _DISTANCES:
    apart += map(" ".join, zip(words, words[distance:]))
  # 0.3 is the usual share by chance: a prior of ten pairs steadies short texts.
  chance = (sum(map(pairs.__contains__, apart)) + 3) / (len(apart) + 10)
  lift = sum(map(pairs.__contains__, adjacent)) - chance * len(adjacent)
  lift += _LIFT_OF_LANGUAGE * sum(known_share)
  evidence = len(adjacent) + 2 + sum(share > 0 for share in known_share)
  if not list_items:  # words that stand alone show no order: prose of them is a list
    evidence += sum(len(clause) for clause in text.clauses if len(clause) < 3)
  return ramp(lift / evidence, _LIFT_OF_NOISE, _LIFT_OF_LANGUAGE)


def in_order(text: Text, list_items: bool = False) -> float:
  """The factor by which gibberish loses what it would earn: 0 up to fluency 0.1, 1 from 0.6 on.

  A short honest text in rare words can miss full fluency by chance, and a shuffled one 0.
  """
  return ramp(fluency(text, list_items), 0.1, 0.6)


def _item_share(clause: tuple[str, ...]) -> float:
  """Returns the share of a list item's words that are English; 0 for what is no item."""
  known = word_frequencies()
  share = sum(word in known or word.isdigit() for word in clause) / len(clause)
  return share if len(clause) <= 4 and share >= 0.5 else 0.0


def mtld(words: Sequence[str], threshold: float = 0.72) -> float:
  """Returns the measure of textual lexical diversity: mean length of runs whose type/token ratio
  stays above `threshold`, forwards and backwards, at most the number of different words.

  Unlike the type/token ratio it does not fall with length (McCarthy and Jarvis 2010); the bound
  keeps a short text, or one sentence over and over, from more variety than it has words.
  """
  if not words:
    return 0.0
  both = (_mtld_one_way(words, threshold) + _mtld_one_way(words[::-1], threshold)) / 2
  return min(both, float(len(set(words))))


def _mtld_one_way(words: Sequence[str], threshold: float) -> float:
  factors, types, tokens = 0.0, set(), 0
  for word in words:
    types.add(word)
    tokens += 1
    if len(types) <= threshold * tokens:
      factors, types, tokens = factors + 1, set(), 0
  if tokens:
    factors += (1 - len(types) / tokens) / (1 - threshold)
  return len(words) / factors if factors else float(len(words))


_COPIED_RUN = 5  # words; restating a question takes fewer, quoting it takes more


def without_copies(text: Text, source: Text) -> Text:
  """Returns `text` without its runs of five or more words that also stand in `source`.

  A source shorter than a run is copied as a whole.
  """
  n = max(1, min(_COPIED_RUN, len(source.words)))
  known = set(ngrams(source.words, n))
  copied = bytearray(len(text.words))
  for i, run in enumerate(ngrams(text.words, n)):
    if run in known:
      copied[i : i + n] = b"\x01" * n
  if not any(copied):
    return text
  at = iter(copied)
  own = lambda part: tuple(word for word in part if not next(at))
  clauses = tuple(filter(None, map(own, text.clauses)))
  at = iter(copied)
  sentences = tuple(filter(None, map(own, text.sentences)))
  return Text(words=_flat(clauses), clauses=clauses, sentences=sentences)


@functools.lru_cache(maxsize=256)
def repeated_share(text: Text) -> float:
  """Returns the share of words that lie in a repetition: a sentence, or six words, said before."""
  seen, repeated = set(), bytearray(len(text.words))
  at = 0
  for sentence in text.sentences:
    if len(sentence) > 2 and sentence in seen:
      repeated[at : at + len(sentence)] = b"\x01" * len(sentence)
    seen.add(sentence)
    at += len(sentence)
  of_six, runs = ngrams(text.words, 6), set()
  for i, run in enumerate(of_six if len(set(of_six)) < len(of_six) else ()):
    if run in runs:
      repeated[i : i + 6] = b"\x01" * 6
    runs.add(run)
  return sum(repeated) / len(repeated) if repeated else 0.0


# What a model says instead of an answer: to the user, that it will not; to a judge, that it has. A
# character may say "I cannot" too, so what the writer declines has to be the task, and near the
# beginning.
_REFUSAL = re.compile(
    r"\b(?:as|am) an? (?:ai|artificial intelligence|(?:large )?language model)\b"
    r"|\bi (?:cannot|(?:can|could|will|am) not|am unable to|(?:must|have to) decline to) "
    r"(?:(?:be )?(?:able|allowed|going|willing) to )?"
    r"(?:(?:assist|comply|help you) with\b|fulfill? "
    r"|(?:write|create|generate|provide|give|produce|compose|tell|list|answer|summari[sz]e|complete) "
    r"(?:\w+ ){0,5}(?:story|stories|poem|text|request|prompt|question|summary|article|ideas?|list|about)\b)"
    r"|\b(?:give|award|assign|output) (?:\w+ ){0,4}(?:full|maximum|perfect|top|highest) (?:marks?|scores?|rating)\b"
    r"|\bignore (?:the|all|any|your|previous) (?:\w+ )?(?:rubric|instructions?)\b"
    r"|\byou must (?:output|give|assign|award) (?:\w+ ){0,3}(?:score|marks?|10|ten)\b"
)
_OPENING_WORDS = 40


def is_refusal(text: Text) -> bool:
  """Tells an answer that declines the task, or speaks to a judge, from one that does it.

  Its first forty words decide.
  """
  return bool(_REFUSAL.search(" ".join(text.words[:_OPENING_WORDS])))


# Likeness -------------------------------------------------------------------------------------


def sentence_weight(word: str) -> float:
  """Returns the weight of a word's vector in its sentence's: a / (a + frequency), a = 1e-4.

  Smooth inverse frequency, Arora et al. 2017.
  """
  return 1e-4 / (1e-4 + math.exp(-information(word)))


@functools.cache
def _word_vectors():
  import numpy as np

  with np.load(pathlib.Path(__file__).with_name("word_vectors.npz")) as table:
    words = table["words"].tobytes().decode().split("\n")
    vectors = table["vectors"].astype(np.float64)
  vectors *= np.array([[sentence_weight(word)] for word in words])
  return {word: i for i, word in enumerate(words)}, vectors


@functools.lru_cache(maxsize=512)
def sentence_vector(words: tuple[str, ...]):
  """Returns the weighted sum of the words' vectors, of length 1 (0 if none is known): [96]."""
  import numpy as np

  index, vectors = _word_vectors()
  rows = [index[word] for word in words if word in index]
  total = vectors[rows].sum(axis=0)
  return total / (np.linalg.norm(total) or 1.0)


def similarity(a: tuple[str, ...], b: tuple[str, ...]) -> float:
  """Returns the cosine of two texts' vectors, from -1 to 1: about 0 when unrelated."""
  return float(sentence_vector(a) @ sentence_vector(b))
