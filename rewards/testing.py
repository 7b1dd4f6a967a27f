"""Runs trusted tests against a program that lives in another process.

  verdict(stream, ["assert add(1, 2) == 3"], setup="", solution="")  ->  {"passed": [True], ...}

The names that the tests read and do not define (`add`) stand for what the program defines: remote
functions whose results are plain values of this process. Tests are statements, as in MBPP, or whole
programs, as in HumanEval, unittest.main() included. They run as the sandbox's judge does, forked
for one program; they are trusted, and what they are told is not.
"""

import ast
import builtins
from collections.abc import Sequence
import contextlib
import sys
import types
from typing import Any

from rewards import remote


def parse(tests: Sequence[str], setup: str = "") -> list[ast.Module]:
  """Returns the syntax trees of setup and tests.

  Raises:
    ValueError: one of them is not Python; says which.
  """
  trees = []
  for name, source in zip(["setup", *(f"test {n}" for n in range(1, len(tests) + 1))], [setup, *tests]):
    try:
      trees.append(ast.parse(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
      raise ValueError(f"{name} is not Python: {error}") from None
  return trees


def verdict(stream: int, tests: Sequence[str], setup: str, solution: str) -> dict[str, Any]:
  """Runs the tests in order, in one namespace, against the program at the other end of `stream`.

  Returns:
    passed, cause, reason and unscorable of a sandbox.Report, and whether the program is gone.
  """
  try:
    trees = parse(tests, setup)
  except ValueError as error:
    return _unscorable(str(error))
  peer = remote.Peer(stream, trusted=True)
  try:
    state, cause, reason = peer.receive()
    if state != "ready":
      cause = cause if cause in ("syntax", "memory") else "crash"
      return dict(passed=[], cause=cause, reason=str(reason)[:300], gone=False)
    module, plain = _namespace(peer, trees, solution)
  except (remote.Gone, ValueError):
    return dict(passed=[], cause="crash", reason=f"while it was imported, {peer.gone or 'it lied'}", gone=True)
  peer.calls = 0
  passed, first = [], None
  with contextlib.suppress(remote.Gone):
    first = _attempt(trees[0], setup, "setup", vars(module), peer)
    for number, (tree, source) in enumerate(zip(trees[1:], tests), start=1) if first is None else ():
      failure = _attempt(tree, source, f"test {number}", vars(module), peer)
      passed.append(failure is None)
      first = first or failure
  if first and first[0] == "unsupported":
    return _unscorable(f"the tests cannot be run across processes: {first[1]}")
  if passed and all(passed) and not peer.calls and not plain:
    return _unscorable("the tests never use the program")
  passed += [False] * (len(tests) - len(passed))
  cause, reason = first or ("", "")
  return dict(passed=passed, cause=cause, reason=reason, gone=bool(peer.gone))


def _unscorable(why: str) -> dict[str, Any]:
  return dict(passed=[], unscorable=why, gone=False)


def _attempt(
    tree: ast.Module, source: str, name: str, namespace: dict[str, Any], peer: remote.Peer
) -> tuple[str, str] | None:
  """Runs one test; returns None when it passes, else a cause and a reason."""
  peer.refused = False
  failure = None
  try:
    exec(compile(tree, name, "exec", dont_inherit=True), namespace)
  except AssertionError as error:
    failure = ("", f"{name} failed: {_line(source, name, error)}")
  except remote.Refused as error:
    failure = ("", f"{name}: {error}")
  except remote.Gone:
    failure = ("crash", f"in {name}, {peer.gone}")
  except remote.Unsupported as error:
    failure = ("unsupported", f"{name}: {error}")
  except MemoryError:
    failure = ("memory", f"{name} ran out of memory")
  except SystemExit as error:  # how a test program may end, and how the program may not
    if error.code or hasattr(error, "from_program"):
      failure = ("crash", f"{name} ended with SystemExit")
  except BaseException as error:  # a test fails by any other exception
    failure = ("crash", f"{name}: {type(error).__name__}: {_text(error)}")
  if peer.gone and (failure is None or failure[0] == ""):
    return "crash", f"in {name}, {peer.gone}"  # a test may expect an exception, and take it for one
  if peer.refused and failure is None:
    return "", f"{name} was given an object that is not a plain value"
  return failure


def _line(source: str, name: str, error: BaseException) -> str:
  """Returns the test's own line at which an assertion failed."""
  number, trace = 0, error.__traceback__
  while trace:
    if trace.tb_frame.f_code.co_filename == name:
      number = trace.tb_lineno
    trace = trace.tb_next
  lines = source.splitlines()
  return lines[number - 1].strip()[:200] if 0 < number <= len(lines) else ""


def _text(error: BaseException) -> str:
  try:
    return str(error)[:200]
  except (ValueError, RecursionError, MemoryError):  # integers of a million digits, deep nesting
    return ""


def _namespace(peer: remote.Peer, trees: list[ast.Module], solution: str) -> tuple[types.ModuleType, bool]:
  """Makes the module in which the tests run; also says whether the program gave it a plain value."""
  module = types.ModuleType("__main__")  # where unittest.main() looks
  sys.modules["__main__"] = module
  sys.argv = ["tests"]
  tree = _parse_or_empty(solution)
  known = {n: kind for n, kind in _bound(tree).items() if kind not in (ast.Import, ast.ImportFrom)}
  _import(module, trees, tree)
  wanted = [name for name in _free_names(trees, known) if name not in vars(module)]
  answer = peer.ask("names", wanted)
  if type(answer) is not list or not all(type(a) is tuple and len(a) == 2 for a in answer):
    raise ValueError("not a list of names and values")
  values = {name: value for name, value in answer if name in wanted}
  for name, value in values.items():
    # A function cannot make itself a class: its results would then answer for the tests.
    is_class = known.get(name) is ast.ClassDef if known else name[0].isupper()
    if type(value) is remote.Proxy and is_class:
      object.__setattr__(value, "_constructs", True)
  vars(module).update(values)
  return module, any(type(value) is not remote.Proxy for value in values.values())


def _import(module: types.ModuleType, trees: list[ast.Module], solution: ast.Module) -> None:
  """Imports what the tests use without importing it: the program's `math` must not be asked.

  Those are names that the solution imports, and standard modules whose attributes are read.
  """
  bound = set().union(*map(_bound, trees))
  read = {node.id for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Name)} - bound
  bases = {node.value.id for tree in trees for node in ast.walk(tree)
           if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)}
  statements = [f"import {name}" for name in sorted(read & bases & sys.stdlib_module_names)]
  for node in solution.body:
    if isinstance(node, (ast.Import, ast.ImportFrom)) and read & _bound(ast.Module([node], [])).keys():
      statements.append(ast.unparse(node))
  for statement in statements:
    with contextlib.suppress(ImportError):  # what is not there is missed where it is used
      exec(statement, vars(module))


def _free_names(trees: list[ast.Module], known: dict[str, type]) -> list[str]:
  """Returns the names that the tests read and do not define: those that the program must define.

  A builtin is among them only where it must be, for else `def set(x)` would answer for the tests:
  when the solution defines it, or when no other name is free and it is what the tests call first.
  """
  read = [node for tree in trees for node in ast.walk(tree)
          if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)]
  bound = set().union(*map(_bound, trees))
  names = [name for name in dict.fromkeys(node.id for node in read) if name not in bound]
  free = [name for name in names if not hasattr(builtins, name) or name in known]
  if free or known:
    return free
  calls = [node.func.id for tree in trees for node in ast.walk(tree)
           if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
  return [name for name in calls[:1] if name in names]


def _parse_or_empty(source: str) -> ast.Module:
  try:
    return ast.parse(source)
  except (SyntaxError, ValueError):
    return ast.Module(body=[], type_ignores=[])


def _bound(tree: ast.Module) -> dict[str, type]:
  """Returns the names that a module's own statements bind, each with the kind of node that does.

  Not those bound inside of functions, classes and comprehensions.
  """
  names: dict[str, type] = {}
  waiting: list[ast.AST] = list(tree.body)
  while waiting:
    node = waiting.pop()
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
      names[node.name] = type(node)
      continue
    if isinstance(node, (ast.Import, ast.ImportFrom)):
      names |= {(a.asname or a.name).split(".")[0]: type(node) for a in node.names}
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
      names[node.id] = type(node)
    elif isinstance(node, ast.ExceptHandler) and node.name:
      names[node.name] = type(node)
    if isinstance(node, (ast.stmt, ast.ExceptHandler, ast.withitem, ast.match_case, ast.Tuple, ast.List,
                         ast.Starred, ast.NamedExpr)):
      waiting.extend(ast.iter_child_nodes(node))
  return names
