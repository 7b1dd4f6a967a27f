"""The scoring service: the Scorer's verdicts, whatever completions do to the workers."""

import dataclasses
import json
import os
import pathlib
import pickle
import signal
import subprocess
import sys
import time

import pytest

from rewards.errors import ConfigError
from rewards.format import render
from rewards.registry import temporary
from rewards.rows import example_from_row
from rewards.schema import Example
from rewards.schema import Text
from rewards.scorer import ComponentError
from rewards.scorer import Scorer
from rewards.scorer import STRICT
from rewards.service import pool
from rewards.service import Service
from rewards.service import service as service_module
from rewards.service import worker
from rewards.service import WorkerError

PLUGIN = '''
import ctypes, os, subprocess, sys, time
from rewards import Score, register

kept = []

@register("obey", kind="correctness", domains=("obedience",))
def obey(completion, example):
  """Does what the answer says, else compares it with the reference."""
  order, _, argument = completion.answer.partition(" ")
  if order == "spin":
    while True: pass
  if order == "sleep": time.sleep(float(argument))
  if order == "segfault": ctypes.string_at(0)
  if order == "leave": os._exit(0)
  if order == "sysexit": sys.exit()
  if order == "raise": raise KeyError("a bug of theirs")
  if order == "eat": return float(len(bytearray(1 << 40)) > 0)
  if order == "nest":
    def nest(n): return nest(n + 1)
    return nest(0)
  if order == "print": print("not a message"); sys.stdout.flush()
  if order == "die_once" and not os.path.exists(argument):
    open(argument, "w").close()
    os._exit(9)
  if order == "spawn":
    child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    with open(argument, "w") as file: file.write(str(child.pid))
    while True: pass
  if order == "grow":
    kept.append(bytearray(b"x") * (80 << 20))
    return 1.0
  if order == "reserve":
    kept.append(bytearray(600 << 20))  # zeros that are never touched
    return 1.0
  if order == "pid": return Score(0.0, str(os.getpid()))
  if order == "clean":
    return float("jax" not in sys.modules and not hasattr(sys.modules["__main__"], "__file__"))
  if order == "order": return (hash("a") % 1000) / 1000
  if order == "none": return None
  return Score(float(completion.answer == example.reference.text), "compared")

@register("share", kind="quality", scope="group", domains=("obedience",))
def share(completions, examples):
  passed = sum(c is not None for c in completions) / len(completions)
  return [None if c is None else passed for c in completions]

@register("size", kind="quality", scope="batch", domains=("obedience",))
def size():
  def score(completions, examples):
    while any(c.answer == "hang the batch" for c in completions): pass
    if any(c.answer == "crash the batch" for c in completions): ctypes.string_at(0)
    return [1.0 / len(completions)] * len(completions)
  return score
'''

OBEY = {"format": {"weight": 0.2}, "obey": {"weight": 0.8}}
REWARDS = {"obedience": OBEY}
TOGETHER = {"obedience": OBEY | {"share": {"weight": 0.1}, "size": {"weight": 0.1}}}


@pytest.fixture(autouse=True, scope="module")
def plugin(tmp_path_factory):
  path = tmp_path_factory.mktemp("plugin") / "obedience.py"
  path.write_text(PLUGIN)
  with temporary():
    yield str(path)


@pytest.fixture(scope="module")
def service(plugin):
  with Service(REWARDS, plugins=[plugin], num_workers=2, completion_timeout_seconds=0.5) as service:
    yield service


@pytest.fixture
def short_backstop(monkeypatch):
  monkeypatch.setattr(pool, "WALL_DEADLINES", 3)


def example(number=0, **extra):
  return Example(
      uid=f"obedience/{number}", domain="obedience", prompt="Obey.", reference=Text(text="ok"), extra=extra
  )


def score(service, answers, **extra):
  examples = [example(i, **extra) for i in range(len(answers))]
  return service.score(examples, [render("I obey.", answer) for answer in answers])


def alive(pid):
  try:
    state = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
  except (FileNotFoundError, ProcessLookupError):
    return False
  return state not in "ZX"


def wait_until(condition, seconds=20.0):
  deadline = time.monotonic() + seconds
  while not condition() and time.monotonic() < deadline:
    time.sleep(0.05)
  return condition()


def test_results_are_those_of_the_scorer_for_any_number_of_workers(plugin):
  answers = ["ok", "no", "none", "\ud800 half a character", "nul \x00", "\u202eright to left"]
  texts = [render("I obey.", answer) for answer in answers] * 20 + [render("x y " * 250_000, "ok")]
  texts[3] = "no tags"
  texts[4] = ""
  examples = [example(i // 4) for i in range(len(texts))]
  groups = [i // 4 for i in range(len(texts))]
  expected = Scorer(TOGETHER, plugins=[plugin]).score(examples, texts, groups)
  assert {b.failure for b in expected} == {None, "missing"}
  for num_workers in (1, 2, 3):
    with Service(TOGETHER, plugins=[plugin], num_workers=num_workers) as service:
      assert service.score(examples, texts, groups) == expected


def test_without_a_gate_what_it_refuses_is_paid_all_but_its_format(plugin):
  texts = [render("I obey.", "ok"), "<reasoning>I obey.</reasoning> ok", "ok", render("I obey.", "no"), ""]
  examples = [example(i) for i in range(len(texts))]
  with Service(REWARDS, plugins=[plugin], num_workers=1, gate="none") as service:
    found = service.score(examples, texts)
  strict = Scorer(REWARDS, plugins=[plugin]).score(examples, texts)
  assert [b.total for b in found] == pytest.approx([1.0, 0.8, 0.8, 0.2, 0.0])
  assert [b.total for b in strict] == pytest.approx([1.0, 0.0, 0.0, 0.2, 0.0])
  for loose, own in zip(found, strict):  # what is measured is measured as ever
    assert (loose.gate, loose.failure, loose.default_total) == (own.gate, own.failure, own.default_total)
    assert loose.correct == own.correct and sum(loose.parts.values()) >= loose.total
  assert found[1].parts == {"format": 0.0, "obey": 1.0}


def test_reasons_of_scores_arrive_with_them(service):
  (breakdown,) = score(service, ["ok"])
  assert breakdown.scores["obey"].reason == "compared"


def test_an_endless_completion_gets_zero_and_the_others_their_due(service):
  answers = ["ok"] * 20
  answers[7] = answers[13] = "spin"
  breakdowns = score(service, answers)
  assert [b.total for b in breakdowns] == [0.0 if i in (7, 13) else 1.0 for i in range(20)]
  assert breakdowns[7].causes == ("obey:deadline",)
  assert breakdowns[7].correct is False and breakdowns[7].scores == {}


def test_a_completion_that_sleeps_meets_the_wall_backstop(service, short_backstop):
  stopped, fine = score(service, ["sleep 1000", "ok"])
  assert (stopped.total, stopped.causes, fine.total) == (0.0, ("obey:deadline",), 1.0)


def test_sleeping_uses_no_cpu_time_and_so_costs_nothing_before_the_backstop(service):
  (breakdown,) = score(service, ["sleep 1.5"])  # three times its deadline of CPU time
  assert breakdown.causes == () and breakdown.correct is False


@pytest.mark.parametrize(
    "order, cause",
    [("segfault", "crash"), ("leave", "crash"), ("sysexit", "crash"), ("eat", "memory"), ("nest", "recursion")],
)
def test_a_completion_that_ends_its_worker_or_exhausts_it_gets_zero(service, order, cause):
  fine, stopped, also_fine = score(service, ["ok", order, "ok"])
  assert (stopped.total, stopped.causes) == (0.0, (f"obey:{cause}",))
  assert fine.total == also_fine.total == 1.0


def test_a_worker_that_dies_of_something_else_costs_no_completion_its_reward(service, tmp_path):
  died, fine = score(service, [f"die_once {tmp_path / 'died'}", "ok"])
  assert (tmp_path / "died").exists()
  assert died.causes == () and died.scores == {"obey": 0.0} and fine.total == 1.0


def test_a_worker_that_has_grown_big_is_replaced_and_nobody_pays_for_it(plugin, monkeypatch):
  monkeypatch.setattr(service_module, "WORKER_GROWTH_BYTES", 64 << 20)
  monkeypatch.setattr(service_module, "WORKER_MEMORY_BYTES", 1 << 30)
  with Service(REWARDS, plugins=[plugin], num_workers=1) as service:
    pids = [score(service, ["pid"])[0].scores["obey"].reason for _ in range(2)]
    assert pids[0] == pids[1]
    assert score(service, ["grow", "ok"])[1].total == 1.0
    assert score(service, ["pid"])[0].scores["obey"].reason not in pids
    # Two are more than a worker may hold: the one that fails is tried again in a fresh one.
    assert [b.total for b in score(service, ["reserve"] * 4)] == [1.0] * 4


def test_what_an_overrunning_component_started_is_killed_with_it(service, tmp_path):
  score(service, [f"spawn {tmp_path / 'pid'}"])
  assert not alive(int((tmp_path / "pid").read_text()))


def test_a_plugins_bug_stops_with_uid_place_traceback_and_the_completion_kept(service, plugin):
  with pytest.raises(ComponentError, match=r"'obey' \(.*obedience.py:7\) failed on obedience/1: KeyError") as caught:
    score(service, ["ok", "raise"])
  assert 'raise KeyError("a bug of theirs")' in "".join(caught.value.__notes__)
  path = str(caught.value).rsplit("The completion is kept in ", 1)[1]
  kept = [json.loads(line) for line in open(path, encoding="utf-8")]
  assert (kept[-1]["uid"], kept[-1]["completion"]) == ("obedience/1", render("I obey.", "raise"))
  assert example_from_row(kept[-1], "kept").reference == example().reference and "KeyError" in kept[-1]["error"]
  assert score(service, ["ok"])[0].total == 1.0  # and the service is still there


OURS = """
from rewards import register

def ours(completion, example):
  if completion.answer == example.reference.text == "deadly":
    import os
    os._exit(1)
  return 1 / (completion.answer != "bug")

ours.__module__ = "rewards.domains.logic"  # as if it stood there
register("ours", kind="correctness")(ours)
"""


@pytest.fixture
def our_service(tmp_path, monkeypatch):
  monkeypatch.delenv(STRICT)
  (tmp_path / "ours.py").write_text(OURS)
  rewards = {"obedience": {"format": {"weight": 0.2}, "ours": {"weight": 0.8}}}
  faults = tmp_path / "faults.jsonl"
  with temporary():
    with Service(rewards, plugins=[str(tmp_path / "ours.py")], num_workers=1, faults_path=faults) as service:
      yield service, faults


def test_a_bug_of_ours_leaves_its_row_unscored_and_keeps_the_completion(our_service, caplog):
  service, faults = our_service
  fine, stricken, also_fine = score(service, ["ok", "bug", "ok"])
  assert fine.total == also_fine.total == 1.0
  assert stricken.total is None and stricken.causes == ("ours:not_scored_bug",)
  (kept,) = map(json.loads, faults.read_text().splitlines())
  assert (kept["uid"], kept["completion"]) == ("obedience/1", render("I obey.", "bug"))
  assert "ZeroDivisionError" in kept["error"] and "Traceback" in caplog.text


def test_a_gold_answer_that_kills_workers_stops_nobody(our_service):
  service, _ = our_service
  gold = dataclasses.replace(example(), reference=Text(text="deadly"))
  (breakdown,) = service.score([gold], [render("r", "ok")])  # workers warm up with gold answers
  assert breakdown.total == 1.0


def test_what_a_component_prints_does_not_reach_the_pipe(service):
  assert score(service, ["print", "ok"])[1].total == 1.0


def test_workers_import_neither_jax_nor_the_callers_main(service):
  assert score(service, ["clean"])[0].total == 1.0


def test_strings_hash_alike_in_all_workers(service):
  assert len({b.scores["obey"] for b in score(service, ["order"] * 40)}) == 1


def test_submit_returns_at_once_and_batches_keep_their_order(service):
  examples, done = [example()], []
  started = time.monotonic()
  futures = [service.submit(examples, [render("x", answer)]) for answer in ("sleep 1", "ok", "no")]
  assert time.monotonic() - started < 0.5
  for number, future in enumerate(futures):
    future.add_done_callback(lambda _, number=number: done.append(number))
  assert [f.result()[0].correct for f in futures] == [False, True, False]
  assert done == [0, 1, 2]


def test_an_unknown_domain_or_unequal_lengths_raise_in_the_future(service):
  stranger = Example(uid="u", domain="obedienc", prompt="p", reference=Text(text="ok"))
  with pytest.raises(ConfigError, match="Did you mean 'obedience'"):
    service.score([stranger], ["x"])
  with pytest.raises(ValueError):
    service.score([example()], ["x", "y"])


def test_an_empty_batch_has_no_results(service):
  assert service.score([], []) == []


def test_a_row_nested_too_deeply_names_its_uid_and_deep_rows_pass(service):
  def nested(depth):
    value = []
    for _ in range(depth):
      value = [value]
    return value

  assert score(service, ["ok"], deep=nested(200))[0].total == 1.0
  with pytest.raises(ConfigError, match="nested too deeply.*obedience/0"):
    score(service, ["ok"], deep=nested(200_000))
  assert score(service, ["ok"])[0].total == 1.0


def test_an_example_travels_once_however_many_completions_it_has():
  big = example(text="x" * 100_000)
  task = worker.Task(items=[(i, big, "y") for i in range(64)])
  assert len(pickle.dumps(task)) < 110_000


def test_a_batch_component_that_hangs_or_crashes_is_not_scored_and_the_rest_is(plugin):
  with Service(TOGETHER, plugins=[plugin], num_workers=1, batch_timeout_seconds=2.0) as service:
    service.start()
    (crashed,) = score(service, ["crash the batch"])
    assert crashed.scores == {"obey": 0.0, "share": 1.0, "size": None}
    assert crashed.causes == ("size:not_scored_crash",) and crashed.total is None
    assert crashed.unscored == {"size": "its worker ended twice (crash) on this batch or group"}
    (hung,) = score(service, ["hang the batch"])
    assert hung.scores["size"] is None and hung.total is None
    (fine,) = score(service, ["ok"])
    assert fine.scores == {"obey": 1.0, "share": 1.0, "size": 1.0}


def test_what_the_batchs_deadline_cuts_off_is_not_scored_rather_than_wrong(plugin):
  with Service(REWARDS, plugins=[plugin], num_workers=1, batch_timeout_seconds=5.0) as service:
    service.start()
    cut, also_cut = score(service, ["sleep 1000", "sleep 1000"])
    assert cut.scores == {"obey": None} and cut.correct is None and cut.total is None  # 0.2 were paid once
    assert cut.causes == ("obey:not_scored_batch_deadline",)
    assert also_cut == cut
    assert score(service, ["ok"])[0].total == 1.0


def test_workers_that_die_while_they_start_are_our_error(tmp_path):
  plugin = tmp_path / "stillborn.py"
  plugin.write_text(
      "import os\nfrom rewards import register\n"
      f"if os.getpid() != {os.getpid()}: os._exit(3)\n"
      "@register('stillborn', kind='quality')\ndef stillborn(completion, example): return 1.0\n"
  )
  rewards = {"any": {"format": {"weight": 1.0}, "stillborn": {"weight": 1.0}}}
  with Service(rewards, plugins=[str(plugin)], num_workers=1) as service:
    with pytest.raises(WorkerError, match="exit status 3"):
      service.start()
    with pytest.raises(WorkerError, match="exit status 3"):
      service.score([Example(uid="u", domain="any", prompt="p", reference=Text(text="t"))], [render("a", "b")])


def test_a_component_that_cannot_be_built_stops_the_start(tmp_path):
  plugin = tmp_path / "unbuilt.py"
  plugin.write_text(
      "from rewards import register\n"
      "@register('unbuilt', kind='quality')\ndef unbuilt(*, model: str = 'm'): raise OSError('no such model')\n"
  )
  rewards = {"any": {"format": {"weight": 1.0}, "unbuilt": {"weight": 1.0}}}
  with Service(rewards, plugins=[str(plugin)], num_workers=1) as service:
    with pytest.raises(ComponentError, match=r"config.rewards.any.unbuilt.*unbuilt.py:2.*no such model"):
      service.start()


@pytest.mark.parametrize(
    "setting", [{"num_workers": 0}, {"completion_timeout_seconds": 0.0}, {"batch_timeout_seconds": -1.0}]
)
def test_a_setting_that_makes_no_sense_is_refused(plugin, setting):
  with pytest.raises(ConfigError, match=next(iter(setting))):
    Service(REWARDS, plugins=[plugin], **setting)


def test_close_ends_everything_twice_is_fine_and_later_batches_are_refused(plugin):
  descriptors = set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else set()
  service = Service(TOGETHER, plugins=[plugin], num_workers=2)
  service.start()
  pids = [worker.process.pid for pool in service._pools for worker in pool.workers]
  unfinished = service.submit([example()], [render("x", "sleep 1000")])
  time.sleep(0.2)
  service.close()
  service.close()
  assert len(pids) == 3 and not any(alive(pid) for pid in pids)
  with pytest.raises(WorkerError, match="closed"):
    unfinished.result(timeout=0)
  with pytest.raises(WorkerError, match="closed"):
    service.submit([example()], ["x"])
  if descriptors:
    assert len(os.listdir("/proc/self/fd")) <= len(descriptors)


@pytest.mark.skipif(sys.platform != "linux", reason="needs PR_SET_PDEATHSIG")
@pytest.mark.parametrize("answer", ["ok", "spin"])
def test_workers_end_when_their_parent_is_killed_idle_or_busy(plugin, answer):
  program = f"""
import sys, time
from rewards.format import render
from rewards.schema import Example, Text
from rewards.service import Service
service = Service({REWARDS!r}, plugins=[{plugin!r}], num_workers=2, completion_timeout_seconds=1000.0)
service.start()
service.submit([Example(uid="u", domain="obedience", prompt="p", reference=Text(text="ok"))],
               [render("x", {answer!r})])
time.sleep(0.3)
print(*[worker.process.pid for pool in service._pools for worker in pool.workers], flush=True)
time.sleep(1000)
"""
  parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
  pids = [int(pid) for pid in parent.stdout.readline().split()]
  assert len(pids) == 2 and all(alive(pid) for pid in pids)
  parent.send_signal(signal.SIGKILL)
  parent.wait()
  parent.stdout.close()
  assert wait_until(lambda: not any(alive(pid) for pid in pids))


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts descriptors in /proc")
def test_thousands_of_completions_leave_no_process_and_no_descriptor(service):
  score(service, ["ok"])
  before = len(os.listdir("/proc/self/fd"))
  answers = ["ok"] * 10_000
  answers[::4000] = ["leave"] * 3
  breakdowns = score(service, answers)
  assert sum(b.total == 1.0 for b in breakdowns) == 9_997
  assert len(os.listdir("/proc/self/fd")) == before
  children = pathlib.Path(f"/proc/{os.getpid()}/task")
  pids = {pid for task in children.iterdir() for pid in (task / "children").read_text().split()}
  zombies = [pid for pid in pids if pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"]
  assert not zombies


ASKS = """
from rewards import register

@register("likely", kind="quality", scope="model", domains=("obedience",))
def likely(completions, examples, model):
  values = model.log_probabilities([e.prompt for e in examples], [c.answer for c in completions])
  return [1 + sum(own) / 100 for own in values]
"""


class Model:
  def log_probabilities(self, prompts, texts):
    self.process = os.getpid()
    return [[-float(len(prompt)), -float(len(text))] for prompt, text in zip(prompts, texts)]


def test_what_asks_a_model_is_scored_in_the_process_that_has_it(plugin, tmp_path):
  (tmp_path / "asks.py").write_text(ASKS)
  plugins, entries = [plugin, str(tmp_path / "asks.py")], {"likely": {"weight": 1.0}}
  example = Example(uid="u", domain="obedience", prompt="12345", reference=Text(text="yes"))
  texts = [render("r", "yes"), "no tags"]
  with temporary():
    with pytest.raises(ConfigError, match="obedience.likely.weight=1.0: .*expected 0.0"):
      Service({"obedience": OBEY | entries}, plugins=plugins)
    with Service({"obedience": OBEY | entries}, plugins=plugins, num_workers=1, has_model=True) as service:
      before = service.score([example] * 2, texts)
      assert before[0].total is None and before[0].correct and before[1].total == 0.0
      model = Model()
      service.attach(model)
      valid, failed = service.score([example] * 2, texts)
    assert valid.scores == {"obey": 1.0, "likely": 0.92} and valid.total == pytest.approx((1.0 + 0.92) / 2)
    assert failed.total == 0.0 and model.process == os.getpid()


def test_a_bug_of_what_asks_a_model_names_the_row_and_keeps_the_completion(plugin, tmp_path):
  (tmp_path / "asks.py").write_text(ASKS)
  example, kept = Example(uid="u", domain="obedience", prompt="p", reference=Text(text="yes")), tmp_path / "kept.jsonl"
  with temporary():
    with Service(
        {"obedience": OBEY | {"likely": {"weight": 1.0}}}, plugins=[plugin, str(tmp_path / "asks.py")],
        num_workers=1, has_model=True, faults_path=kept,
    ) as service:
      service.attach(object())  # which cannot be asked
      with pytest.raises(ComponentError, match=f"'likely' .* failed on u: AttributeError: .* kept in {kept}"):
        service.score([example], [render("r", "yes")])
      assert json.loads(kept.read_text())["completion"] == render("r", "yes")
