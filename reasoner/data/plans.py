"""What a trace reasons where its row has no rationale: a few words taken from the row, never a stock sentence.

  coding             first_repeated(text): loop, enumerate, condition.        the program's own steps
  creative_writing   lighthouse, keeper, storm, letter.                       what the story is about
  creative_ideation  raft, necklace, bath.                                    a word of each idea
  summarization      Mackay, Cardiff, contract.                               what the summary names
  science            plants, take in, gas: carbon dioxide.                    the question's words, the choice

A small model imitates a sentence that stands in every trace word by word, and in other domains too; a
few words that differ from row to row end early and show what reasoning is for here: a plan.
"""

import ast
import re
import warnings

from reasoner.data.curation.language import ENGLISH
from rewards.schema import Choice
from rewards.schema import Example
from rewards.schema import Text
from rewards.schema import UnitTests

# For a data set card: what the reasoning of a row without a rationale is made of.
MADE_OF = {
    "coding": "name, arguments and first steps of the reference program",
    "creative_writing": "content words of the story's beginning",
    "creative_ideation": "a content word of each idea",
    "summarization": "content words of the summary",
    "science": "content words of the question, and the right choice",
}
MADE_OF_OTHERS = "the task's first sentence"

_MOST = 5
_WORD = re.compile(r"[^\W\d_][\w'’-]{3,}")
_ITEM = re.compile(r"\n+|(?<=[.!?;])\s+")
_RESTATED_WORDS = 24


def plan(example: Example, own_words: str) -> str:
  """Returns a line of reasoning for a row; a pure function of it.

  Args:
    own_words: the prompt without what all prompts of its data set share.
  """
  reference = example.reference
  made = ""
  if isinstance(reference, UnitTests):
    made = _steps(reference.text)
  elif isinstance(reference, Choice):
    asked = ", ".join(_content(example.extra.get("task_text") or own_words, 3))
    made = f"{asked}: {reference.text}" if asked else reference.text
  elif isinstance(reference, Text):
    if example.domain == "creative_ideation":
      firsts = " ".join(word for item in _ITEM.split(reference.text) for word in _content(item, 1))
      made = ", ".join(_content(firsts, _MOST))
    else:
      made = ", ".join(_content(reference.text, _MOST))
  return f"{made.rstrip('.')}." if made else restated(own_words or example.prompt)


def restated(own_words: str) -> str:
  """Returns the first sentence of a text, cut after 24 words."""
  sentence = re.match(r".*?([.!?](?=\s)|$)", own_words.strip(), re.DOTALL)[0]
  return " ".join(sentence.split()[:_RESTATED_WORDS])


def _content(text: str, most: int) -> list[str]:
  """Returns the first words of a text that carry its matter, each once."""
  found: dict[str, str] = {}
  for word in _WORD.findall(text):
    if word.casefold() not in ENGLISH:
      found.setdefault(word.casefold(), word)
      if len(found) == most:
        break
  return list(found.values())


def _steps(program: str) -> str:
  """Returns `name(arguments): steps` of a Python program, "" where it is none."""
  try:
    with warnings.catch_warnings():
      warnings.simplefilter("ignore")  # an odd escape in a row's string is the row's business
      tree = ast.parse(program)
  except (SyntaxError, ValueError, RecursionError, MemoryError):
    return ""
  functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
  if not functions:
    return ""
  main = functions[-1]
  nodes = sorted(
      (node for node in ast.walk(main) if hasattr(node, "lineno") and node is not main),
      key=lambda node: (node.lineno, node.col_offset),
  )
  steps = list(dict.fromkeys(filter(None, (_step(node, main.name) for node in nodes))))[:_MOST]
  arguments = ", ".join(argument.arg for argument in main.args.args)
  return f"{main.name}({arguments}): {', '.join(steps) or 'one expression'}"


_STEPS = {
    ast.For: "loop", ast.While: "loop", ast.If: "condition", ast.IfExp: "condition", ast.ListComp: "comprehension",
    ast.GeneratorExp: "comprehension", ast.DictComp: "comprehension", ast.SetComp: "comprehension",
    ast.Lambda: "lambda", ast.FunctionDef: "helper function",
}  # fmt: skip


def _step(node: ast.AST, name: str) -> str | None:
  if isinstance(node, ast.Call):
    called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", None)
    return "recursion" if called == name else called
  return _STEPS.get(type(node))
