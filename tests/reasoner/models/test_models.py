"""What config.model may name."""

import subprocess
import sys
import types

import pytest

from reasoner import models
from reasoner.models import family
from reasoner.models import gemma3
from rewards.errors import ConfigError


def test_an_unknown_model_is_refused_with_the_near_miss_and_the_list():
  with pytest.raises(ConfigError, match=r"unknown model 'gemma3_207m'. Did you mean 'gemma3_270m'"):
    models.get_source("gemma3_207m")
  with pytest.raises(ConfigError, match="Accepted: embedded, gemma3, gemma3_1b_it, gemma3_1b_pt, gemma3_270m, gemma3_270m_it"):
    models.get_source("llama")


def test_the_embedded_model_has_no_door():
  with pytest.raises(ConfigError, match="config.model.source='local': 'embedded' is published nowhere"):
    models.get_source("embedded", source="local")
  with pytest.raises(ConfigError, match="config.model"):
    models.get_source("embedded", path="/data").check()  # a path is the base that another run left
  assert "apache-2.0" in models.get_source("embedded").origin()["model_license"]


def test_a_further_family_is_one_module_and_its_line(monkeypatch):
  another = types.ModuleType("another_family")
  vars(another).update(vars(gemma3), RELEASES={"another_1b": family.Release(sizes={}, hub="owner/another-1b")})
  monkeypatch.setitem(sys.modules, "another_family", another)
  monkeypatch.setattr(family, "FAMILIES", (*family.FAMILIES, "another_family"))
  source = models.get_source("another_1b")
  assert (source.family, source.base) == (another, "owner/another-1b")
  with pytest.raises(ConfigError, match="Accepted: another_1b, embedded"):
    models.get_source("x")


def test_a_wrong_model_is_found_out_without_importing_jax():
  code = (
    "import sys; from reasoner import models\n"
    "try: models.get_source('gemma3_1b_it', path='/nowhere').check()\n"
    "except ValueError as error: print(error, 'jax' in sys.modules)"
  )
  run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
  assert run.stdout == "config.model.path: there is no directory '/nowhere'. False\n"
