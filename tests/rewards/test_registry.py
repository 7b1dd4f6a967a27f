"""The registry: what may be registered, how names are found, what errors say."""

from collections.abc import Sequence
import importlib.metadata
from typing import Literal

import pytest

from rewards import registry
from rewards.errors import ConfigError
from rewards.registry import register


@pytest.fixture(autouse=True)
def leave_no_trace():
  with registry.temporary():
    yield


def numeric_match(completion, example, *, tolerance: float = 0.0, mode: Literal["strict", "kind"] = "strict"):
  """1.0 when the numbers match.

  More about it.
  """
  return 1.0 - tolerance


def test_registering_returns_the_function_and_specs_tell_what_it_is():
  assert register("numeric_match", kind="correctness", domains=("math",))(numeric_match) is numeric_match
  spec = registry.get("numeric_match", domain="math")
  assert (spec.kind, spec.scope, spec.domains) == ("correctness", "completion", ("math",))
  assert spec.summary == "1.0 when the numbers match."
  assert list(spec.settings) == ["tolerance", "mode"]
  file, line = spec.origin.rsplit(":", 1)
  assert file == __file__ and int(line) == numeric_match.__code__.co_firstlineno


def test_an_unknown_name_is_answered_with_the_nearest_and_all_that_fit():
  register("numeric_match", kind="correctness", domains=("math",))(numeric_match)
  with pytest.raises(ConfigError, match="unknown reward 'numerc_match' for domain 'math'. Did you mean 'numeric_match'") as e:
    registry.get("numerc_match", domain="math")
  assert "Registered: " in str(e.value)


def test_a_reward_for_other_domains_is_refused_and_one_without_domains_fits_all():
  register("numeric_match", kind="correctness", domains=("math",))(numeric_match)
  with pytest.raises(ConfigError, match="'numeric_match' is for math, not for domain 'logic'"):
    registry.get("numeric_match", domain="logic")
  register("anywhere", kind="quality")(lambda completion, example: 1.0)
  assert registry.get("anywhere", domain="a domain nobody has heard of").domains == ()


def test_a_duplicate_is_refused_with_both_places():
  register("twice", kind="quality")(lambda completion, example: 1.0)
  with pytest.raises(ConfigError, match=r"registered twice: at .*test_registry.py:\d+ and at .*test_registry.py:\d+"):
    register("twice", kind="quality")(numeric_match)


@pytest.mark.parametrize(
    "arguments, wrong",
    [
        (dict(name="x", kind="truth"), "kind 'truth' is not one of correctness, quality"),
        (dict(name="x", kind="quality", scope="row"), "scope 'row' is not one of completion, batch, group"),
        (dict(name="format", kind="quality"), "'format' is not allowed"),
        (dict(name="a.b", kind="quality"), "'a.b' is not allowed"),
        (dict(name="x", kind="quality", domains="math"), r"must be a tuple, as in \('math',\)"),
    ],
)
def test_an_argument_that_makes_no_sense_is_refused(arguments, wrong):
  with pytest.raises(ConfigError, match=wrong):
    register(**arguments)


def test_only_functions_can_be_registered():
  with pytest.raises(ConfigError, match="expected a function"):
    register("x", kind="quality")(3)


@pytest.mark.parametrize(
    "settings, wrong",
    [
        ({"tolerence": 0.1}, r"math.x.tolerence: .*no such setting. Did you mean 'tolerance'\? Accepted: weight, tolerance, mode"),
        ({"tolerance": "much"}, "math.x.tolerance='much': .*accepts float"),
        ({"tolerance": True}, "math.x.tolerance=True"),
        ({"tolerance": -0.1}, "math.x.tolerance=-0.1: .*accepts 0 or more"),
        ({"tolerance": float("nan")}, "math.x.tolerance=nan: .*accepts 0 or more"),
        ({"mode": "loose"}, "math.x.mode='loose'.*strict"),
    ],
)
def test_settings_are_checked_by_name_and_type(settings, wrong):
  register("numeric_match", kind="correctness")(numeric_match)
  with pytest.raises(ConfigError, match=wrong):
    registry.build(registry.get("numeric_match"), settings, "math.x")


def test_a_setting_without_default_has_to_be_given():
  @register("needy", kind="quality")
  def needy(completion, example, *, words: Sequence[str]):
    return 1.0

  with pytest.raises(ConfigError, match="math.needy.words is missing"):
    registry.build(registry.get("needy"), {}, "math.needy")
  assert registry.build(registry.get("needy"), {"words": ("a",)}, "math.needy")(None, None) == 1.0


def test_settings_are_bound_and_a_factory_is_built_once():
  built = []

  @register("heavy", kind="quality", scope="batch")
  def heavy(*, scale: float = 1.0):
    built.append(scale)
    return lambda completions, examples: [scale] * len(completions)

  function = registry.build(registry.get("heavy"), {"scale": 0.5}, "place")
  assert function([1, 2], [3, 4]) == [0.5, 0.5] and function([1], [2]) == [0.5]
  assert built == [0.5]
  register("numeric_match", kind="correctness")(numeric_match)
  assert registry.build(registry.get("numeric_match"), {"tolerance": 0.25}, "place")(None, None) == 0.75


PLUGIN = """\
from __future__ import annotations
from typing import TYPE_CHECKING
from rewards import register
if TYPE_CHECKING:
  from rewards import Completion, Example

@register("from_a_file", kind="quality")
def from_a_file(completion: Completion, example: Example, *, words: int = 3) -> float:
  return 1.0
"""


def test_a_plugin_registers_once_however_often_and_by_whatever_path_it_is_named(tmp_path, monkeypatch):
  (tmp_path / "mine.py").write_text(PLUGIN)
  monkeypatch.chdir(tmp_path)
  registry.discover(["mine.py", str(tmp_path / "mine.py")])
  registry.discover(["./mine.py"])
  assert list(registry.get("from_a_file").settings) == ["words"]
  registry.check_settings(registry.get("from_a_file"), {"words": 4}, "place")


@pytest.mark.parametrize(
    "name, text, wrong",
    [
        ("absent.py", None, "absent.py', which is not a file"),
        ("broken.py", "import nothing_of_this_name", "broken.py' failed on import: ModuleNotFoundError"),
        ("leaving.py", "import sys; sys.exit(3)", "leaving.py' failed on import: SystemExit: 3"),
        ("syntax.py", "def", "syntax.py' failed on import: SyntaxError"),
        ("notes.txt", "hello", "notes.txt', which is not a Python file"),
    ],
)
def test_a_plugin_that_cannot_be_loaded_is_named(tmp_path, name, text, wrong):
  if text is not None:
    (tmp_path / name).write_text(text)
  with pytest.raises(ConfigError, match=wrong):
    registry.discover([str(tmp_path / name)])


def install(monkeypatch, value):
  entry = importlib.metadata.EntryPoint("mine", value, registry.ENTRY_POINT_GROUP)
  monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [entry] if group == "reasoner.rewards" else [])


def test_installed_packages_register_through_their_entry_point(monkeypatch, tmp_path):
  (tmp_path / "an_installed_package.py").write_text(PLUGIN)
  monkeypatch.syspath_prepend(tmp_path)
  install(monkeypatch, "an_installed_package")
  registry.discover()
  assert registry.get("from_a_file").origin.startswith(str(tmp_path))


def test_an_entry_point_that_cannot_be_loaded_is_named(monkeypatch):
  install(monkeypatch, "json.tool:nothing_here")
  with pytest.raises(ConfigError, match="entry point 'mine' of group 'reasoner.rewards'.*AttributeError"):
    registry.discover()


def test_temporary_leaves_no_trace_and_lets_a_plugin_load_again(tmp_path):
  path = tmp_path / "mine.py"
  path.write_text(PLUGIN)
  before = registry.specs()
  for _ in range(2):
    with registry.temporary():
      registry.discover([str(path)])
      assert registry.get("from_a_file").name == "from_a_file"
    assert registry.specs() == before
