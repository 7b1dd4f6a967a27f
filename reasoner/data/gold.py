"""Gold answers through their own rewards: a row is valid if its reward accepts its truth.

  GSM8K "... #### 18"  ->  <reasoning>worked out</reasoning>\\n<answer>18</answer>  ->  correct

A thousand programs take minutes, so verdicts are kept on disk, under a hash of the row, of the
reward's settings and of the rewards' source: whatever may change a verdict changes the hash. A
verdict that was not reached, or only by a deadline or another limit of ours, is not kept. Domains without a correctness component have
no truth to check and pass through.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
import dataclasses
import hashlib
import pathlib
import sys
from typing import Protocol

from reasoner.data.corpus import Corpus
from rewards.errors import ConfigError
from rewards.format import render
from rewards.schema import Choice
from rewards.schema import Example
from rewards.schema import RewardBreakdown
from rewards.schema import Score
from rewards.schema import UnitTests
from rewards.scorer import Component
from rewards.scorer import DomainRewards

BATCH_SIZE = 256  # how much an interruption can lose


class Scorer(Protocol):
  """What is needed of a scorer: rewards.scorer.Scorer, or one that runs workers."""

  def score(self, examples: Sequence[Example], texts: Sequence[str]) -> list[RewardBreakdown]: ...


def gold_completion(example: Example) -> str | None:
  """Returns a completion with the reference as its answer; None where no program is known."""
  reference = example.reference
  if isinstance(reference, UnitTests):
    return render("worked out", f"```python\n{reference.text}\n```") if reference.text else None
  return render("worked out", reference.label if isinstance(reference, Choice) else reference.text)


def check_gold(
    corpus: Corpus,
    scorer: Scorer,
    *,
    rewards: Mapping[str, DomainRewards],
    cache_path: str | pathlib.Path,
) -> Corpus:
  """Returns the corpus without the rows whose gold answer their own reward refuses.

  Args:
    scorer: scores gold answers; asked only for those without a verdict in the cache.
    rewards: by domain, as `rewards.scorer.check` returns them.
    cache_path: text file of verdicts, made where there is none; safe to delete.

  Raises:
    ConfigError: a domain has no row left; says what the reward said about one of them.
  """
  verdicts = Verdicts(scorer, rewards=rewards, cache_path=cache_path)
  examples = list(corpus.examples())
  refused = verdicts.refused(examples)
  checked = corpus.without(refused)
  _require_rows(corpus, checked, refused, verdicts.said)
  unchecked = sorted(Counter(e.domain for e in examples if verdicts.lacks_program(e)).items())
  notes = tuple(f"{d}: {n:,} rows have no gold program to check." for d, n in unchecked)
  return dataclasses.replace(checked, notes=corpus.notes + notes)


def _reached(breakdown: RewardBreakdown) -> bool:
  """Tells a verdict on the row from one on our clock: a slow machine must not condemn it for ever."""
  ours = {cause.rpartition(":")[2] for cause in breakdown.causes} & {"timeout", "memory"}
  stopped = breakdown.gate and not breakdown.scores
  return breakdown.correct is not None and not stopped and not (ours and not breakdown.correct)


class Verdicts:
  """What the rewards say of gold answers, asked once for each row; arguments as `check_gold` takes them.

  said: by uid, the sentence of the reward that was asked just now.
  """

  def __init__(
      self, scorer: Scorer, *, rewards: Mapping[str, DomainRewards], cache_path: str | pathlib.Path
  ):
    self._scorer = scorer
    self._truths = {d: c for d in rewards if (c := _correctness(rewards[d]))}
    self._salts = {domain: _salt(component) for domain, component in self._truths.items()}
    self._cache = _Cache(pathlib.Path(cache_path))
    self.said: dict[str, str] = {}

  def has_truth(self, domain: str) -> bool:
    return domain in self._truths

  def lacks_program(self, example: Example) -> bool:
    """Says whether there is a truth that cannot be checked: tests, but no program to pass them."""
    return example.domain in self._truths and gold_completion(example) is None

  def refused(self, examples: Sequence[Example]) -> dict[str, str]:
    """Returns, by uid, why the gold answer of a row is not accepted; domains without a truth pass."""
    examples = [e for e in examples if e.domain in self._truths and not self.lacks_program(e)]
    keys = {e.uid: _key(e, self._salts[e.domain]) for e in examples}
    asked = [e for e in examples if keys[e.uid] not in self._cache]
    refused: dict[str, str] = {}
    for start in range(0, len(asked), BATCH_SIZE):
      batch = asked[start : start + BATCH_SIZE]
      breakdowns = self._scorer.score(batch, [gold_completion(e) for e in batch])
      for example, breakdown in zip(batch, breakdowns, strict=True):
        component = self._truths[example.domain].name
        score = breakdown.scores.get(component)
        why = breakdown.unscored.get(component) or ", ".join(breakdown.causes) or f"score {score}"
        self.said[example.uid] = score.reason if isinstance(score, Score) else why
        if not _reached(breakdown):
          refused[example.uid] = f"gold not scored by {component}"
      self._cache.add({keys[e.uid]: b.correct for e, b in zip(batch, breakdowns) if _reached(b)})
    for example in examples:
      if self._cache.get(keys[example.uid]) is False:
        refused[example.uid] = f"gold refused by {self._truths[example.domain].name}"
    return refused


def try_rewards(corpus: Corpus, scorer: Scorer) -> None:
  """Scores a row of every domain, so that a reward's own bug shows before any weight is loaded.

  Raises:
    ComponentError: what the reward raised, with its place.
  """
  rows = [examples[0] for _, examples in sorted(corpus.train.items())]
  scorer.score(rows, [render("A first thought.", row.reference.text or "A first answer.") for row in rows])


def _correctness(rewards: DomainRewards) -> Component | None:
  return next((c for c in rewards.components.values() if c.spec.kind == "correctness"), None)


def _require_rows(
    before: Corpus, after: Corpus, refused: Mapping[str, str], reasons: Mapping[str, str]
) -> None:
  for was, is_ in ((before.train, after.train), (before.evaluation, after.evaluation)):
    for domain, examples in was.items():
      if examples and not is_[domain]:
        uid = examples[0].uid
        said = f": {reasons[uid]}" if reasons.get(uid) else ""
        raise ConfigError(
            f"domain {domain!r}: no row is left, since each is {refused[uid]!r}, such as "
            f"{uid}{said}. Expected rows whose reference the domain's correctness reward accepts."
        )


def _salt(component: Component) -> bytes:
  """Hashes what, besides the row, decides a verdict: settings, source code and Python."""
  digest = hashlib.sha256(repr((component.name, sorted(component.settings.items()))).encode())
  digest.update(repr(sys.version_info[:2]).encode())
  import rewards

  plugin = pathlib.Path(component.spec.origin.rpartition(":")[0])
  for path in (*sorted(pathlib.Path(rewards.__path__[0]).rglob("*.py")), plugin):
    digest.update(path.read_bytes())
  return digest.digest()


def _key(example: Example, salt: bytes) -> str:
  content = (example.domain, example.prompt, example.reference, sorted(example.extra.items()))
  return hashlib.sha256(salt + repr(content).encode("utf-8", "backslashreplace")).hexdigest()


class _Cache(dict):
  """Verdicts by key, and their file: a line each, `<key> 1` or `<key> 0`."""

  def __init__(self, path: pathlib.Path):
    super().__init__()
    self._path = path
    if path.is_file():
      for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        key, _, verdict = line.partition(" ")
        if len(key) == 64 and verdict in ("0", "1"):  # else: cut off when a run was killed
          self[key] = verdict == "1"

  def add(self, verdicts: Mapping[str, bool]) -> None:
    self.update(verdicts)
    try:
      self._path.parent.mkdir(parents=True, exist_ok=True)
      with self._path.open("a", encoding="utf-8") as file:
        file.write("\n" + "".join(f"{key} {int(verdict)}\n" for key, verdict in verdicts.items()))
    except OSError as error:  # a cache that cannot be kept costs time, not the run
      print(f"warning: gold verdicts are not kept: {error}")
