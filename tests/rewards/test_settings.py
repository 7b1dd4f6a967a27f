"""Sections of a config: what a field accepts, what a refusal says, and what a new field costs."""

from collections.abc import Mapping
import dataclasses
from typing import Annotated

import ml_collections
import pytest

from rewards import recipes
from rewards import settings
from rewards.errors import ConfigError
from rewards.settings import Count
from rewards.settings import OneOf
from rewards.settings import Range


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inner(settings.Section, place="config.inner"):
  size: Count
  decay: Annotated[float, Range(0, below=1)] = 0.9


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outer(settings.Section, place="config"):
  title: str = dataclasses.field(metadata={"called": "name"})
  kind: Annotated[str, OneOf(("red", "green"))] = "red"
  on: bool = False
  paths: tuple[str, ...] = ()
  weights: Mapping[str, settings.NotNegative] = dataclasses.field(default_factory=dict)
  inner: Inner


GOOD = {"name": "a", "weights": {}, "inner": {"size": 2}}


def test_values_become_a_section_and_what_is_not_named_has_its_default():
  read = settings.read(Outer, GOOD | {"paths": ("x", "y"), "weights": {"math": 1}})
  assert read == Outer(title="a", paths=("x", "y"), weights={"math": 1}, inner=Inner(size=2, decay=0.9))


@pytest.mark.parametrize(
    "change, sentence",
    [
        ({"inner": {"size": 0}}, "config.inner.size=0: expected 1 or more."),
        ({"inner": {"size": True}}, "config.inner.size=True: expected an integer."),
        ({"inner": {"size": 1, "decay": 1.0}}, "config.inner.decay=1.0: expected 0 or more, but below 1."),
        ({"inner": {"size": 1, "decay": float("nan")}}, "config.inner.decay=nan: expected 0 or more, but below 1."),
        ({"inner": {"siez": 1}}, "config.inner.siez does not exist. Did you mean 'size'? config.inner has: decay, size."),
        ({"inner": {}}, "config.inner.size is missing; the recipe it comes from has one."),
        ({"inner": 3}, "config.inner=3: expected a section with size, decay."),
        ({"kind": "gren"}, "config.kind='gren' is unknown. Did you mean 'green'? Accepted: red, green."),
        ({"on": 1}, "config.on=1: expected True or False."),
        ({"paths": "x"}, "config.paths='x': expected a list."),
        ({"paths": ("x", 1)}, "config.paths has 1: expected a text."),
        ({"weights": {"math": -0.5}}, "config.weights.math=-0.5: expected 0 or more."),
        ({"weights": {"math": "1"}}, "config.weights.math='1': expected a number."),
        ({"name": None}, "config.name=None: expected a text."),
    ],
)
def test_a_refusal_names_the_path_the_value_and_what_is_accepted(change, sentence):
  with pytest.raises(ConfigError) as error:
    settings.read(Outer, GOOD | change)
  assert str(error.value) == sentence


@pytest.mark.parametrize(
    "accepted, inside, outside",
    [
        (Range(0.0, 1.0), (0.0, 1.0), (-0.1, 1.1, float("inf"), float("nan"))),
        (Range(above=0), (1e-9, 5), (0, -1, float("inf"))),
        (Range(0, below=1), (0, 0.9999999999), (1, 1.5)),
    ],
)
def test_open_ends_are_not_accepted_themselves(accepted, inside, outside):
  assert all(accepted.refusal(value) is None for value in inside)
  assert all(accepted.refusal(value) for value in outside)


def test_what_is_made_in_code_is_checked_as_what_is_read():
  with pytest.raises(ConfigError, match="config.inner.size=0"):
    Inner(size=0)


RECIPE = """
import ml_collections

def get_config():
  return ml_collections.ConfigDict(dict(name="a", weights=dict(), inner=dict(size=2)))
"""


def test_a_field_that_no_recipe_names_can_still_be_set_on_the_command_line(tmp_path):
  path = tmp_path / "recipe.py"
  path.write_text(RECIPE)
  config, defaults = recipes.load(str(path), ["--config.inner.decay=0.5", "--config.paths=x,y"], Outer)
  assert isinstance(config, ml_collections.ConfigDict)
  assert settings.read(Outer, config.to_dict()).inner.decay == 0.5
  assert config.paths == ("x", "y") and defaults.paths == () and defaults.inner.decay == 0.9
  with pytest.raises(ConfigError, match="config.inner.decya does not exist. Did you mean 'decay'"):
    recipes.load(str(path), ["--config.inner.decya=0.5"], Outer)
