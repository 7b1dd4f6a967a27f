"""The command line: list, score, explain and bench, and how they answer mistakes."""

import io
import json
import os
import pathlib
import signal
import stat
import subprocess
import sys
import threading
import time

import pytest

from rewards import __main__ as command
from rewards import registry
from rewards.output import cleaning_up_when_told_to_end

ROOT = pathlib.Path(__file__).resolve().parents[2]

PLUGIN = '''
from rewards import Score, register

@register("same", kind="correctness", domains=("riddles",))
def same(completion, example, *, case: bool = True):
  """1.0 when the answer is the reference | to the letter."""
  if not example.reference.text.strip("?"):
    return None
  right = completion.answer == example.reference.text
  return Score(float(right), f"{completion.answer!r} against {example.reference.text!r}")

@register("brevity", kind="quality")
def brevity(completion, example):
  return None if completion.answer == "unmeasured" else 1 / len(completion.answer.split())

@register("calm", kind="guard")
def calm(completion, example):
  return 1.0 - 0.5 * completion.answer.endswith("!")

@register("share", kind="quality", scope="group")
def share(completions, examples):
  return [None if c is None else 1 / len(completions) for c in completions]
'''

RECIPE = '''
import ml_collections

def get_config(variant="plain"):
  config = ml_collections.ConfigDict()
  config.plugins = ({plugin!r},)
  config.rewards = dict(
      riddles=dict(format=dict(weight=0.2), same=dict(weight=0.8), brevity=dict(weight=0.0), share=None, calm=None))
  if variant == "without_truth":
    config.rewards.riddles = dict(format=dict(weight=0.2), brevity=dict(weight=0.8))
  if variant == "grouped":
    config.rewards.riddles.share = dict(weight=1.0)
  config.scoring = dict(num_workers=1, completion_timeout_seconds=5.0)
  return config
'''


@pytest.fixture
def recipe(tmp_path):
  (tmp_path / "riddles.py").write_text(PLUGIN)
  (tmp_path / "recipe.py").write_text(RECIPE.format(plugin=str(tmp_path / "riddles.py")))
  with registry.temporary():
    yield str(tmp_path / "recipe.py")


def row(completion="<reasoning>It is a river.</reasoning>\n<answer>river</answer>", **fields):
  return {"domain": "riddles", "prompt": "What runs but never walks?", "answer": "river", "completion": completion} | fields


def write(tmp_path, *rows):
  path = tmp_path / "rows.jsonl"
  path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
  return str(path)


def run(tmp_path, recipe, rows, *more):
  """Scores rows and returns the exit status and the output rows, None where there is no file."""
  output = tmp_path / "scored.jsonl"
  status = command.main(["score", "--input", write(tmp_path, *rows), "--output", str(output), "--config", recipe, *more])
  return status, [json.loads(line) for line in output.open()] if output.exists() else None


def test_score_adds_its_fields_to_each_row_in_order(tmp_path, recipe, capsys):
  rows = [
      row(uid="a", note="kept"),
      row("<reasoning>r</reasoning><answer>a stream</answer>"),
      row("river"),
      row(completion="<reasoning>r</reasoning><answer>unmeasured</answer>", answer="?"),
      row("<reasoning>\ud800</reasoning><answer>\ud83d</answer>z"),
  ]
  status, scored = run(tmp_path, recipe, rows)
  assert status == 0
  assert [s | r for s, r in zip(scored, rows)] == scored  # the input row is in each output row
  verdicts = [{k: s[k] for k in ("total", "gate", "failure", "correct", "scores")} for s in scored]
  assert verdicts[0] == dict(total=1.0, gate=True, failure=None, correct=True, scores={"same": 1.0, "brevity": 1.0})
  assert verdicts[1] == dict(total=0.2, gate=True, failure=None, correct=False, scores={"same": 0.0, "brevity": 0.5})
  assert verdicts[2] == dict(total=0.0, gate=False, failure="missing", correct=False, scores={})
  assert verdicts[3] == dict(total=None, gate=True, failure=None, correct=None, scores={"same": None, "brevity": None})
  assert sorted(scored[3]["causes"]) == ["brevity:not_scored", "same:not_scored"]
  assert verdicts[4]["failure"] == "empty"
  assert os.listdir(tmp_path).count("scored.jsonl") == 1 and not list(tmp_path.glob("*.unfinished"))
  assert "riddles" in capsys.readouterr().out


def test_score_takes_thousands_of_rows_in_blocks(tmp_path, recipe, monkeypatch):
  monkeypatch.setattr(command, "BLOCK_ROWS", 100)
  rows = [row(uid=str(i), answer="river" if i % 3 else "road") for i in range(2_050)]
  status, scored = run(tmp_path, recipe, rows)
  assert status == 0
  assert [s["uid"] for s in scored] == [r["uid"] for r in rows]
  assert [s["correct"] for s in scored] == [i % 3 > 0 for i in range(2_050)]


def test_flags_and_variants_work_as_they_do_for_the_trainer(tmp_path, recipe):
  _, scored = run(tmp_path, recipe, [row("<reasoning>r</reasoning><answer>a stream</answer>")],
                  "--config.rewards.riddles.brevity.weight=1.0")
  assert scored[0]["total"] == pytest.approx((0.2 + 0.5) / 2.0)
  _, scored = run(tmp_path, f"{recipe}:grouped", [row()])
  assert scored[0]["scores"]["share"] == 1.0


def test_rows_with_the_same_group_are_one_even_across_blocks(tmp_path, recipe, monkeypatch):
  monkeypatch.setattr(command, "BLOCK_ROWS", 2)
  rows = [row(group=1), row(), row(group="g"), row(group="g"), row(group="g"), row("no tags", group="g")]
  _, scored = run(tmp_path, f"{recipe}:grouped", rows)
  assert [s["scores"].get("share") for s in scored] == [1.0, 1.0, 0.25, 0.25, 0.25, None]


@pytest.mark.parametrize(
    "rows, wrong",
    [
        ([row(), {"domain": "riddles"}], "rows.jsonl:2: 'completion' is missing"),
        ([row(), row(completion=3)], "rows.jsonl:2: 'completion' is 3"),
        ([row(answer="")], "rows.jsonl:1: 'answer' is empty"),
        ([row(), row(), row(domain="riddle")], "rows.jsonl:3: 'domain' is 'riddle'; the recipe has riddles"),
        ([row(group=1), row(), row(group=1)], "rows.jsonl:3: 'group' 1 appeared before"),
        ([row(group=1), row(group=1, prompt="Another one?")], "rows.jsonl:2: 'group' 1 has rows of two prompts"),
    ],
)
def test_a_bad_row_stops_with_its_line_status_two_and_no_output(tmp_path, recipe, capsys, rows, wrong):
  status, scored = run(tmp_path, recipe, rows)
  error = capsys.readouterr().err
  assert (status, scored) == (2, None)
  assert wrong in error and error.startswith("error: ") and error.count("\n") == 1
  assert not list(tmp_path.glob("*.unfinished"))


def test_an_earlier_output_survives_a_failure(tmp_path, recipe):
  (tmp_path / "scored.jsonl").write_text("{}\n")
  status, scored = run(tmp_path, recipe, [row(), row(completion=7)])
  assert (status, scored) == (2, [{}])


def test_a_completion_of_null_is_an_empty_one(tmp_path, recipe):
  status, scored = run(tmp_path, recipe, [row(completion=None)])
  assert status == 0 and (scored[0]["total"], scored[0]["failure"], scored[0]["completion"]) == (0.0, "missing", None)


def test_rows_need_an_answer_only_where_the_recipe_has_a_truth(tmp_path, recipe):
  status, scored = run(tmp_path, f"{recipe}:without_truth", [row(answer=None)])
  assert status == 0 and scored[0]["total"] == 1.0


def score_to(path, tmp_path, recipe, rows=1):
  arguments = ["score", "--input", write(tmp_path, *[row()] * rows), "--output", str(path), "--config", recipe]
  return [sys.executable, "-m", "rewards", *arguments]


def test_output_is_written_through_a_link_and_keeps_the_files_mode(tmp_path, recipe):
  (tmp_path / "elsewhere").mkdir()
  real, link = tmp_path / "elsewhere" / "real.jsonl", tmp_path / "link.jsonl"
  real.write_text("")
  real.chmod(0o640)
  link.symlink_to(real)
  assert command.main(["score", "--input", write(tmp_path, row()), "--output", str(link), "--config", recipe]) == 0
  assert link.is_symlink() and json.loads(real.read_text())["total"] == 1.0
  assert real.stat().st_mode & 0o777 == 0o640 and os.listdir(real.parent) == ["real.jsonl"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux's devices")
def test_devices_are_written_and_never_replaced_and_a_full_disk_is_a_sentence(tmp_path, recipe, capsys):
  arguments = ["score", "--input", write(tmp_path, row()), "--config", recipe, "--output"]
  before = os.stat("/dev/full").st_rdev
  assert command.main([*arguments, "/dev/full"]) == 2
  error = capsys.readouterr().err
  assert error == "error: --output /dev/full cannot be written: No space left on device.\n"
  assert os.stat("/dev/full").st_rdev == before
  assert command.main([*arguments, "/dev/null"]) == 0 and stat.S_ISCHR(os.stat("/dev/null").st_mode)
  finished = subprocess.run(score_to("/dev/stdout", tmp_path, recipe), cwd=ROOT, capture_output=True, text=True)
  assert [json.loads(line)["total"] for line in finished.stdout.splitlines()] == [1.0]  # the table is elsewhere
  assert "riddles" in finished.stderr
  with (tmp_path / "redirected").open("w") as file:
    subprocess.run(score_to("/dev/stdout", tmp_path, recipe), cwd=ROOT, stdout=file, stderr=subprocess.DEVNULL)
  assert json.loads((tmp_path / "redirected").read_text())["total"] == 1.0


def test_a_pipe_is_written_as_the_rows_come(tmp_path, recipe):
  os.mkfifo(tmp_path / "pipe")
  process = subprocess.Popen(score_to(tmp_path / "pipe", tmp_path, recipe), cwd=ROOT, stderr=subprocess.DEVNULL)
  assert json.loads((tmp_path / "pipe").read_text())["total"] == 1.0
  assert process.wait() == 0 and (tmp_path / "pipe").is_fifo()


def test_a_path_that_cannot_be_written_is_a_sentence(tmp_path, recipe, capsys, monkeypatch):
  def refuse(*_, **__):
    raise PermissionError(13, "Permission denied")

  monkeypatch.setattr("builtins.open", lambda path, *mode, **more: refuse() if "unfinished" in str(path) else io.open(path, *mode, **more))
  assert run(tmp_path, recipe, [row()]) == (2, None)
  assert capsys.readouterr().err.endswith("scored.jsonl cannot be written: Permission denied.\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_command_that_is_told_to_end_leaves_nothing(tmp_path, recipe, number):
  (tmp_path / "out").mkdir()
  os.mkfifo(tmp_path / "rows")
  arguments = ["score", "--input", str(tmp_path / "rows"), "--output", str(tmp_path / "out" / "scored.jsonl")]
  process = subprocess.Popen(
      [sys.executable, "-m", "rewards", *arguments, "--config", recipe, "--config.scoring.num_workers=1"],
      cwd=ROOT, stderr=subprocess.DEVNULL,
      # A shell starts what it runs in the background with SIGINT ignored, and children inherit that.
      preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
  )
  with (tmp_path / "rows").open("w") as rows:
    rows.write((json.dumps(row()) + "\n") * (command.BLOCK_ROWS + 1))
    rows.flush()  # more are to come, so the command is at work until it is told to end
    deadline = time.monotonic() + 60
    while not os.listdir(tmp_path / "out") and time.monotonic() < deadline:
      time.sleep(0.02)
    assert os.listdir(tmp_path / "out")
    process.send_signal(number)
    assert process.wait(timeout=60) != 0
  assert os.listdir(tmp_path / "out") == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_a_blocking_read_has_missed_is_heard_all_the_same(number):
  reader, writer = os.pipe()
  over, too_late = threading.Event(), []

  def tell():
    time.sleep(0.5)  # until the main thread reads
    signal.pthread_kill(threading.get_ident(), number)  # so that it does not interrupt the main thread's read
    if not over.wait(30):
      too_late.append(number)
      os.write(writer, b"!")

  # What a shell runs in the background has SIGINT ignored, and is then not to be ended by it.
  original = signal.signal(number, before := signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
  with pytest.raises((SystemExit, KeyboardInterrupt)), cleaning_up_when_told_to_end():
    threading.Thread(target=tell).start()
    os.read(reader, 1)
  over.set()
  assert not too_late and signal.signal(number, original) == before


def test_what_is_ignored_stays_ignored():
  original = signal.signal(signal.SIGHUP, signal.SIG_IGN)
  with cleaning_up_when_told_to_end():
    signal.raise_signal(signal.SIGHUP)
  assert signal.signal(signal.SIGHUP, original) == signal.SIG_IGN


@pytest.mark.parametrize(
    "arguments, wrong",
    [
        (["--config.rewards.riddles.sane.weight=1.0"], "Did you mean 'same'"),
        (["--config.rewards.riddles.same.weight=-1.0"], "config.rewards.riddles.same.weight=-1.0"),
        (["--config.rewards.riddles.same.weight"], "has no value"),
        (["--output", "absent/directory/out.jsonl"], "absent/directory/out.jsonl"),
        (["--input", "absent.jsonl"], "absent.jsonl does not exist"),
        (["--config", "absent.py"], "absent.py does not exist"),
    ],
)
def test_a_users_mistake_is_one_sentence(tmp_path, recipe, capsys, arguments, wrong):
  status, _ = run(tmp_path, recipe, [row()], *arguments)
  error = capsys.readouterr().err
  assert status == 2 and wrong in error and error.count("\n") == 1


def test_an_unknown_argument_is_refused(tmp_path, recipe, capsys):
  with pytest.raises(SystemExit) as caught:
    run(tmp_path, recipe, [row()], "--fast")
  assert caught.value.code == 2 and "--fast" in capsys.readouterr().err


def test_list_prints_the_registry_as_text_and_as_markdown(tmp_path, recipe, capsys):
  plugin = str(tmp_path / "riddles.py")
  assert command.main(["list", "--plugin", plugin]) == 0
  (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("same ")]
  assert line.split(None, 5) == ["same", "correctness", "completion", "riddles", "case=True",
                                 "1.0 when the answer is the reference | to the letter."]
  assert command.main(["list", "--plugin", plugin, "--markdown"]) == 0
  table = capsys.readouterr().out
  assert ("| `same` | correctness | completion | riddles | `case=True` | "
          "1.0 when the answer is the reference \\| to the letter. |") in table
  assert {line.count(" | ") for line in table.splitlines() if "\\|" not in line} == {5}


def explain(tmp_path, recipe, capsys, rows, *arguments):
  status = command.main(["explain", "--input", write(tmp_path, *rows), "--config", recipe, *arguments])
  return status, " ".join(capsys.readouterr().out.split())


def test_explain_shows_gate_reasons_weights_and_the_sum(tmp_path, recipe, capsys):
  rows = [row(uid="first"), row("<reasoning>r</reasoning><answer>a stream</answer>", uid="second")]
  status, text = explain(tmp_path, recipe, capsys, rows, "--uid", "second", "--config.rewards.riddles.brevity.weight=1.0")
  assert status == 0
  assert "second (riddles) gate: passed" in text
  assert "same 0.000 0.8 0.000 'a stream' against 'river'" in text
  assert "brevity 0.500 1 0.500" in text
  assert "total = 0.700 / 2 = 0.350 Not correct." in text
  assert explain(tmp_path, recipe, capsys, rows)[1].startswith("first (riddles)")
  assert explain(tmp_path, recipe, capsys, rows, "--line", "2")[1].startswith("second (riddles)")


def test_explain_shows_what_guards_left(tmp_path, recipe, capsys):
  rows = [row("<reasoning>r</reasoning><answer>river !</answer>", answer="river !")]
  _, text = explain(tmp_path, recipe, capsys, rows, "--config.rewards.riddles.calm.weight=0.5")
  assert "calm 0.500 0.5 x 0.750" in text
  assert "total = (0.2 + 0.750 x 0.800) / 1 = 0.800 Correct." in text


def test_explain_says_why_the_gate_refuses_and_what_was_not_scored(tmp_path, recipe, capsys):
  _, text = explain(tmp_path, recipe, capsys, [row("<reasoning>cut")])
  assert "gate: refused, unclosed" in text and "cut off" in text
  _, text = explain(tmp_path, recipe, capsys, [row("<reasoning>r</reasoning><answer>unmeasured</answer>", answer="?")])
  assert "same none 0.8 0.000 not scored: there is nothing to measure" in text
  assert "brevity none left out not scored: there is nothing to measure" in text
  assert "total = none: something that is paid could not be scored" in text


def test_explain_lets_no_completion_print_a_line_or_a_colour_of_its_own(tmp_path, recipe, capsys):
  forged = "<reasoning>r</reasoning><answer>x\ntotal = 1 / 1 = 1.000 Correct.\r\x1b[2J\u202e\x9b\ud800</answer>"
  plugin = (tmp_path / "riddles.py").read_text().replace("{completion.answer!r} against", "{completion.answer} against")
  (tmp_path / "riddles.py").write_text(plugin)
  assert command.main(["explain", "--input", write(tmp_path, row(forged, uid="u\ntotal")), "--config", recipe]) == 0
  lines = capsys.readouterr().out.splitlines()
  assert lines[0] == "u\\ntotal (riddles)" and all(line.isprintable() for line in lines)
  assert [line for line in lines if line.startswith("total")] == [lines[-1]] and "0.200" in lines[-1]


def test_explain_reads_what_a_bug_left_and_a_plugins_bug_is_a_sentence(tmp_path, recipe, capsys):
  (tmp_path / "riddles.py").write_text(PLUGIN.replace("right = ", "right = 1 / (completion.answer != 'bug') and "))
  status, _ = run(tmp_path, recipe, [row("<reasoning>r</reasoning><answer>bug</answer>", uid="u7")])
  error = capsys.readouterr().err.splitlines()[-1]
  assert status == 2 and error.startswith("error: reward 'same'") and "failed on u7: ZeroDivisionError" in error
  kept = error.rsplit("The completion is kept in ", 1)[1]
  assert command.main(["explain", "--input", kept, "--uid", "u7", "--config", recipe]) == 2
  assert "failed on u7: ZeroDivisionError" in capsys.readouterr().err


def test_explain_names_a_row_that_is_not_there(tmp_path, recipe, capsys):
  for line in ("9", "0"):
    assert command.main(["explain", "--input", write(tmp_path, row()), "--config", recipe, "--line", line]) == 2
    assert f"has no row with line {line}." in capsys.readouterr().err
  assert command.main(["explain", "--input", write(tmp_path), "--config", recipe]) == 2
  assert "rows.jsonl has no row." in capsys.readouterr().err


def test_bench_prints_a_line_a_domain_and_what_hostile_completions_cost(recipe, capsys):
  assert command.main(["bench", "--config", recipe, "--seconds", "0.1", "--hostile-every", "8",
                       "--num-workers", "1", "--by-component", "--config.scoring.completion_timeout_seconds=1.0"]) == 0
  lines = capsys.readouterr().out.splitlines()
  name, rate, *latencies = lines[1].split()
  assert name == "riddles" and float(rate) > 0
  p50, p99, longest = map(float, latencies)
  assert 0 < p50 <= p99 <= longest
  assert [line.split()[0] for line in lines[2:-1]] == ["brevity", "same"]
  assert all(float(line.split()[1]) > 0 for line in lines[2:-1])
  assert "one in 8 hostile" in lines[-1] and "the deadline of 1 s" in lines[-1]


def test_python_dash_m_rewards_runs_without_jax(tmp_path, recipe):
  output = tmp_path / "scored.jsonl"
  arguments = ["score", "--input", write(tmp_path, row()), "--output", str(output), "--config", recipe]
  program = f"import sys, runpy; sys.modules['jax'] = None; sys.argv = ['rewards', *{arguments!r}]; runpy.run_module('rewards', run_name='__main__')"
  finished = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
  assert finished.returncode == 0, finished.stderr
  assert json.loads(output.read_text())["total"] == 1.0
