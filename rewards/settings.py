"""A config's sections as frozen dataclasses: a field says its type, its range and, beside it, what it is.

  @dataclasses.dataclass(frozen=True, kw_only=True)
  class Algorithm(Section, place="config.grpo"):
    num_generations: Annotated[int, Range(2)]  # completions a prompt
    epsilon: Positive = 0.2  # clip range of the ratio

  read(Algorithm, {"num_generations": 1})  ->  config.grpo.num_generations=1: expected 2 or more.

A new field is its line in the section and the line that uses it. Where it has a default, no recipe
has to name it: `fill` writes it into a config before the command line is read, so that
--config.grpo.epsilon=0.1 can be set all the same.
"""

from collections.abc import Collection, Mapping
import dataclasses
import math
import types
import typing
from typing import Annotated, Any

from rewards.errors import ConfigError
from rewards.errors import suggest


@dataclasses.dataclass(frozen=True)
class Range:
  """Finite numbers from `least` to `most`; `above` and `below` are ends that are not accepted themselves."""

  least: float | None = None
  most: float | None = None
  above: float | None = None
  below: float | None = None

  def refusal(self, value: float) -> str | None:
    """Returns what is accepted instead; None where `value` is."""
    inside = (
        math.isfinite(value)
        and (self.least is None or value >= self.least)
        and (self.most is None or value <= self.most)
        and (self.above is None or value > self.above)
        and (self.below is None or value < self.below)
    )
    if inside:
      return None
    if self.least is not None and self.most is not None:
      return f": expected {self.least} to {self.most}."
    low = f"above {self.above}" if self.least is None else f"{self.least} or more"
    return f": expected {low}{'' if self.below is None else f', but below {self.below}'}."


@dataclasses.dataclass(frozen=True)
class OneOf:
  """One of these names."""

  names: Collection[str]

  def refusal(self, value: str) -> str | None:
    if value in self.names:
      return None
    accepted = ", ".join(name or "''" for name in self.names)
    return f" is unknown. {suggest(value, self.names)}Accepted: {accepted}."


Count = Annotated[int, Range(1)]
WholeNumber = Annotated[int, Range(0)]
Share = Annotated[float, Range(0.0, 1.0)]
Positive = Annotated[float, Range(above=0)]
NotNegative = Annotated[float, Range(0)]

_KINDS = {
    int: "an integer", float: "a number", bool: "True or False", str: "a text", tuple: "a list",
    Mapping: "a section",
}  # fmt: skip


class Section:
  """Base of the sections; a value of another type or out of its range is refused when one is made.

  Raises:
    ConfigError: the field's path, its value and what is accepted.
  """

  place: typing.ClassVar[str]

  def __init_subclass__(cls, place: str):
    cls.place = place

  def __post_init__(self):
    for name, (field, kind) in _fields(type(self)).items():
      _check(f"{self.place}.{name}", getattr(self, field.name), kind)


def _fields(section: type[Section]) -> dict[str, tuple[dataclasses.Field, Any]]:
  """Returns field and type by the name in a config: another than the field's, where metadata calls it so."""
  hints = typing.get_type_hints(section, include_extras=True)
  return {f.metadata.get("called", f.name): (f, hints[f.name]) for f in dataclasses.fields(section)}


def _check(path: str, value: Any, kind: Any, said: str | None = None) -> None:
  """Raises ConfigError unless `value` is of `kind`. said: how the sentence begins; by default path=value."""
  said = said or f"{path}={value!r}"
  accepted = ()
  if types.NoneType in typing.get_args(kind):  # Optional
    if value is None:
      return
    kind, _ = typing.get_args(kind)
  if typing.get_origin(kind) is Annotated:
    kind, *accepted = typing.get_args(kind)
  outer, inner = typing.get_origin(kind) or kind, typing.get_args(kind)
  number = outer is float and isinstance(value, int) and not isinstance(value, bool)
  if not (isinstance(value, outer) or number) or isinstance(value, bool) and outer is not bool:
    raise ConfigError(f"{said}: expected {_KINDS[outer]}.")
  for refusal in filter(None, (test.refusal(value) for test in accepted)):
    raise ConfigError(said + refusal)
  if outer is tuple:
    for item in value:
      _check(path, item, inner[0], f"{path} has {item!r}")
  elif outer is not kind and issubclass(outer, Mapping):
    for name, item in value.items():
      _check(f"{path}.{name}", item, inner[1])


def read(section: type[Section], values: Any) -> Any:
  """Returns the section of these values: a plain dict of what a config names.

  Raises:
    ConfigError: a field does not exist, is missing, or has a value that is not accepted.
  """
  place, fields = section.place, _fields(section)
  if not isinstance(values, Mapping):
    raise ConfigError(f"{place}={values!r}: expected a section with {', '.join(fields)}.")
  for name in values:
    if name not in fields:
      raise ConfigError(
          f"{place}.{name} does not exist. {suggest(name, fields)}{place} has: {', '.join(sorted(fields))}."
      )
  arguments = {}
  for name, (field, kind) in fields.items():
    if name in values:
      arguments[field.name] = read(kind, values[name]) if _is_section(kind) else values[name]
    elif field.default is dataclasses.MISSING:
      raise ConfigError(f"{place}.{name} is missing; the recipe it comes from has one.")
  return section(**arguments)


def fill(section: type[Section], config: Any) -> None:
  """Writes into a config, a ConfigDict or a dict, the default of each field that it does not name."""
  for name, (field, kind) in _fields(section).items():
    if _is_section(kind):
      if name not in config:
        config[name] = {}
      if hasattr(config[name], "keys"):
        fill(kind, config[name])
    elif name not in config and field.default is not dataclasses.MISSING:
      config[name] = field.default


def _is_section(kind: Any) -> bool:
  return isinstance(kind, type) and issubclass(kind, Section)
