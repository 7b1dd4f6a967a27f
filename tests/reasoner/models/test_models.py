"""The table of model sources."""

import subprocess
import sys

import pytest

from reasoner import models
from rewards.errors import ConfigError


def test_an_unknown_model_is_refused_with_the_near_miss_and_the_list():
  with pytest.raises(ConfigError, match=r"unknown model 'gemma3_207m'. Did you mean 'gemma3_270m'"):
    models.get_source("gemma3_207m")
  with pytest.raises(ConfigError, match="Accepted: embedded, gemma3_1b, gemma3_270m"):
    models.get_source("llama")


def test_an_unknown_setting_is_refused_with_the_accepted_ones():
  with pytest.raises(ConfigError, match="config.model.pth: .* Did you mean 'path'. Accepted: path"):
    models.get_source("gemma3_1b", pth="/data")


def test_a_source_can_be_added_as_one_line_in_the_table(monkeypatch):
  monkeypatch.setitem(models.SOURCES, "another", "reasoner.models.gemma3:Gemma3_1B")
  assert models.get_source("another", path="/data").path == "/data"


def test_a_wrong_model_is_found_out_without_importing_jax():
  code = (
    "import sys; from reasoner import models\n"
    "try: models.get_source('gemma3_1b', path='/nowhere').check()\n"
    "except ValueError as error: print(error, 'jax' in sys.modules)"
  )
  run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
  assert run.stdout == "config.model.path: there is no directory '/nowhere'. False\n"
