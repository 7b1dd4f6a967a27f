"""Why a completion got what it got, in words: what `python -m rewards explain` and the chat show.

  explain(example, breakdown)  ->  ["gsm8k/main/test/4 (math)", "gate: passed", "component  score ...", ...]
"""

from collections.abc import Sequence

from rewards import scorer
from rewards.output import shown
from rewards.schema import Example
from rewards.schema import RewardBreakdown
from rewards.schema import Score

_FAILURES = {
    "missing": "a pair of tags is missing",
    "unclosed": "a tag is never closed: usually cut off at the token limit",
    "duplicate": "a tag appears twice",
    "order": "the tags are not in the order reasoning, answer",
    "empty": "the reasoning or the answer is empty",
}


def explain(example: Example, breakdown: RewardBreakdown) -> list[str]:
  """Returns lines to print: the gate, each component with its weight and reason, and the total."""
  lines = [shown(f"{example.uid} ({example.domain})")]
  if not breakdown.gate:
    lines.append(f"gate: refused, {breakdown.failure}: {_FAILURES[breakdown.failure]}.")
    return [*lines, f"total = 0: nothing behind the gate is looked at.{_verdict(breakdown)}"]
  lines.append("gate: passed")
  if not breakdown.scores and breakdown.causes:
    return [*lines, f"total = 0: stopped, {shown(', '.join(breakdown.causes))}.{_verdict(breakdown)}"]
  offered = sum(breakdown.weights.values())
  guarded = f", and guards reach {breakdown.format_guarded:g} of it" if breakdown.format_guarded else ""
  rows = [("component", "score", "weight", "paid", "why")]
  of_format = Score(breakdown.format_score, f"the gate passed{guarded}")
  for name, score in {"format": of_format, **breakdown.scores}.items():
    weight = breakdown.weights.get(name)
    if name in breakdown.guards:
      weight = breakdown.guards[name]
      effect = f"x {scorer.guard_factor({name: score}, {name: weight}):.3f}"
    else:
      effect = "" if weight is None else f"{weight * (score or 0.0):.3f}"
    rows.append((
        name,
        "none" if score is None else f"{score:.3f}",
        "left out" if weight is None else f"{weight:g}",
        effect,
        shown(f"not scored: {breakdown.unscored[name]}" if score is None else getattr(score, "reason", "")),
    ))
  lines += columns(rows)
  if breakdown.total is None:
    lines.append("total = none: something that is paid could not be scored, which is no fault of the completion.")
  else:
    paid = f"{breakdown.total * offered:.3f} / {offered:g}"
    if breakdown.guards:
      for_format = breakdown.weights["format"] * breakdown.format_score
      earned = sum(w * (breakdown.scores[n] or 0.0) for n, w in breakdown.weights.items() if n != "format")
      paid = f"({round(for_format, 3):g} + {breakdown.guard_factor:.3f} x {earned:.3f}) / {offered:g}"
    lines.append(f"total = {paid} = {breakdown.total:.3f}{_verdict(breakdown)}")
  if breakdown.causes:
    lines.append(f"counted: {shown(', '.join(breakdown.causes))}")
  return lines


def columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
  """Returns columns of equal width as lines; the last one as it is."""
  widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]) - 1)]
  return ["  ".join([*(c.ljust(w) for c, w in zip(row, widths)), row[-1]]).rstrip() for row in rows]


def _verdict(breakdown: RewardBreakdown) -> str:
  verdicts = {True: " Correct.", False: " Not correct.", None: " No verdict on correctness."}
  return verdicts[breakdown.correct]
