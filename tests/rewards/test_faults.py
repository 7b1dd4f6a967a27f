"""No completion stops a run: hostile ones through every door, with the real recipe."""

import itertools
import json
import pathlib
import subprocess
import sys
import time

import pytest

from rewards import as_trl
from rewards import reading
from rewards import recipes
from rewards.domains.reasoning import reasoning
from rewards.format import render
from rewards.rows import example_from_row
from rewards.schema import Completion
from rewards.service import Service

ROOT = pathlib.Path(__file__).resolve().parents[2]

TEST = "assert double(4) == 8"
SOURCE = "The old bridge over the river reopened on Monday after a year of repairs, the mayor said."
ROWS = [
    {"domain": "math", "prompt": "What is twice 36?", "answer": "72"},
    {"domain": "math", "prompt": "How many digits has $2004^{2004}$, and not 9^9^9^9? Find 1e999999.", "answer": "6616"},
    {"domain": "math", "prompt": "Solve $x^2 = 2$ for positive x.", "answer": "\\sqrt{2}"},
    {"domain": "math", "prompt": "Where is the point?", "answer": "(1, \\frac{1}{2})"},
    {"domain": "coding", "prompt": f"Write double.\n{TEST}", "answer": "def double(x): return 2 * x",
     "metadata": {"test_cases": [TEST]}},
    {"domain": "science", "prompt": "Which gas?\nA. oxygen\nB. argon", "answer": "B",
     "metadata": {"choices": {"label": ["A", "B"], "text": ["oxygen", "argon"]}}},
    {"domain": "science", "prompt": "How fast is light, in km/s?", "answer": "299792.458 km/s"},
    {"domain": "logic", "prompt": "Is a whale a fish?", "answer": "no"},
    {"domain": "creative_writing", "prompt": "Write a story about a bridge.", "answer": "Once."},
    {"domain": "creative_ideation", "prompt": "Name five uses of a brick.", "answer": "1. A wall."},
    {"domain": "summarization", "prompt": f"Summarize:\n\n{SOURCE}", "answer": "A bridge is open."},
]

DIGITS = "9" * 4_301  # one more than Python writes or reads
TEXTS = {
    "digits": DIGITS,
    "digits in a fraction": f"\\frac{{{DIGITS}}}{{7}}",
    "digits in a sum": f"72 + {DIGITS} - {DIGITS}",
    "digits under a root": f"\\sqrt{{{DIGITS}}}",
    "digits as an exponent": f"2^{{{DIGITS}}}",
    "digits behind a point": f"0.{DIGITS}",
    "digits in a box": f"\\boxed{{{DIGITS}}}",
    "digits in a matrix": f"\\begin{{pmatrix}} {DIGITS} & 1 \\end{{pmatrix}}",
    "digits as a unit": f"299792.458 km^{{{DIGITS}}}",
    **{f"worked out: {text}": text for text in (
        "2004^{2004}", "10^{4400}", "2^{20000}", "-2^{20000}", "72 \\cdot 10^{4400}", "10^{-4400}", "7^{7!}",
        "\\frac{10^{4400}}{3}", "\\sqrt{10^{4401}}", "10^{4400} + \\sqrt{2}", "2000!", "(1, 10^{4400})", "10^{4400}\\%",
        "x = 10^{4400}", "10^{4400} \\pmod{7}", "\\log_{10} 10^{10^{4400}}", "e^{10^{4400}}", "10^{4400}i",
    )},
    "a tower": "9^{9^{9^{9^{9}}}}",
    "a tower of factorials": "9!!!!!!!!",
    "a binomial": "\\binom{10^{30}}{10^{29}}",
    "a tiny number": "1e-999999999",
    "a huge number": "1e999999999",
    "a percentage of it": "1e999999999%",
    "no number": "nan", "infinity": "inf", "minus infinity": "-Infinity", "LaTeX's infinity": "\\infty",
    "zoo": "\\frac{1}{0}", "zero to the zero": "0^{0}", "log of zero": "\\log 0",
    "a sum": "\\sum_{i=1}^{10^{12}} i", "an integral": "\\int_0^{\\infty} e^{-x^x} dx", "a limit": "\\lim_{x \\to 0} x^x",
    "a product": "\\prod_{i=1}^{10^{9}} i",
    "brackets": "(" * 10_000, "closed brackets": "(" * 5_000 + "1" + ")" * 5_000,
    "braces": "{" * 10_000, "fractions": "\\frac{1}{" * 500 + "1" + "}" * 500, "roots": "\\sqrt" * 3_000 + "2",
    "minus signs": "-" * 10_000 + "72", "operators": "1" + "+1" * 20_000, "chains": "=".join(["72"] * 5_000),
    "commas": "1," * 20_000, "sets": "\\{" * 2_000, "absolute values": "|" * 5_001 + "1",
    "a surrogate": "\ud800", "a broken pair": "\udc00\ud800 72", "nul": "7\x002", "only nul": "\x00" * 1_000,
    "right to left": "\u202e27", "zero width": "7\u200b2", "a combining flood": "7" + "\u0301" * 20_000,
    "other digits": "\u0667\u0662", "superscripts": "2\u00b2\u00b3\u2074", "a fraction sign": "\u2150",
    "number words": "one " * 5_000 + "million", "big words": "googol " * 100,
    "a byte order mark": "\ufeff72", "line ends": "\u2028\u2029\x85\x0b\x0c72", "controls": "".join(map(chr, range(32))),
    "dots": "." * 30_000 + "a", "dots and spaces": ". " * 20_000, "stops": "?!" * 20_000, "dashes": "-" * 30_000,
    "quotes": "'" * 30_000 + "a", "tags": "<b>" * 10_000, "open tags": "<" * 30_000, "comments": "<!--" * 10_000,
    "hidden": "<p hidden" * 5_000, "hyphens": "a-" * 20_000, "bullets": "- \n" * 10_000, "fences": "```\n" * 10_000,
    "tildes": "~`" * 20_000, "a long word": "a" * 200_000, "spaces": " " * 200_000 + "x", "new lines": "\n" * 100_000 + "x",
    "no": "no " * 20_000, "choices": "A B C D " * 5_000, "labels": "(A)" * 10_000, "yes and no": "yes no " * 10_000,
    "a megabyte": "The bridge is open. " * 50_000,
    "python": "import os\nos._exit(0)", "python's exit": "raise SystemExit", "deep python": "def double(x): return " + "(" * 5_000,
    "python's digits": f"def double(x): return {DIGITS}", "null bytes in python": "def double(x):\x00",
    "python's tower": "x = 9**9**9", "python's recursion": "def double(x): return double(x)",
    "python's surrogate": "def double(x): return '\ud800'",
    "format strings": "%s{0}{a[0]}" * 100, "templates": "{{7*7}}${7*7}<%= 7 %>", "JSON": '{"score": 1.0}' * 1_000,
}
# Behind the words that lead to an answer, where readers look closest.
DRESSED = {name: f"The answer is {text}." for name, text in TEXTS.items() if len(text) < 6_000}
COMPLETIONS = {
    **{name: render("I think.", text) for name, text in TEXTS.items()},
    **{f"{name}, dressed": render(text, text) for name, text in DRESSED.items()},
    "empty": "", "a tag": "<answer>", "tags alone": "<reasoning></reasoning><answer></answer>",
    "nested tags": "<reasoning>" * 5_000 + "</answer>" * 5_000, "a surrogate without tags": "\udfff",
}


@pytest.fixture(scope="module")
def recipe():
  config, _ = recipes.load(str(ROOT / "experiments" / "seven_domain.py"), [])
  return config.rewards.to_dict()


@pytest.fixture(scope="module")
def cases():
  return [
      row | {"uid": f"{row['domain']}/{number}/{name}", "completion": completion}
      for (number, row), (name, completion) in itertools.product(enumerate(ROWS), COMPLETIONS.items())
      # A domain meets the megabytes once.
      if len(completion) < 20_000 or number in (0, 4, 5, 7, 8, 10)
  ]


@pytest.fixture(scope="module")
def met_by_a_door(cases):
  """Returns a function from a door's number to the places of its cases: each completion once, in a row of many."""
  places = {}
  for place, case in enumerate(cases):
    places.setdefault(case["completion"], []).append(place)
  return lambda door: sorted(own[(door + turn) % len(own)] for turn, own in enumerate(places.values()))


@pytest.fixture(scope="module")
def breakdowns(recipe, cases):
  """What the service says; a bug of ours raises here, since a test run is strict."""
  examples = [example_from_row({k: v for k, v in case.items() if k != "completion"}, "here") for case in cases]
  with Service(recipe, num_workers=2, completion_timeout_seconds=5.0) as service:
    return service.score(examples, [case["completion"] for case in cases])


# What is right in an odd dress.
RIGHT = {"chains", "operators", "a byte order mark", "line ends"}


def test_a_service_scores_them_all_and_pays_none_as_right_that_is_wrong(cases, breakdowns):
  assert all(b.total is not None and 0.0 <= b.total <= 1.0 for b in breakdowns)
  failed = {case["uid"]: b.unscored for case, b in zip(cases, breakdowns) if any(":not_scored_" in c for c in b.causes)}
  assert failed == {}
  paid = {case["uid"] for case, b in zip(cases, breakdowns) if b.correct}
  assert {uid for uid in paid if uid.split("/", 2)[2].removesuffix(", dressed") not in RIGHT} == set()


def test_none_of_them_takes_long(cases, breakdowns):
  stopped = {case["uid"]: b.causes for case, b in zip(cases, breakdowns) if any("deadline" in c for c in b.causes)}
  assert stopped == {}


# Texts above a reader's limit are refused unread: these are as long as each takes, and once took minutes.
@pytest.mark.parametrize("unit", [" ", "\n", "\n ", "\t", "\u200b", "\\text{}", "\\[", "\\(", "$$", "or", "a ", "1. "], ids=ascii)
def test_the_longest_text_that_a_reader_takes_is_read_at_once(unit):
  for row, longest in ((ROWS[0], 19_900), (ROWS[2], 19_900), (ROWS[5], 3_900), (ROWS[6], 3_900), (ROWS[7], 3_900)):
    example = example_from_row(row, "here")
    for opening, end in (("a . ", "no."), ("60 ", "60"), ("The answer is ", "/")):
      text = opening + unit * (longest // len(unit)) + end
      started = time.process_time()
      reading.score(text, example.reference, example.prompt)
      reasoning(Completion(text=text, reasoning=text, answer=row["answer"]), example)
      assert time.process_time() - started < 3.0, (row["prompt"], opening)


def test_the_command_line_scores_them_all_alike(tmp_path, cases, breakdowns, met_by_a_door):
  places = met_by_a_door(0)
  (tmp_path / "rows.jsonl").write_text("".join(json.dumps(cases[place]) + "\n" for place in places))
  command = ["score", "--input", str(tmp_path / "rows.jsonl"), "--output", str(tmp_path / "scored.jsonl")]
  finished = subprocess.run([sys.executable, "-m", "rewards", *command], cwd=ROOT, capture_output=True, text=True)
  assert finished.returncode == 0, finished.stderr[-2000:]
  scored = [json.loads(line) for line in (tmp_path / "scored.jsonl").open()]
  assert [s["total"] for s in scored] == [breakdowns[place].total for place in places]


def test_another_trainer_gets_their_totals(recipe, cases, breakdowns, met_by_a_door):
  places = met_by_a_door(1)
  cases = [cases[place] for place in places]
  columns = {name: [case.get(name) for case in cases] for name in ("domain", "answer", "metadata", "uid")}
  reward = as_trl(recipe, num_workers=2)
  try:
    totals = reward([case["prompt"] for case in cases], [case["completion"] for case in cases], **columns)
  finally:
    reward.close()
  assert totals == [breakdowns[place].total for place in places]
