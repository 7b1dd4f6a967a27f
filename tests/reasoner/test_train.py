"""The real recipe, shrunk, through everything: cold start, GRPO, kill, resume, evaluation, report."""

import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHRUNK = [
    "--config.cold_start.steps=6", "--config.cold_start.traces=64", "--config.cold_start.batch_size=8",
    "--config.cold_start.checkpoint_every=2", "--config.data.evaluation_rows=2",
    "--config.train.steps=6", "--config.train.prompts_per_step=7", "--config.train.checkpoint_every=1",
    "--config.train.samples_every=2", "--config.grpo.num_generations=2", "--config.grpo.num_iterations=2",
    "--config.rollout.max_new_tokens=24",
]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
  return tmp_path_factory.mktemp("train")


def start(scratch, workdir, *flags, config="experiments/seven_domain.py"):
  # Compiled programs are kept between the processes of this file: the same code, so the same bits.
  environment = os.environ | {
      "JAX_PLATFORMS": "cpu",
      "JAX_COMPILATION_CACHE_DIR": str(scratch / "compiled"),
      "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
  }
  command = [sys.executable, "-m", "reasoner.main", f"--config={config}", f"--workdir={workdir}", *SHRUNK, *flags]
  log = (workdir.parent / f"{workdir.name}.log").open("a")
  return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)


def finish(process, workdir):
  assert process.wait(timeout=500) == 0, (workdir.parent / f"{workdir.name}.log").read_text()[-3000:]
  return json.loads((workdir / "summary.json").read_text())


@pytest.fixture(scope="module")
def uninterrupted(scratch):
  workdir = scratch / "whole"
  return workdir, finish(start(scratch, workdir), workdir)


def lines(path):
  return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_run_leaves_all_that_it_promises(uninterrupted):
  workdir, summary = uninterrupted
  assert summary["steps"] == 6 and len(summary["adapter_sha256"]) == 64
  assert set(summary["domains"]) == {
      "math", "coding", "science", "logic", "creative_writing", "creative_ideation", "summarization"
  }
  for name, row in summary["domains"].items():
    assert row["n"] == 2 and 0 <= row["format_after"] <= 1
    assert (row["accuracy_after"] is None) == (name in ("creative_writing", "creative_ideation", "summarization"))
  assert set(summary["seconds"]) >= {"cold_start", "grpo", "evaluation", "total"}
  page = (workdir / "report.html").read_text()
  assert "summarization" in page and "http://" not in page
  metrics = lines(workdir / "metrics.jsonl")
  assert [row["step"] for row in metrics] == list(range(6))
  wanted = {
      "rewards/gate_pass_rate", "gate_failures/unclosed", "groups/zero_advantage_fraction", "train/kl",
      "completions/truncated_fraction", "train/clip_fraction", "train/gradient_norm", "tokens_per_second",
      "seconds/rollout", "seconds/reward", "seconds/reference", "seconds/update",
  }
  assert all(wanted <= set(row) for row in metrics)
  shown = [(row["step"] // 2, row["domain"]) for row in lines(workdir / "samples.jsonl")]
  assert len(shown) == len(set(shown))  # one a domain every two steps, where it was drawn
  drawn = {(row["step"] // 2, name) for row in metrics for name in summary["domains"] if f"rewards/{name}/total" in row}
  assert set(shown) == drawn
  assert list((workdir / "tensorboard").iterdir())


def test_a_finished_run_opens_with_the_adapter_that_it_ended_with_and_reads_no_rows(uninterrupted, monkeypatch):
  from flax import nnx

  from reasoner.data import loading
  from reasoner.run import checkpoints
  from reasoner.run.workdir import Workdir

  workdir, summary = uninterrupted
  monkeypatch.setattr(loading, "load", None)
  opened = Workdir(workdir).open()
  assert checkpoints.sha256(checkpoints.arrays_of(opened.model, nnx.LoRAParam)) == summary["adapter_sha256"]
  assert opened.settings.rollout.max_new_tokens == 24
  text = "Today Nora has 27 shells."
  assert opened.tokenizer.decode(opened.tokenizer.encode(text)) == text
  assert {path.name for path in (workdir / "adapter").iterdir()} == {
      "adapter_model.safetensors", "adapter_config.json", "README.md"
  }


def test_a_finished_run_can_be_talked_to(uninterrupted, capsys, monkeypatch):
  from reasoner import chat
  from reasoner.run.conversation import Conversation

  workdir, _ = uninterrupted
  records = lines(workdir / "evaluation_after.jsonl")
  conversation = Conversation.of_run(workdir)
  assert list(conversation.rows) == [record["uid"] for record in records]
  monkeypatch.setattr(Conversation, "of_run", lambda path: conversation)

  typed = iter(["How many wheels do 3 cars have?", "", "wheels and " * 200, "Name three uses of a brick."])
  monkeypatch.setattr("builtins.input", lambda _: next(typed))
  with pytest.raises(StopIteration):
    chat.talk(chat.parse(["--workdir=run", "--max_new_tokens=5"]))
  before, _, after = capsys.readouterr().out.partition("error: the prompt takes")
  assert before.startswith("The trained model of run.") and before.count("\n") >= 2
  assert after.count("\n") >= 2  # a task that is too long is not the end

  record = next((record for record in records if record["gate"]), records[0])
  assert chat.main(["--workdir=run", f"--row={record['uid']}"]) == 0
  printed = capsys.readouterr().out
  assert record["prompt"] in printed and record["completion"] in printed  # greedy: as it was evaluated
  assert f"{record['uid']} ({record['domain']})" in printed
  assert ("total = 0:" if not record["gate"] else f"= {record['total']:.3f}") in printed
  assert chat.main(["--workdir=run", "--row=gsm8k/main/test/none"]) == 2
  assert "no row 'gsm8k/main/test/none' was evaluated" in capsys.readouterr().err


def test_a_directory_of_weights_talks_as_the_starting_model_of_its_run(uninterrupted):
  from reasoner.run.conversation import Conversation
  from reasoner.run.conversation import STARTING
  from reasoner.run.conversation import TRAINED

  workdir, _ = uninterrupted
  task = "How many wheels do 3 cars have?"
  texts = [
      list(conversation.stream(name, task, max_new_tokens=12))[-1].text
      for conversation, name in (
          (Conversation.of_run(workdir), STARTING), (Conversation.of_directory(workdir / "base"), TRAINED)
      )
  ]  # fmt: skip
  assert texts[0] == texts[1] != ""


def test_a_finished_run_says_so_and_does_nothing(scratch, uninterrupted):
  workdir, summary = uninterrupted
  before = (workdir / "summary.json").stat().st_mtime_ns
  assert finish(start(scratch, workdir), workdir) == summary
  assert (workdir / "summary.json").stat().st_mtime_ns == before
  assert "is finished" in (scratch / "whole.log").read_text()


def test_a_run_killed_at_any_moment_ends_in_the_same_bits(scratch, uninterrupted):
  _, expected = uninterrupted
  workdir = scratch / "killed"
  draw = random.Random(os.getpid())
  for attempt in range(3):
    process = start(scratch, workdir)
    began = time.monotonic()
    kill_at_step = attempt * 2  # somewhere in the cold start, then within GRPO
    while process.poll() is None and time.monotonic() - began < 400:
      metrics = workdir / "metrics.jsonl"
      if (kill_at_step == 0 and (workdir / "checkpoints" / "cold_start").exists()) or (
          metrics.exists() and metrics.read_text().count("\n") > kill_at_step
      ):
        time.sleep(draw.uniform(0, 1.0))
        break
      time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
  summary = finish(start(scratch, workdir), workdir)
  assert summary["adapter_sha256"] == expected["adapter_sha256"]
  assert [row["step"] for row in lines(workdir / "metrics.jsonl")] == list(range(6))
  after = [
      {k: v for k, v in row.items() if not k.startswith(("seconds", "tokens_per"))}
      for row in lines(workdir / "metrics.jsonl")
  ]
  whole = [
      {k: v for k, v in row.items() if not k.startswith(("seconds", "tokens_per"))}
      for row in lines(uninterrupted[0] / "metrics.jsonl")
  ]
  assert after == whole


def test_another_config_in_the_same_directory_is_refused_with_the_difference(scratch, uninterrupted):
  workdir, _ = uninterrupted
  process = start(scratch, workdir, "--config.seed=5")
  assert process.wait(timeout=60) == 2
  assert "config.seed was 0, now 5" in (scratch / "whole.log").read_text()


PLUGIN = '''
from rewards import register

@register("line_count", kind="quality", domains=("haiku",))
def line_count(completion, example, *, lines: int = 3) -> float:
  """1.0 for an answer of as many lines as asked."""
  return float(len(completion.answer.splitlines()) == lines)

@register("names_season", kind="correctness", domains=("haiku",))
def names_season(completion, example):
  """1.0 for an answer that names the season of the row."""
  return float(example.extra["season"] in completion.answer.lower() and bool(example.reference.text))
'''

MINE = '''
from experiments import seven_domain

def get_config():
  config = seven_domain.get_config()
  config.plugins = ({plugin!r},)
  config.rewards.haiku = dict(format=dict(weight=0.2), line_count=dict(weight=0.3), names_season=dict(weight=0.5))
  config.disco.weights.haiku = 2.0
  config.data.pools = ({pool!r},)
  return config
'''


def test_a_new_domain_is_a_plugin_rows_and_a_few_lines_of_config(scratch):
  (scratch / "haiku.py").write_text(PLUGIN)
  rows = [
      {"domain": "haiku", "prompt": f"Write a haiku about the {season} and number {i} please.",
       "answer": f"old pond\na frog leaps in {season}\nwater {i}", "metadata": {"season": season}}
      for i in range(20) for season in ("spring", "summer", "autumn", "winter")
  ]
  (scratch / "haiku.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
  config = scratch / "mine.py"
  config.write_text(MINE.format(plugin=str(scratch / "haiku.py"), pool=str(scratch / "haiku.jsonl")))
  workdir = scratch / "haiku_run"
  summary = finish(
      start(scratch, workdir, "--config.train.steps=2", "--config.train.prompts_per_step=8",
            "--config.rewards.haiku.line_count.weight=0.0", config=str(config)),
      workdir,
  )
  assert summary["domains"]["haiku"]["n"] == 2
  assert summary["domains"]["haiku"]["accuracy_after"] is not None
  metrics = lines(workdir / "metrics.jsonl")
  assert any("rewards/haiku/gate_pass_rate" in row for row in metrics)
  assert "haiku" in (workdir / "report.html").read_text()
  assert any(row["domain"] == "haiku" for row in json.loads((workdir / "disco.json").read_text()))
