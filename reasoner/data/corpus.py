"""What loading gives: Examples by domain, and an account of every row that was read.

  corpus.train["math"][17].uid                                       ->  "gsm8k/main/train/17"
  corpus.counts[Origin("train", "math", "gsm8k", "main/train")]      ->  {"kept": 7473}

Nothing is read or decided here.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
import dataclasses
import hashlib
import random
from typing import NamedTuple

from rewards.errors import ConfigError
from rewards.schema import Example

TRAIN, EVALUATION = "train", "evaluation"
KEPT = "kept"
HELD_OUT = "held_out"  # the name of the evaluation rows among all that is evaluated on


class Origin(NamedTuple):
  """Where rows came from and what for. role: "train", "evaluation", or a further set's name."""

  role: str
  domain: str
  dataset: str
  split: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Corpus:
  """Examples by domain, in an order that depends on the rows and the config alone.

  train, evaluation: {domain: examples}. evaluation_sets: the same under the name of a further set.
  counts: {origin: {reason: rows}}, KEPT being one of the reasons.
  origins: where each example came from, by uid. notes: more lines for the table.
  """

  train: Mapping[str, tuple[Example, ...]]
  evaluation: Mapping[str, tuple[Example, ...]]
  evaluation_sets: Mapping[str, Mapping[str, tuple[Example, ...]]]
  counts: Mapping[Origin, Mapping[str, int]]
  origins: Mapping[str, Origin]
  notes: tuple[str, ...] = ()

  def drawn(self, pairs: Iterable[tuple[str, int]]) -> list[Example]:
    """Returns the training examples of (domain, row) pairs, as sampling.Schedule draws them."""
    return [self.train[domain][row] for domain, row in pairs]

  def sets(self, rows_a_domain: int) -> dict[str, list[Example]]:
    """Returns what to evaluate on, by the name of the set: the same sample under every seed."""

    def sample(examples):
      return random.Random("evaluation").sample(list(examples), min(rows_a_domain, len(examples)))

    sets = {HELD_OUT: self.evaluation, **self.evaluation_sets}
    return {name: [e for d in sorted(rows) for e in sample(rows[d])] for name, rows in sets.items()}

  def fingerprints(self) -> dict[str, str]:
    """Returns a hash of each domain's rows, those of training and of evaluation."""
    hashes = {}
    for domain in sorted(self.train):
      digest = hashlib.sha256()
      for example in (*self.train[domain], *self.evaluation[domain]):
        row = example.uid, example.prompt, example.reference, sorted(example.extra.items())
        digest.update(repr(row).encode("utf-8", "backslashreplace"))
      hashes[domain] = digest.hexdigest()
    return hashes

  def table(self) -> list[str]:
    """Returns lines to print: rows read and kept by domain, data set and split, and why not."""
    head = ("domain", "data set", "split", "role", "read", KEPT, "dropped")
    rows = [head]
    for origin, reasons in sorted(self.counts.items(), key=lambda item: item[0][1:] + item[0][:1]):
      dropped = [f"{n:,} {reason}" for reason, n in sorted(reasons.items()) if reason != KEPT]
      read, kept = f"{sum(reasons.values()):,}", f"{reasons.get(KEPT, 0):,}"
      rows.append((*origin[1:], origin.role, read, kept, "; ".join(dropped)))
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = [
        "  ".join(f"{cell:>{w}}" if i in (4, 5) else f"{cell:<{w}}" for i, (cell, w) in
                  enumerate(zip(row, widths))).rstrip()
        for row in rows
    ]
    lines.insert(1, "-" * max(map(len, lines)))
    return lines + list(self.notes)

  def examples(self) -> Iterator[Example]:
    """Yields all examples: those of training, of evaluation, of the further sets."""
    for role in (self.train, self.evaluation, *self.evaluation_sets.values()):
      for examples in role.values():
        yield from examples

  def map(self, change: Callable[[Example], Example]) -> "Corpus":
    """Returns the corpus with `change` of each example in its place."""
    return self._with_rows(lambda examples: tuple(map(change, examples)))

  def without(self, reasons: Mapping[str, str]) -> "Corpus":
    """Returns the corpus without some rows, counted with the reasons, by uid."""
    counts = {origin: Counter(own) for origin, own in self.counts.items()}
    for uid, reason in reasons.items():
      counts[self.origins[uid]].update({KEPT: -1, reason: 1})
    rest = self._with_rows(lambda examples: tuple(e for e in examples if e.uid not in reasons))
    origins = {uid: origin for uid, origin in self.origins.items() if uid not in reasons}
    return dataclasses.replace(rest, counts=counts, origins=origins)

  def _with_rows(self, change: Callable[[tuple[Example, ...]], tuple[Example, ...]]) -> "Corpus":
    by_domain = lambda rows: {domain: change(examples) for domain, examples in rows.items()}  # noqa: E731
    return dataclasses.replace(
        self,
        train=by_domain(self.train),
        evaluation=by_domain(self.evaluation),
        evaluation_sets={name: by_domain(rows) for name, rows in self.evaluation_sets.items()},
    )

  def reasons(self, role: str, domain: str) -> Counter:
    """Returns rows by reason over all that feed a domain in one role."""
    total = Counter()
    for origin, reasons in self.counts.items():
      if (origin.role, origin.domain) == (role, domain):
        total.update(reasons)
    return total

  def require_rows(self) -> None:
    """Raises ConfigError where a domain has nothing to train on or to evaluate with."""
    for role, examples in ((TRAIN, self.train), (EVALUATION, self.evaluation)):
      for domain in examples:
        if not examples[domain]:
          reasons = [f"{n:,} {reason}" for reason, n in self.reasons(role, domain).items()]
          raise ConfigError(
              f"domain {domain!r} of config.rewards has no rows for {role} "
              f"({', '.join(reasons) or 'none were read'}): expected at least one from a data set "
              f"in config.data.sources.{domain} or a file in config.data.pools."
          )
