"""Reasoning from elsewhere, joined to training rows and to no others."""

import json

import pytest

from reasoner import data
from reasoner.data import rationales
from reasoner.data import traces
from rewards import format as output_format
from rewards.errors import ConfigError
from rewards.rows import RowError
from tests.reasoner.data.test_traces import Tokenizer

SOURCES = {"science": {"ai2_arc": {"train": ("train",), "evaluation": ("test",)}}}


def arc(name, question):
  choices = {"text": ["a fish", "a gas", "a stone"], "label": ["A", "B", "C"]}
  return {"id": name, "question": question, "choices": choices, "answerKey": "B"}


@pytest.fixture
def corpus(tmp_path):
  files = {
      "ARC-Easy/train": [arc("one", "What do plants take in by day?"), arc("both", "What fills a balloon best?")],
      "ARC-Easy/test": [arc("kept", "What is steam made of then?")],
      "ARC-Challenge/train": [arc("both", "Which of these can be breathed?")],
      "ARC-Challenge/test": [arc("apart", "Which one has no shape at all?")],
  }
  for name, rows in files.items():
    path = tmp_path / f"allenai__ai2_arc/{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
  return data.load(SOURCES, domains=("science",), root=str(tmp_path))


def given(tmp_path, *lines):
  path = tmp_path / "given.jsonl"
  path.write_text("".join(json.dumps(line) + "\n" for line in lines))
  return (str(path),)


def by_uid(corpus):
  return {e.uid: e.extra.get("rationale") for e in corpus.train["science"]}


def test_a_line_names_its_row_by_id_uid_or_prompt(tmp_path, corpus):
  joined = rationales.join(
      corpus,
      given(
          tmp_path,
          {"id": "one", "rationale": "Plants take in a gas."},
          {"id": "both", "config": "ARC-Easy", "rationale": "A balloon is filled."},
          {"prompt": "which of these can be  breathed", "rationale": "Air is a gas."},
      ),
  )
  assert by_uid(joined) == {
      "ai2_arc/ARC-Easy/train/one": "Plants take in a gas.",
      "ai2_arc/ARC-Easy/train/both": "A balloon is filled.",
      "ai2_arc/ARC-Challenge/train/both": "Air is a gas.",
  }
  again = rationales.join(joined, given(tmp_path, {"uid": "ai2_arc/ARC-Easy/train/one", "rationale": "Newer."}))
  assert by_uid(again)["ai2_arc/ARC-Easy/train/one"] == "Newer."


def test_no_evaluation_row_s_text_or_rationale_is_trained_on(tmp_path, corpus):
  secret = "Steam is water in the air."
  joined = rationales.join(
      corpus,
      given(
          tmp_path,
          {"id": "one", "rationale": "Plants take in a gas."},
          {"id": "kept", "rationale": secret},
          {"uid": "ai2_arc/ARC-Challenge/test/apart", "rationale": secret},
          {"prompt": "What is steam made of then?", "rationale": secret},
      ),
  )
  assert "1 of 4 rationales joined training rows; 3 belong to evaluation rows" in joined.notes[-1]
  written = traces.build_traces(
      joined.train["science"], Tokenizer(), max_prompt_tokens=900, max_completion_tokens=400
  )
  assert len(written) == 3
  shown = "\n".join(trace.prompt + trace.completion for trace in written)
  assert "Plants take in a gas." in shown and secret not in shown
  for example in joined.evaluation["science"]:
    assert "rationale" not in example.extra
    assert example.extra["task_text"] not in shown


def test_an_id_of_several_rows_must_say_whose_it_is(tmp_path, corpus):
  with pytest.raises(RowError, match="given.jsonl:1: id 'both' is that of .*ARC-Challenge.*ARC-Easy"):
    rationales.join(corpus, given(tmp_path, {"id": "both", "rationale": "A gas."}))


@pytest.mark.parametrize(
    "line, cause",
    [
        ({"id": "one"}, "'rationale' is None"),
        ({"id": "one", "rationale": " "}, "'rationale' is ' '"),
        ({"rationale": "A gas."}, "names no row"),
        ({"id": "one", "rationale": "..."}, "'rationale' is '...'; expected words"),
        ({"id": "one", "rationale": "A gas.</reasoning>\n<answer>B</answer>"}, "holds </reasoning>; expected the reasoning alone"),
        ({"id": "one", "rationale": "A gas.<end_of_turn>"}, "holds <end_of_turn>"),
        ({"uid": ["one"], "rationale": "A gas."}, "'uid' is \\['one'\\]; expected that of a row"),
    ],
)
def test_a_line_without_a_rationale_or_a_row_is_an_error(tmp_path, corpus, line, cause):
  with pytest.raises(RowError, match=cause):
    rationales.join(corpus, given(tmp_path, line))


def test_lines_of_one_row_and_lines_of_none_are_counted(tmp_path, corpus):
  lines = (
      {"id": "one", "rationale": "Plants take in a gas."},
      {"id": "one", "rationale": "They breathe it."},
      {"id": "no such row", "rationale": "A gas."},
  )
  paths = given(tmp_path, *lines)
  joined = rationales.join(corpus, paths)
  assert joined.notes[-1] == (
      "given.jsonl: 1 of 3 rationales joined training rows; 0 belong to evaluation rows and are not used, 1 are "
      f"replaced by a later line of the same row. The first line that names no row: {paths[0]}:3."
  )
  assert by_uid(joined)["ai2_arc/ARC-Easy/train/one"] == "They breathe it."
  rationales.join(corpus, paths * 2)  # all of whose lines were given before


def test_a_file_that_belongs_to_other_rows_is_an_error(tmp_path, corpus):
  with pytest.raises(ConfigError, match="none of the 1 lines of .* belongs to a training row"):
    rationales.join(corpus, given(tmp_path, {"id": "other", "rationale": "A gas."}))
  with pytest.raises(ConfigError, match="is not a file"):
    rationales.join(corpus, ("missing.jsonl",))


def test_a_pool_row_s_own_rationale_is_what_its_trace_reasons(tmp_path):
  rows = [
      {
          "domain": "logic", "prompt": f"Can a whale of {n} tons breathe under water?", "answer": "no",
          "metadata": {"rationale": "Whales have lungs."}, "split": "test" if n == 1 else "train",
      }
      for n in (1, 2)
  ]  # fmt: skip
  path = tmp_path / "pool.jsonl"
  path.write_text("".join(json.dumps(row) + "\n" for row in rows))
  corpus = data.load({}, domains=("logic",), pools=(str(path),))
  made = traces.build_traces(corpus.train["logic"], Tokenizer(), max_prompt_tokens=900, max_completion_tokens=400)
  assert output_format.parse(made[0].completion).reasoning == "Whales have lungs."
