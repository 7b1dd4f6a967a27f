"""Several processes as one run: shares of a batch, arrays made and read whole, and two that train on loopback."""

import concurrent.futures
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from reasoner import processes
from rewards.errors import ConfigError

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_shares_are_whole_groups_and_every_completion_is_in_one():
  groups = [3, 3, 3, 0, 0, 7, 7, 7, 7, 1]  # four groups, the completions of one adjacent
  assert processes.shares(groups, 2) == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]
  assert processes.shares(groups, 3) == [[0, 1, 2, 3, 4], [5, 6, 7, 8], [9]]
  assert processes.shares(groups, 1) == [list(range(10))]
  assert processes.shares([0, 0], 3) == [[0, 1], [], []]
  assert processes.shares([], 2) == [[], []]


class Meeting:
  """`exchange` for threads that stand for processes."""

  def __init__(self, count):
    self._given, self._barrier = [None] * count, threading.Barrier(count)

  def of(self, index):
    def exchange(value):
      self._given[index] = value
      self._barrier.wait(10)
      given = list(self._given)
      self._barrier.wait(10)
      return given

    return exchange


class Service:
  """Says who scored what."""

  def __init__(self, name, fails=False):
    self.name, self.fails, self.asked = name, fails, []

  def ask(self, examples, texts, groups):
    self.asked.append(list(texts))
    return [f"model on {text}" for text in texts]

  def submit(self, examples, texts, groups, asked):
    future = concurrent.futures.Future()
    if self.fails:
      future.set_exception(ValueError("a bug"))
    else:
      future.set_result([(self.name, *row) for row in zip(examples, texts, groups, asked)])
    return future


def scored(services, texts, groups):
  """Returns what `Pending.result` gives in each process, or raises there."""
  meeting = Meeting(len(services))
  parts = processes.shares(groups, len(services))

  def one(index):
    columns = [texts, texts, groups, services[index].ask(texts, texts, groups)]
    future = services[index].submit(*[[column[i] for i in parts[index]] for column in columns])
    try:
      return processes.Pending(future, parts, meeting.of(index)).result()
    except ValueError as error:
      return error

  with concurrent.futures.ThreadPoolExecutor(len(services)) as pool:
    return list(pool.map(one, range(len(services))))


def test_each_process_scores_its_share_and_all_get_the_batch_in_its_order():
  services = [Service("first"), Service("second")]
  found = scored(services, ["a", "b", "c", "d"], [5, 5, 2, 2])
  assert found[0] == found[1] == [
      ("first", "a", "a", 5, "model on a"), ("first", "b", "b", 5, "model on b"),
      ("second", "c", "c", 2, "model on c"), ("second", "d", "d", 2, "model on d"),
  ]  # fmt: skip
  assert services[0].asked == services[1].asked == [["a", "b", "c", "d"]]  # the device is asked by all together


def test_what_one_process_has_to_raise_is_raised_in_all():
  found = scored([Service("first"), Service("second", fails=True)], ["a", "b"], [0, 1])
  assert [str(error) for error in found] == ["a bug", "a bug"]


def test_one_process_is_several_to_nobody():
  assert not processes.several() and processes.first()
  assert processes.exchange("a") == ["a"] and processes.agreed("a") == "a"
  processes.check_same(rows={"math": "a"})
  service = Service("own")
  assert processes.shared(service) is service


@pytest.mark.parametrize("arguments, sentence", [
    ((None, 2, None), "need --coordinator=HOST:PORT"),
    (("127.0.0.1:1", None, 0), "expected a process_id from 0 to num_processes - 1"),
    (("127.0.0.1:1", 2, 2), "--num_processes=2 --process_id=2"),
])
def test_half_a_description_of_several_processes_is_refused(arguments, sentence):
  with pytest.raises(ConfigError, match=sentence):
    processes.join(*arguments)


def free_port():
  with socket.socket() as server:
    server.bind(("127.0.0.1", 0))
    return server.getsockname()[1]


def started(command, count, log, devices=1):
  """Starts so many processes that know each other; {i} in the command is which. Returns them."""
  environment = os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}"}
  coordinator = f"127.0.0.1:{free_port()}"
  pair = []
  for index in range(count):
    file = log.with_suffix(f".{index}.log").open("a")
    own = [part.format(i=index, coordinator=coordinator) for part in command]
    pair.append(subprocess.Popen(
        [sys.executable, *own], cwd=ROOT, env=environment, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
    ))  # fmt: skip
  return pair


def said(log, index):
  text = log.with_suffix(f".{index}.log").read_text()
  return "\n".join(line for line in text.splitlines() if not line.startswith("[Gloo]"))


PROGRAM = '''
import sys
from reasoner import processes
processes.join("{coordinator}", 2, {i})
import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from reasoner.models import mesh as mesh_lib
from rewards.errors import ConfigError
from rewards.format import render
from rewards.schema import Example, Number
from rewards.service import Service

assert processes.several() and processes.first() == ({i} == 0)
try:
  mesh_lib.make_mesh(1)
except ConfigError as error:
  assert "fsdp=1 x tp=1 leaves out some of the 2 devices" in str(error)
else:
  raise AssertionError("a process without a device in the mesh")
mesh = mesh_lib.make_mesh()
whole = np.arange(12, dtype=np.float32).reshape(4, 3)
array = processes.put(whole, NamedSharding(mesh, PartitionSpec("fsdp")))
assert not array.is_fully_addressable and (processes.fetch(array) == whole).all()
everywhere = processes.put({{"a": whole}}, {{"a": NamedSharding(mesh, PartitionSpec())}})["a"]
assert (processes.fetch([everywhere, whole])[0] == whole).all()
assert float(jax.jit(lambda a, key: (a + 0 * jax.random.normal(key)).sum())(array, jax.random.key(1))) == 66.0

long = "x" * (5000 * {i} + 1)
assert processes.exchange(({i}, long)) == [(0, "x"), (1, "x" * 5001)] and processes.agreed({i}) == 0
processes.check_same(rows="the same")
try:
  processes.check_same(rows="{i}")
except ConfigError as error:
  assert "process 1 has other rows than process 0" in str(error)
else:
  raise AssertionError

examples = [Example(uid=str(n // 2), domain="math", prompt="?", reference=Number(text=str(n // 2))) for n in range(8)]
texts = [render("2 and 2 are added.", str(n // 2 + n % 2)) for n in range(8)]
rewards = {{"math": {{"format": {{"weight": 0.2}}, "math_answer": {{"weight": 0.8}}}}}}
with Service(rewards, num_workers=1) as service:
  own = []
  submit = service.submit
  service.submit = lambda examples, *rest: own.append([e.uid for e in examples]) or submit(examples, *rest)
  groups = [n // 2 for n in range(8)]
  pending = processes.shared(service).submit(examples, texts, groups)
  found = pending.result()
  assert own == [[["0", "0", "1", "1"], ["2", "2", "3", "3"]][{i}]], own
  assert [b.correct for b in found] == [True, False] * 4 and [b.total > 0.5 for b in found] == [True, False] * 4
print("only the first one's words", file=sys.stdout)
print("done {i}", file=sys.stderr)
'''


def test_two_processes_hold_arrays_together_and_score_their_own_rows(tmp_path):
  log = tmp_path / "pair"
  pair = started(["-c", PROGRAM], 2, log)
  statuses = [process.wait(300) for process in pair]
  assert statuses == [0, 0], said(log, 0)[-2000:] + said(log, 1)[-2000:]
  assert sorted(said(log, 0).splitlines()) == ["done 0", "only the first one's words"]
  assert said(log, 1) == "done 1"


SHRUNK = [
    "--config.cold_start.steps=4", "--config.cold_start.traces=64", "--config.cold_start.batch_size=8",
    "--config.cold_start.checkpoint_every=2", "--config.data.evaluation_rows=1", "--config.train.steps=3",
    "--config.train.prompts_per_step=8", "--config.train.checkpoint_every=1", "--config.train.samples_every=2",
    "--config.grpo.num_generations=2", "--config.rollout.max_new_tokens=24", "--config.train.evaluate_every=2",
    "--config.model.mesh.fsdp=0",  # the devices of all processes
    "--config.scoring.gate=none",  # no text of 24 tokens keeps the format: with the gate there were nothing to learn
]  # fmt: skip


def training(workdir):
  command = [
      "-m", "reasoner.main", "--config=experiments/seven_domain.py", f"--workdir={workdir}", *SHRUNK,
      "--coordinator={coordinator}", "--num_processes=2", "--process_id={i}",
  ]  # fmt: skip
  return started(command, 2, workdir)


def ended(pair, workdir):
  for index, process in enumerate(pair):
    assert process.wait(timeout=1500) == 0, said(workdir, 0)[-3000:] + said(workdir, index)[-3000:]
  return json.loads((workdir / "summary.json").read_text())


def lines(path):
  return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_two_processes_train_as_one_run_and_killed_together_end_in_the_same_bits(tmp_path):
  whole, killed = tmp_path / "whole", tmp_path / "killed"
  summary = ended(training(whole), whole)
  assert summary["steps"] == 3 and summary["environment"]["devices"].startswith("2 x ")
  assert [row["step"] for row in lines(whole / "metrics.jsonl")] == [0, 1, 2]  # each once
  assert min(row["train/gradient_norm"] for row in lines(whole / "metrics.jsonl")) > 0.01
  assert [row["step"] for row in lines(whole / "evaluations.jsonl")] == [0, 2, 3]
  assert len(lines(whole / "evaluation_after.jsonl")) == len(lines(whole / "evaluation_before.jsonl")) >= 7
  assert sorted(path.name for path in (whole / "checkpoints" / "grpo").iterdir()) == ["1", "2", "3"]
  assert said(whole, 0).count("Report: ") == 1 and said(whole, 1) == ""

  pair = training(killed)
  until = time.monotonic() + 1200
  while not (killed / "checkpoints" / "grpo" / "1").exists():
    assert time.monotonic() < until and all(process.poll() is None for process in pair), said(killed, 0)[-3000:]
    time.sleep(0.05)
  for process in pair:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
  assert not (killed / "summary.json").exists()
  assert ended(training(killed), killed)["adapter_sha256"] == summary["adapter_sha256"]
  told = lambda path: [{k: v for k, v in row.items() if "second" not in k} for row in lines(path / "metrics.jsonl")]  # noqa: E731
  assert told(killed) == told(whole)
