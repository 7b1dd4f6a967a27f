"""Mistakes of a user: one sentence, exit status 2, before any weight is loaded."""

import pathlib
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def run(*flags, config="experiments/seven_domain.py", workdir):
  command = [sys.executable, "-m", "reasoner.main", f"--config={config}", f"--workdir={workdir}", *flags]
  start = time.monotonic()
  done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
  return done, time.monotonic() - start


@pytest.mark.parametrize(
    "flag, sentence",
    [
        ("--config.trian.steps=3", "config.trian does not exist. Did you mean 'train'?"),
        ("--config.train.steps=many", "--config.train.steps=many: expected an integer"),
        ("--config.rewards.math.math_anser.weight=1", "Did you mean 'math_answer'?"),
        ("--config.rewards.maths.math_answer.weight=1", "Did you mean 'math'?"),
        ("--config.rewards.math.math_answer.weight=-0.5", "config.rewards.math.math_answer.weight=-0.5: expected"),
        ("--config.rewards.logic.yes_no.wieght=1", "config.rewards.logic.yes_no.wieght: reward 'yes_no' has no such"),
        ("--config.disco.weights.poetry=1.0", "config.disco.weights.poetry does not exist"),
        ("--config.disco.alpha=-1", "config.disco.alpha=-1.0: expected"),
        ("--config.data.root=/no/such/folder", "config.data.root='/no/such/folder'"),
        ("--config.data.pools=/no/such/pool.jsonl", "'/no/such/pool.jsonl', which is not a file"),
        ("--config.plugins=/no/such/plugin.py", "'/no/such/plugin.py', which is not a file"),
        ("--config.model.name=gemma3_2b", "unknown model 'gemma3_2b'. Did you mean 'gemma3_270m'?"),
        ("--config.model.source=kaggle", "config.model.source='kaggle': 'embedded' is published nowhere"),
        ("--config.model.lora.modules=q,upp", "config.model.lora.modules has 'upp'. Did you mean 'up'?"),
        ("--config.grpo.algorithm=ppo", "config.grpo.algorithm='ppo' is unknown"),
        ("--config.train.micro_batches=3", "config.train.micro_batches=3 does not divide"),
        ("--config.model.mesh.fsdp=5", "config.model.mesh.fsdp=5 does not divide"),
        ("--config.rollout.top_p=1.5", "config.rollout.top_p=1.5: expected 0.01 to 1.0"),
        ("--config.data.on_bad_row=ignore", "config.data.on_bad_row='ignore'"),
        ("--config.rewards.math=3", "config.rewards.math is a section"),
        ("--config.plugins=(1,)", "config.plugins has 1: expected a text"),
        ("--config.disco.reward_scaling.domain=log", "divided by its own standard deviation"),
        ("--steps=3", "'--steps=3' is no flag"),
    ],
)
def test_a_mistake_is_one_sentence_in_a_few_seconds(flag, sentence, tmp_path):
  done, seconds = run(flag, workdir=tmp_path)
  assert done.returncode == 2, done.stderr
  assert sentence in done.stderr
  assert done.stderr.count("\n") == 1 and done.stderr.startswith("error: ")
  assert seconds < 15


def test_a_dry_run_says_what_would_run_and_touches_nothing(tmp_path):
  done, _ = run("--dry_run", "--config.train.steps=7", "--config.data.root=embedded_clean", workdir=tmp_path / "run")
  assert done.returncode == 0, done.stderr
  for part in ("embedded, auto", "7 steps of 14 prompts x 8", "math_answer 0.8", "at most 75,264 sampled", "DISCO",
               "logic               pays format 0.2, reasoning 0.12, yes_no 0.8\n",
               "guards answer_length 1, pasting 1, refusal 1, repetition 0.7, word_order 0.8\n"):
    assert part in done.stdout  # 7 x 14 x 8 completions of 96 tokens
  assert not (tmp_path / "run").exists()


def test_the_model_can_be_fetched_alone_with_its_terms_shown(tmp_path):
  done, _ = run("--fetch", workdir=tmp_path / "run")
  assert done.returncode == 0, done.stderr
  assert "the embedded model of this project" in done.stdout and "model license apache-2.0" in done.stdout
  assert not (tmp_path / "run").exists()


def test_a_dry_run_loads_no_jax(tmp_path):
  program = (
      "import sys\nfrom reasoner import main\ntry:\n  main.console()\nfinally:\n"
      "  print('loaded', sorted({'jax', 'tunix', 'torch'} & set(sys.modules)))"
  )
  command = [sys.executable, "-c", program, "--config=experiments/seven_domain.py", "--dry_run", f"--workdir={tmp_path}"]
  done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
  assert "loaded []" in done.stdout, done.stderr


def test_all_weights_zero_are_refused(tmp_path):
  domains = ("math", "coding", "science", "logic", "creative_writing", "creative_ideation", "summarization")
  done, _ = run(*(f"--config.disco.weights.{d}=0.0" for d in domains), workdir=tmp_path)
  assert done.returncode == 2 and "config.disco.weights are all 0" in done.stderr


def test_an_unknown_data_set_in_a_config_file_is_named(tmp_path):
  path = tmp_path / "mine.py"
  path.write_text(
      "from experiments import seven_domain\n\ndef get_config():\n  config = seven_domain.get_config()\n"
      "  config.data.sources.math = dict(gsm9k=dict(train=('train',)))\n  return config\n"
  )
  done, _ = run(config=path, workdir=tmp_path / "run")
  assert done.returncode == 2 and "unknown data set 'gsm9k'. Did you mean 'gsm8k'?" in done.stderr


def test_a_missing_config_is_told_how_to_be_given(tmp_path):
  done = subprocess.run([sys.executable, "-m", "reasoner.main"], cwd=ROOT, capture_output=True, text=True)
  assert done.returncode == 2 and "--config=experiments/seven_domain.py" in done.stderr
