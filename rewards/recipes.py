"""Recipes: an ml_collections config file, its variant, and the fields set on the command line.

  config, defaults = load("experiments/seven_domain.py:gemma3_1b", ["--config.seed=3"])

The trainer and `python -m rewards score` read the same files the same way. Fields are set by what
the recipe lists, and by what has a default in its section (`rewards.settings`) or is a setting of its
reward (`rewards.registry`): a typo is refused with the nearest name, and a value with what is accepted.
ml_collections' own flags are not used because they cannot switch on a component listed as None,
and answer a user's mistake with a stack trace.
"""

import ast
from collections.abc import Sequence
import copy
import importlib.util
import pathlib
import sys
from typing import Any

from rewards import settings
from rewards.errors import ConfigError
from rewards.errors import suggest

PREFIX = "--config."


def load(
    path: str, overrides: Sequence[str] = (), section: type[settings.Section] | None = None
) -> tuple[Any, Any]:
  """Returns a recipe's ConfigDict with the overrides applied, and the same without them.

  Args:
    path: a Python file that defines `get_config`, with an optional ":variant" for its argument.
    overrides: as on a command line: "--config.field.of.it=value".
    section: what the config is; defaults of fields that the recipe does not name are written into it.

  Raises:
    ConfigError: the file, the variant, a field or a value cannot be used.
  """
  defaults = _get_config(*_split(path))
  _part(defaults, set())
  if section:
    settings.fill(section, defaults)
  config = copy.deepcopy(defaults)
  for override in overrides:
    field, equals, value = override.removeprefix(PREFIX).partition("=")
    if not equals:
      raise ConfigError(f"{override} has no value: write {override}=VALUE.")
    _assign(config, field, value)
  return config, defaults


def _split(path: str) -> tuple[pathlib.Path, str | None]:
  file, colon, variant = path.partition(":")
  return pathlib.Path(file), variant if colon else None


def _get_config(file: pathlib.Path, variant: str | None):
  if not file.is_file():
    raise ConfigError(f"--config={file} does not exist: expected a Python file with get_config().")
  spec = importlib.util.spec_from_file_location(f"recipe_{file.stem}", file)
  if spec is None or spec.loader is None:
    raise ConfigError(f"--config={file} is not a Python file (.py).")
  module = importlib.util.module_from_spec(spec)
  try:
    # A recipe of yours says `from experiments import seven_domain`, wherever it lives.
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
    spec.loader.exec_module(module)
    if not hasattr(module, "get_config"):
      raise ConfigError(f"--config={file} defines no get_config().")
    config = module.get_config(variant) if variant else module.get_config()
  except ConfigError:
    raise
  except (Exception, SystemExit) as error:  # whatever the user's file raises is the user's to read
    line = _line_in(file, error)
    raise ConfigError(f"--config={file} failed{line}: {type(error).__name__}: {error}") from error
  finally:
    sys.path.pop(0)
  return config.unlock() if hasattr(config, "unlock") else _refuse(file, config)


def _part(section: Any, seen: set[int]) -> None:
  """Parts sections that a recipe made of one dict: ml_collections keeps them one, and a flag would set both."""
  for name in section.keys():
    if hasattr(section[name], "keys"):
      if id(section[name]) in seen:
        section[name] = copy.deepcopy(section[name])
      seen.add(id(section[name]))
      _part(section[name], seen)


def _refuse(file: pathlib.Path, config: Any):
  raise ConfigError(f"--config={file}: get_config() returned {type(config).__name__}, not a ConfigDict.")


def _line_in(file: pathlib.Path, error: BaseException) -> str:
  frames, trace = [], error.__traceback__
  while trace:
    if trace.tb_frame.f_code.co_filename == str(file):
      frames.append(trace.tb_lineno)
    trace = trace.tb_next
  return f" at line {frames[-1]}" if frames else ""


def _assign(config: Any, field: str, text: str) -> None:
  *sections, last = field.split(".")
  section, place = config, "config"
  for name in sections:
    _require(section, name, place)
    if section[name] is None and place.startswith("config.rewards."):
      with section.ignore_type():
        section[name] = {"weight": 0.0}  # an optional component, switched on by giving it a weight
    section, place = section[name], f"{place}.{name}"
    if not hasattr(section, "keys"):
      raise ConfigError(f"{PREFIX}{field}: {place} is a value ({section!r}), not a section.")
  if not (sections[:1] == ["rewards"] and len(sections) == 3):  # a component's settings are the registry's to know
    _require(section, last, place)
  current = section.get(last)
  if hasattr(current, "keys"):
    raise ConfigError(
        f"{PREFIX}{field}={text}: {place}.{last} is a section; set one of its fields: "
        f"{', '.join(sorted(current.keys()))}."
    )
  with section.ignore_type():
    section[last] = _parse(text, current, f"{PREFIX}{field}")


def _require(section: Any, name: str, place: str) -> None:
  if name not in section:
    raise ConfigError(
        f"{place}.{name} does not exist. {suggest(name, section.keys())}"
        f"{place} has: {', '.join(sorted(section.keys()))}."
    )


def _parse(text: str, current: Any, flag: str) -> Any:
  """Reads `text` as a value of the type that `current` has."""
  if isinstance(current, str):
    return text
  if isinstance(current, (tuple, list)):
    return _parse_sequence(text, flag)
  try:
    value = ast.literal_eval(text)
  except (ValueError, SyntaxError, MemoryError, RecursionError):
    value = {"true": True, "false": False}.get(text.lower(), text)
  if isinstance(current, bool):
    accepted, fits = "true or false", isinstance(value, bool)
  elif isinstance(current, int):
    accepted, fits = "an integer", isinstance(value, int) and not isinstance(value, bool)
  elif isinstance(current, float):
    accepted, fits = "a number", isinstance(value, (int, float)) and not isinstance(value, bool)
  else:
    return value
  if not fits:
    raise ConfigError(f"{flag}={text}: expected {accepted} (it is {current!r}).")
  return float(value) if isinstance(current, float) else value


def _parse_sequence(text: str, flag: str) -> tuple[Any, ...]:
  if text[:1] in "([":
    try:
      value = ast.literal_eval(text)
      return (value,) if isinstance(value, str) else tuple(value)
    except (ValueError, SyntaxError, TypeError):
      raise ConfigError(f"{flag}={text}: expected a list, as in ('a', 'b') or a,b.") from None
  return tuple(part for part in text.split(",") if part)
