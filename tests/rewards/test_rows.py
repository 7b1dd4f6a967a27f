"""Pool rows: what each domain's row becomes, and how a bad one is named."""

import datetime
import decimal
import json
import os
import threading

import numpy
import pytest

from rewards.errors import ConfigError
from rewards.rows import example_from_row
from rewards.rows import read_rows
from rewards.rows import RowError
from rewards.schema import Choice
from rewards.schema import Number
from rewards.schema import Text
from rewards.schema import UnitTests
from rewards.schema import YesNo

CHOICES = {"label": ["A", "B"], "text": ["oxygen", "carbon dioxide"]}


@pytest.mark.parametrize(
    "domain, answer, metadata, reference",
    [
        ("math", "72", {}, Number(text="72")),
        ("math", 72, {}, Number(text="72")),
        ("math", "She sold 24 + 48 = 72.\n#### 72", {}, Number(text="72")),
        ("math", "72", {"test_cases": None, "choices": None}, Number(text="72")),
        ("logic", "yes", {}, YesNo(value=True)),
        ("logic", False, {}, YesNo(value=False)),
        ("logic", "True.", {}, YesNo(value=True)),
        ("science", "osmosis", {"aliases": ["Osmose"]}, Text(text="osmosis", aliases=("Osmose",))),
        ("science", "B", {"choices": CHOICES}, Choice(label="B", text="carbon dioxide", choices=(("A", "oxygen"), ("B", "carbon dioxide")))),
        ("science", "Oxygen", {"choices": CHOICES}, Choice(label="A", text="oxygen", choices=(("A", "oxygen"), ("B", "carbon dioxide")))),
        ("coding", "def f(): ...", {"test_cases": ["assert f() is None"]}, UnitTests(tests=("assert f() is None",), text="def f(): ...")),
        ("coding", None, {}, UnitTests(tests=())),
        ("puzzles", "", {"test_cases": []}, UnitTests(tests=())),
        ("creative_writing", "Once upon a time", {}, Text(text="Once upon a time")),
        ("creative_writing", "", {}, Text(text="")),
        ("summarization", None, {}, Text(text="")),
        ("never_seen_before", "x", {}, Text(text="x")),
        ("riddles", "#### 72", {"type": "number"}, Number(text="72")),
        ("riddles", "B", {"type": "choice", "choices": CHOICES}, Choice(label="B", text="carbon dioxide", choices=(("A", "oxygen"), ("B", "carbon dioxide")))),
        ("riddles", True, {"type": "yes_no"}, YesNo(value=True)),
        ("riddles", "def f(): ...", {"type": "tests", "test_cases": ["assert f() is None"]}, UnitTests(tests=("assert f() is None",), text="def f(): ...")),
        ("math", "osmosis", {"type": "text"}, Text(text="osmosis")),
        ("math", "72", {"type": "Number Theory"}, Number(text="72")),
        ("science", "yes", {"type": "Algebra"}, Text(text="yes")),
        ("math", "72", {"type": ["Algebra"]}, Number(text="72")),
        ("math", decimal.Decimal("72.50"), {}, Number(text="72.50")),
        ("math", numpy.int64(72), {}, Number(text="72")),
        ("math", numpy.array(0.5), {}, Number(text="0.5")),
        ("logic", numpy.bool_(True), {}, YesNo(value=True)),
        ("science", numpy.str_("B"), {"choices": {k: numpy.array(v) for k, v in CHOICES.items()}}, Choice(label="B", text="carbon dioxide", choices=(("A", "oxygen"), ("B", "carbon dioxide")))),
        ("science", "infinity", {}, Text(text="infinity")),
    ],
)
def test_the_reference_follows_from_domain_and_metadata(domain, answer, metadata, reference):
  row = {"domain": domain, "prompt": "p", "answer": answer, "metadata": metadata}
  assert example_from_row(row, "here").reference == reference


@pytest.mark.parametrize(
    "row, wrong",
    [
        ({"prompt": "p", "answer": "1"}, "'domain' is None"),
        ({"domain": "math", "prompt": " ", "answer": "1"}, "'prompt' is ' '"),
        ({"domain": "math", "prompt": "p"}, "'answer' is empty"),
        ({"domain": "math", "prompt": "p", "answer": "####"}, "a number after '####'"),
        ({"domain": "math", "prompt": "p", "answer": ["1"]}, "expected a string, number or boolean"),
        ({"domain": "logic", "prompt": "p", "answer": "maybe"}, "'answer' is 'maybe'"),
        ({"domain": "science", "prompt": "p", "answer": "C", "metadata": {"choices": CHOICES}}, "'answer' is 'C'"),
        ({"domain": "science", "prompt": "p", "answer": "A", "metadata": {"choices": {"label": ["A"], "text": []}}}, "equal length"),
        ({"domain": "coding", "prompt": "p", "metadata": {"test_cases": [1]}}, "expected a list of Python statements"),
        ({"domain": "math", "prompt": "p", "answer": "1", "metadata": "none"}, "'metadata' is 'none'"),
        ({"domain": "math", "prompt": "p", "answer": float("nan")}, "'answer' is nan, which is no reference"),
        ({"domain": "math", "prompt": "p", "answer": float("inf")}, "'answer' is inf, which is no reference"),
        ({"domain": "science", "prompt": "p", "answer": float("nan")}, "'answer' is nan, which is no reference"),
        ({"domain": "math", "prompt": "p", "answer": numpy.float64("nan")}, "'answer' is nan, which is no reference"),
        ({"domain": "math", "prompt": "p", "answer": decimal.Decimal("NaN")}, "'answer' is nan, which is no reference"),
        ({"domain": "math", "prompt": "p", "answer": "NaN"}, "'answer' is 'NaN'; expected a number"),
        ({"domain": "math", "prompt": "p", "answer": "#### -Infinity"}, "expected a number"),
        ({"domain": "math", "prompt": "p", "answer": 10**5000}, "too many digits"),
        ({"domain": "math", "prompt": "p", "answer": datetime.date(2020, 2, 3)}, "'answer' is datetime.date(2020, 2, 3); expected a string"),
        ({"domain": "science", "prompt": "p", "answer": datetime.datetime(2020, 2, 3)}, "expected a string, number or boolean"),
        ({"domain": "science", "prompt": "p", "answer": b"osmosis"}, "'answer' is b'osmosis'; expected a string"),
        ({"domain": "science", "prompt": b"p", "answer": "x"}, "'prompt' is b'p'"),
        ({"data_source": "gsm8k", "prompt": [{"role": "user"}], "reward_model": {"style": "rule", "ground_truth": "72"}}, "'reward_model.ground_truth', as another trainer has it"),
        ({"domain": "science", "prompt": "p", "answer": "osmosis", "metadata": {"aliases": "Osmose"}}, "metadata.aliases is 'Osmose'; expected a list of texts"),
        ({"domain": "science", "prompt": "p", "answer": "A", "metadata": {"choices": {"label": "AB", "text": ["x", "y"]}}}, "metadata.choices.label is 'AB'; expected a list"),
        ({"domain": "riddles", "prompt": "p", "answer": "72", "metadata": {"type": "numbr"}}, "metadata.type is 'numbr'. Did you mean 'number'?"),
        ({"domain": "riddles", "prompt": "p", "answer": "many", "metadata": {"type": "yes_no"}}, "riddles accepts yes, no"),
        ({"domain": "riddles", "prompt": "p", "answer": "A", "metadata": {"type": "choice"}}, "metadata.choices is None"),
    ],
)
def test_a_row_that_cannot_be_understood_is_named_with_its_place(row, wrong):
  with pytest.raises(RowError, match="^pool.jsonl:7: ") as caught:
    example_from_row(row, "pool.jsonl:7")
  assert wrong in str(caught.value)


def test_what_the_row_carries_besides_is_kept_read_only_both_nested_and_flat():
  row = {"domain": "math", "prompt": "p", "answer": "1", "level": 3, "metadata": {"source": "mine"}}
  extra = example_from_row(row, "here").extra
  assert dict(extra) == {"level": 3, "metadata": {"source": "mine"}, "source": "mine"}
  with pytest.raises(TypeError):
    extra["level"] = 4


def test_without_a_uid_equal_rows_get_equal_ones_and_other_rows_others():
  row = {"domain": "math", "prompt": "p", "answer": "1"}
  uid = example_from_row(row, "here").uid
  assert uid == example_from_row(dict(row), "there").uid and uid.startswith("math/")
  assert uid != example_from_row(row | {"answer": "2"}, "here").uid
  assert example_from_row(row | {"uid": 17}, "here").uid == "17"


def test_reading_yields_file_and_line_and_skips_blank_lines(tmp_path):
  path = tmp_path / "rows.jsonl"
  path.write_text('{"a": 1}\n\n{"a": "\\ud800"}\n', encoding="utf-8-sig")
  assert list(read_rows(path)) == [(f"{path}:1", {"a": 1}), (f"{path}:3", {"a": "\ud800"})]


@pytest.mark.parametrize(
    "line, wrong",
    [
        (b'{"a": 1', "is not JSON"),
        (b"[1]", "is list, not a JSON object"),
        (b'{"a": "\xff"}', "is not UTF-8"),
        (b'{"a": ' + b"1" * 5000 + b"}", "cannot be read"),
        (b"[" * 100_000, "cannot be read"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(tmp_path, line, wrong):
  path = tmp_path / "rows.jsonl"
  path.write_bytes(json.dumps({"fine": True}).encode() + b"\n" + line + b"\n")
  rows = read_rows(path)
  assert next(rows)[1] == {"fine": True}
  with pytest.raises(RowError, match=f"rows.jsonl:2 .*{wrong}"):
    next(rows)


def test_a_missing_file_is_named(tmp_path):
  with pytest.raises(ConfigError, match="absent.jsonl does not exist"):
    next(read_rows(tmp_path / "absent.jsonl"))


def test_a_domain_without_a_truth_takes_rows_without_an_answer_and_one_with_a_truth_does_not():
  row = {"domain": "riddles", "prompt": "p"}
  for answer in ({}, {"answer": None}, {"answer": " "}):
    assert example_from_row(row | answer, "here", truth=False).reference == Text(text="")
    with pytest.raises(RowError, match="here: 'answer' is empty"):
      example_from_row(row | answer, "here")
  with pytest.raises(RowError, match="here: 'answer' is empty"):
    example_from_row(row | {"domain": "summarization"}, "here", truth=True)


@pytest.mark.parametrize(
    "row",
    [
        {"domain": "math", "answer": "72"},
        {"domain": "logic", "answer": "no"},
        {"domain": "science", "answer": "B", "metadata": {"choices": CHOICES}},
        {"domain": "science", "answer": "osmosis", "metadata": {"aliases": ["Osmose"]}},
        {"domain": "coding", "answer": "def f(): ...", "metadata": {"test_cases": ["assert f() is None"], "test_setup_code": "import math"}},
        {"domain": "riddles", "answer": "7", "metadata": {"type": "number"}},
    ],
)
def test_an_example_gives_back_a_row_that_reads_as_itself(row):
  example = example_from_row(row | {"uid": "u", "prompt": "p"}, "here")
  again = example_from_row(json.loads(json.dumps(example.as_row())), "there")
  assert (again.uid, again.domain, again.prompt, again.reference) == ("u", row["domain"], "p", example.reference)


def test_rows_are_read_from_a_pipe_and_what_cannot_be_read_is_a_sentence(tmp_path):
  os.mkfifo(tmp_path / "pipe")
  writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_text('{"a": 1}\n'))
  writer.start()
  assert [row for _, row in read_rows(tmp_path / "pipe")] == [{"a": 1}]
  writer.join()
  with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
    list(read_rows(tmp_path))
