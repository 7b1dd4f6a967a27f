"""An ablation's plan and its runs, which a script stands in for: what is run, once, and how it ends."""

import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import pytest

from reasoner import ablate
from reasoner.run import variants
from reasoner.run.settings import Settings
from rewards import recipes
from rewards.errors import ConfigError

ROOT = pathlib.Path(__file__).resolve().parents[2]
RECIPE = f"{ROOT}/experiments/seven_domain.py:embedded_small"
# Notes its call, and then does what a file named "behaviour" in the run's parent says.
STUB = """#!/bin/sh
for argument in "$@"; do case "$argument" in --workdir=*) run="${argument#--workdir=}";; esac; done
echo "$run" >> "$CALLS"
behaviour=$(cat "$run/../behaviour" 2>/dev/null || echo finish)
case "$behaviour" in
  finish) echo '{"steps": 30}' > "$run/summary.json"; exit 0;;
  wait) trap 'echo saved; exit 75' TERM; while :; do sleep 0.05; done;;
  *) echo "error: as told"; exit "$behaviour";;
esac
"""


def plan(workdir, variants_of=(), seeds=(0,), overrides=()):
  found = [variants.Variant(name="as_it_is"), *variants_of]
  return ablate.plan(RECIPE, workdir, overrides, found, seeds)


def other(name, *fields):
  return variants.Variant(name=name, fields=fields)


@pytest.fixture
def stub(tmp_path, monkeypatch):
  """Stands in for Python; returns a function that tells which runs were started since it was last called."""
  path, calls = tmp_path / "stub.sh", tmp_path / "calls"
  path.write_text(STUB)
  path.chmod(0o755)
  monkeypatch.setattr(sys, "executable", str(path))
  monkeypatch.setenv("CALLS", str(calls))

  def started():
    found = [pathlib.Path(line).parent.name for line in calls.read_text().split()] if calls.exists() else []
    calls.unlink(missing_ok=True)
    return found

  return started


def behave(workdir, name, behaviour):
  (workdir / name).mkdir(parents=True, exist_ok=True)
  (workdir / name / "behaviour").write_text(behaviour)


def test_runs_of_a_seed_share_its_cold_start_unless_they_vary_what_it_sees(tmp_path):
  flat, mine = other("flat", "disco.alpha=0.0"), other("mine", "data.root=embedded_clean")
  jobs = plan(tmp_path, [flat, mine], seeds=(3, 4), overrides=["--config.train.steps=9"])
  names = [str(job.workdir.path.relative_to(tmp_path)) for job in jobs]
  assert names == [
    f"{name}/seed_{seed}" for seed in (3, 4) for name in ("cold_start", "as_it_is", "flat", "mine")
  ]
  start, whole, flat, mine = (job.arguments for job in jobs[:4])
  assert start[-4:] == (
    "--config.seed=3",
    "--config.train.steps=1",
    "--config.train.evaluate_every=0",
    "--config.data.evaluation_rows=1",
  )
  base = f"--config.model.path={tmp_path}/cold_start/seed_3/base"
  assert whole[2:] == ("--config.train.steps=9", "--config.seed=3", base, "--config.cold_start.steps=0")
  assert set(flat) - set(whole) == {f"--workdir={tmp_path}/flat/seed_3", "--config.disco.alpha=0.0"}
  assert base not in mine and "--config.cold_start.steps=0" not in mine
  assert [job.compared for job in jobs[:4]] == [False, True, True, True]


def test_a_pretrained_model_shares_its_cold_start_as_an_adapter(tmp_path):
  recipe, found = f"{ROOT}/experiments/seven_domain.py:gemma3_270m", [variants.Variant(name="as_it_is")]
  shared, whole = (job.arguments for job in ablate.plan(recipe, tmp_path, (), found, (0,)))
  assert "--config.train.learning_rate=0.0" in shared
  adapter = f"--config.model.adapter={tmp_path}/cold_start/seed_0"
  reference = "--config.model.adapter_is_reference=True"  # as what a cold start of one's own leaves is
  assert whole[2:] == ("--config.seed=0", adapter, reference, "--config.cold_start.steps=0")
  own = f"--config.model.adapter={tmp_path}/mine", "--config.cold_start.steps=0"
  assert [job.arguments[2:] for job in ablate.plan(recipe, tmp_path, own, found, (0,))] == [(*own, "--config.seed=0")]


@pytest.mark.parametrize(
  "field, sentence",
  [
    ("grpo.algorithm=ppo", "config.grpo.algorithm='ppo' is unknown"),
    ("disco.alpah=1.0", "config.disco.alpah does not exist. Did you mean 'alpha'?"),
    ("disco=1.0", "config.disco is a section; set one of its fields: alpha"),
    ("rewards.math.reasoning.depth=2", "config.rewards.math.reasoning.depth: reward 'reasoning' has no such setting"),
  ],
)
def test_a_variant_that_cannot_run_is_refused_before_any_does(field, sentence, tmp_path):
  variant, = variants.expand(Settings.plain(recipes.load(RECIPE, (), Settings)[0]), vary=[field])[1:]
  with pytest.raises(ConfigError, match=re.escape(sentence)):
    plan(tmp_path, [variant])


def test_two_variants_that_are_one_config_are_refused_before_hours_go_into_them(tmp_path):
  with pytest.raises(ConfigError, match="slow/seed_0 and .*as_it_is/seed_0 would be one run"):
    plan(tmp_path, [other("slow", "train.learning_rate=0.001")])


def test_none_as_a_text_is_a_value_where_a_field_has_one_of_that_name(tmp_path):
  plan(tmp_path, [other("undivided", "grpo.scale_rewards=none")])
  config, _ = recipes.load(RECIPE, ["--config.grpo.scale_rewards=none", "--config.grpo.epsilon=None"], Settings)
  assert (config.grpo.scale_rewards, config.grpo.epsilon) == ("none", None)


def test_a_setting_that_only_its_reward_knows_can_be_varied(tmp_path):
  job = plan(tmp_path, [other("free", "rewards.creative_writing.pasting.free=0.3")])[-1]
  assert "--config.rewards.creative_writing.pasting.free=0.3" in job.arguments


def test_what_is_finished_is_not_run_again_and_what_failed_is(tmp_path, stub):
  jobs = plan(tmp_path, [other("a", "disco.alpha=0.0"), other("b", "disco.alpha=1.0")])
  behave(tmp_path, "a", "75")
  with pytest.raises(SystemExit) as ended:
    ablate.run(jobs, tmp_path)
  assert ended.value.code == 75 and stub() == ["cold_start", "as_it_is", "a"]
  behave(tmp_path, "a", "finish")
  ablate.run(jobs, tmp_path)
  assert stub() == ["a", "b"] and all(job.finished for job in jobs)
  ablate.run(jobs, tmp_path)
  assert stub() == []


def test_one_that_diverges_is_told_and_the_others_run(tmp_path, stub, capsys):
  jobs = plan(tmp_path, [other("a", "disco.alpha=0.0"), other("b", "disco.alpha=1.0")])
  behave(tmp_path, "a", "3")
  ablate.run(jobs, tmp_path)
  assert [job.finished for job in jobs] == [True, True, False, True]
  assert "a/seed_0: " in (said := capsys.readouterr().out) and "status 3: error: as told" in said
  behave(tmp_path, "cold_start", "3")
  jobs[0].workdir.summary.unlink()
  with pytest.raises(SystemExit):  # nothing can start from it
    ablate.run(jobs, tmp_path)


def test_sigterm_is_passed_on_to_the_run_and_the_same_command_goes_on(tmp_path, stub):
  behave(tmp_path, "cold_start", "wait")
  program = f"import sys; sys.executable = {sys.executable!r}; from reasoner import ablate; ablate.main()"
  command = [
    sys.orig_argv[0] if pathlib.Path(sys.orig_argv[0]).exists() else f"{sys.prefix}/bin/python",
    "-c",
    program,
  ]
  process = subprocess.Popen(
      [*command, f"--config={RECIPE}", f"--workdir={tmp_path}", "--vary=disco.alpha=1.0"], cwd=ROOT,
      env=os.environ | {"PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, text=True,
  )  # fmt: skip
  began = time.monotonic()
  while not (tmp_path / "calls").exists() and time.monotonic() - began < 60:
    time.sleep(0.05)
  time.sleep(0.3)  # the script sets its trap
  process.send_signal(signal.SIGTERM)
  _, said = process.communicate(timeout=60)
  assert process.returncode == 75 and said == "terminated: the same command continues.\n"
  assert (tmp_path / "cold_start" / "seed_0" / "log.txt").read_text() == "saved\n"


def test_printed_commands_come_in_an_order_that_can_be_run(tmp_path, capsys, monkeypatch):
  monkeypatch.setattr(sys, "argv", [
      "ablate", f"--config={RECIPE}", f"--workdir={tmp_path}", "--vary=disco.alpha=1.0", "--seeds=0,1", "--print"
  ])  # fmt: skip
  before = signal.getsignal(signal.SIGTERM)
  ablate.main()
  signal.signal(signal.SIGTERM, before)
  said = capsys.readouterr().out.splitlines()
  assert [line for line in said if line.startswith("#")] == [
    "# First:",
    "# Then, in any order:",
    "# When all have finished:",
  ]
  assert sum("cold_start/seed_" in line and "--workdir" in line for line in said[1:3]) == 2
  assert said[-1].startswith("python -m reasoner.compare ") and len(said) == 3 + 2 + 4 + 1
  assert list(tmp_path.iterdir()) == []
