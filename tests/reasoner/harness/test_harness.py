"""The outside judge: its tasks and their readers, what it refuses, and a whole judgement where lm-eval is installed."""

import json
import pathlib
import re
import types

import pytest
import yaml

from reasoner.harness import __main__ as harness
from reasoner.harness import judging
from reasoner.harness import programs
from rewards.errors import ConfigError

DATA = {
    "allenai__ai2_arc/ARC-Easy/test.jsonl": {
        "id": "q", "question": "What is ice?", "answerKey": "B",
        "choices": {"text": ["a gas", "a solid", "a liquid"], "label": ["A", "B", "C"]},
    },
    "openai__gsm8k/main/test.jsonl": {"question": "How many are 2 and 3?", "answer": "2 + 3 = 5\n#### 5"},
    "google-research-datasets__mbpp/full/test.jsonl": {
        "task_id": 1, "text": "Add one.", "code": "def f(x):\n  return x + 1", "test_list": ["assert f(1) == 2"],
        "test_setup_code": "", "challenge_test_list": [],
    },
}  # fmt: skip


class Loader(yaml.SafeLoader):
  """Leaves the name of a function where the harness would import it."""


Loader.add_constructor("!function", lambda loader, node: node.value)


def task(name):
  return yaml.load((judging.FOLDER / f"{name}.yaml").read_text(), Loader)


@pytest.fixture
def data(tmp_path):
  for name, row in DATA.items():
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(f"{json.dumps(row)}\n" * 3)
  return tmp_path


def test_the_tasks_are_those_that_are_promised_and_none_shows_an_example():
  assert judging.TASKS == ("arc_challenge", "arc_easy", "gsm8k", "mbpp", "sciq", "strategyqa")
  for name in judging.TASKS:
    own = task(name)
    assert own["task"] == f"reasoner_{name}" and own["num_fewshot"] == 0
    assert (own["output_type"] == "generate_until") == (name in judging.WRITTEN)
    assert list(own["dataset_kwargs"]["data_files"]) == [own["test_split"]]


@pytest.mark.parametrize(
    "completion, strict, flexible",
    [
        ("<reasoning>2 + 3</reasoning>\n<answer>5</answer>", "5", "5"),
        ("<reasoning>2 + 3</reasoning><answer> $1,005.50 </answer>", "1,005.50", "$1,005.50"),
        ("2 + 3 = 5", None, "5"),
        ("<answer>It is 5</answer>", None, "5"),
        ("<answer>5", None, "5"),
    ],
)
def test_of_gsm8k_strict_reads_a_number_in_the_tag_and_flexible_the_last_number(completion, strict, flexible):
  patterns = {one["name"]: one["filter"][0]["regex_pattern"] for one in task("gsm8k")["filter_list"]}
  found = re.findall(patterns["strict"], completion)
  assert found == ([strict] if strict else [])
  assert ["".join(groups) for groups in re.findall(patterns["flexible"], completion)][-1] == flexible


@pytest.mark.parametrize(
    "completion, strict, flexible",
    [
        ("<reasoning>One more.</reasoning><answer>def f(x):\n  return x + 1</answer>", 1.0, 1.0),
        ("```python\ndef f(x):\n  return x + 1\n```", 0.0, 1.0),
        ("<reasoning>One more.</reasoning><answer>def f(x):\n  return x</answer>", 0.0, 0.0),
        ("<reasoning>def f(x):\n  return x + 1</reasoning><answer>as above</answer>", 0.0, 0.0),
        ("import os\nos._exit(0)", 0.0, 0.0),
        ("", 0.0, 0.0),
    ],
)
def test_programs_run_in_our_sandbox(completion, strict, flexible):
  row = DATA["google-research-datasets__mbpp/full/test.jsonl"]
  assert programs.passes(row, [completion]) == {"strict": strict, "flexible": flexible}


def test_what_is_missing_is_said_before_a_model_is_read(data, monkeypatch, capsys):
  with pytest.raises(ConfigError, match=r"unknown task 'arc_eazy'. Did you mean 'arc_easy'"):
    judging.check(["arc_eazy"], data)
  with pytest.raises(ConfigError, match="has no allenai__sciq/test.jsonl, which sciq is judged on"):
    judging.check(["arc_easy", "sciq"], data)
  monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
  with pytest.raises(ConfigError, match=r"pip install 'reasoner\[harness\]'"):
    judging.check(["arc_easy"], data)
  assert harness.main([f"--workdir={data}", f"--data={data}", "--limit=0"]) == 2
  assert "--limit=0: expected 1 or more" in capsys.readouterr().err


def test_the_table_has_a_column_for_each_model_and_says_how_sure_it_is():
  results = {
      "alias": "x", "acc,none": 0.5, "acc_stderr,none": 0.25, "exact_match,strict": 0.0,
      "exact_match_stderr,strict": "N/A", "sample_len": 4,
  }  # fmt: skip
  assert list(judging._values(results)) == [("acc", 0.5, 0.25), ("strict", 0.0, None)]
  rows = [{"task": "sciq", "metric": "acc", "n": 4, "starting": [0.5, 0.25], "exported": [0.75, None]}]
  assert judging.table(rows, ["starting", "exported"]) == [
      "task  metric  n  starting       exported", "sciq  acc     4  0.500 ± 0.250  0.750"
  ]


def test_the_report_shows_what_was_judged():
  from reasoner.reporting import report

  rows = [{"task": "sciq", "metric": "acc", "n": 4, "starting": [0.5, 0.25], "exported": [0.75, None]}]
  empty = dict(name="run", summary={}, config={}, before=(), after=(), metrics=(), samples=(), disco=())
  page = report.render(report.Results(**empty, harness=rows))
  assert "An outside judge" in page and "0.500" in page and "± 0.250" in page and "0.750" in page
  assert "An outside judge" not in report.render(report.Results(**empty))


def test_both_models_of_a_run_are_judged_as_transformers_loads_them(data, tmp_path):
  pytest.importorskip("lm_eval")
  from reasoner.models import embedded
  from reasoner.models import lora
  from reasoner.models import mesh as mesh_lib

  texts = [json.dumps(row) for row in DATA.values()] + [pathlib.Path(embedded.__file__).read_text()] * 3
  mesh = mesh_lib.make_mesh(1, 1)
  tokenizer = embedded.train_tokenizer(texts, vocabulary_size=320)
  settings = lora.Lora(rank=2, alpha=4.0, modules=("q",))
  model = lora.add_lora(
      mesh_lib.place(embedded.build(320, 0, "float32"), mesh), rank=2, alpha=4.0, modules=("q",), seed=0
  )
  finished = types.SimpleNamespace(
      model=model, tokenizer=tokenizer, settings=types.SimpleNamespace(model=types.SimpleNamespace(lora=settings))
  )
  models = {name: tmp_path / name for name in (harness.STARTING, harness.EXPORTED)}
  for name, directory in models.items():
    harness.write(directory, finished, adapted=name == harness.EXPORTED)
  from transformers import AutoTokenizer

  bos = AutoTokenizer.from_pretrained(models[harness.STARTING])("What is ice?").input_ids[0]
  assert bos == tokenizer.bos_id()  # without it likelihoods are those of the middle of a text
  rows = judging.judge(models, data=data, tasks=["arc_easy", "gsm8k", "mbpp"], limit=2)
  assert [(row["task"], row["metric"]) for row in rows] == [
      ("arc_easy", "acc"), ("arc_easy", "acc_norm"), ("gsm8k", "strict"), ("gsm8k", "flexible"),
      ("mbpp", "strict"), ("mbpp", "flexible"),
  ]  # fmt: skip
  for row in rows:
    assert row["n"] == 2 and row["starting"] == row["exported"]  # an adapter that has learned nothing changes nothing
    assert 0 <= row["starting"][0] <= 1
