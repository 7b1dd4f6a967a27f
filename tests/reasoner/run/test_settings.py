"""The whole config: every shipped recipe and variant resolves, and its parts fit together."""

import importlib
import pathlib

import pytest

from reasoner.run.settings import Settings
from rewards import recipes
from rewards import registry
from rewards import scorer
from rewards import settings as sections
from rewards.errors import ConfigError

ROOT = pathlib.Path(__file__).resolve().parents[3]


def shipped():
  """Yields every recipe below experiments/ with each variant that it names."""
  for path in sorted((ROOT / "experiments").glob("*.py")):
    module = importlib.import_module(f"experiments.{path.stem}")
    if hasattr(module, "get_config"):
      yield from (f"{path}:{variant}" for variant in module.VARIANTS)


@pytest.fixture(scope="module", autouse=True)
def _rewards():
  registry.discover()


def read(recipe, *overrides):
  config, _ = recipes.load(recipe, overrides, Settings)
  return sections.read(Settings, config.to_dict())


@pytest.mark.parametrize("recipe", [pytest.param(r, id=r.rpartition("/")[2]) for r in shipped()])
def test_every_shipped_recipe_and_variant_resolves(recipe):
  settings = read(recipe)
  assert set(scorer.check(settings.rewards)) == set(settings.disco.weights) == set(settings.data.sources)


@pytest.mark.parametrize("recipe", [pytest.param(r, id=r.rpartition("/")[2]) for r in shipped()])
def test_a_flag_sets_one_domain_and_no_other(recipe):
  before = read(recipe).rewards
  after = read(recipe, "--config.rewards.math.reasoning.weight=0.75").rewards
  assert after["math"]["reasoning"]["weight"] == 0.75
  assert {d: r for d, r in after.items() if d != "math"} == {d: r for d, r in before.items() if d != "math"}


def test_there_are_recipes():
  assert {r.rpartition(":")[2] for r in shipped()} >= {
      "embedded", "embedded_clean", "gemma3_270m", "gemma3_270m_cpu", "gemma3_1b",
  }


@pytest.mark.parametrize(
    "override, sentence",
    [
        ("train.micro_batches=3", "config.train.micro_batches=3 does not divide config.train.prompts_per_step=14"),
        ("model.mesh.fsdp=5", "config.model.mesh.fsdp=5 does not divide the 112 completions"),
        ("model.dtype=float16", "config.model.dtype='float16' is unknown.*Accepted: auto, float32, bfloat16"),
        ("model.source=hub", "config.model.source='hub' is unknown. Accepted: '', huggingface, kaggle, local, pypi."),
        ("data.on_bad_row=skip", "config.data.on_bad_row='skip' is unknown. Accepted: stop, quarantine"),
        ("disco.alpha=11", "config.disco.alpha=11.0: expected 0.0 to 10.0"),
        ("train.b2=1.0", "config.train.b2=1.0: expected 0 or more, but below 1"),
        ("train.gradient_clip=0", "config.train.gradient_clip=0.0: expected above 0"),
        ("scoring.num_workers=0", "config.scoring.num_workers=0: expected 1 or more"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(override, sentence):
  with pytest.raises(ConfigError, match=sentence):
    read(f"{ROOT}/experiments/seven_domain.py", f"--config.{override}")


def test_devices_that_are_there_are_held_against_the_batch_where_the_config_takes_all():
  settings = read(f"{ROOT}/experiments/seven_domain.py", "--config.model.mesh.fsdp=0")
  settings.check_devices(8)
  with pytest.raises(ConfigError, match=r"config.model.mesh.fsdp=0 \(here 5 devices\) does not divide the 112"):
    settings.check_devices(5)
