"""A run's directory: who may write there, what a failed start leaves, and the model that a finished one is."""

import json
import pathlib

import numpy as np
import pytest

from reasoner import processes
from reasoner.data import prompts
from reasoner.models import gemma3
from reasoner.run import progress
from reasoner.run.settings import Settings
from reasoner.run.workdir import Workdir
from rewards import recipes
from rewards.errors import ConfigError

ROOT = pathlib.Path(__file__).resolve().parents[3]


def config_of(*overrides):
  config, _ = recipes.load(f"{ROOT}/experiments/seven_domain.py", overrides, Settings)
  return Settings.plain(config)


class Tokenizer:
  proto = b"pieces"
  turns = gemma3.TURNS


def begin(workdir, config, **rows):
  workdir.begin(
      config=config, rows=rows, environment={"python": "3"}, disco=[{"domain": "math"}], tokenizer=Tokenizer()
  )


def test_a_second_run_in_the_same_directory_is_refused(tmp_path):
  with Workdir(tmp_path).lock():
    with pytest.raises(ConfigError, match="in use by another run"):
      with Workdir(tmp_path).lock():
        pass
  with Workdir(tmp_path).lock():
    pass


def test_a_start_that_fails_before_its_first_result_leaves_nothing_of_its_own(tmp_path):
  workdir = Workdir(tmp_path / "run")
  with workdir.lock():
    clock = progress.Clock(workdir.seconds, goes_on=workdir.has_results)
    begin(workdir, config_of())
    with pytest.raises(ZeroDivisionError), clock.phase("cold_start"):
      1 / 0  # noqa: B018
  assert [path.name for path in workdir.path.iterdir()] == [".lock"]


def test_the_first_result_claims_the_directory_and_later_ones_do_not_claim_again(tmp_path):
  workdir = Workdir(tmp_path)
  begin(workdir, config_of(), math="a")
  workdir.claim()
  workdir.before.write_text("")
  assert json.loads(workdir.environment.read_text()) == {"python": "3"}
  assert workdir.template.read_text() == prompts.template(gemma3.TURNS) and workdir.tokenizer.read_bytes() == b"pieces"
  again = Workdir(tmp_path)
  begin(again, config_of("--config.seed=1"), math="b")
  again.claim()
  assert json.loads(workdir.config.read_text())["seed"] == 0
  assert json.loads(workdir.rows.read_text()) == {"math": "a"}


def test_what_a_failed_start_left_is_no_claim_and_a_result_is(tmp_path):
  workdir = Workdir(tmp_path)
  begin(workdir, config_of("--config.seed=1"), math="a")
  workdir.claim()  # killed between this and the result
  workdir.check_config(config_of())
  workdir.check_rows({"math": "b"})
  workdir.seconds.write_text('{"total": 7.0}')
  assert progress.Clock(workdir.seconds, goes_on=workdir.has_results).seconds()["total"] < 7
  (workdir.checkpoints("cold_start") / "100").mkdir(parents=True)
  with pytest.raises(ConfigError, match="config.seed was 1, now 0"):
    workdir.check_config(config_of())
  with pytest.raises(ConfigError, match="began with other rows or code of math"):
    workdir.check_rows({"math": "b"})
  assert progress.Clock(workdir.seconds, goes_on=workdir.has_results).seconds()["total"] >= 7


def test_a_field_younger_than_the_run_had_its_default(tmp_path):
  workdir = Workdir(tmp_path)
  begin(workdir, config_of())
  workdir.claim()
  workdir.before.write_text("")
  saved = json.loads(workdir.config.read_text())
  del saved["disco"]["reward_scaling"]["epsilon"]
  workdir.config.write_text(json.dumps(saved))
  workdir.check_config(config_of())
  with pytest.raises(ConfigError, match="config.disco.reward_scaling.epsilon was 0.1, now 0.2"):
    workdir.check_config(config_of("--config.disco.reward_scaling.epsilon=0.2"))


def test_another_environment_is_told_and_not_refused(tmp_path, capsys):
  workdir = Workdir(tmp_path)
  begin(workdir, config_of())
  workdir.claim()
  workdir.before.write_text("")
  workdir.check_environment({"python": "4"})
  assert "python was '3', now '4'" in capsys.readouterr().out


def test_a_run_that_has_not_finished_is_not_opened(tmp_path):
  with pytest.raises(ConfigError, match="holds no finished run"):
    Workdir(tmp_path).open()


def test_a_finished_run_is_opened_without_rows_to_the_logits_that_it_ended_with(tmp_path, monkeypatch):
  from flax import nnx
  import jax

  from reasoner.data import loading
  from reasoner.models import embedded
  from reasoner.models import hugging_face
  from reasoner.models import lora
  from reasoner.models import mesh as mesh_lib
  from reasoner.models import peft_format
  from tests.reasoner.models.test_peft_format import logits_of
  from tests.reasoner.models.test_peft_format import trained
  from tests.reasoner.models.test_peft_format import vocabulary

  monkeypatch.setattr(loading, "load", None)
  workdir = Workdir(tmp_path)
  tokenizer = vocabulary()
  workdir.begin(config=config_of(), rows={}, environment={}, disco=[], tokenizer=tokenizer)
  workdir.claim()
  mesh = mesh_lib.make_mesh(1, 1)
  base = embedded.Embedded().load(mesh, mesh_lib.compute_dtype("auto"), seed=0)
  settings = Settings.of(config_of()).model.lora
  actor = trained(lora.add_lora(base, settings.rank, settings.alpha, settings.modules, seed=0))
  hugging_face.write_directory(workdir.base, actor, tokenizer)
  peft_format.write(workdir.adapter, actor, settings, base=str(workdir.base), license="gemma", template="{task}")
  workdir.summary.write_text("{}")

  opened = workdir.open()
  assert opened.tokenizer.proto == tokenizer.proto
  assert (opened.settings.rollout.max_prompt_tokens, opened.settings.rollout.max_new_tokens) == (64, 96)
  arrays = lambda model: jax.tree.leaves(nnx.state(model, nnx.Param))  # noqa: E731
  assert len(arrays(actor)) == len(arrays(opened.model))
  assert all((np.asarray(a) == np.asarray(b)).all() for a, b in zip(arrays(actor), arrays(opened.model)))
  ids = np.random.default_rng(0).integers(6, 1280, (2, 20))
  np.testing.assert_allclose(logits_of(opened.model, ids), logits_of(actor, ids), atol=1e-4)

  workdir.template.write_text("Task: {task}")
  with pytest.raises(ConfigError, match="another prompt template"):
    workdir.open()


def test_checkpoints_copied_into_a_new_directory_are_claimed_by_who_goes_on(tmp_path):
  workdir = Workdir(tmp_path)
  (workdir.checkpoints("cold_start") / "100").mkdir(parents=True)
  begin(workdir, config_of(), math="a")
  workdir.claim()
  assert json.loads(workdir.rows.read_text()) == {"math": "a"} and workdir.environment.exists()


def finished(tmp_path, steps=60):
  workdir = Workdir(tmp_path)
  begin(workdir, config_of(f"--config.train.steps={steps}"))
  workdir.claim()
  for path in (workdir.before, workdir.after, workdir.report):
    path.write_text(path.name)
  workdir.summary.write_text(json.dumps({"steps": steps}))
  return workdir


def test_the_steps_of_a_finished_run_may_be_raised_and_what_it_ended_with_stays(tmp_path):
  workdir = finished(tmp_path)
  more = config_of("--config.train.steps=90")
  assert workdir.finished(config_of()) and workdir.ends(60) == [60]
  workdir.check_config(more)
  assert not workdir.finished(more) and workdir.ends(90) == [60, 90]
  assert not workdir.summary.exists() and not workdir.after.exists() and workdir.before.exists()
  assert json.loads((tmp_path / "summary_60.json").read_text()) == {"steps": 60}
  assert (tmp_path / "evaluation_after_60.jsonl").read_text() == "evaluation_after.jsonl"
  workdir.check_config(more)
  with pytest.raises(ConfigError, match="config.train.steps was 90, now 60"):
    workdir.check_config(config_of())
  workdir.summary.write_text('{"steps": 90}')
  assert workdir.finished(more)
  assert not workdir.finished(config_of("--config.train.steps=95")) and workdir.ends(95) == [60, 90, 95]


def test_steps_are_raised_once_however_often_that_is_killed(tmp_path, monkeypatch):
  workdir = finished(tmp_path)
  more = config_of("--config.train.steps=90")
  monkeypatch.setattr(pathlib.Path, "rename", lambda *_: 1 / 0)
  with pytest.raises(ZeroDivisionError):
    workdir.finished(more)
  monkeypatch.undo()
  workdir.check_config(more)
  assert not workdir.finished(more) and workdir.ends(90) == [60, 90]


def test_steps_of_an_unfinished_run_and_other_fields_of_a_finished_one_stay_refused(tmp_path):
  workdir = finished(tmp_path)
  with pytest.raises(ConfigError, match="config.seed was 0, now 1"):
    workdir.check_config(config_of("--config.train.steps=90", "--config.seed=1"))
  with pytest.raises(ConfigError, match="config.train.steps was 60, now 50"):
    workdir.check_config(config_of("--config.train.steps=50"))
  workdir.summary.unlink()
  with pytest.raises(ConfigError, match="config.train.steps was 60, now 90"):
    workdir.check_config(config_of("--config.train.steps=90"))


def test_another_process_of_a_run_writes_to_a_copy_and_shares_checkpoints_and_faults(tmp_path, monkeypatch):
  path = tmp_path / "run"
  given = {}

  def agreed(value):
    given.setdefault("of the first", value)
    return given["of the first"]

  monkeypatch.setattr(processes, "several", lambda: True)
  monkeypatch.setattr(processes, "agreed", agreed)
  monkeypatch.setattr(processes, "exchange", lambda value: [value, value])
  monkeypatch.setattr(processes, "first", lambda: True)
  path.mkdir()
  (path / "metrics.jsonl").write_text("{}\n")
  (path / "faults.jsonl").write_text("{}\n")
  with Workdir(path).lock() as first:
    monkeypatch.setattr(processes, "first", lambda: False)
    with Workdir(path).lock() as other:
      assert first.path == path != other.path
      assert other.metrics.read_text() == "{}\n" and not (other.path / "faults.jsonl").exists()
      assert (other.faults, other.checkpoints("grpo")) == (first.faults, first.checkpoints("grpo"))
      other.summary.write_text("{}")
      (path / "checkpoints" / "grpo" / "3").mkdir(parents=True)
      assert other.has_results
    assert not other.path.exists() and not first.summary.exists()


def test_a_directory_that_the_first_process_cannot_have_is_refused_in_all(tmp_path, monkeypatch):
  monkeypatch.setattr(processes, "several", lambda: True)
  monkeypatch.setattr(processes, "first", lambda: False)
  monkeypatch.setattr(processes, "agreed", lambda value: ConfigError("in use by another run"))
  with pytest.raises(ConfigError, match="in use"), Workdir(tmp_path).lock():
    pass
