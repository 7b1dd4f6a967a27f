"""Laws that every registered reward obeys; a new one is held to them without an edit here.

Only components that ask somebody else over a network are exempt: those with a `base_url` setting,
which have a server of their own in their tests. A correctness component for a domain that has no
gold below fails: give it some.
"""

import json
import math
import os
import pathlib
import random
import re
import subprocess
import sys

import hypothesis
from hypothesis import strategies as st
import pytest

from rewards import registry
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

ROOT = pathlib.Path(__file__).resolve().parents[2]

registry.discover()
SPECS = [spec for spec in registry.specs() if "base_url" not in spec.settings]
CORRECTNESS = [spec for spec in SPECS if spec.kind == "correctness"]

GASES = (("A", "oxygen"), ("B", "carbon dioxide"), ("C", "argon"), ("D", "neon"))
STORY = (
    "The keeper climbed the stairs before dawn and found the lamp cold. He lit it with shaking hands, "
    "because a ship was turning towards the rocks. When the light returned, the ship turned away, and "
    "he sat down on the floor and laughed until the sun came up over the quiet harbour."
)
IDEAS = (
    "1. Paint the old buses and turn them into small libraries.\n2. Teach the children how to repair "
    "bicycles.\n3. Plant fruit trees along the railway.\n4. Let neighbours lend tools to each other."
)

# By domain: a reference, its prompt, and answers that are right beyond doubt.
GOLD = {
    "math": [
        (Number(text="72"), "How many clips are 48 and half of 48?", ["72", "72.0", "The answer is 72."]),
        (Number(text="-3/4"), "What is 1/4 - 1?", ["-3/4", "-0.75"]),
        (Number(text=r"\frac{\sqrt{3}}{2}"), "What is the sine of 60 degrees?", [r"\frac{\sqrt{3}}{2}"]),
        (Number(text="1,000,000"), "What is a million?", ["1000000", "1,000,000"]),
        (Number(text="(1, 2)"), "Where do the lines meet?", ["(1, 2)"]),
    ],
    "coding": [
        (UnitTests(tests=("assert add(1, 2) == 3", "assert add(-1, 1) == 0"), text="def add(a, b):\n  return a + b"),
         "Write add(a, b), the sum of two numbers.",
         ["def add(a, b):\n  return a + b", "```python\ndef add(a, b):\n  return b + a\n```"]),
        (UnitTests(tests=("assert words('a b') == ['a', 'b']",), text="def words(text):\n  return text.split()"),
         "Write words(text), which splits a text at white space.",
         ["```\nimport re\ndef words(text):\n  return re.findall(r'\\S+', text)\n```"]),
    ],
    "science": [
        (Choice(label="B", text="carbon dioxide", choices=GASES), "Which gas do plants take in?", ["B", "carbon dioxide", "(B)"]),
        (Text(text="mitochondria"), "What makes energy in a cell?", ["mitochondria", "The mitochondria."]),
    ],
    "logic": [
        (YesNo(value=True), "Is water wet to the touch?", ["yes", "True", "Yes."]),
        (YesNo(value=False), "Can a whale climb a tree?", ["no", "False", "No."]),
    ],
    "creative_writing": [(Text(text=STORY), "Write about a lighthouse keeper and a ship.", [STORY])],
    "creative_ideation": [(Text(text=IDEAS), "How could a small town use old buses and empty land?", [IDEAS])],
    "summarization": [
        (Text(text="A keeper relit the lamp in time to save a ship."), f"Summarize: {STORY}",
         ["A keeper relit his lamp just before dawn and saved a ship from the rocks."]),
    ],
}  # fmt: skip
REASONING = "We look at what is asked, take the facts one by one, and put them together with some care."

HOSTILE = {
    "nothing": "",
    "division by zero": "1/0",
    "not a number": "nan",
    "infinity": "-inf",
    "round brackets": "(" * 10_000,
    "nested lists": "[" * 10_000 + "]" * 10_000,
    "nested braces": "{" * 10_000,
    "nested fractions": r"\frac{" * 3_000,
    "nested boxes": r"\boxed{" * 3_000 + "1" + "}" * 3_000,
    "huge exponent": "1e999999999",
    "tiny exponent": "-1e-999999999",
    "tower of powers": "9^9^9^9",
    "tower of python powers": "9**9**9**9",
    "latex tower": "$9^{9^{9^{9}}}$",
    "factorials": "9" + "!" * 200,
    "long number": "1" * 100_000,
    "long decimal": "0." + "3" * 100_000,
    "many commas": "1," * 50_000,
    "signs": "-" * 20_000 + "1",
    "sums": "1+" * 20_000 + "1",
    "percents": "1" + "%" * 20_000,
    "roots": "\u221a" * 5_000 + "2",
    "symbols": "$" * 20_000,
    "a hundred thousand words": "word " * 100_000,
    "distinct words": " ".join(f"w{n}" for n in range(50_000)),
    "one long word": "a" * 1_000_000,
    "white space": "a" + " \n\t" * 100_000 + "b",
    "lone surrogate": "\ud800 4 \udfff",
    "nul and control": "a\x00b\x07\x1b[31m",
    "right to left": "\u202e42\u202c \u05d0\u05d1",
    "zero width": "\u200b".join("forty two"),
    "combining": "e" + "\u0301" * 10_000,
    "foreign digits": "\u0663\u0664 \u00bd \u00b2 \U0001d7d9",
    "yes and no": "yes no " * 10_000,
    "fences": "```" * 10_000,
    "a program that leaves": "```python\nimport os, sys\nos._exit(0)\n```",
    "a program that lies": "```python\nclass Yes:\n  def __eq__(self, other): return True\ndef add(a, b): return Yes()\nwords = add\n```",
    "deep expression": "```python\nx = " + "-" * 50_000 + "1\n```",
    "sentences": "He came. She went. " * 10_000,
    "a list of ideas": "\n".join(f"{n}. An idea." for n in range(5_000)),
}  # fmt: skip


def examples_of(domain):
  return [
      Example(uid=f"gold/{domain}/{n}", domain=domain, prompt=prompt, reference=reference)
      for n, (reference, prompt, _) in enumerate(GOLD[domain])
  ]


def domains_of(spec):
  """Where a component is tried: its domains, or one that stands for all."""
  return spec.domains or ("creative_writing",)


def configs():
  """Splits all components over as few configs as allow one correctness in a domain."""
  found = [{}]
  for spec in SPECS:
    for domain in domains_of(spec):
      for config in found:
        entries = config.setdefault(domain, {"format": {"weight": 1.0}})
        if spec.kind != "correctness" or not any(s.name in entries for s in CORRECTNESS):
          entries[spec.name] = {"weight": 1.0}
          break
      else:
        found.append({domain: {"format": {"weight": 1.0}, spec.name: {"weight": 1.0}}})
  return found


class CacheModel:
  """A language of words: one that the prompt or the text had before is likelier."""

  def log_probabilities(self, prompts, texts):
    found = []
    for prompt, text in zip(prompts, texts):
      seen = prompt.split()
      found.append([])
      for word in text.split()[:500]:
        found[-1].append(math.log((1 + 20 * seen[-500:].count(word)) / (1000 + 20 * len(seen[-500:]))))
        seen.append(word)
    return found


@pytest.fixture(scope="module")
def services():
  # One process each: to start one costs more (sympy, a sentence model) than a second one would save.
  started = [
      Service(config, completion_timeout_seconds=20.0, num_workers=1, has_model=True) for config in configs()
  ]
  for service in started:
    service.attach(CacheModel())
  yield started
  for service in started:
    service.close()


def scores_everywhere(services, cases, groups=None):
  """Returns [case][component] for (example, text) cases, and those that the service had to stop."""
  scores, stopped = [{} for _ in cases], []
  for service in services:
    at = [i for i, (example, _) in enumerate(cases) if example.domain in service.domains]
    breakdowns = service.score(
        [cases[i][0] for i in at], [cases[i][1] for i in at], groups and [groups[i] for i in at]
    )
    for i, breakdown in zip(at, breakdowns):
      scores[i].update(breakdown.scores)
      if breakdown.gate and not breakdown.scores:
        stopped.append((cases[i][0].uid, cases[i][1][:200], breakdown.causes))
  return scores, stopped


def assert_in_range(scores):
  for row in scores:
    for name, score in row.items():
      assert score is None or 0.0 <= score <= 1.0, name


def test_every_component_says_in_one_sentence_what_it_measures():
  for spec in SPECS:
    assert spec.summary.endswith("."), spec.name
    assert spec.function.__doc__.count("\n") > 2, f"{spec.name}: range, edge cases, and how it could be cheated"


@pytest.mark.parametrize("spec", CORRECTNESS, ids=lambda spec: spec.name)
def test_gold_scores_one_and_other_gold_does_not(spec):
  for domain in domains_of(spec):
    assert domain in GOLD, f"no gold for domain {domain!r}: add some to GOLD"
    scorer = Scorer({domain: {"format": {"weight": 0.2}, spec.name: {"weight": 0.8}}})
    golds = list(zip(examples_of(domain), [answers for *_, answers in GOLD[domain]]))
    for example, answers in golds:
      for answer in answers + ([example.reference.text] if example.reference.text else []):
        (breakdown,) = scorer.score([example], [render(REASONING, answer)])
        assert breakdown.scores[spec.name] == 1.0 and breakdown.total == 1.0, (example.uid, answer)
      for _, others in (other for other in golds if other[0] is not example):
        for answer in others:
          (breakdown,) = scorer.score([example], [render(REASONING, answer)])
          assert breakdown.scores[spec.name] != 1.0 and breakdown.correct is False, (example.uid, answer)


@pytest.fixture(scope="module")
def hostile_answers(services):
  """Every hostile text as an answer to every row of gold: the cases, their scores, and what was stopped."""
  cases = [
      (example, render(REASONING, hostile))
      for domain in GOLD
      for example in examples_of(domain)
      for hostile in HOSTILE.values()
  ]
  return cases, *scores_everywhere(services, cases)


def test_hostile_text_neither_raises_nor_hangs_and_scores_stay_in_range(services, hostile_answers):
  cases = [(examples_of(domain)[0], render(hostile, "42")) for domain in GOLD for hostile in HOSTILE.values()]
  for scores, stopped in (hostile_answers[1:], scores_everywhere(services, cases)):
    assert_in_range(scores)
    assert not stopped


@pytest.mark.parametrize("spec", CORRECTNESS, ids=lambda spec: spec.name)
def test_hostile_text_is_never_correct(spec, hostile_answers):
  cases, scores, _ = hostile_answers
  own = [(text, row) for (example, text), row in zip(cases, scores) if example.domain in domains_of(spec)]
  assert own and [text[:200] for text, row in own if row.get(spec.name) == 1.0] == []


def test_a_hostile_prompt_or_reference_text_does_no_harm_either(services):
  # Formulas and programs in references are checked where rows are loaded.
  cases = [
      (
          Example(
              uid=f"hostile/{domain}/{n}",
              domain=domain,
              prompt=text,
              reference=Text(text=text) if isinstance(reference, Text) else reference,
          ),
          render(REASONING, answers[0]),
      )
      for domain in GOLD
      for n, text in enumerate(hostile[:20_000] for hostile in HOSTILE.values() if hostile)
      for reference, _, answers in GOLD[domain][:1]
  ]
  scores, stopped = scores_everywhere(services, cases)
  assert_in_range(scores)
  assert not stopped


# Fragments that parsers trip over, in any order.
FRAGMENTS = st.sampled_from([
    "1", "0", "72", "-", "+", "/", ".", ",", "%", "^", "e", "(", ")", "[", "]", "{", "}", "=", "$", "\\frac",
    "\\sqrt", "\\boxed", "\\text", "yes", "no", "not", "true", "or", "and", "A", "B", "oxygen", "the", "a ", " ",
    "\n", "```", "python", "def add(a, b):", " return ", "a + b", ":", "answer", "is", "**", "_", "\u2212", "\u00bd",
    "\u200b", "\ud800", "\x00", "\U0001f600", "#", "<", ">", "&", "|", "!", "?", "\"", "'", "\\", "\t",
])  # fmt: skip
TEXTS = st.one_of(
    st.lists(FRAGMENTS, max_size=40).map("".join),
    st.text(st.characters(exclude_categories=()), max_size=200),
)


@hypothesis.settings(
    max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(hypothesis.HealthCheck)
)
@hypothesis.given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=4))
def test_whatever_a_model_writes_gets_scores_in_range_and_the_same_ones_again(services, texts):
  cases = [(examples_of(domain)[0], render(*pair)) for domain in GOLD if domain != "coding" for pair in texts]
  scores, stopped = scores_everywhere(services, cases)
  assert_in_range(scores)
  assert not stopped
  assert scores_everywhere(services, cases)[0] == scores


@hypothesis.given(TEXTS, TEXTS)
@hypothesis.settings(derandomize=True)
def test_the_gate_passes_what_was_rendered_and_keeps_it(reasoning, answer):
  tags = ("<reasoning>", "</reasoning>", "<answer>", "</answer>")
  hypothesis.assume(not any(tag in reasoning + answer for tag in tags))
  completion = parse(render(reasoning, answer))
  assert completion.failure in (None, "empty")
  if completion.failure is None:
    written = [re.sub("[\ud800-\udfff]", "\ufffd", text).strip() for text in (reasoning, answer)]
    assert [completion.reasoning, completion.answer] == written


@pytest.mark.parametrize("spec", [s for s in SPECS if s.scope != "completion"], ids=lambda spec: spec.name)
def test_a_batch_or_group_is_scored_alike_in_any_order(spec, services):
  for domain in domains_of(spec):
    example = examples_of(domain)[0]
    answers = [answer for *_, answers in GOLD[domain] for answer in answers]
    texts = [render(REASONING, answer) for answer in answers + [STORY, IDEAS, STORY[:80]]]
    order = list(range(len(texts)))
    random.Random(0).shuffle(order)
    straight, _ = scores_everywhere(services, [(example, text) for text in texts], [0] * len(texts))
    mixed, _ = scores_everywhere(services, [(example, texts[i]) for i in order], [0] * len(texts))
    for position, i in enumerate(order):
      assert mixed[position][spec.name] == pytest.approx(straight[i][spec.name], abs=1e-5)


def test_scores_do_not_depend_on_how_strings_are_hashed():
  program = """
import json, sys
from tests.rewards import test_laws as laws
texts = [laws.render(laws.REASONING, t) for t in (laws.STORY, laws.IDEAS, laws.STORY[:99], "yes", "B", "72", "a b a b")]
found = []
for config in laws.configs():
  config = {d: {n: e for n, e in entries.items() if n == "format" or laws.registry.get(n).scope == "completion"}
            for d, entries in config.items() if d != "coding"}
  scorer = laws.Scorer(config)
  for domain in config:
    for b in scorer.score([laws.examples_of(domain)[0]] * len(texts), texts):
      found.append({name: s is not None and float(s).hex() for name, s in b.scores.items()})
json.dump(found, sys.stdout)
"""
  outputs = [
      json.loads(subprocess.run(
          [sys.executable, "-c", program], cwd=ROOT, env=os.environ | {"PYTHONHASHSEED": seed},
          capture_output=True, text=True, check=True,
      ).stdout)
      for seed in ("1", "2")
  ]  # fmt: skip
  assert outputs[0] and outputs[0] == outputs[1]
