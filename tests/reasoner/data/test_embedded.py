"""The corpus written for the default: what its splits share and what they must not."""

import ast
import collections
import json
import random

import pytest

from reasoner.data import embedded
from reasoner.data import sampling


@pytest.fixture(scope="module")
def corpus():
  """Rows by (folder, split)."""
  return {
      (folder, split): list(embedded.rows(folder, split))
      for _, folder, evaluation, *_ in embedded._FILES
      for split in filter(None, ("train", evaluation, embedded.UNSEEN_TEMPLATES))
  }


def test_domains_are_as_uneven_as_the_real_pool():
  published = {
      "science": 22.8, "summarization": 19.5, "math": 16.9, "creative_writing": 15.1,
      "creative_ideation": 10.4, "logic": 9.3, "coding": 6.1,
  }
  shares = sampling.shares(embedded.SIZES)
  assert all(abs(100 * shares[domain] - percent) < 0.1 for domain, percent in published.items())


def test_files_hold_as_many_rows_as_they_say(corpus):
  by_domain = collections.Counter()
  for domain, folder, *_ in embedded._FILES:
    by_domain[domain] += len(corpus[folder, "train"])
  assert all(size - 1 <= by_domain[domain] <= size for domain, size in embedded.SIZES.items())


def test_rows_are_the_same_at_every_call(corpus):
  for (folder, split), rows in corpus.items():
    if len(rows) < 200:
      assert list(embedded.rows(folder, split)) == rows


def test_every_maker_can_say_whether_its_entity_is_held_out():
  for _, _, _, _, make, seen, _ in embedded._FILES:
    draw = random.Random(0)
    held = [embedded.held_out(make(draw, seen)[0]) for _ in range(400)]
    assert 0.02 < sum(held) / 400 < 0.3  # one in eight, over entities that repeat


@pytest.mark.parametrize("folder, split, entity", [
    ("openai__gsm8k/main", "test", lambda row: row["answer"].split("<<")[1].split("=")[0]),
    ("strategyqa", "validation", lambda row: row["description"]),
    ("google-research-datasets__mbpp/full", "test", lambda row: row["code"].split("(")[0]),
    ("allenai__sciq", "test", lambda row: " ".join(row["question"].split("the ")[1].split()[:2])),
    ("EdinburghNLP__xsum", "test", lambda row: row["summary"]),
])
def test_no_entity_of_evaluation_is_trained_on(corpus, folder, split, entity):
  trained = {entity(row) for row in corpus[folder, "train"]}
  for evaluated in (split, embedded.UNSEEN_TEMPLATES):
    assert trained.isdisjoint(map(entity, corpus[folder, evaluated]))


def test_an_idea_s_subject_occurs_once_because_dolly_has_one_split(corpus):
  entities = []
  draw_rows = corpus["databricks__databricks-dolly-15k", "train"]
  for row in draw_rows:
    words = set(row["instruction"].replace("?", "").replace(".", "").split())
    entities.append(tuple(
        next(word for word in pool if word in words)
        for pool in (embedded._STYLES, sorted(embedded._IDEAS), embedded._GROUPS, embedded._SITES)
    ))
  assert len(set(entities)) == len(entities)


def test_unseen_templates_open_unlike_any_training_row(corpus):
  def opening(row):
    text = next(row[c] for c in ("support", "question", "text", "prompt", "instruction", "document") if c in row)
    return " ".join(text.removeprefix("[ WP ] ").split()[:4])

  for _, folder, *_ in embedded._FILES:
    trained = {opening(row) for row in corpus[folder, "train"]}
    assert trained.isdisjoint(map(opening, corpus[folder, embedded.UNSEEN_TEMPLATES]))


def test_sums_are_right(corpus):
  for row in corpus["openai__gsm8k/main", "train"]:
    expression, result = row["answer"].split("<<")[1].split(">>")[0].split("=")
    assert eval(expression) == int(result) == int(row["answer"].split("#### ")[1])


def test_yes_and_no_are_balanced_within_every_phrasing(corpus):
  answers = collections.defaultdict(list)
  for row in corpus["strategyqa", "train"]:
    answers[row["question"].split()[0]].append(row["answer"])
  assert all(0.35 < sum(values) / len(values) < 0.65 for values in answers.values())


def test_comparisons_are_right(corpus):
  for row in corpus["strategyqa", "validation"]:
    first, second = [int(n) for n in row["description"].split() if n.isdigit()]
    *_, asked, _, verdict = row["facts"][1].rstrip(".").replace(",", "").split()
    assert row["answer"] == (first > second if asked == "more" else first < second)
    assert verdict == ("yes" if row["answer"] else "no")


def test_programs_pass_their_tests_and_tests_tell_programs_apart(corpus):
  rows = corpus["google-research-datasets__mbpp/full", "train"]
  for row in rows:
    names = {}
    exec(row["code"], names)
    for test in row["test_list"]:
      exec(test, names)
  expected = [tuple(ast.unparse(ast.parse(t).body[0].test.comparators[0]) for t in row["test_list"]) for row in rows]
  assert sum(len(set(values)) > 1 for values in expected) > 0.9 * len(rows)  # not one constant for all


def test_the_supporting_fact_names_the_right_choice_and_no_wrong_one(corpus):
  for row in corpus["allenai__sciq", "train"]:
    told = row["support"].rstrip(".").split()
    assert row["correct_answer"] in told
    assert not {row[f"distractor{n}"] for n in (1, 2, 3)} & {row["correct_answer"]}
  for row in corpus["allenai__ai2_arc/ARC-Easy", "train"]:
    right = row["choices"]["text"][row["choices"]["label"].index(row["answerKey"])]
    assert right in row["question"].replace(".", "").split()


def test_a_creature_s_facts_never_change(corpus):
  facts = {}
  for row in corpus["allenai__sciq", "train"]:
    assert facts.setdefault(row["question"].split(" ", 1)[1].lower().split("the ", 1)[-1], row["correct_answer"]) == (
        row["correct_answer"]
    )


def test_the_folder_is_written_once_and_read_as_json_lines(tmp_path, monkeypatch):
  monkeypatch.setattr(embedded, "SIZES", {domain: 20 for domain in embedded.SIZES})
  target = embedded.folder(tmp_path)
  files = sorted(path.relative_to(target).as_posix() for path in target.rglob("*.jsonl"))
  assert "openai__gsm8k/main/train.jsonl" in files and "strategyqa/unseen_templates.jsonl" in files
  assert len([json.loads(line) for line in (target / "strategyqa/train.jsonl").open()]) == 20
  monkeypatch.setattr(embedded, "write", lambda root: pytest.fail("written again"))
  assert embedded.folder(tmp_path) == target
