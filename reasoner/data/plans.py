"""What a trace reasons where its row has no rationale: one short sentence about this row.

  coding             first_repeated takes text: it loops, calls enumerate and checks a condition.
  creative_writing   It tells of lighthouse, keeper and storm.               what the task is about
  creative_ideation  I look for uses and corks.                              the same
  summarization      What matters is Mackay, Cardiff and contract.           what the summary names
  science            Of these, carbon dioxide fits plants and gas.           the choice, the question's words

Each domain has several wordings, and the row's uid chooses: a small model imitates a sentence that stands in
every trace word by word, and in other domains too. Three words at most, the last behind an "and": of longer
lists without one a small model, decoding greedily, never found the end. Of stories and ideas they are the
task's words: the reference's it cannot know, so it wrote "The, The and The", and its answer went on with it.
"""

import ast
from collections.abc import Sequence
import re
import warnings
import zlib

from reasoner.data.curation.language import ENGLISH
from rewards.schema import Choice
from rewards.schema import Example
from rewards.schema import Text
from rewards.schema import UnitTests

# For a data set card: what the reasoning of a row without a rationale is made of.
MADE_OF = {
    "coding": "a sentence of name, arguments and first steps of the reference program",
    "creative_writing": "a sentence of the task's three longest content words",
    "creative_ideation": "a sentence of the task's three longest content words",
    "summarization": "a sentence of three content words of the summary",
    "science": "a sentence of two content words of the question and the right choice",
}
MADE_OF_OTHERS = "the task's first sentence"

_MOST = 3
# A program's name, arguments and steps; words of a question and its answer; words of a text, by domain.
_OF_PROGRAMS = ("{} takes {}: it {}.", "{} gets {} and {}.", "Given {1}, {0} {2}.")
_OF_CHOICES = ("Of these, {1} fits {0}.", "With {}, it must be {}.", "What goes with {} is {}.")
_OF_TEXTS = {
    "creative_writing": ("It tells of {}.", "The story is about {}.", "It has {} in it.", "I begin with {}."),
    "creative_ideation": ("I look for {}.", "It asks for {}.", "The list is of {}.", "What fits {}?"),
    "summarization": ("What matters is {}.", "The text is about {}.", "It comes down to {}.", "I keep {}."),
}
_WORD = re.compile(r"[^\W\d_][\w'’-]{3,}")
_RESTATED_WORDS = 24


def plan(example: Example, own_words: str) -> str:
  """Returns a line of reasoning for a row; a pure function of it.

  Args:
    own_words: the prompt without what all prompts of its data set share.
  """
  reference = example.reference
  wordings, parts = (), ()
  if isinstance(reference, UnitTests):
    wordings, parts = _OF_PROGRAMS, _steps(reference.text)
  elif isinstance(reference, Choice) and reference.text:
    asked = _content(example.extra.get("task_text") or own_words)[:2]
    wordings = _OF_CHOICES if asked else ("It must be {1}.",)
    parts = _listed(asked), reference.text.rstrip(".")
  elif isinstance(reference, Text) and example.domain in _OF_TEXTS:
    words = _content(reference.text)[:_MOST] if example.domain == "summarization" else _longest(own_words)
    if words:
      wordings, parts = _OF_TEXTS[example.domain], (_listed(words),)
  if not parts:
    return restated(own_words or example.prompt)
  return wordings[zlib.crc32(example.uid.encode()) % len(wordings)].format(*parts)


def _listed(words: Sequence[str]) -> str:
  return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def restated(own_words: str) -> str:
  """Returns the first sentence of a text, cut after 24 words."""
  sentence = re.match(r".*?([.!?](?=\s)|$)", own_words.strip(), re.DOTALL)[0]
  return " ".join(sentence.split()[:_RESTATED_WORDS])


def _content(text: str) -> list[str]:
  """Returns the words of a text that carry its matter, in order, each once."""
  found: dict[str, str] = {}
  for word in _WORD.findall(text):
    if word.casefold() not in ENGLISH:
      found.setdefault(word.casefold(), word)
  return list(found.values())


def _longest(text: str) -> list[str]:
  """Returns the longest words of a text that carry its matter, in its order: the first ones are "give me"."""
  found = _content(text)
  longest = sorted(found, key=len, reverse=True)[:_MOST]
  return [word for word in found if word in longest]


def _steps(program: str) -> tuple[str, ...]:
  """Returns name, arguments and first steps of a Python program; () where it is none."""
  try:
    with warnings.catch_warnings():
      warnings.simplefilter("ignore")  # an odd escape in a row's string is the row's business
      tree = ast.parse(program)
  except (SyntaxError, ValueError, RecursionError, MemoryError):
    return ()
  functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
  if not functions:
    return ()
  main = functions[-1]
  nodes = sorted(
      (node for node in ast.walk(main) if hasattr(node, "lineno") and node is not main),
      key=lambda node: (node.lineno, node.col_offset),
  )
  steps = list(dict.fromkeys(filter(None, (_step(node, main.name) for node in nodes))))[:_MOST]
  arguments = _listed([argument.arg for argument in main.args.args]) or "nothing"
  return main.name, arguments, _listed(steps or ["returns one expression"])


_STEPS = {
    ast.For: "loops", ast.While: "loops", ast.If: "checks a condition", ast.IfExp: "checks a condition",
    ast.ListComp: "builds a list", ast.GeneratorExp: "goes through values",
    ast.DictComp: "builds a dictionary", ast.SetComp: "builds a set", ast.Lambda: "has a lambda",
    ast.FunctionDef: "has a helper function",
}  # fmt: skip


def _step(node: ast.AST, name: str) -> str | None:
  if isinstance(node, ast.Call):
    called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", None)
    return "calls itself" if called == name else called and f"calls {called}"
  return _STEPS.get(type(node))
