"""Rewards for programs: where the program stands in an answer, and what it is paid."""

import json
import os
import pathlib

import pytest

from rewards import sandbox
from rewards.domains import coding
from rewards.format import parse
from rewards.format import render
from rewards.rows import example_from_row
from rewards.schema import Completion
from rewards.schema import Example
from rewards.schema import Text
from rewards.schema import UnitTests

ADD = "def add(a, b):\n    return a + b"
TESTS = UnitTests(tests=("assert add(1, 2) == 3", "assert add(-1, 1) == 0"))


@pytest.fixture(scope="module")
def all_passed():
  return coding.tests_all_passed(cpu_seconds=1)


@pytest.fixture(scope="module")
def fraction():
  return coding.tests_passed_fraction(cpu_seconds=1)


def example(reference=TESTS, prompt="Write a function that adds two numbers."):
  return Example(uid="t/1", domain="coding", prompt=prompt, reference=reference)


def completion(answer):
  return Completion(text=answer, reasoning="Think.", answer=answer)


FENCE = "`" * 3

def fenced(text, language="python"):
  return f"{FENCE}{language}\n{text}\n{FENCE}\n"


def indented(text):
  return "\n".join(f"    {line}" for line in text.split("\n"))


OUTPUT = fenced("3 and so on", language="")
WRONG = "def add(a, b): return a - b"
PLUS = "def plus(a, b):\n    return a + b"
WITH_PLUS = "def add(a, b):\n    return plus(a, b)"
DOCUMENTED = f"def add(a, b):\n    '''Adds.\n\n    {FENCE}\n    add(1, 2)\n    {FENCE}\n    '''\n    return a + b"

CLEAN = {
    "bare": ADD,
    "fenced": fenced(ADD),
    "fence_without_a_language": fenced(ADD, language=""),
    "capital_language": fenced(ADD, language="Python3"),
    "language_with_attributes": fenced(ADD, language='python title="add.py"'),
    "language_in_braces": fenced(ADD, language="{.python .numberLines}"),
    "tildes": f"~~~py\n{ADD}\n~~~",
    "longer_fence": f"{FENCE}``python\n{ADD}\n{FENCE}``",
    "carriage_returns": fenced(ADD).replace("\n", "\r\n"),
    "prose_around": f"Here is the function:\n\n{fenced(ADD)}\nIt adds `a` and `b`.",
    "prose_on_the_line_of_the_fence": f"Here it is: {FENCE}python\n{ADD}\n{FENCE} Done.",
    "fence_closed_on_the_last_line": f"{FENCE}python\n{ADD}{FENCE}",
    "fence_that_is_never_closed": f"Sure.\n{FENCE}python\n{ADD}",
    "indented_fence": f"1. The code:\n\n{indented(fenced(ADD))}",
    "usage_in_a_second_fence": f"{fenced(ADD)}Usage:\n{fenced('print(add(1, unknown))')}",
    "output_in_a_second_fence": f"{fenced(ADD)}Output:\n{OUTPUT}",
    "shell_first": fenced("pip install add", language="bash") + fenced(ADD),
    "tests_first": fenced("assert add(1, 2) == 3") + fenced(ADD),
    "imports_in_a_fence_of_their_own": fenced("import operator") + fenced("add = operator.add"),
    "helper_in_a_fence_of_its_own": f"{fenced(PLUS)}then\n{fenced(WITH_PLUS)}",
    "a_corrected_version_follows": f"{fenced(WRONG)}Wrong. Better:\n{fenced(ADD)}",
    "a_draft_that_does_not_parse": f"{fenced('def add(a, b):  ...(')}In full:\n{fenced(ADD)}",
    "fence_in_a_docstring": fenced(DOCUMENTED),
    "prose_without_a_fence": f"Here is the function:\n\n{ADD}\n\nIt adds its arguments, as asked.",
    "prose_between_functions": f"A helper.\n\n{PLUS}\n\nThe function (short):\n\n{WITH_PLUS}",
    "decorated_and_commented": f"# Adds.\nimport functools\n\n@functools.cache\n{ADD}",
    "main_guard": f"{ADD}\n\nif __name__ == '__main__':\n    print(add(int(input()), 1))",
    "lone_closing_fence": f"{ADD}\n{FENCE}\nIt adds",
    "lone_closing_fence_after_prose": f"Here it is:\n\n{ADD}\n{FENCE}\n\nThis returns the sum.",
    "marks_of_mbpp": f"[BEGIN]\n{ADD}\n[DONE]",
    "marks_and_prose": f"Sure.\n[BEGIN]\n{ADD}\n[DONE]\nIt adds its arguments.",
    "an_opened_mark_alone": f"[BEGIN]\n{ADD}",
    "a_closing_mark_alone": f"{ADD}\n[DONE]\nmore",
    "marks_around_a_fence": f"[BEGIN]\n{fenced(ADD)}[DONE]",
    "a_language_without_a_fence": f"python\n{ADD}",
    "a_language_and_a_colon": f"Python3:\n{ADD}",
    "a_language_and_a_lone_fence": f"python\n{ADD}\n{FENCE}",
    "tabs": "def add(a, b):\n\tif a:\n\t\treturn a + b\n\treturn b",
}


@pytest.mark.parametrize("name", CLEAN)
def test_the_program_is_found_in(all_passed, name):
  score = all_passed(completion(CLEAN[name]), example())
  assert score == 1.0, (score.reason, coding.extract_program(CLEAN[name]))


@pytest.mark.parametrize(
    "answer",
    [
        "3",
        "The function adds its two arguments.",
        f"{FENCE}python\n{FENCE}",
        f"{FENCE}java\nint add(int a, int b) {{ return a + b; }}\n{FENCE}",
        f"{fenced(ADD)}Better:\n{fenced(WRONG)}",
        "def add(a, b): return a - b",
        "def plus(a, b): return a + b",
        "`" * 20_000,
        FENCE * 5_000 + "\n",
        f"{FENCE}\n" * 20_000,
        "def add(\n" * 5_000,
        "~`" * 20_000 + "\n",
    ],
)
def test_what_is_no_right_program_gets_nothing(all_passed, fraction, answer):
  assert all_passed(completion(answer), example()) == 0.0
  assert fraction(completion(answer), example()) == 0.0


HUMANEVAL = """from typing import List


def head(xs): return xs[0]


def first(xs: List[int]) -> int:
    '''Returns the first.'''
"""
CHECK = "def check(candidate):\n    assert candidate([3, 4]) == 3\n\ncheck(first)"
FIRST = UnitTests(tests=(CHECK,))


@pytest.mark.parametrize(
    "answer",
    [
        HUMANEVAL + "    return xs[0]",
        "def first(xs: List[int]) -> int:\n    return head(xs)",
        "return head(xs)",
        "x: List[int] = xs\n    return x[0]",
        "if not xs:\n        return 0\n    return head(xs)",
        f"{FENCE}python\n    return xs[0]\n{FENCE}",
    ],
    ids=["everything", "function", "body", "stripped_body", "nested_body", "fenced_body"],
)
def test_a_prompt_that_is_code_may_be_continued_or_repeated(all_passed, answer):
  assert all_passed(completion(answer), example(FIRST, prompt=HUMANEVAL)) == 1.0


def test_the_fraction_counts_tests_and_all_passed_wants_every_one(all_passed, fraction):
  tests = UnitTests(tests=("assert f(1) == 1", "assert f(2) == 4", "assert f(3) == 9", " "))
  answer = completion("def f(x): return 1 if x == 1 else x + 2")
  # f(1) = 1 and f(2) = 4 are right, f(3) = 5 is not: 2 of 3; the blank entry is no test.
  assert fraction(answer, example(tests)) == pytest.approx(2 / 3)
  assert all_passed(answer, example(tests)) == 0.0
  assert "test 3 failed: assert f(3) == 9" in all_passed(answer, example(tests)).reason


def test_both_components_share_one_run(all_passed, fraction, monkeypatch):
  runs = []
  real = sandbox.run
  monkeypatch.setattr(sandbox, "run", lambda *a, **k: runs.append(1) or real(*a, **k))
  answer = completion("def add(a, b): return a + b + 0")
  assert all_passed(answer, example()) == 1.0 and fraction(answer, example()) == 1.0
  assert len(runs) == 1


@pytest.mark.parametrize(
    "answer, cause",
    [
        (ADD, ""),
        ("def add(a, b): return 0", ""),
        ("def add(a, b) return 0", "syntax"),
        ("def add(a, b): return a + c", "crash"),
        ("def add(a, b):\n  while True: pass", "timeout"),
        ("def add(a, b): return 'x' * 10**11", "memory"),
        ("#" * 300_000, "oversize"),
    ],
)
def test_causes_are_told_apart(all_passed, fraction, answer, cause):
  for component in (all_passed, fraction):
    score = component(completion(answer), example())
    assert score.cause == cause and score.reason


def test_passing_near_the_limit_is_reported(all_passed):
  slow = "import time\ndef add(a, b):\n  while time.process_time() < 0.7: pass\n  return a + b"
  score = all_passed(completion(slow), example())
  assert score == 1.0 and score.cause == "near_limit"


@pytest.mark.parametrize(
    "reference",
    [
        Text(text="3"),
        UnitTests(tests=()),
        UnitTests(tests=("", "  \n")),
        UnitTests(tests=("# to be written",)),
        UnitTests(tests=("assert True",)),
        UnitTests(tests=("def check(candidate):\n  assert candidate(1, 2) == 3",)),
        UnitTests(tests=("assert add(1,",)),
    ],
)
def test_a_program_that_no_test_uses_is_not_scored(all_passed, fraction, reference):
  assert all_passed(completion(ADD), example(reference)).cause == "tests"
  assert fraction(completion(ADD), example(reference)).cause == "tests"


def test_the_solution_tells_which_builtin_the_program_defines(all_passed):
  tests = UnitTests(tests=("assert list(sum(2, 3)) == [6]",), text="def sum(a, b): return [a * b]")
  assert all_passed(completion("def sum(a, b): return (a * b,)"), example(tests)) == 1.0
  cheat = "def sum(a, b): return 0\ndef list(x): return [6]"
  assert all_passed(completion(cheat), example(tests)) == 0.0


def test_a_program_may_use_what_the_setup_imports(all_passed):
  tests = UnitTests(tests=("assert root(4) == 2.0",), setup="import math\nfrom typing import List")
  program = "def root(x: int) -> float:\n  return math.sqrt(x)"
  assert all_passed(completion(program), example(tests)) == 1.0
  assert all_passed(completion(f"from __future__ import annotations\nimport math\n{program}"), example(tests)) == 1.0
  assert all_passed(completion(program.replace("sqrt", "exp")), example(tests)) == 0.0


SHARED = pathlib.Path(os.environ.get("REASONER_LABELLED", "labelled")) / "coding_executed.jsonl"


@pytest.mark.skipif(
    not SHARED.is_file(), reason=f"{SHARED} is absent; REASONER_LABELLED names its folder"
)
def test_verdicts_agree_with_execution():
  score = coding.tests_all_passed()
  rows = [json.loads(line) for line in SHARED.open(encoding="utf-8")]
  agree = 0
  for row in rows:
    got = score(parse(row["completion"]), example_from_row(row, row["uid"]))
    agree += got == row["expect"]
  assert agree / len(rows) >= 0.995


def test_a_rendered_completion_is_scored_as_its_answer(all_passed):
  assert all_passed(parse(render("Add them.", CLEAN["fenced"])), example()) == 1.0
