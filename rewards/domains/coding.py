r"""Rewards for programs: does the code in the answer pass the tests of its row?

One real input, an MBPP row and a completion's answer:

  UnitTests(tests=("assert add(1, 2) == 3",)), "```python\ndef add(a, b):\n  return a + b\n```"

This module finds the program in the answer; sandbox.py runs it, and says what a program can and
cannot do there. Not here: style, speed or length of the code.
"""

import ast
import functools
import re
import textwrap

from rewards import sandbox
from rewards.registry import register
from rewards.schema import Completion
from rewards.schema import Example
from rewards.schema import Score
from rewards.schema import UnitTests
from rewards.schema import Unscored

# A fence as CommonMark has it: three or more of ` or ~ on a line of their own, at most a language
# after them; but at any depth of indentation, as lists indent them.
_FENCE = re.compile(
    r"(?P<indent>[ \t]*)(?P<mark>`{3,}|~{3,})[ \t]*(?P<language>[\w+#.-]*)(?P<rest>[^`\n]*)$"
)
# The same where prose runs into it: "The code: ```python".
_LATE_FENCE = re.compile(
    r"(?<![`~])(?P<mark>`{3,}+|~{3,}+)[ \t]*+(?P<language>[\w+#.-]*+)[ \t]*+\n"
    r"(?P<text>.*?)(?:(?P=mark)|\Z)",
    re.DOTALL,
)
_PYTHON = ("python", "python3", "py", "py3", "python2", "ipython")
_UNNAMED = ("", "code", "text", "txt", "plaintext")

# What stands around a program instead of a fence: MBPP's own marks, and a language's name.
_MARKED = re.compile(r"^[ \t]*\[BEGIN\](?P<text>.*?)(?:^[ \t]*\[DONE\]|\Z)", re.DOTALL | re.MULTILINE)
_DONE = re.compile(r"^[ \t]*\[DONE\]", re.MULTILINE)
_LANGUAGE_LINE = re.compile(r"\s*(?:python3?|py)[ \t]*:?[ \t]*\n", re.IGNORECASE)

_MOST_BLOCKS = 64
# What a block without a definition must have to be part of the program: a name for later blocks.
_BINDS = re.compile(r"^(?:import |from |\w+ *(?::[^=\n]+)?=[^=])", re.MULTILINE)

# Unindented lines that look like Python, for answers that mix code and prose without a fence.
_CODE_START = re.compile(
    r"(?:def \w+\s*\(|async def |class \w+\s*[:(]|import \w|from [\w.]+ import |@\w|\w+ = )"
)
_CODE_LINE = re.compile(
    r"(?:$|[ \t]|#|[)\]}]|'''|\"\"\"|(?:if|elif|while|for|with|match|case|except)\b.*:$"
    r"|(?:return|assert|del|raise|global)\b"
    r"|(?:else|try|finally)\s*:|pass$|[\w.]+(?:\(|\[| ?[-+*/|&%]?= ?)|" + _CODE_START.pattern + ")"
)


def extract_program(answer: str) -> tuple[str, ...]:
  """Returns readings of the program in an answer, the most likely first; one that compiles is it.

  Code stands in fences, else the answer is the program, else its lines that look like Python are.
  Of several fenced blocks those tagged as Python count, else those without a tag, else all.
  Together they are one program, as prose cuts a program into pieces; but a block that defines again
  what an earlier one defined replaces it, and blocks that define nothing, after the last one that
  does, are examples of its use and left out. An unclosed fence runs to the end, unless the program
  stands before it: then it closes one that was never opened. `[BEGIN]`, `[DONE]` and a first line
  "python" are marks, not code.
  """
  if len(answer) > 2 * sandbox.PROGRAM_CHARACTERS:
    return (answer,)  # which is refused
  marked = _MARKED.search(answer)
  answer = marked["text"] if marked else _DONE.split(answer, maxsplit=1)[0]
  answer = _LANGUAGE_LINE.sub("", answer, count=1) if _LANGUAGE_LINE.match(answer) else answer
  answer = _before_lone_fence(answer)
  blocks = [(language.lower(), text) for language, text in _fenced(answer) if text.strip()]
  if not blocks:
    return answer, *filter(None, [_code_lines(answer)])
  wanted = (
      [text for language, text in blocks if language in _PYTHON]
      or [text for language, text in blocks if language in _UNNAMED]
      or [text for _, text in blocks]
  )
  kept: list[str] = []
  pending: list[str] = []  # blocks without a definition, until one with a definition follows
  for text in wanted[:_MOST_BLOCKS]:
    names = _definitions(text)
    if not names:
      pending.append(text)
      continue
    pending = [p for p in pending if _BINDS.search(p)]
    kept = [k for k in kept if not _definitions(k) or not _definitions(k) <= names]
    kept += [*pending, text]
    pending = []
  defining = [text for text in kept if _definitions(text)]
  return ("\n\n".join(kept or pending), *defining[::-1])[:4]


def _before_lone_fence(answer: str) -> str:
  """Returns what stands before a fence that closes what was never opened; all, where there is none.

  That is the only fence, it names no language, a definition stands before it and none after it.
  """
  lines = answer.split("\n")
  fences = [n for n, line in enumerate(lines) if _FENCE.match(line)]
  if len(fences) == 1 and not _FENCE.match(lines[fences[0]])["language"]:
    before, after = "\n".join(lines[: fences[0]]), "\n".join(lines[fences[0] + 1 :])
    if _definitions(before) and not _definitions(after):
      return before
  return answer


def _definitions(source: str) -> set[str]:
  return set(re.findall(r"^(?:async +)?(?:def|class) +(\w+)", source, re.MULTILINE))


def _fenced(answer: str) -> list[tuple[str, str]]:
  """Returns (language, text) of each fenced block, without the fence's own indentation."""
  blocks, opened, lines = [], None, []
  for line in answer.replace("\r\n", "\n").split("\n"):
    fence = _FENCE.match(line)
    if opened is None:
      opened, lines = fence, []
    elif (
        fence
        and fence["mark"].startswith(opened["mark"])
        and not fence["language"] + fence["rest"].strip()
        and len(fence["indent"]) <= len(opened["indent"]) + 3  # deeper ones stand in a docstring
    ):
      blocks.append((opened["language"], textwrap.dedent("\n".join(lines))))
      opened = None
    else:
      lines.append(line)
  if opened is not None:
    text = textwrap.dedent("\n".join(lines))
    blocks.append((opened["language"], text.rstrip().removesuffix(opened["mark"])))
  if any(text.strip() for _, text in blocks):
    return blocks
  late = _LATE_FENCE.finditer(answer)
  return [(match["language"], textwrap.dedent(match["text"])) for match in late]


def _code_lines(answer: str) -> str:
  """Returns the lines that look like Python, from the first that must be."""
  lines = answer.split("\n")
  start = next((n for n, line in enumerate(lines) if _CODE_START.match(line)), len(lines))
  return "\n".join(line for line in lines[start:] if _CODE_LINE.match(line))


def _with_prompt(readings: tuple[str, ...], prompt: str) -> tuple[str, ...]:
  """Adds what a prompt that is itself code gives: imports, helpers, and the head of a function.

  HumanEval's prompts end in a signature and a docstring. A completion may repeat all of that, only
  the function, or go on with the function's body.
  """
  try:
    statements = ast.parse(prompt).body
  except (SyntaxError, ValueError, MemoryError, RecursionError):
    return readings  # prose
  if not statements or not isinstance(statements[-1], ast.FunctionDef):
    return readings
  before = "\n".join(ast.unparse(statement) for statement in statements[:-1])
  body = readings[0].split("\n")
  depth = min((len(line) - len(line.lstrip()) for line in body[1:] if line.strip()), default=0)
  if body and depth and body[0] == body[0].lstrip():
    body[0] = " " * depth + body[0]  # an answer is stripped, and its first line with it
  inner = textwrap.indent(textwrap.dedent("\n".join(body)), " " * statements[-1].body[0].col_offset)
  extended = [f"{before}\n{reading}" for reading in readings]
  return (*extended, *readings, f"{prompt.rstrip()}\n{inner}")


def _with_imports(readings: tuple[str, ...], setup: str) -> tuple[str, ...]:
  """Puts the imports of a row's setup before each reading: setup and program share a module there."""
  try:
    statements = ast.parse(setup).body
  except (SyntaxError, ValueError, MemoryError, RecursionError):
    return readings  # the sandbox says what is wrong with it
  imports = [ast.unparse(s) for s in statements if isinstance(s, (ast.Import, ast.ImportFrom))]
  if not imports:
    return readings
  return tuple(
      reading if "__future__" in reading else "\n".join([*imports, reading]) for reading in readings
  )


@functools.lru_cache(maxsize=256)  # both components, and equal completions of a group, share a run
def _report(
    answer: str, prompt: str, tests: UnitTests, cpu_seconds: int, memory_mb: int
) -> sandbox.Report:
  return sandbox.run(
      _with_imports(_with_prompt(extract_program(answer), prompt), tests.setup),
      [test for test in tests.tests if test.strip()],
      tests.setup,
      tests.text,
      cpu_seconds=cpu_seconds,
      memory_mb=memory_mb,
  )


def _run(
    completion: Completion, example: Example, cpu_seconds: int, memory_mb: int
) -> sandbox.Report | Unscored:
  """Returns why not where there are no tests, or none that can judge a program."""
  tests = example.reference
  if not isinstance(tests, UnitTests) or not any(test.strip() for test in tests.tests):
    return Unscored("tests", "the row has no tests")
  report = _report(completion.answer, example.prompt, tests, cpu_seconds, memory_mb)
  return Unscored("tests", report.unscorable) if report.unscorable else report


def _cause(report: sandbox.Report, cpu_seconds: int) -> str:
  if all(report.passed) and report.cpu_seconds > cpu_seconds / 2:
    return "near_limit"  # another machine, or another day, might stop it
  return report.cause


@register("tests_all_passed", kind="correctness", domains=("coding",))
def tests_all_passed(
    *, cpu_seconds: int = sandbox.CPU_SECONDS, memory_mb: int = sandbox.MEMORY_MB
):
  """1.0 when the answer's program passes every test of its row, else 0.0; not scored without tests.

  Range: 0 or 1. The program is run by rewards.sandbox: tests decide by Python's `==` between plain
  values, in a process that the program cannot reach. Causes: "syntax", "crash", "memory",
  "timeout", "oversize"; "near_limit" where it passed with more than half of its CPU time used.
  Not scored, never paid, too where the tests do not parse, never use the program, or cannot be run across
  processes.

  How a policy might cheat: end, hang, flood or attack the process; return an object that is equal
  to all; patch `assert`; look for the expected values. sandbox.py says what stops each, and
  tests/rewards/test_sandbox.py does each. What remains is to answer by the inputs of tests that the
  prompt shows, which only hidden tests prevent.

  Args:
    cpu_seconds: CPU time of the program.
    memory_mb: its address space.
  """
  sandbox.layers()  # started before the first completion waits for it

  def score(completion: Completion, example: Example) -> Score | Unscored:
    report = _run(completion, example, cpu_seconds, memory_mb)
    if isinstance(report, Unscored):
      return report
    reason = report.reason or f"all {len(report.passed)} tests passed"
    return Score(float(all(report.passed)), reason, _cause(report, cpu_seconds))

  return score


@register("tests_passed_fraction", kind="quality", domains=("coding",))
def tests_passed_fraction(
    *, cpu_seconds: int = sandbox.CPU_SECONDS, memory_mb: int = sandbox.MEMORY_MB
):
  """The share of a row's tests that the answer's program passes; not scored without tests.

  Range: 0 to 1. A test is one entry of the row's list: a whole program such as HumanEval's is one.
  Tests after the program's end (a crash, its limits) count as failed. One run serves both
  components.

  How a policy might cheat: as for tests_all_passed; and by a constant that satisfies some tests
  (`return True`), which is why this is a quality beside the correctness and not in its place.

  Args:
    cpu_seconds: CPU time of the program.
    memory_mb: its address space.
  """
  sandbox.layers()

  def score(completion: Completion, example: Example) -> Score | Unscored:
    report = _run(completion, example, cpu_seconds, memory_mb)
    if isinstance(report, Unscored):
      return report
    passed, number = sum(report.passed), len(report.passed)
    reason = f"{passed} of {number} tests passed" + (f"; {report.reason}" if report.reason else "")
    return Score(passed / number, reason, _cause(report, cpu_seconds))

  return score
