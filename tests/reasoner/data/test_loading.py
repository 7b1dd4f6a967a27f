import json

import pytest

from reasoner import data
from reasoner.data import loading
from rewards.errors import ConfigError
from rewards.rows import RowError

MATH = {"math": {"gsm8k": {"train": ("train",), "evaluation": ("test",)}}}


def gsm8k(question, answer=1):
  return {"question": question, "answer": f"So it is {answer}.\n#### {answer}"}


def questions(start, stop):
  return [gsm8k(f"What is {i} and one more, please?", i + 1) for i in range(start, stop)]


def write(path, rows):
  path.parent.mkdir(parents=True, exist_ok=True)
  lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
  path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
  return str(path)


def write_math(root, train, test=None):
  write(root / "openai__gsm8k/main/train.jsonl", train)
  write(root / "openai__gsm8k/main/test.jsonl", questions(900, 903) if test is None else test)
  return str(root)


def dolly(number, category="brainstorming"):
  return {
      "instruction": f"Name ways to use {number} old corks.",
      "context": "",
      "response": "A raft.",
      "category": category,
  }


def reasons(corpus, role="train", domain="math"):
  return dict(corpus.reasons(role, domain))


def test_rows_become_examples_with_stable_uids_in_the_files_order(tmp_path):
  corpus = data.load(MATH, domains=("math",), root=write_math(tmp_path, questions(0, 3)))
  assert [e.uid for e in corpus.train["math"]] == [f"gsm8k/main/train/{i}" for i in range(3)]
  assert corpus.train["math"][2].prompt == "What is 2 and one more, please?"
  assert corpus.train["math"][2].extra["rationale"] == "So it is 3."
  assert [e.uid for e in corpus.evaluation["math"]] == [f"gsm8k/main/test/{i}" for i in range(3)]


def test_the_order_of_the_config_changes_nothing(tmp_path):
  write_math(tmp_path, questions(0, 20))
  write(tmp_path / "databricks__databricks-dolly-15k/train.jsonl", [dolly(i) for i in range(50)])
  sources = MATH | {"creative_ideation": {"dolly": {"train": ("train",), "evaluation": ("train",)}}}
  turned = {domain: sources[domain] for domain in reversed(sources)}
  one = data.load(sources, domains=("math", "creative_ideation"), root=str(tmp_path))
  two = data.load(turned, domains=("creative_ideation", "math"), root=str(tmp_path))
  assert one.train == two.train and one.evaluation == two.evaluation and one.table() == two.table()


@pytest.mark.parametrize(
    "copy",
    [
        "What is 900 and one more, please?",
        "what is 900  and one more , please",
        "\tWhat is 900\nand one more, PLEASE ?",
    ],
)
def test_what_is_evaluated_is_never_trained_on_however_it_is_spaced(tmp_path, copy):
  root = write_math(tmp_path, [gsm8k(copy), *questions(0, 2)])
  corpus = data.load(MATH, domains=("math",), root=root)
  assert [e.uid for e in corpus.train["math"]] == ["gsm8k/main/train/1", "gsm8k/main/train/2"]
  assert reasons(corpus) == {"kept": 2, "also in evaluation": 1}


@pytest.mark.parametrize(
    "near", ["What is -900 and one more, please?", "What is 9 00 and one more, please?"]
)
def test_a_task_that_differs_by_a_sign_or_a_digit_is_another_task(tmp_path, near):
  corpus = data.load(MATH, domains=("math",), root=write_math(tmp_path, [gsm8k(near)]))
  assert len(corpus.train["math"]) == 1


def test_the_adapters_wording_does_not_hide_a_copy(tmp_path):
  article = "The old bridge over the river reopened on Monday."
  row = {"document": article, "summary": "A bridge is open.", "id": "x"}
  write(tmp_path / "EdinburghNLP__xsum/test.jsonl", [row])
  news = {"article": article, "highlights": "Bridge opens .", "id": "c"}
  other = {"article": "Rain fell on every town in May.", "highlights": "It rained .", "id": "d"}
  write(tmp_path / "abisee__cnn_dailymail/3.0.0/train.jsonl", [news, other])
  sources = {
      "summarization": {"xsum": {"evaluation": ("test",)}, "cnn_dailymail": {"train": ("train",)}}
  }
  corpus = data.load(sources, domains=("summarization",), root=str(tmp_path))
  assert [e.uid for e in corpus.train["summarization"]] == ["cnn_dailymail/3.0.0/train/d"]
  assert corpus.train["summarization"][0].extra["task_text"] == "Rain fell on every town in May."


def test_a_row_keeps_its_own_words_apart_from_our_wording(tmp_path):
  for split in ("train", "test"):
    row = {"prompt": f"[ WP ] A {split} leaves at dawn .\n", "story": "It rained ."}
    write(tmp_path / f"euclaise__writingprompts/{split}.jsonl", [row])
  entry = {"train": ("train",), "evaluation": ("test",)}
  sources = {"creative_writing": {"writingprompts": entry}}
  corpus = data.load(sources, domains=("creative_writing",), root=str(tmp_path))
  (example,) = corpus.train["creative_writing"]
  assert example.prompt == "Write a story: A train leaves at dawn."
  assert dict(example.extra) == {"task_text": "A train leaves at dawn."}
  plain = data.load(MATH, domains=("math",), root=write_math(tmp_path, questions(0, 1)))
  assert "task_text" not in plain.train["math"][0].extra


def test_every_row_read_is_counted_once(tmp_path):
  useless = [gsm8k("Too short"), gsm8k("Ends in no answer at all", "")]
  train = [*questions(0, 5), *questions(3, 5), *useless]
  corpus = data.load(MATH, domains=("math",), root=write_math(tmp_path, train))
  assert reasons(corpus) == {
      "kept": 5,
      "duplicate": 2,
      "shorter than 5 words": 1,
      "empty reference": 1,
  }
  line = next(line for line in corpus.table() if "main/train" in line)
  assert line.split()[:6] == ["math", "gsm8k", "main/train", "train", "9", "5"]
  assert line.endswith("  2 duplicate; 1 empty reference; 1 shorter than 5 words")


def test_dolly_holds_out_a_tenth_by_uid_whatever_the_seed(tmp_path):
  write(tmp_path / "databricks__databricks-dolly-15k/train.jsonl", [dolly(i) for i in range(1000)])
  sources = {"creative_ideation": {"dolly": {"train": ("train",), "evaluation": ("train",)}}}
  one, two = (
      data.load(sources, domains=("creative_ideation",), root=str(tmp_path), seed=s) for s in (0, 1)
  )
  held_out = {e.uid for e in one.evaluation["creative_ideation"]}
  # 100 are expected; 4 standard deviations of Binomial(1000, 0.1) are 38.
  assert 62 <= len(held_out) <= 138
  assert held_out == {e.uid for e in two.evaluation["creative_ideation"]}
  trained = {e.uid for e in one.train["creative_ideation"]}
  assert not held_out & trained and len(held_out | trained) == 1000


def test_a_limit_takes_the_same_subset_each_time_and_a_larger_one_contains_it(tmp_path):
  root = write_math(tmp_path, questions(0, 60))

  def uids(limit, seed=0):
    sources = {"math": {"gsm8k": MATH["math"]["gsm8k"] | {"limit": limit}}}
    corpus = data.load(sources, domains=("math",), root=root, seed=seed)
    assert sum(reasons(corpus).values()) == 60
    return [e.uid for e in corpus.train["math"]]

  assert len(uids(10)) == 10 and uids(10) == uids(10)
  assert set(uids(10)) < set(uids(25)) < set(uids(60))
  assert uids(25) == [uid for uid in uids(None) if uid in set(uids(25))]  # in the files' order
  assert set(uids(10, seed=1)) != set(uids(10))


@pytest.mark.parametrize("limit", [1, 5, 20])
def test_what_a_limit_displaced_leaves_no_trace_among_the_duplicates(tmp_path, limit):
  asked = [gsm8k(f"What is {i % 20} and one more, please?", i % 20 + 1) for i in range(100)]
  sources = {"math": {"gsm8k": MATH["math"]["gsm8k"] | {"limit": limit}}}
  corpus = data.load(sources, domains=("math",), root=write_math(tmp_path, asked))
  # By brute force: of each question the copy first in hash order, and of those the first `limit`.
  rank = {i: loading.fraction(f"gsm8k/main/train/{i}", 0) for i in range(100)}
  first = [min((i for i in range(100) if i % 20 == q), key=rank.get) for q in range(20)]
  expected = sorted(sorted(first, key=rank.get)[:limit])
  assert [e.uid for e in corpus.train["math"]] == [f"gsm8k/main/train/{i}" for i in expected]
  assert sum(reasons(corpus).values()) == 100 and len(corpus.origins) == limit + 3


def test_rows_of_no_use_do_not_count_towards_a_limit(tmp_path):
  root = write_math(tmp_path, [gsm8k(f"No {i}") for i in range(30)] + questions(0, 10))
  sources = {"math": {"gsm8k": MATH["math"]["gsm8k"] | {"limit": 10}}}
  corpus = data.load(sources, domains=("math",), root=root)
  assert len(corpus.train["math"]) == 10


def test_tests_that_do_not_parse_are_dropped(tmp_path):
  def row(number, test):
    return {
        "task_id": number,
        "text": f"Write a function to add {number} to a number.",
        "code": "def f(x): return x",
        "test_list": [test] if test else [],
        "test_setup_code": "",
        "challenge_test_list": None,
    }

  folder = tmp_path / "google-research-datasets__mbpp/full"
  write(folder / "train.jsonl", [row(1, "assert f(1) == 2"), row(2, "assert f(1 =="), row(3, "")])
  write(folder / "test.jsonl", [row(4, "assert f(1) == 5")])
  sources = {"coding": {"mbpp": {"train": ("train",), "evaluation": ("test",)}}}
  corpus = data.load(sources, domains=("coding",), root=str(tmp_path))
  assert reasons(corpus, domain="coding") == {"kept": 1, "tests do not parse": 1, "no tests": 1}
  assert corpus.train["coding"][0].uid == "mbpp/full/train/1"


def test_choices_that_read_alike_are_dropped(tmp_path):
  def row(number, texts):
    return {
        "id": str(number),
        "question": f"Which of these has {number} legs?",
        "choices": {"label": ["A", "B"], "text": texts},
        "answerKey": "A",
    }

  rows = [row(1, ["hen", "Hen "]), row(2, ["hen", "cow"])]
  write(tmp_path / "allenai__ai2_arc/ARC-Easy/train.jsonl", rows)
  write(tmp_path / "allenai__ai2_arc/ARC-Easy/test.jsonl", [row(3, ["ant", "bee"])])
  entry = {"train": ("train",), "evaluation": ("test",), "configs": ("ARC-Easy",)}
  corpus = data.load({"science": {"ai2_arc": entry}}, domains=("science",), root=str(tmp_path))
  assert reasons(corpus, domain="science") == {"kept": 1, "choices not distinct": 1}


def test_parquet_files_are_read_as_jsonl_files_are(tmp_path):
  pyarrow = pytest.importorskip("pyarrow")
  import pyarrow.parquet

  root = write_math(tmp_path, questions(0, 5))
  as_jsonl = data.load(MATH, domains=("math",), root=root)
  path = tmp_path / "openai__gsm8k/main/train.parquet"
  pyarrow.parquet.write_table(pyarrow.Table.from_pylist(questions(0, 5)), path)
  path.with_suffix(".jsonl").unlink()
  assert data.load(MATH, domains=("math",), root=root).train == as_jsonl.train


def test_without_a_root_rows_come_from_the_hub_through_datasets(tmp_path, monkeypatch):
  datasets = pytest.importorskip("datasets")
  asked = []

  def load_dataset(hub_id, config, *, split, revision):
    asked.append((hub_id, config, split, revision))
    return datasets.Dataset.from_list(questions(0, 5) if split == "train" else questions(900, 903))

  monkeypatch.setattr(datasets, "load_dataset", load_dataset)
  from_hub = data.load(MATH, domains=("math",))
  assert sorted(asked) == [
      ("openai/gsm8k", "main", "test", None),
      ("openai/gsm8k", "main", "train", None),
  ]
  from_files = data.load(MATH, domains=("math",), root=write_math(tmp_path, questions(0, 5)))
  assert from_hub.train == from_files.train and from_hub.table() == from_files.table()


def test_a_hub_that_does_not_answer_is_one_sentence(monkeypatch):
  datasets = pytest.importorskip("datasets")
  from reasoner.data import reading

  def load_dataset(*args, **kwargs):
    raise ConnectionError("no route to host")

  reading._hub_split.cache_clear()
  monkeypatch.setattr(datasets, "load_dataset", load_dataset)
  with pytest.raises(ConfigError, match="'openai/gsm8k'.*no route to host.*config.data.root"):
    data.load(MATH, domains=("math",))


@pytest.mark.parametrize(
    "line, cause",
    [
        ('{"question": "What', "is not JSON"),
        ('{"question": 1, "answer"', "is not JSON: .* at column 25"),  # where it ends
        ('{"question": "Half of \\ud83d?", "answer": "#### 1"}', "half of a surrogate pair"),
        ("[1, 2]", "is list, not a JSON object"),
        ('{"question": 1' + "0" * 5000 + "}", "cannot be read: Exceeds the limit"),
        ('{"question": 5, "answer": "#### 1"}', "column 'question' of gsm8k is 5; expected str"),
        ('{"question": "What is one and one?"}', "column 'answer' of gsm8k is missing"),
    ],
)
def test_a_row_that_cannot_be_read_stops_with_file_line_and_cause(tmp_path, line, cause):
  root = write_math(tmp_path, [*questions(0, 2), line])
  with pytest.raises(RowError, match=cause) as caught:
    data.load(MATH, domains=("math",), root=root)
  assert str(caught.value).startswith(f"{tmp_path}/openai__gsm8k/main/train.jsonl:3")


def test_bytes_that_are_not_utf_8_stop_with_file_and_line(tmp_path):
  root = write_math(tmp_path, questions(0, 1))
  with (tmp_path / "openai__gsm8k/main/train.jsonl").open("ab") as file:
    file.write(b'{"question": "caf\xe9"}\n')
  with pytest.raises(RowError, match=r"train.jsonl:2 is not UTF-8"):
    data.load(MATH, domains=("math",), root=root)


def test_a_nested_value_of_another_shape_is_a_bad_row_too(tmp_path):
  row = {"id": "1", "question": "Which has two legs?", "choices": {"text": ["a"]}, "answerKey": "A"}
  write(tmp_path / "allenai__ai2_arc/ARC-Easy/test.jsonl", [row])
  sources = {"science": {"ai2_arc": {"evaluation": ("test",), "configs": ("ARC-Easy",)}}}
  with pytest.raises(RowError, match=r"test.jsonl:1: ai2_arc could not read this row \(KeyError"):
    data.load(sources, domains=("science",), root=str(tmp_path), pools=(_pool(tmp_path),))


def _pool(tmp_path):
  row = {"domain": "science", "prompt": "Which gas do plants take in?", "answer": "carbon dioxide"}
  return write(tmp_path / "pool.jsonl", [row])


def test_bad_rows_are_quarantined_with_their_reason_and_counted_once(tmp_path):
  path, out = "databricks__databricks-dolly-15k/train.jsonl", tmp_path / "run/quarantine.jsonl"
  rows = [dolly(i, c) for i, c in enumerate(["brainstorming", "creative_writing"] * 40)]
  write(tmp_path / path, ["{oops", rows[0] | {"context": None}, *rows])
  sources = {
      domain: {"dolly": {"train": ("train",), "evaluation": ("train",)}}
      for domain in ("creative_ideation", "creative_writing")
  }
  corpus = data.load(
      sources,
      domains=tuple(sources),
      root=str(tmp_path),
      on_bad_row="quarantine",
      quarantine_path=out,
  )
  records = [json.loads(line) for line in out.read_text().splitlines()]
  assert [r["place"] for r in records] == [f"{tmp_path / path}:1", f"{tmp_path / path}:2"]
  assert "is not JSON" in records[0]["reason"] and "'context'" in records[1]["reason"]
  assert records[1]["row"]["instruction"] == rows[0]["instruction"]
  assert sum(r.get("in quarantine", 0) for r in corpus.counts.values()) == 2
  assert "2 rows could not be read" in corpus.table()[-1]


def test_a_clean_load_leaves_no_quarantine_behind(tmp_path):
  out = tmp_path / "quarantine.jsonl"
  out.write_text("from an earlier run\n")
  root = write_math(tmp_path, questions(0, 2))
  data.load(MATH, domains=("math",), root=root, on_bad_row="quarantine", quarantine_path=out)
  assert not out.exists()


def test_a_further_evaluation_set_is_reported_apart_and_never_trained_on(tmp_path):
  root = write_math(tmp_path, [*questions(0, 3), *questions(50, 51)])
  write(tmp_path / "openai__gsm8k/main/unseen.jsonl", questions(50, 52))
  corpus = data.load(
      MATH, domains=("math",), root=root, evaluation_sets={"far": {"gsm8k": ("unseen",)}}
  )
  assert len(corpus.evaluation_sets["far"]["math"]) == 2
  assert len(corpus.evaluation["math"]) == 3
  assert reasons(corpus) == {"kept": 3, "also in evaluation": 1}


def test_a_domain_whose_rows_are_all_dropped_stops_with_the_reasons(tmp_path):
  root = write_math(tmp_path, [gsm8k("Too short"), gsm8k("Short too")])
  with pytest.raises(ConfigError, match=r"'math'.*no rows for train \(2 shorter than 5 words\)"):
    data.load(MATH, domains=("math",), root=root)


def test_a_fraction_is_spread_evenly_and_moved_by_the_seed():
  values = [loading.fraction(f"gsm8k/main/train/{i}", 0) for i in range(1000)]
  assert all(0.0 <= value < 1.0 for value in values)
  assert abs(sum(values) / 1000 - 0.5) < 0.04  # 4 standard errors of a uniform mean
  assert values[0] != loading.fraction("gsm8k/main/train/0", 1)
