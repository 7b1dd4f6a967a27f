"""Names of rewards: `@register` puts a component in, a config's names take it out.

  @register("numeric_match", kind="correctness", domains=("math",))
  def numeric_match(completion, example, *, tolerance: float = 0.0) -> float: ...

Five shapes, told apart by `scope` and by the signature:
  completion scope   fn(completion, example, *, settings) -> float | None
  batch scope        fn(completions, examples, *, settings) -> list of the same length
  group scope        the same over the completions of one prompt; gate failures stand as None
  model scope        fn(completions, examples, model, *, settings) -> list; model: schema.Model
  factory            fn(*, settings) -> a function of one of the shapes above; heavy state is
                     built once. A function without positional parameters is a factory.

A component of model scope is scored where a policy is trained, by its frozen reference. Elsewhere (`score`,
`explain`, other trainers) there is none: it must weigh 0 and is not scored.

A function may carry `check(settings, place)`, which raises ConfigError where what it needs is not installed:
configs are checked with it before anything heavy is loaded. A module with rewards may define `warm()`:
worker processes call it before any deadline counts, so that no completion pays for what is loaded on
first use.

Not here: weights, the gate and deadlines, which belong to the scorer.
"""

from collections.abc import Callable, Iterable, Mapping
import contextlib
import dataclasses
import hashlib
import importlib
import importlib.util
import inspect
import math
import pathlib
import pkgutil
import sys
import types
import typing
from typing import Any

from rewards.errors import ConfigError
from rewards.errors import suggest

KINDS = ("correctness", "quality", "guard")
SCOPES = ("completion", "batch", "group", "model")
# What a domain's metrics and weights are called besides its components.
RESERVED = (
    "format", "total", "default_total", "guard_factor", "accuracy", "gate_pass_rate", "gate_failures",
)  # fmt: skip
ENTRY_POINT_GROUP = "reasoner.rewards"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Spec:
  """A registered component. domains: () means any. origin: "file:line" of its definition."""

  name: str
  kind: str
  domains: tuple[str, ...]
  scope: str
  function: Callable[..., Any]
  origin: str

  @property
  def is_factory(self) -> bool:
    return not any(p.kind in _POSITIONAL for p in _parameters(self.function))

  @property
  def settings(self) -> dict[str, inspect.Parameter]:
    return {p.name: p for p in _parameters(self.function) if p.kind is p.KEYWORD_ONLY}

  @property
  def summary(self) -> str:
    return (inspect.getdoc(self.function) or "").split("\n")[0]


_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_registry: dict[str, Spec] = {}


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
  # Annotations are evaluated here, so that a plugin may say `from __future__ import annotations`;
  # one that exists for type checkers alone stays a string, and its setting takes any value.
  try:
    return list(inspect.signature(function, eval_str=True).parameters.values())
  except NameError:
    return list(inspect.signature(function).parameters.values())


def register(name: str, *, kind: str, domains: Iterable[str] = (), scope: str = "completion"):
  """Registers the decorated function under `name` and returns it unchanged.

  Args:
    name: unique among all components; what a config says.
    kind: "correctness" (there is a truth; reports compute accuracy from it), "quality" (pays its
      share) or "guard" (pays nothing: 1 where its cheat is absent, and what it finds takes away
      from what all others pay, and from the format's share as far as the config says).
    domains: where a config may use it; empty for any domain.
    scope: "completion", "batch", "group" or "model", as the module's docstring tells.

  Raises:
    ConfigError: the name is taken (both places are named), or an argument is not one of those above.
  """
  if kind not in KINDS:
    raise ConfigError(f"reward {name!r}: kind {kind!r} is not one of {', '.join(KINDS)}.")
  if scope not in SCOPES:
    raise ConfigError(f"reward {name!r}: scope {scope!r} is not one of {', '.join(SCOPES)}.")
  if name in RESERVED or not name.isidentifier():
    raise ConfigError(f"reward name {name!r} is not allowed: use an identifier other than {', '.join(RESERVED)}.")
  if isinstance(domains, str):
    raise ConfigError(f"reward {name!r}: domains={domains!r} must be a tuple, as in ({domains!r},).")

  def decorate(function):
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None:
      raise ConfigError(f"reward {name!r} is {function!r}; expected a function (def).")
    origin = f"{code.co_filename}:{code.co_firstlineno}"
    known = _registry.get(name)
    if known and known.origin != origin:
      raise ConfigError(f"reward {name!r} is registered twice: at {known.origin} and at {origin}.")
    _registry[name] = Spec(
        name=name, kind=kind, domains=tuple(domains), scope=scope, function=function, origin=origin
    )
    return function

  return decorate


def get(name: str, *, domain: str | None = None) -> Spec:
  """Returns the component `name`; with `domain`, checks that it may be used there.

  Raises:
    ConfigError: unknown (with the nearest name and all that could be meant), or not for `domain`.
  """
  usable = sorted(s.name for s in _registry.values() if not domain or _serves(s, domain))
  if name not in _registry:
    where = f" for domain {domain!r}" if domain else ""
    raise ConfigError(
        f"unknown reward {name!r}{where}. {suggest(name, _registry)}Registered: {', '.join(usable)}."
    )
  spec = _registry[name]
  if domain and not _serves(spec, domain):
    raise ConfigError(
        f"reward {name!r} is for {', '.join(spec.domains)}, not for domain {domain!r}. "
        f"Registered for it: {', '.join(usable)}."
    )
  return spec


def _serves(spec: Spec, domain: str) -> bool:
  return not spec.domains or domain in spec.domains


def specs() -> list[Spec]:
  """Returns all registered components, by name."""
  return [_registry[name] for name in sorted(_registry)]


def build(spec: Spec, settings: Mapping[str, Any], place: str) -> Callable[..., Any]:
  """Binds `settings` to a component and returns a function of its scope's shape.

  Raises:
    ConfigError: a setting is unknown, missing or of another type; `place` is its config path.
  """
  check_settings(spec, settings, place)
  if spec.is_factory:
    return spec.function(**settings)
  return lambda *given: spec.function(*given, **settings)


def check_settings(spec: Spec, settings: Mapping[str, Any], place: str) -> None:
  """Raises ConfigError unless every setting is known, present where required, and of its type."""
  accepted = spec.settings
  for name, value in settings.items():
    if name not in accepted:
      raise ConfigError(
          f"{place}.{name}: reward {spec.name!r} has no such setting. {suggest(name, accepted)}"
          f"Accepted: {', '.join(['weight', *accepted])}."
      )
    annotation = accepted[name].annotation
    if not _fits(value, annotation):
      wanted = annotation.__name__ if isinstance(annotation, type) else str(annotation)
      raise ConfigError(f"{place}.{name}={value!r}: reward {spec.name!r} accepts {wanted}.")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
      default = accepted[name].default
      least = 0 if isinstance(default, (int, float)) and default >= 0 else -math.inf
      if not (least <= value and math.isfinite(value)):
        wanted = "0 or more" if least == 0 else "a finite number"
        raise ConfigError(f"{place}.{name}={value!r}: reward {spec.name!r} accepts {wanted}.")
  for name, parameter in accepted.items():
    if parameter.default is parameter.empty and name not in settings:
      raise ConfigError(f"{place}.{name} is missing: reward {spec.name!r} needs it.")


def _fits(value: Any, annotation: Any) -> bool:
  if annotation in (inspect.Parameter.empty, Any):
    return True
  if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
    return any(_fits(value, a) for a in typing.get_args(annotation))
  if annotation is None:
    return value is None
  if typing.get_origin(annotation) is typing.Literal:
    return value in typing.get_args(annotation)
  accepted = typing.get_origin(annotation) or annotation
  if not isinstance(accepted, type):
    return True
  if isinstance(value, bool):
    return accepted is bool
  if accepted is float:
    return isinstance(value, (int, float))
  if accepted in (tuple, list):
    return isinstance(value, (tuple, list))
  return isinstance(value, accepted)


def discover(plugins: Iterable[str] = ()) -> None:
  """Imports whatever registers rewards: rewards/domains, installed entry points, then files.

  Args:
    plugins: paths of Python files. Loading the same file again does nothing.

  Raises:
    ConfigError: a file is missing, or a file or an entry point fails while it is imported.
  """
  import importlib.metadata  # takes longer than the rest of this package together

  domains = importlib.import_module("rewards.domains")  # by name: the registry stands below what it finds
  for module in pkgutil.iter_modules(domains.__path__, f"{domains.__name__}."):
    importlib.import_module(module.name)
  for entry in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP):
    try:
      entry.load()
    except ConfigError:
      raise
    except Exception as error:
      raise ConfigError(
          f"entry point {entry.name!r} of group {ENTRY_POINT_GROUP!r} ({entry.value}) failed on "
          f"import: {type(error).__name__}: {error}"
      ) from error
  for plugin in plugins:
    _load_file(plugin)


def _load_file(plugin: str) -> None:
  path = pathlib.Path(plugin).resolve()
  if not path.is_file():
    raise ConfigError(f"config.plugins names {plugin!r}, which is not a file.")
  name = f"rewards_plugin_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
  if name in sys.modules:
    return
  spec = importlib.util.spec_from_file_location(name, path)
  if spec is None or spec.loader is None:
    raise ConfigError(f"config.plugins names {plugin!r}, which is not a Python file (.py).")
  module = importlib.util.module_from_spec(spec)
  sys.modules[name] = module
  try:
    spec.loader.exec_module(module)
  except ConfigError:
    del sys.modules[name]
    raise
  except (Exception, SystemExit) as error:
    del sys.modules[name]
    raise ConfigError(f"plugin {plugin!r} failed on import: {type(error).__name__}: {error}") from error


@contextlib.contextmanager
def temporary():
  """Restores the registry on exit, so that registering in a test leaves no trace."""
  discover()  # the project's own modules register once, on import: not inside of the scope below
  kept, modules = dict(_registry), set(sys.modules)
  try:
    yield
  finally:
    _registry.clear()
    _registry.update(kept)
    for name in set(sys.modules) - modules:
      if name.startswith("rewards_plugin_"):
        del sys.modules[name]
