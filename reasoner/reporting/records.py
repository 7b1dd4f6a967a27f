"""What an evaluation found: its records, their statistics by domain, and the table.

`accuracy` counts a completion without valid format as wrong, `accuracy_given_format` counts valid
ones alone: an accuracy claim that is really a format claim cannot hide here.
"""

import collections
from collections.abc import Mapping, Sequence
import dataclasses
import itertools
import math
import re
import statistics
from typing import Any

from reasoner.data.corpus import HELD_OUT
from rewards import format as output_format
from rewards.measures import text as text_lib
from rewards.schema import Example
from rewards.schema import RewardBreakdown

_IN_SUMMARY = ("format", "accuracy", "accuracy_given_format", "n_valid", "reward", "style")


def as_record(breakdown) -> dict[str, Any]:
  """Returns a breakdown's record with the total under the recipe's own weights beside the paid one."""
  return breakdown.as_record() | {"default_total": breakdown.default_total}


def samples(
    examples: Sequence[Example],
    texts: Sequence[str],
    breakdowns: Sequence[RewardBreakdown],
    advantages: Sequence[float],
) -> list[dict[str, Any]]:
  """Returns the first completion of each domain, with what it was paid."""
  first: dict[str, int] = {}
  for i, example in enumerate(examples):
    first.setdefault(example.domain, i)
  return [
      {
          "domain": domain,
          "uid": examples[i].uid,
          "prompt": examples[i].prompt,
          "completion": texts[i],
          "advantage": float(advantages[i]),
          **as_record(breakdowns[i]),
      }
      for domain, i in sorted(first.items())
  ]


def summarize(records: Sequence[Mapping[str, Any]], name: str = HELD_OUT) -> dict[str, dict[str, Any]]:
  """Returns the statistics of a set's records by domain, "all" for their union.

  Per domain: n, n_valid, format, accuracy and accuracy_given_format with 95 % Wilson intervals
  (None where there is no truth), reward as paid and under the default weights, scores (mean by
  component), tokens, truncated, failures by cause, and `style`.
  """
  own = [record for record in records if record["set"] == name]
  domains = sorted({record["domain"] for record in own})
  table = {d: _statistics([r for r in own if r["domain"] == d]) for d in domains}
  return table | ({"all": _statistics(own)} if own else {})


def _statistics(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
  valid = [r for r in records if r["gate"]]
  judged = [r for r in records if r["correct"] is not None]
  judged_valid = [r for r in judged if r["gate"]]
  components = sorted({name for r in valid for name in r["scores"]})
  return {
      "n": len(records),
      "n_valid": len(valid),
      "format": _rate([r["gate"] for r in records]),
      "format_interval": wilson(len(valid), len(records)),
      "accuracy": _rate([r["correct"] for r in judged]),
      "accuracy_interval": wilson(sum(r["correct"] for r in judged), len(judged)),
      "accuracy_given_format": _rate([r["correct"] for r in judged_valid]),
      "accuracy_given_format_interval": wilson(sum(r["correct"] for r in judged_valid), len(judged_valid)),
      "n_judged": len(judged),
      "n_judged_valid": len(judged_valid),
      "reward": _rate([r["total"] for r in records if r["total"] is not None]),
      "default_reward": _rate(
          [r["default_total"] for r in records if r.get("default_total") is not None]
      ),
      "scores": {
          name: _rate([r["scores"][name] for r in valid if r["scores"].get(name) is not None])
          for name in components
      },
      "tokens": _rate([r["tokens"] for r in records]),
      "truncated": _rate([r["truncated"] for r in records]),
      "failures": {
          cause: sum(r["failure"] == cause for r in records)
          for cause in sorted({r["failure"] for r in records if r["failure"]})
      },
      "style": style([r["completion"] for r in valid]),
  }


def best_of(evaluations: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
  """Returns the row of evaluations.jsonl with the highest paid total, the first of equals; None for none."""
  known = [row for row in evaluations if row["all"]["reward"] is not None]
  return max(known, key=lambda row: row["all"]["reward"], default=None)


_LIST_ITEM = re.compile(r"^\s*(?:[-*•–]|\(?(?:\d{1,2}|[a-zA-Z])[.)])\s+\S", re.MULTILINE)
_CODE = re.compile(
    r"```|^\s*(?:def \w+\(.*\).*:|class \w+.*:\s*$|import [\w.]+(?: as \w+)?\s*$|from [\w.]+ import \w)",
    re.MULTILINE,
)
_EQUATION = re.compile(r"\d[)\]}%$\s]*=(?!=)|(?<![=<>!:])=[\s$\\({\[+-]*\d")
_CONNECTIVE = re.compile(
    r"\b(?:because|since|so|therefore|thus|hence|consequently|however|although|whereas|unless|otherwise)\b",
    re.IGNORECASE,
)


def style(completions: Sequence[str]) -> dict[str, float | None]:
  """Returns how completions of valid format are written: means and shares over `n` of them.

  reasoning_words, answer_words: separated by white space. reasoning_sentences: ended by a full stop,
  question or exclamation mark or a line break. Shares from 0 to 1: `lists` have two or more lines
  that begin with a bullet, or a number or letter and a dot or bracket; `code` a fence, or a line that
  begins a Python function, class or import; both anywhere between the tags. `equations` have an equals sign
  beside a number in the reasoning, `connectives` a word in it that joins a thought to another (so, because,
  therefore, since, thus, hence, consequently, however, although, whereas, unless, otherwise). All are
  None for n = 0.
  """
  parsed = [output_format.parse(completion) for completion in completions]
  reasonings, answers = [c.reasoning for c in parsed], [c.answer for c in parsed]
  lists = [any(len(_LIST_ITEM.findall(part)) > 1 for part in (c.reasoning, c.answer)) for c in parsed]
  return {
      "n": len(parsed),
      "reasoning_words": _rate([len(reasoning.split()) for reasoning in reasonings]),
      "answer_words": _rate([len(answer.split()) for answer in answers]),
      "reasoning_sentences": _rate([len(text_lib.read(reasoning).sentences) for reasoning in reasonings]),
      "lists": _rate(lists),
      "code": _rate([bool(_CODE.search(c.reasoning) or _CODE.search(c.answer)) for c in parsed]),
      "equations": _rate([bool(_EQUATION.search(reasoning)) for reasoning in reasonings]),
      "connectives": _rate([bool(_CONNECTIVE.search(reasoning)) for reasoning in reasonings]),
  }


def summary_by_domain(
    before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
  """Returns by domain what `summary.json` says of the held-out records before and after."""
  tables = {"before": summarize(before), "after": summarize(after)}
  constant = best_constant_answer(after)
  return {
      domain: {
          "n": row["n"],
          "best_constant_answer": constant.get(domain),
          **{
              f"{field}_{when}": table[domain][field]
              for field in _IN_SUMMARY for when, table in tables.items()
          },
      }
      for domain, row in tables["before"].items() if domain != "all"
  }  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flips:
  """On how many of the same n rows a verdict came out otherwise: `won` became true, `lost` false.

  before, after: the shares of true, 0 to 1.
  p: exact McNemar test of them, two-sided (https://doi.org/10.1007/BF02295996); 1 where nothing changed.
  """

  n: int
  before: float
  after: float
  won: int
  lost: int

  @property
  def p(self) -> float:
    fewer, flips = min(self.won, self.lost), self.won + self.lost
    return min(1.0, 2 * sum(math.comb(flips, k) for k in range(fewer + 1)) / 2**flips)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Change:
  """What became of a domain's held-out rows that both evaluations have; None: not measured there.

  reward: the mean difference of what a row earned, and the ends of its 95 % interval (1.96 standard errors); None
  too where fewer than two rows were scored both times.
  """

  format: Flips | None
  accuracy: Flips | None
  reward: tuple[float, float, float] | None

  @property
  def verdicts(self) -> dict[str, Flips]:
    """Those that are measured, by what a sentence calls them."""
    named = {"valid format": self.format, "accuracy": self.accuracy}
    return {name: own for name, own in named.items() if own}


def changes(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> dict[str, Change]:
  """Returns the change by domain, of "all" last; empty where the evaluations have no held-out row in common.

  Two intervals side by side cannot say it: they are of rows, not of what became of each.
  """
  earlier = {(r["domain"], r["uid"]): r for r in before if r["set"] == HELD_OUT}
  pairs: dict[str, list[tuple[Mapping[str, Any], Mapping[str, Any]]]] = collections.defaultdict(list)
  for record in sorted(after, key=lambda r: r["domain"]):
    if record["set"] == HELD_OUT and (was := earlier.get((record["domain"], record["uid"]))):
      pairs[record["domain"]].append((was, record))
  everything = list(itertools.chain(*pairs.values()))
  return {
      domain: Change(format=_flips(own, "gate"), accuracy=_flips(own, "correct"), reward=_reward_change(own))
      for domain, own in (*pairs.items(), *([("all", everything)] if everything else []))
  }


def _flips(pairs, field: str) -> Flips | None:
  own = [(a[field], b[field]) for a, b in pairs if a[field] is not None and b[field] is not None]
  if not own:
    return None
  was, now = (sum(values) / len(own) for values in zip(*own))
  won, lost = sum(b and not a for a, b in own), sum(a and not b for a, b in own)
  return Flips(n=len(own), before=was, after=now, won=won, lost=lost)


def _reward_change(pairs) -> tuple[float, float, float] | None:
  own = [b["total"] - a["total"] for a, b in pairs if a["total"] is not None and b["total"] is not None]
  return mean_interval(own) if len(own) > 1 else None


def mean_interval(differences: Sequence[float]) -> tuple[float, float, float]:
  """Returns the mean of paired differences and the ends of its 95 % interval: 1.96 standard errors, infinite for one."""
  mean = statistics.fmean(differences)
  error = statistics.stdev(differences) / len(differences) ** 0.5 if len(differences) > 1 else math.inf
  return mean, mean - 1.96 * error, mean + 1.96 * error


def overall(changed: Mapping[str, Change]) -> list[str]:
  """Returns a sentence on all domains' rows together; none where there was nothing to compare."""
  if "all" not in changed:
    return []
  change = changed["all"]
  said = [
      f"{name} {own.won} won, {own.lost} lost of {own.n} (McNemar p = {own.p:.2g})"
      for name, own in change.verdicts.items()
  ]
  if change.reward:
    said.append("reward {:+.3f} [{:.3f}, {:.3f}]".format(*change.reward))
  return [f"On the same rows: {'; '.join(said)}."]


def lost(changed: Mapping[str, Change]) -> list[str]:
  """Returns a sentence for each domain that has valid format, or is right, on fewer of its held-out rows.

  Only where the rows that changed say so at 5 %: a mean over all domains hides that one was unlearned.
  """
  return [
      f"{domain} lost {name}: {100 * own.before:.1f} -> {100 * own.after:.1f} % of the same {own.n} rows "
      f"({own.lost} lost, {own.won} won)."
      for domain, change in changed.items() if domain != "all"
      for name, own in change.verdicts.items() if own.lost > own.won and own.p < 0.05
  ]  # fmt: skip


def table(
    statistics: Mapping[str, Mapping[str, Any]],
    title: str,
    earlier: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[str]:
  """Returns the statistics of `summarize` as lines of plain text, "all" last.

  Args:
    statistics: by domain.
    title: the first line.
    earlier: the same of an earlier evaluation; values then read "before -> after". Intervals are
      the later one's.
  """
  cells = [("domain", "n", "format", "accuracy (95 %)", "given format", "reward", "tokens", "truncated")]
  for domain in sorted(statistics, key=lambda name: (name == "all", name)):
    now, then = statistics[domain], (earlier or {}).get(domain)

    def value(field: str, form: str, unit: str = "", *, now=now, then=then) -> str:
      if now[field] is None:
        return "-"
      before = f"{then[field]:{form}} -> " if then and then[field] is not None else ""
      return f"{before}{now[field]:{form}}".replace("%", "") + unit

    accuracy, given = value("accuracy", ".1%", " %"), value("accuracy_given_format", ".1%", " %")
    if now["accuracy"] is not None:
      low, high = (100 * bound for bound in now["accuracy_interval"])
      accuracy += f" [{low:4.1f}, {high:5.1f}]"
    if now["accuracy_given_format"] is not None:
      given += f" of {now['n_judged_valid']}"
    cells.append((
        domain, str(now["n"]), value("format", ".1%", " %"), accuracy, given,
        value("reward", ".3f"), value("tokens", ".0f"), value("truncated", ".1%", " %"),
    ))
  widths = [max(map(len, column)) for column in zip(*cells)]
  lines = [
      "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:]))])
      for row in cells
  ]
  return [title, *lines]


def _rate(values: Sequence[float]) -> float | None:
  return sum(map(float, values)) / len(values) if values else None


def wilson(successes: int, n: int) -> tuple[float, float] | None:
  """Returns the 95 % Wilson score interval of a proportion; None for n = 0.

  https://doi.org/10.1080/01621459.1927.10502953; unlike the normal interval it stays inside [0, 1]
  and is honest at 0 and 1.
  """
  if not n:
    return None
  z = 1.959963984540054
  p = successes / n
  centre = p + z * z / (2 * n)
  margin = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
  scale = 1 + z * z / n
  return max(0.0, (centre - margin) / scale), min(1.0, (centre + margin) / scale)


def best_constant_answer(records: Sequence[Mapping[str, Any]], name: str = HELD_OUT) -> dict[str, float]:
  """Returns by domain the accuracy that one answer, always given, would reach.

  The most frequent reference or, where questions have options, the most frequent letter of a right one.
  """
  own = [r for r in records if r["set"] == name]
  best = {}
  for domain in sorted({r["domain"] for r in own if r["correct"] is not None}):
    rows = [r for r in own if r["domain"] == domain]
    texts = collections.Counter(r["reference"] for r in rows)
    labels = collections.Counter(r["reference_label"] for r in rows if r.get("reference_label"))
    best[domain] = max([*texts.values(), *labels.values()]) / len(rows)
  return best
