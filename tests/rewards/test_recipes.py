"""Recipes and the fields set on a command line: what works, and what a mistake is answered with."""

import textwrap

import pytest

from rewards import recipes
from rewards.errors import ConfigError

RECIPE = """
    import ml_collections

    def get_config(variant=""):
      if variant not in ("", "large"):
        raise ValueError(f"variant {variant!r} is unknown")
      config = ml_collections.ConfigDict()
      config.seed = 0
      config.plugins = ()
      config.train = dict(steps=10 if variant else 5, learning_rate=1e-3, name="x", flag=False)
      config.rewards = dict(math=dict(format=dict(weight=0.2), exact=dict(weight=0.8), judge=None))
      return config
"""


@pytest.fixture
def recipe(tmp_path):
  path = tmp_path / "recipe.py"
  path.write_text(textwrap.dedent(RECIPE))
  return str(path)


def test_what_a_recipe_makes_of_one_dict_is_set_apart(tmp_path):
  path = tmp_path / "recipe.py"
  path.write_text(
      "import ml_collections\n\n"
      "def get_config():\n"
      "  one = dict(inner=dict(weight=0.5))\n"
      "  return ml_collections.ConfigDict(dict(a=one, b=one, c=dict(d=one, e=one['inner'])))\n"
  )
  config, defaults = recipes.load(str(path), ["--config.a.inner.weight=0.1", "--config.c.e.weight=0.2"])
  half = {"inner": {"weight": 0.5}}
  assert config.to_dict() == {"a": {"inner": {"weight": 0.1}}, "b": half, "c": {"d": half, "e": {"weight": 0.2}}}
  assert defaults.to_dict() == {"a": half, "b": half, "c": {"d": half, "e": half["inner"]}}


def test_a_variant_stands_after_a_colon(recipe):
  assert recipes.load(recipe)[0].train.steps == 5
  assert recipes.load(recipe + ":large")[0].train.steps == 10


def test_fields_are_set_by_type_and_the_defaults_stay(recipe):
  config, defaults = recipes.load(
      recipe,
      [
          "--config.train.steps=7", "--config.train.learning_rate=1", "--config.train.name=12",
          "--config.train.flag=true", "--config.plugins=a.py,b.py", "--config.rewards.math.exact.weight=0",
      ],
  )
  assert (config.train.steps, config.train.learning_rate, config.train.name) == (7, 1.0, "12")
  assert config.train.flag is True and config.plugins == ("a.py", "b.py")
  assert config.rewards.math.exact.weight == 0.0 and defaults.rewards.math.exact.weight == 0.8


def test_an_optional_component_is_switched_on_by_its_weight_and_takes_settings(recipe):
  config, defaults = recipes.load(
      recipe, ["--config.rewards.math.judge.model=small", "--config.rewards.math.judge.weight=0.5"]
  )
  assert config.rewards.math.judge.to_dict() == {"model": "small", "weight": 0.5}
  assert defaults.rewards.math.judge is None


def test_a_setting_that_only_its_reward_knows_needs_no_place_in_the_recipe(recipe):
  flags = ["--config.rewards.math.exact.scale=0.1,0.5", "--config.rewards.math.exact.model=packaged"]
  config, defaults = recipes.load(recipe, flags)
  assert config.rewards.math.exact.to_dict() == {"weight": 0.8, "scale": (0.1, 0.5), "model": "packaged"}
  assert defaults.rewards.math.exact.to_dict() == {"weight": 0.8}


@pytest.mark.parametrize(
    "override, message",
    [
        ("--config.train.step=3", "config.train.step does not exist. Did you mean 'steps'"),
        ("--config.trian.steps=3", "config.trian does not exist. Did you mean 'train'"),
        ("--config.train.steps=three", "expected an integer"),
        ("--config.train.steps=0.5", "expected an integer"),
        ("--config.train.steps=true", "expected an integer"),
        ("--config.train.flag=7", "expected true or false"),
        ("--config.train.learning_rate=fast", "expected a number"),
        ("--config.train=3", "is a section; set one of its fields"),
        ("--config.train.steps.more=3", "is a value (5), not a section"),
        ("--config.rewards.math.exakt.weight=1", "Did you mean 'exact'"),
        ("--config.rewards.maths.exact.weight=1", "Did you mean 'math'"),
        ("--config.train.steps", "has no value"),
        ("--config.plugins=(1,", "expected a list"),
    ],
)
def test_a_mistake_is_answered_with_the_field_and_what_is_accepted(recipe, override, message):
  with pytest.raises(ConfigError) as error:
    recipes.load(recipe, [override])
  assert message in str(error.value)


def test_a_missing_file_and_an_unknown_variant_are_sentences(recipe, tmp_path):
  with pytest.raises(ConfigError, match="does not exist"):
    recipes.load(str(tmp_path / "none.py"))
  with pytest.raises(ConfigError, match="variant 'huge' is unknown"):
    recipes.load(recipe + ":huge")


def test_a_bug_in_a_recipe_is_shown_with_its_line(tmp_path):
  path = tmp_path / "broken.py"
  path.write_text("def get_config():\n  return 1 / 0\n")
  with pytest.raises(ConfigError, match="failed at line 2: ZeroDivisionError"):
    recipes.load(str(path))


def test_a_recipe_elsewhere_imports_the_projects_own(tmp_path):
  path = tmp_path / "mine.py"
  path.write_text(
      "from experiments import seven_domain\n\n"
      "def get_config():\n"
      "  config = seven_domain.get_config()\n"
      "  config.rewards.haiku = dict(format=dict(weight=0.2))\n"
      "  return config\n"
  )
  assert recipes.load(str(path))[0].rewards.haiku.format.weight == 0.2
