import datetime
import decimal
import json

import pytest

from reasoner import data
from rewards.errors import ConfigError
from rewards.rows import RowError
from rewards.schema import Choice
from rewards.schema import Number
from rewards.schema import UnitTests


def row(number, **changes):
  made = {
      "domain": "logic",
      "prompt": f"Is {number} larger than ten, would you say?",
      "answer": "yes" if number > 10 else "no",
      "metadata": {},
  }
  return made | changes


def load(tmp_path, rows, domains=("logic",), name="pool.jsonl", **arguments):
  path = tmp_path / name
  path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
  return data.load({}, domains=domains, pools=(str(path),), **arguments)


def test_an_unsplit_pool_holds_out_the_same_tenth_under_every_seed(tmp_path):
  corpus = load(tmp_path, [row(i) for i in range(1000)])
  held_out = {e.uid for e in corpus.evaluation["logic"]}
  # 100 are expected; 4 standard deviations of Binomial(1000, 0.1) are 38.
  assert 62 <= len(held_out) <= 138
  assert len(held_out | {e.uid for e in corpus.train["logic"]}) == 1000
  again = load(tmp_path, [row(i) for i in reversed(range(1000))])
  assert held_out == {e.uid for e in again.evaluation["logic"]}
  other = load(tmp_path, [row(i) for i in range(1000)], seed=1)
  assert held_out == {e.uid for e in other.evaluation["logic"]}


def test_a_small_pool_still_has_something_to_evaluate_with(tmp_path):
  corpus = load(tmp_path, [row(1), row(2), *(row(i, prompt=f"Is it {i}?") for i in range(20))])
  assert len(corpus.evaluation["logic"]) == len(corpus.train["logic"]) == 1


def test_rows_that_name_their_split_and_uid_keep_both(tmp_path):
  rows = [row(i, uid=f"mine/{i}", split=s) for i, s in enumerate(["train", "test", "validation"])]
  corpus = load(tmp_path, rows)
  assert [e.uid for e in corpus.train["logic"]] == ["mine/0"]
  assert [e.uid for e in corpus.evaluation["logic"]] == ["mine/1", "mine/2"]


def test_a_uid_that_is_evaluated_is_not_trained_on_under_another_prompt(tmp_path):
  rows = [
      row(1, uid="a", split="test"),
      row(2, uid="a", split="train"),
      row(3, uid="b", split="train"),
  ]
  corpus = load(tmp_path, rows)
  assert [e.uid for e in corpus.train["logic"]] == ["b"]
  assert corpus.reasons("train", "logic")["also in evaluation"] == 1


def test_a_uid_twice_in_training_is_taken_once(tmp_path):
  rows = [row(i, uid="a", split="train") for i in range(2)] + [row(5, split="test")]
  corpus = load(tmp_path, rows)
  assert corpus.reasons("train", "logic") == {"kept": 1, "duplicate uid": 1}


def test_a_pool_cannot_bring_a_data_sets_test_rows_into_training(tmp_path):
  folder = tmp_path / "strategyqa"
  folder.mkdir()
  question = "Could a snail outrun a fast train?"
  test = {"qid": "q", "question": question, "answer": False, "facts": []}
  (folder / "test.jsonl").write_text(json.dumps(test) + "\n")
  pool = tmp_path / "pool.jsonl"
  rows = [row(1, prompt=f" {question}", split="train"), row(2, split="train")]
  pool.write_text("".join(json.dumps(r) + "\n" for r in rows))
  sources = {"logic": {"strategyqa": {"evaluation": ("test",)}}}
  corpus = data.load(sources, domains=("logic",), root=str(tmp_path), pools=(str(pool),))
  assert [e.prompt for e in corpus.train["logic"]] == [rows[1]["prompt"]]
  assert corpus.reasons("train", "logic") == {"kept": 1, "also in evaluation": 1}


def test_a_domain_never_seen_before_is_a_domain_like_the_others(tmp_path):
  rows = [row(i, domain="haiku", answer="five seven five") for i in range(30)]
  corpus = load(tmp_path, rows, domains=("haiku",))
  assert len(corpus.train["haiku"]) + len(corpus.evaluation["haiku"]) == 30


def test_a_domain_without_rewards_is_one_sentence(tmp_path):
  with pytest.raises(ConfigError, match="pool.jsonl:2: domain 'haiku' has no rewards.*has: logic"):
    load(tmp_path, [row(1), row(2, domain="haiku")])


def test_options_that_the_prompt_does_not_show_are_put_under_it(tmp_path):
  choices = {"label": ["A", "B"], "text": ["oxygen", "carbon dioxide"]}
  question = "Which gas do plants take in?"
  shown = "Do plants take in Oxygen or carbon dioxide by day?"
  rows = [
      row(1, domain="science", prompt=p, answer="B", metadata={"choices": choices})
      for p in (question, shown)
  ]
  corpus = load(tmp_path, rows, domains=("science",))
  prompts = {e.prompt for e in (*corpus.train["science"], *corpus.evaluation["science"])}
  assert prompts == {f"{question}\nA. oxygen\nB. carbon dioxide", shown}


def test_nested_metadata_survives_parquet_where_other_rows_lack_it(tmp_path):
  pyarrow = pytest.importorskip("pyarrow")
  import pyarrow.parquet

  code = row(1, domain="coding", prompt="Write f to add one to x.", answer="def f(x): return x + 1")
  code["metadata"] = {"test_cases": ["assert f(1) == 2"]}
  choice = row(2, domain="science", prompt="Which of them is a gas?", answer="B")
  choice["metadata"] = {"choices": {"label": ["A", "B"], "text": ["iron", "neon"]}}
  rows = [r | {"uid": f"{r['domain']}/{s}", "split": s, "prompt": f"{r['prompt']} ({s})"}
          for r in (code, choice) for s in ("train", "test")]
  path = tmp_path / "pool.parquet"
  pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
  corpus = data.load({}, domains=("coding", "science"), pools=(str(path),))
  assert isinstance(corpus.train["coding"][0].reference, UnitTests)
  assert isinstance(corpus.train["science"][0].reference, Choice)


@pytest.mark.parametrize(
    "changes, cause",
    [
        ({"prompt": None}, "pool.jsonl:2: 'prompt' is None"),
        ({"domain": 7}, "pool.jsonl:2: 'domain' is 7"),
        ({"answer": "perhaps"}, "pool.jsonl:2: 'answer' is 'perhaps'"),
        ({"split": "dev"}, "pool.jsonl:2: 'split' is 'dev'; expected one of train"),
        ({"metadata": [1]}, "pool.jsonl:2: 'metadata' is"),
        ({"metadata": {"rationale": ["a"]}}, r"pool.jsonl:2: metadata.rationale is \['a'\]; expected a text"),
        ({"metadata": {"rationale": "<think>a</think>"}}, "pool.jsonl:2: metadata.rationale holds <think>"),
        ({"metadata": {"task_text": 5}}, "pool.jsonl:2: metadata.task_text is 5; expected a text"),
    ],
)
def test_a_row_off_the_schema_stops_with_its_line(tmp_path, changes, cause):
  with pytest.raises(RowError, match=cause):
    load(tmp_path, [row(1), row(2, **changes)])


def test_rows_off_the_schema_can_be_quarantined(tmp_path):
  out = tmp_path / "quarantine.jsonl"
  rows = [row(1), row(2), row(3, answer="perhaps"), row(4, prompt=None)]
  corpus = load(tmp_path, rows, on_bad_row="quarantine", quarantine_path=out)
  places = [json.loads(line)["place"] for line in out.read_text().splitlines()]
  assert places == [f"{tmp_path}/pool.jsonl:3", f"{tmp_path}/pool.jsonl:4"]
  assert corpus.reasons("train", "logic")["in quarantine"] == 2


def test_rows_with_nothing_to_learn_are_dropped_and_counted(tmp_path):
  short = row(5, prompt="Is it?", split="train")
  rows = [row(1), row(2), row(3, answer=""), row(4, prompt=""), short]
  corpus = load(tmp_path, rows)
  dropped = corpus.reasons("train", "logic")
  assert dropped == {"kept": 1, "empty reference": 1, "empty prompt": 1, "shorter than 5 words": 1}


STRANGE = {
    "no domain": {"domain": None},
    "a date": {"answer": datetime.date(2020, 2, 3)},
    "a timestamp": {"answer": datetime.datetime(2020, 2, 3, 4, 5)},
    "bytes": {"answer": b"yes"},
    "NaN": {"domain": "math", "answer": float("nan")},
    "infinity": {"domain": "math", "answer": float("inf")},
}


@pytest.mark.parametrize("name", STRANGE)
def test_what_parquet_may_hold_is_one_sentence_or_the_quarantine(tmp_path, name):
  pyarrow = pytest.importorskip("pyarrow")
  import pyarrow.parquet

  def write(file, rows):
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / file)
    return str(tmp_path / file)

  numbers = [row(i, domain="math", answer=str(i), metadata=None) for i in range(2)]
  fine = write("fine.parquet", [row(i, metadata=None) for i in range(2, 5)] + numbers)
  bad = write("bad.parquet", [row(99, metadata=None, **STRANGE[name])])
  arguments = dict(domains=("logic", "math"), pools=(fine, bad))
  with pytest.raises(RowError, match="bad.parquet:1: '(answer|domain)' is "):
    data.load({}, **arguments)
  corpus = data.load({}, **arguments, on_bad_row="quarantine", quarantine_path=tmp_path / "bad.jsonl")
  assert "1 rows could not be read and are in quarantine." in corpus.table()
  (line,) = (tmp_path / "bad.jsonl").read_text().splitlines()
  assert json.loads(line)["place"].endswith("bad.parquet:1")


def test_a_decimal_of_parquet_is_a_number(tmp_path):
  pyarrow = pytest.importorskip("pyarrow")
  import pyarrow.parquet

  rows = [row(i, domain="math", answer=decimal.Decimal(i) / 4, metadata=None) for i in range(3, 7)]
  pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "pool.parquet")
  corpus = data.load({}, domains=("math",), pools=(str(tmp_path / "pool.parquet"),))
  numbers = {e.reference.text for e in (*corpus.train["math"], *corpus.evaluation["math"])}
  assert numbers == {"0.75", "1.00", "1.25", "1.50"}


def test_a_repeated_uid_is_counted_and_a_split_of_another_type_is_named(tmp_path):
  corpus = load(tmp_path, [row(1, uid="a", split="train"), row(2, uid="a", split="train"), row(3, split="test")])
  assert corpus.reasons("train", "logic") == {"kept": 1, "duplicate uid": 1}
  with pytest.raises(RowError, match=r"'split' is \['train'\]; expected one of train"):
    load(tmp_path, [row(1, split=["train"])])


def test_a_domain_without_a_truth_takes_rows_without_an_answer(tmp_path):
  rows = [row(i, domain="riddles", answer=None) for i in range(5)]
  corpus = load(tmp_path, rows, domains=("riddles",), truths=())
  assert len(corpus.train["riddles"]) + len(corpus.evaluation["riddles"]) == 5
  with pytest.raises(ConfigError, match="5 empty reference"):
    load(tmp_path, rows, domains=("riddles",), truths=("riddles",))


def test_a_plugins_domain_has_the_references_that_its_rows_name(tmp_path):
  rows = [row(i, domain="riddles", answer=f"#### {i}", metadata={"type": "number"}) for i in range(5)]
  corpus = load(tmp_path, rows, domains=("riddles",))
  assert all(isinstance(e.reference, Number) for e in corpus.train["riddles"])


@pytest.mark.parametrize("blank", ["\n\n", "\r\n\r\n"])
def test_a_pool_row_says_what_may_be_cut_and_a_summarys_source_may_be(tmp_path, blank):
  prompt = f"Sum this up in a sentence, please:{blank}The bridge reopened on Monday.{blank}Traffic flows."
  rows = [
      row(i, domain=domain, prompt=f"{prompt} {i}", split=split, metadata=metadata)
      for i, (domain, split, metadata) in enumerate(
          [("logic", "train", {}), ("logic", "test", {"passage": "Traffic flows."}), ("summarization", "train", {}),
           ("summarization", "test", {"passage": "on Monday"})]
      )
  ]
  corpus = load(tmp_path, rows, domains=("logic", "summarization"))
  passages = [role[domain][0].passage for domain in ("logic", "summarization") for role in (corpus.train, corpus.evaluation)]
  assert passages == ["", "Traffic flows.", f"The bridge reopened on Monday.{blank}Traffic flows. 2", "on Monday"]
  for wrong in ("on Sunday", 7):
    with pytest.raises(RowError, match="metadata.passage is .*; expected a part of the prompt"):
      load(tmp_path, [row(1, metadata={"passage": wrong})])
