"""The nouns that flow through training and scoring: Example, Completion, RewardBreakdown.

One real input, as an adapter makes it from a GSM8K row:

  Example(uid="gsm8k/main/train/17", domain="math", prompt="Jack is stranded ...",
          reference=Number(text="150"))

Frozen and keyword-only: what a policy or a plugin sees cannot be changed under the trainer.
This module does not read rows (rows.py) and does not parse completions (format.py).
"""

from collections.abc import Mapping, Sequence
import dataclasses
import types
from typing import Any, Protocol


@dataclasses.dataclass(frozen=True, kw_only=True)
class Number:
  """A mathematical answer. `text` is the bare answer: `72`, `1/2` or LaTeX such as `\\frac{1}{9}`."""

  text: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Choice:
  """A multiple-choice answer: `text` and `label` of the right choice, `choices` as (label, text) pairs."""

  text: str
  label: str
  choices: tuple[tuple[str, str], ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class YesNo:
  """A yes/no answer; `value` is True for yes and true."""

  value: bool

  @property
  def text(self) -> str:
    return "yes" if self.value else "no"


@dataclasses.dataclass(frozen=True, kw_only=True)
class UnitTests:
  """Python tests of a program: `tests` are statements, `setup` runs before them.

  `text` is a program known to pass, or "" where the row has none.
  """

  tests: tuple[str, ...]
  setup: str = ""
  text: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Text:
  """A free-text answer; `aliases` are other texts that mean the same."""

  text: str
  aliases: tuple[str, ...] = ()


Reference = Number | Choice | YesNo | UnitTests | Text

# What a pool row's `metadata.type` may say.
TYPES = {"number": Number, "choice": Choice, "yes_no": YesNo, "tests": UnitTests, "text": Text}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Example:
  """One prompt and its truth.

  uid: unique and stable, "dataset/split/index". passage: the part of the prompt that may be cut where
  it is too long to be read; "" for none. extra: read-only mapping of what the row carried
  besides; metadata stands in it both flattened and under "metadata".
  """

  uid: str
  domain: str
  prompt: str
  reference: Reference
  passage: str = ""
  extra: Mapping[str, Any] = dataclasses.field(default_factory=dict)

  def __post_init__(self):
    object.__setattr__(self, "extra", types.MappingProxyType(dict(self.extra)))

  def as_row(self) -> dict[str, Any]:
    """Returns the pool row that this is: what `rows.example_from_row` would read it from."""
    metadata: dict[str, Any] = {"type": next(n for n, kind in TYPES.items() if isinstance(self.reference, kind))}
    answer: Any = self.reference.text
    match self.reference:
      case Choice(label=answer, choices=choices):
        metadata["choices"] = {"label": [c[0] for c in choices], "text": [c[1] for c in choices]}
      case UnitTests(tests=tests, setup=setup):
        metadata |= {"test_cases": list(tests), "test_setup_code": setup}
      case Text(aliases=aliases):
        metadata["aliases"] = list(aliases)
    if self.passage:
      metadata["passage"] = self.passage
    carried = {k: v for k, v in self.extra.items() if k != "metadata"}
    own = {"uid": self.uid, "domain": self.domain, "prompt": self.prompt, "answer": answer}
    return carried | own | {"metadata": metadata}

  def __reduce__(self):  # a mapping proxy cannot be pickled, and workers need examples
    fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
    return _example, (fields | {"extra": dict(self.extra)},)


def _example(fields: dict[str, Any]) -> Example:
  return Example(**fields)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Completion:
  """What the policy wrote, parsed once by `format.parse`.

  text: the raw completion. reasoning, answer: inside of the tags, stripped; "" where absent.
  failure: why the format gate refuses it (one of `format.FAILURES`), or None when it passes.
  """

  text: str
  reasoning: str = ""
  answer: str = ""
  failure: str | None = None


class Score(float):
  """A component's score in [0, 1] that also says why.

  reason: a sentence for `python -m rewards explain`. cause: one word that the metrics count, such
  as "timeout", "crash" or "syntax"; "" for an ordinary score.
  """

  __slots__ = ("reason", "cause")

  def __new__(cls, value: float, reason: str = "", cause: str = ""):
    self = super().__new__(cls, value)
    self.reason = reason
    self.cause = cause
    return self

  def __reduce__(self):
    return Score, (float(self), self.reason, self.cause)


@dataclasses.dataclass(frozen=True)
class Unscored:
  """What a component returns instead of a score that it could not give, the completion not being at fault.

  The completion then leaves its group if the component is paid. A plain None says that the component
  has nothing to measure there (a row without a reference), and a quality is left out for the group.

  cause: one word that the metrics count, such as "judge". reason: a sentence for `explain`.
  """

  cause: str
  reason: str


class Model(Protocol):
  """A language model that components of scope `model` ask; in training the policy's frozen reference."""

  def log_probabilities(self, prompts: Sequence[str], texts: Sequence[str]) -> list[Sequence[float]]:
    """Returns for each text the natural log-probability of each of its tokens after its prompt.

    The same at each call. A text that is too long is cut at its end, a prompt at its beginning.
    """


def format_score(guarded: float, guard_factor: float) -> float:
  """Returns what guards leave of the format's pay: they reach `guarded` of it, and leave `guard_factor` of that."""
  return 1.0 - guarded * (1.0 - guard_factor)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RewardBreakdown:
  """How one completion was paid.

  gate: the format gate's verdict; failure: its cause where it refused.
  scores: by component, each in [0, 1] or None (not scored); empty when gated out or timed out.
  weights: what each payer of `scores` and "format" weighed, after leaving out qualities not scored.
  guards: the weights of the guards among `scores`, from 0 (measured, not applied) to 1.
  guard_factor: what the guards left of the payers' sum, in [0, 1]; 1 where nothing was scored.
  format_guarded: the share of the format's weight that the guards took from too, in [0, 1].
  total: in [0, 1], or None where something that is paid could not be scored.
  default_total: the same under the recipe's own weights, so that ablations stay comparable.
  correct: the verdict of the correctness component; None where there is no truth or no verdict.
  causes: words to count, such as ("math_answer:deadline",).
  unscored: why a component gave no score, a sentence by name.
  """

  gate: bool
  failure: str | None
  scores: Mapping[str, float | None]
  weights: Mapping[str, float]
  guards: Mapping[str, float] = dataclasses.field(default_factory=dict)
  guard_factor: float = 1.0
  format_guarded: float = 0.0
  total: float | None
  default_total: float | None
  correct: bool | None
  causes: tuple[str, ...] = ()
  unscored: Mapping[str, str] = dataclasses.field(default_factory=dict)

  @property
  def parts(self) -> dict[str, float]:
    """What `total` is the mean of under `weights`, by what is paid: gate and guards act on each.

    "format" is `format_score` behind the gate, another part its score times `guard_factor`; all are 0 where
    the gate refused or the completion was stopped. Empty where the total is None.
    """
    if self.total is None:
      return {}
    paid = [name for name, weight in self.weights.items() if weight]
    if not self.total:
      return dict.fromkeys(paid, 0.0)
    return {
        n: self.gate * self.format_score if n == "format" else self.guard_factor * float(self.scores[n]) for n in paid
    }

  @property
  def format_score(self) -> float:
    """What the guards left of the format's pay behind the gate, in [0, 1]."""
    return format_score(self.format_guarded, self.guard_factor)

  def ungated(self, failure: str) -> "RewardBreakdown":
    """Returns what a completion is paid that was scored though the gate refuses it: all but the format."""
    offered = sum(self.weights.values())
    total = self.total and max(0.0, self.total - self.weights["format"] * self.format_score / offered)
    correct = None if self.correct is None else False
    return dataclasses.replace(
        self, gate=False, failure=failure, total=total, default_total=0.0, correct=correct
    )

  def as_record(self) -> dict[str, Any]:
    """Returns what a line of JSON says of it; reasons and weights are left to `explain`."""
    return {
        "total": self.total,
        "gate": self.gate,
        "failure": self.failure,
        "correct": self.correct,
        "scores": {name: None if s is None else float(s) for name, s in self.scores.items()},
        "causes": list(self.causes),
    } | ({"unscored": dict(self.unscored)} if self.unscored else {})
