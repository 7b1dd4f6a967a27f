"""Runs trusted tests against a program that lives in another process.

  verdict(stream, ("assert add(1, 2) == 3",), setup="", solution="")  ->  {"passed": [True], ...}

The names that the tests read and do not define (`add`) stand for what the program defines: remote
functions whose results are plain values of this process. Tests are statements, as in MBPP, or whole
programs, as in HumanEval, unittest.main() included. They run as the sandbox's judge does, forked
for one program; they are trusted, and what they are told is not.
"""

import ast
import builtins
from collections.abc import Iterable
import contextlib
import dataclasses
import functools
import sys
import types
from typing import Any

from rewards.sandbox import remote


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prepared:
  """Tests, compiled. names: what the program must define; classes: those of them that are classes.

  imports: statements for what the tests use without importing it. pure: they can leave no trace in
  the process that runs them, so that it may run others.
  """

  sources: tuple[str, ...]
  codes: tuple[types.CodeType, ...]
  names: tuple[str, ...]
  classes: frozenset[str]
  imports: tuple[str, ...]
  pure: bool


# Tests that read no attribute, import nothing and call nothing but the program and these only
# compute: MBPP's, and most of HumanEval's.
_IMPURE = (ast.Attribute, ast.Import, ast.ImportFrom, ast.ClassDef, ast.With, ast.Global)
_PURE_BUILTINS = frozenset("""
abs all any bool bytes chr complex dict divmod enumerate float frozenset int isinstance len list map
max min ord pow print range repr reversed round set sorted str sum tuple zip
AssertionError Exception IndexError KeyError TypeError ValueError ZeroDivisionError
""".split())


@functools.lru_cache(maxsize=64)  # the completions of a group have the same tests
def prepare(tests: tuple[str, ...], setup: str, solution: str) -> Prepared:
  """Compiles setup and tests, the setup first, and finds out what they want of the program.

  Raises:
    ValueError: one of them is not Python; says which.
  """
  sources = (setup, *tests)
  places = ("setup", *(f"test {number}" for number in range(1, len(tests) + 1)))
  trees, codes = [], []
  for place, source in zip(places, sources):
    try:
      trees.append(ast.parse(source))
      codes.append(compile(trees[-1], place, "exec", dont_inherit=True))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
      raise ValueError(f"{place} is not Python: {error}") from None
  gold = _parse_or_empty(solution)
  known = _bound([gold])
  bound = _bound(trees)
  nodes = [node for tree in trees for node in ast.walk(tree)]
  names = dict.fromkeys(n.id for n in nodes if isinstance(n, ast.Name) and n.id not in bound)
  imports = _imports(names, nodes, gold)
  imported = _bound([ast.parse("\n".join(imports))])
  wanted = [name for name in _defined_by_program(names, known, nodes) if name not in imported]
  # A function cannot make itself a class: its results would then answer for the tests.
  is_class = lambda name: known.get(name) is ast.ClassDef if known else name[0].isupper()
  pure = not imports and not any(isinstance(node, _IMPURE) for node in nodes)
  pure = pure and {*names} <= {*wanted} - {"__builtins__"} | _PURE_BUILTINS
  return Prepared(
      sources=sources, codes=tuple(codes), names=tuple(wanted), 
      classes=frozenset(filter(is_class, wanted)), imports=imports, pure=pure,
  )


def _imports(names: dict[str, None], nodes: list[ast.AST], gold: ast.Module) -> tuple[str, ...]:
  """Returns imports of what the tests use without importing it: the program's `math` is not asked.

  Those are names that the solution imports, and standard modules whose attributes are read.
  """
  values = [node.value for node in nodes if isinstance(node, ast.Attribute)]
  bases = {value.id for value in values if isinstance(value, ast.Name)} & names.keys()
  modules = [f"import {name}" for name in sorted(bases & sys.stdlib_module_names)]
  statements = [node for node in gold.body if isinstance(node, (ast.Import, ast.ImportFrom))]
  used = [s for s in statements if _bound([ast.Module([s], [])]).keys() & names.keys()]
  return (*modules, *map(ast.unparse, used))


def _defined_by_program(
    names: dict[str, None], known: dict[str, type], nodes: list[ast.AST]
) -> list[str]:
  """Returns which of the free names the program must define.

  A builtin is among them only where it must be, for else `def set(x)` would answer for the tests:
  when the solution defines it, or when no other name is free and it is what the tests call first.
  """
  free = [name for name in names if not hasattr(builtins, name) or name in known]
  if free or known:
    return free
  called = [node.func for node in nodes if isinstance(node, ast.Call)]
  return [f.id for f in called if isinstance(f, ast.Name) and f.id in names][:1]


def verdict(stream: int, tests: tuple[str, ...], setup: str, solution: str) -> dict[str, Any]:
  """Runs the tests in order, in one namespace, against the program at the other end of `stream`.

  Returns:
    passed, cause, reason and unscorable of a sandbox.Report; gone: the program has ended; reusable:
    this process is as it was before.
  """
  try:
    prepared = prepare(tests, setup, solution)
  except ValueError as error:
    return _unscorable(str(error)) | dict(gone=False, reusable=True)
  peer = remote.Peer(stream, trusted=True)
  result = _run(peer, prepared)
  reusable = prepared.pure and not peer.gone and result.get("cause") != "memory"
  return result | dict(gone=bool(peer.gone), reusable=reusable)


def _run(peer: remote.Peer, prepared: Prepared) -> dict[str, Any]:
  try:
    state, cause, reason = peer.receive()
    if state != "ready":
      cause = cause if cause in ("syntax", "memory") else "crash"
      return dict(passed=[], cause=cause, reason=str(reason)[:300])
    module, plain = _namespace(peer, prepared)
  except (remote.Gone, ValueError):
    return dict(passed=[], cause="crash", reason=f"while it was imported, {peer.gone or 'it lied'}")
  peer.calls = 0
  passed, first = [], None
  with contextlib.suppress(remote.Gone):
    for code, source in zip(prepared.codes, prepared.sources):
      failure = _attempt(code, source, vars(module), peer)
      passed.append(failure is None)
      first = first or failure
      if failure and code is prepared.codes[0]:  # without the setup there is nothing to test
        break
  if first and first[0] == "unsupported":
    return _unscorable(f"the tests cannot be run across processes: {first[1]}")
  if all(passed) and not peer.calls and not plain:
    return _unscorable("the tests never use the program")
  passed += [False] * (len(prepared.codes) - len(passed))
  cause, reason = first or ("", "")
  return dict(passed=passed[1:], cause=cause, reason=reason)


def _unscorable(why: str) -> dict[str, Any]:
  return dict(passed=[], unscorable=why)


def _attempt(
    code: types.CodeType, source: str, namespace: dict[str, Any], peer: remote.Peer
) -> tuple[str, str] | None:
  """Runs one test; returns None when it passes, else a cause and a reason."""
  peer.refused = peer.stopped = False
  name, failure = code.co_filename, None
  try:
    exec(code, namespace)
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
  if peer.stopped and failure is None and "StopIteration" not in source:  # all(map(f, xs)) would be true
    return "crash", f"{name}: a call raised StopIteration"
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


def _namespace(peer: remote.Peer, prepared: Prepared) -> tuple[types.ModuleType, bool]:
  """Makes the module in which the tests run; says too whether the program gave it a plain value."""
  module = types.ModuleType("__main__")  # where unittest.main() looks
  sys.modules["__main__"] = module
  sys.argv = ["tests"]
  answer = peer.ask("names", list(prepared.names))
  if type(answer) is not list or not all(type(a) is tuple and len(a) == 2 for a in answer):
    raise ValueError("not a list of names and values")
  values = {name: value for name, value in answer if name in prepared.names}
  for name in prepared.classes:
    if type(values.get(name)) is remote.Proxy:
      object.__setattr__(values[name], "_constructs", True)
  vars(module).update(values)
  for statement in prepared.imports:
    with contextlib.suppress(ImportError):  # what is not there is missed where it is used
      exec(statement, vars(module))
  return module, any(type(value) is not remote.Proxy for value in values.values())


def _parse_or_empty(source: str) -> ast.Module:
  try:
    return ast.parse(source)
  except (SyntaxError, ValueError):
    return ast.Module(body=[], type_ignores=[])


_MAY_BIND = (ast.stmt, ast.ExceptHandler, ast.withitem, ast.match_case, ast.Tuple, ast.List,
             ast.Starred, ast.NamedExpr)


def _bound(trees: Iterable[ast.Module]) -> dict[str, type]:
  """Returns the names that modules' own statements bind, each with the kind of node that does.

  Not those bound inside of functions, classes and comprehensions.
  """
  names: dict[str, type] = {}
  waiting: list[ast.AST] = [statement for tree in trees for statement in tree.body]
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
    if isinstance(node, _MAY_BIND):
      waiting.extend(ast.iter_child_nodes(node))
  return names
