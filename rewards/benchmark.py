"""How fast and how patient the scoring service is: `python -m rewards bench`.

One real input is a domain of a recipe with its weights, as `math: {format: .., math_answer: ..}`.
Prompts and 150-word completions are made up here, different from each other and right about as
often as a trained policy is. Rewards per second are those of large batches. Latency is what a
trainer waits: from the submission of a small batch until the completion in question is scored by
the components of completion scope.

Hostile completions run into their deadline in a component that exists for this purpose, since the
recipe's own components refuse most hostile text within microseconds. Not here: whether scores are
right.
"""

from collections.abc import Iterator, Mapping
import itertools
import pathlib
import random
import tempfile
import time
from typing import Any

from rewards.format import parse
from rewards.format import render
from rewards.schema import Choice
from rewards.schema import Example
from rewards.schema import Number
from rewards.schema import Text
from rewards.schema import UnitTests
from rewards.schema import YesNo
from rewards.scorer import Scorer
from rewards.service import Service

LARGE_BATCH = 1024
SMALL_BATCH = 64
WORDS = 150
HOSTILE_IN_BATCH = 2

_ENDLESS = '''
from rewards import register

@register("endless", kind="quality")
def endless(completion, example):
  """Never returns for the answer `endless`."""
  while completion.answer == "endless":
    pass
  return 1.0
'''

_SENTENCES = (
    "The old lighthouse keeper walked down to the harbour before the sun had risen.",
    "Her daughter carried a lantern and counted every step of the narrow stairs.",
    "Nobody in the village remembered when the storm had taken the last boat.",
    "They found a letter between the stones, folded twice and sealed with wax.",
    "It said that the sea keeps its promises longer than people do.",
    "A gull landed on the wall and watched them read it in silence.",
    "Later they cooked fish over a small fire and talked about the winter.",
    "The water was cold, but the light on it looked almost warm.",
    "He had learned to listen for engines long before he could see them.",
    "In the evening the wind turned, and with it the smell of rain.",
    "She asked whether the lamp would burn until the morning came.",
    "Every story they knew began with somebody who had not come home.",
    "The council had promised a new road, and then another election.",
    "Two teachers painted the school while the children collected shells.",
    "By noon the market was full of voices, onions and borrowed umbrellas.",
    "What mattered, he thought, was to keep the glass clean and the oil dry.",
)


def run(
    rewards: Mapping[str, Mapping[str, Any]],
    *,
    plugins: tuple[str, ...],
    num_workers: int | None,
    completion_timeout_seconds: float,
    seconds: float,
    hostile_every: int | None,
    by_component: bool = False,
) -> Iterator[str]:
  """Yields lines of a table: for each domain rewards per second and latency in milliseconds.

  Args:
    rewards, plugins, num_workers, completion_timeout_seconds: as Service takes them.
    seconds: how long each domain is measured.
    hostile_every: measures once more with every Nth completion hostile, and tells by how much the
      others were slowed.
    by_component: measures also what each component's score costs.
  """
  with tempfile.TemporaryDirectory() as directory:
    endless = pathlib.Path(directory) / "endless.py"
    endless.write_text(_ENDLESS, encoding="utf-8")
    yield from _run(
        rewards,
        plugins=plugins,
        endless=str(endless),
        seconds=seconds,
        hostile_every=hostile_every,
        by_component=by_component,
        limits=dict(num_workers=num_workers, completion_timeout_seconds=completion_timeout_seconds),
    )


def _run(rewards, *, plugins, endless, seconds, hostile_every, by_component, limits) -> Iterator[str]:
  yield f"{'domain':<20}{'rewards/s':>10}{'p50 ms':>10}{'p99 ms':>10}{'max ms':>10}"
  for domain, entries in rewards.items():
    rows = _rows(domain, random.Random(0))
    with Service({domain: entries}, plugins=plugins, **limits) as service:
      service.start()
      _measure(service, _take(rows, SMALL_BATCH))  # caches fill
      rate, _ = _repeat(service, rows, LARGE_BATCH, seconds / 2)
      _, latencies = _repeat(service, rows, SMALL_BATCH, seconds / 2)
    yield f"{domain:<20}{rate:>10.0f}{_percentiles(latencies)}"
    if by_component:
      yield from _costs(domain, entries, plugins)
    if hostile_every:
      batch = _take(rows, HOSTILE_IN_BATCH * hostile_every)
      hostile = range(0, len(batch), hostile_every)
      for i in hostile:
        batch[i] = (batch[i][0], render("I will answer soon.", "endless"))
      entries = {**entries, "endless": {"weight": 0.0}}
      with Service({domain: entries}, plugins=(*plugins, endless), **limits) as service:
        service.start()
        _, slowed = _measure(service, batch, without=hostile)
      extra = max(slowed, default=0.0) - max(latencies, default=0.0)
      deadline = limits["completion_timeout_seconds"]
      yield (
          f"{'':<20}one in {hostile_every} hostile: the slowest other one waits {extra:.1f} s more, "
          f"{'within' if extra <= deadline else 'BEYOND'} the deadline of {deadline:g} s"
      )


def _costs(domain: str, entries: Mapping[str, Any], plugins: tuple[str, ...]) -> Iterator[str]:
  """Yields by component the CPU time of one score in this process, programs and endpoints not counted.

  Each has rows of its own, so reading the text is counted again in all that need it read.
  """
  scorer, rows = Scorer({domain: entries}, plugins=plugins), _rows(domain, random.Random(1))
  for name, component in scorer.domains[domain].components.items():
    for size in (SMALL_BATCH, LARGE_BATCH // 4):  # the first loads tables
      batch = [(example, parse(text)) for example, text in _take(rows, size)]
      calls = [batch] if component.spec.scope == "batch" else [[case] for case in batch]
      started = time.process_time()
      for call in calls:
        scorer.score_batch(name, *zip(*call))
      took = time.process_time() - started
    yield f"  {name:<28}{1e6 * took / size:>10.0f} us of CPU a score"


def _take(rows: Iterator, count: int) -> list[tuple[Example, str]]:
  return list(itertools.islice(rows, count))


def _repeat(service: Service, rows: Iterator, size: int, seconds: float) -> tuple[float, list[float]]:
  """Scores fresh batches for that long; returns rewards per second and latencies in seconds."""
  scored, spent, latencies = 0, 0.0, []
  while spent < seconds:
    took, waited = _measure(service, _take(rows, size))
    scored, spent, latencies = scored + size, spent + took, latencies + waited
  return scored / spent, latencies


def _measure(service: Service, batch, without=()) -> tuple[float, list[float]]:
  """Scores a batch; returns its seconds and those that each completion waited."""
  latencies: list[float] = []
  started = time.perf_counter()
  service.on_scored = lambda i: i in without or latencies.append(time.perf_counter() - started)
  service.score([example for example, _ in batch], [text for _, text in batch])
  return time.perf_counter() - started, latencies


def _percentiles(latencies: list[float]) -> str:
  if not latencies:
    return f"{'-':>10}" * 3  # no component of completion scope
  ordered = sorted(latencies)
  picked = [ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)], ordered[-1]]
  return "".join(f"{1000 * value:>10.1f}" for value in picked)


def _rows(domain: str, rng: random.Random) -> Iterator[tuple[Example, str]]:
  """Yields examples with completions of WORDS words, without end."""
  number = 0
  while True:
    number += 1
    reference, answer, prompt = _case(domain, rng)
    filler = " ".join(rng.choice(_SENTENCES) for _ in range(WORDS // 10)).split()
    reasoning = " ".join(filler[: WORDS - len(answer.split())])
    example = Example(uid=f"bench/{domain}/{number}", domain=domain, prompt=prompt, reference=reference)
    yield example, render(reasoning or "See below.", answer)


def _case(domain: str, rng: random.Random):
  """Returns a reference, an answer that is right three times in four, and a prompt."""
  right = rng.random() < 0.75
  if domain == "math":
    a, b = rng.randrange(100, 1000), rng.randrange(100, 1000)
    return Number(text=str(a + b)), str(a + b if right else a - b), f"What is {a} plus {b}?"
  if domain == "coding":
    n = rng.randrange(2, 1000)
    program = f"```python\ndef shift(xs):\n  return [x {'+' if right else '-'} {n} for x in xs]\n```"
    tests = tuple(f"assert shift([{k}, {k + 1}]) == [{k + n}, {k + 1 + n}]" for k in range(3))
    return UnitTests(tests=tests), program, f"Write shift(xs), which adds {n} to each number."
  if domain == "science":
    texts = rng.sample(("oxygen", "carbon dioxide", "nitrogen", "helium", "argon", "methane"), 4)
    choices = tuple(zip("ABCD", texts))
    label, text = choices[rng.randrange(4)]
    answer = text if right else rng.choice(texts)
    return Choice(label=label, text=text, choices=choices), answer, "Which gas is meant?"
  if domain == "logic":
    value = rng.random() < 0.5
    return YesNo(value=value), "Yes." if value == right else "No.", "Would a whale drown in the desert?"
  # Each sentence is new, as a policy's are: vectors that are kept would flatter.
  sentences = [f"{s[:-1]}, {rng.randrange(10**6)} times." for s in rng.sample(_SENTENCES, 10)]
  answer = " ".join(sentences[:6])
  return Text(text=" ".join(sentences[4:8])), answer, f"Continue, or sum up: {' '.join(sentences)}"
