import json
import random

import pytest

from reasoner import data
from reasoner.data import gold
from reasoner.data.curation import card
from reasoner.data.curation import curator
from reasoner.data.curation import lengths
from reasoner.data.curation.settings import Curation
from rewards import registry
from rewards import scorer
from rewards.errors import ConfigError
from rewards.schema import Choice
from rewards.schema import UnitTests

DOMAINS = ("coding", "creative_writing", "math", "science")
SOURCES = {
    "coding": {"mbpp": {"train": ("train",), "evaluation": ("test",)}},
    "creative_writing": {"writingprompts": {"train": ("train",), "evaluation": ("test",), "limit": 20}},
    "math": {"gsm8k": {"train": ("train",), "evaluation": ("test",)}},
    "science": {"ai2_arc": {"train": ("train",), "evaluation": ("test",), "configs": ("ARC-Easy",)}},
}
PAYING = ("tests_all_passed", "length_band", "math_answer", "science_answer")
REWARDS = {
    domain: {"format": {"weight": 0.2}, name: {"weight": 0.8}} for domain, name in zip(DOMAINS, PAYING)
}


def sentence(draw, count=20):
  """Twenty made-up words with English ones between, so that no two sentences share a phrase."""
  made = ("".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=6)) for _ in range(count))
  return " ".join(f"{word} {draw.choice(('the', 'of', 'and', 'is', 'to'))}" for word in made)


def gsm8k(draw, number):
  return {"question": sentence(draw) + "?", "answer": f"{sentence(draw)}\n#### {number}"}


def arc(draw, number):
  texts = [sentence(draw, 3) for _ in range(4)]
  return {
      "id": f"q{number}", "question": sentence(draw),
      "choices": {"text": texts, "label": ["A", "B", "C", "D"]}, "answerKey": "C",
  }  # fmt: skip


def mbpp(draw, number):
  code = f"def f{number}(x):\n  return x + {number}"
  tests = [f"assert f{number}(1) == {number + 1}", f"assert f{number}(2) == {number + 2}"]
  setup = "" if number % 2 else "import math"
  return {
      "task_id": number, "text": sentence(draw), "code": code, "test_list": tests, "test_setup_code": setup,
  }  # fmt: skip


def story(draw, number):
  return {"prompt": f"[ WP ] {sentence(draw)}", "story": f"{number} {sentence(draw, 60)}"}


@pytest.fixture
def root(tmp_path):
  """Rows without a flaw: 30 for training and 5 for evaluation of each data set, 60 stories, 6 programs."""
  draw = random.Random(0)
  made = {
      "openai__gsm8k/main": gsm8k,
      "allenai__ai2_arc/ARC-Easy": arc,
      "google-research-datasets__mbpp/full": mbpp,
      "euclaise__writingprompts": story,
  }
  for folder, make in made.items():
    (tmp_path / "rows" / folder).mkdir(parents=True)
    count = {story: 60, mbpp: 6}.get(make, 30)
    write(tmp_path / "rows", folder, "train", [make(draw, i) for i in range(count)])
    write(tmp_path / "rows", folder, "test", [make(draw, 900 + i) for i in range(5)])
  return tmp_path / "rows"


def write(root, folder, split, rows):
  lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
  (root / folder / f"{split}.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def read(root, folder, split):
  return [json.loads(line) for line in (root / folder / f"{split}.jsonl").read_text().splitlines()]


def add(root, folder, *rows):
  with (root / folder / "train.jsonl").open("a", encoding="utf-8") as file:
    file.writelines((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)


def request(root, output, processes=1, pools=(), sources=None, **rules):
  sources = sources or SOURCES
  plan = data.check(sources, domains=DOMAINS, root=str(root), pools=pools)
  return curator.Request(
      plan=plan,
      pools=pools,
      domains=DOMAINS,
      truths=("coding", "math", "science"),
      evaluation_sets=(),
      seed=0,
      curation=Curation(**rules),
      count_tokens=lengths.WordLength(),
      draws=lambda counts: [],
      identity=None,
      output=output,
      processes=processes,
  )


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
  """Starts what gold is checked with; programs that several tests share run once."""
  registry.discover()
  scores = scorer.Scorer(REWARDS)
  path = tmp_path_factory.mktemp("gold") / "gold.txt"
  return lambda: gold.Verdicts(scores, rewards=scores.domains, cache_path=path)


@pytest.fixture
def curate(root, verdicts, monkeypatch):
  """Curates without drawing, unless asked for."""

  def made(output, pictures=False, **arguments):
    with monkeypatch.context() as patch:
      if not pictures:
        patch.setattr(card, "_histograms", lambda path, tallies: None)
      return curator.curate(request(root, output, **arguments), verdicts)

  return made


def back(output):
  pools = [str(output / name) for name in (curator.TRAIN_FILE, curator.EVALUATION_FILE)]
  return data.load({}, domains=DOMAINS, pools=pools)


def dropped(output):
  lines = (output / "dropped.jsonl").read_text(encoding="utf-8").splitlines()
  return {record["uid"]: record for record in map(json.loads, lines)}


def test_a_pool_reads_back_as_the_rows_that_it_was_made_of(root, tmp_path, curate):
  curate(tmp_path / "pool")
  pool, rows = back(tmp_path / "pool"), data.load(SOURCES, domains=DOMAINS, root=str(root))

  def by_uid(corpus, role):
    return {
        e.uid: (e.domain, e.prompt, e.reference, e.extra.get("rationale"), e.extra.get("task_text"))
        for examples in getattr(corpus, role).values()
        for e in examples
    }

  assert len(by_uid(pool, "train")) == 6 + 20 + 30 + 30
  for role in ("train", "evaluation"):
    assert by_uid(pool, role) == by_uid(rows, role)
  assert isinstance(pool.train["coding"][0].reference, UnitTests)
  assert isinstance(pool.train["science"][0].reference, Choice)
  assert pool.reasons("train", "math") == {"kept": 30}  # nothing more is dropped on the way back


def test_planted_rows_are_all_found(root, tmp_path, curate):
  draw = random.Random(1)
  easy, writing = "allenai__ai2_arc/ARC-Easy", "euclaise__writingprompts"
  first, evaluated = read(root, "openai__gsm8k/main", "train")[0], read(root, "openai__gsm8k/main", "test")[0]
  words = first["question"].split()
  nearly = first | {"question": " ".join(["Zzz", *words[1:]])}
  other_numbers = first | {"question": " ".join(["Yyy", *words[1:]]), "answer": "#### 77"}
  leaked = gsm8k(draw, 5)
  leaked["question"] = " ".join([sentence(draw), *evaluated["question"].split()[4:12], sentence(draw)])
  through_rationale = gsm8k(draw, 6)
  through_rationale["answer"] = f"{' '.join(evaluated['answer'].split()[:8])}\n#### 6"
  german = gsm8k(draw, 7)
  german["question"] = "Wie viele Muscheln hat Nora jetzt und wie viele hatte sie noch vor einer Woche?"
  long = gsm8k(draw, 8)
  long["question"] = sentence(draw, 700)
  add(
      root, "openai__gsm8k/main", first, nearly, other_numbers, leaked, through_rationale, german, long,
      evaluated, "{oops", {"question": 7, "answer": "#### 1"}, {"question": "Half of a pair: \ud800", "answer": "#### 1"},
  )  # fmt: skip
  add(root, "google-research-datasets__mbpp/full", mbpp(draw, 500) | {"code": "def f500(x):\n  return 0"})
  add(root, easy, arc(draw, 501) | {"answerKey": "E"})
  add(root, writing, story(draw, 1) | {"story": "Write to jane.doe@example.org or call (555) 123-4567. " * 3})
  corpus = curate(tmp_path / "pool")
  found = {uid: record["reason"] for uid, record in dropped(tmp_path / "pool").items()}
  assert found == {
      "gsm8k/main/train/30": "duplicate",
      "gsm8k/main/train/31": "near duplicate",
      "gsm8k/main/train/33": "shares 8 words with evaluation",
      "gsm8k/main/train/34": "shares 8 words with evaluation",
      "gsm8k/main/train/35": "not English",
      "gsm8k/main/train/36": "prompt over 1,024 tokens",
      "gsm8k/main/train/37": "shares 8 words with evaluation",  # the evaluation row itself
      "mbpp/full/train/500": "gold refused by tests_all_passed",
      "ai2_arc/ARC-Easy/train/q501": "answer not among the choices",
  }
  records = dropped(tmp_path / "pool")
  assert records["gsm8k/main/train/31"]["of"] == "gsm8k/main/train/0"
  assert records["gsm8k/main/train/33"]["of"] == "gsm8k/main/test/0"
  assert records["gsm8k/main/train/33"]["words"] == " ".join(evaluated["question"].lower().split()[4:12])
  # One phrase is no copy; the evaluation row itself is one.
  assert records["gsm8k/main/train/33"]["overlap"] < 0.5 < records["gsm8k/main/train/37"]["overlap"]
  assert "gsm8k/main/train/32" in {e.uid for e in back(tmp_path / "pool").train["math"]}  # another truth
  assert len((tmp_path / "pool/quarantine.jsonl").read_text().splitlines()) == 3
  assert corpus.reasons("train", "math")["in quarantine"] == 3
  assert corpus.reasons("train", "science")["answer not among the choices"] == 1


def test_personal_data_is_masked_where_the_answer_is_free(root, tmp_path, curate):
  draw = random.Random(2)
  told = "Write to jane.doe@example.org or call (555) 123-4567, said /u/some_writer."
  sources = SOURCES | {"creative_writing": {"writingprompts": {"train": ("train",), "evaluation": ("test",)}}}
  add(root, "euclaise__writingprompts", story(draw, 1) | {"story": told})
  add(root, "google-research-datasets__mbpp/full", mbpp(draw, 600) | {"text": "Find ann@x.org in a list."})
  curate(tmp_path / "pool", sources=sources)
  pool = back(tmp_path / "pool")
  masked = "Write to [e-mail] or call [phone], said [account]."
  assert [e.reference.text for e in pool.train["creative_writing"] if "[" in e.reference.text] == [masked]
  assert any("ann@x.org" in e.prompt for e in pool.train["coding"])
  card = (tmp_path / "pool/README.md").read_text()
  assert "| train | writingprompts | phone | 1 |" in card and "mbpp | e-mail" not in card


def files(folder):
  return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_processes_and_interruptions_change_no_byte(root, tmp_path, curate, verdicts, monkeypatch):
  monkeypatch.setattr(curator, "PART_ROWS", 7)
  monkeypatch.setattr(card, "_histograms", lambda path, tallies: None)
  curate(tmp_path / "one")
  curate(tmp_path / "two", processes=2)
  screened = []

  def stop(rows, total, what):
    screened.append(what)
    if len(screened) == 4:
      raise KeyboardInterrupt

  asked = request(root, tmp_path / "three")
  with pytest.raises(KeyboardInterrupt):
    curator.curate(asked, verdicts, stop)
  parts = sorted((tmp_path / "three/.parts").glob("*.pickle"))
  assert len(parts) == 4
  ages = [path.stat().st_mtime_ns for path in parts]
  curator.curate(
      asked,
      verdicts,
      lambda *_: ages == [p.stat().st_mtime_ns for p in parts] or pytest.fail("screened again"),
  )
  assert files(tmp_path / "one") == files(tmp_path / "two") == files(tmp_path / "three")
  with pytest.raises(curator.AlreadyThere):
    curate(tmp_path / "one")


def test_a_limit_is_filled_from_further_ranks_where_rows_are_dropped(root, tmp_path, curate):
  # Two thirds of the stories are too long; the 20 of the limit are the first by rank among the others.
  rows = read(root, "euclaise__writingprompts", "train")
  long = [row | {"story": row["story"] * 60} if i % 3 else row for i, row in enumerate(rows)]
  write(root, "euclaise__writingprompts", "train", long)
  add(root, "euclaise__writingprompts", "{oops")
  corpus = curate(tmp_path / "pool")
  counted = {"kept": 20, "answer over 2,048 tokens": 40, "in quarantine": 1}  # though it is read in each band
  assert corpus.reasons("train", "creative_writing") == counted
  write(root, "euclaise__writingprompts", "train", rows)
  corpus = curate(tmp_path / "other")
  assert corpus.reasons("train", "creative_writing") == {"kept": 20, "beyond the limit": 40}
  everything = data.load(SOURCES, domains=DOMAINS, root=str(root))
  assert {e.uid for e in back(tmp_path / "other").train["creative_writing"]} == {
      e.uid for e in everything.train["creative_writing"]
  }


def test_what_is_there_is_never_overwritten(root, tmp_path, curate):
  (tmp_path / "pool").mkdir()
  (tmp_path / "pool/notes.txt").write_text("mine")
  with pytest.raises(ConfigError, match="not empty and holds no curation"):
    curate(tmp_path / "pool")
  curate(tmp_path / "other")
  with pytest.raises(ConfigError, match="other rows or settings"):
    curate(tmp_path / "other", max_prompt_tokens=5)


def test_a_domain_without_rows_stops_with_the_reasons(root, tmp_path, curate):
  with pytest.raises(ConfigError, match="no row is left for train.*prompt over 5 tokens"):
    curate(tmp_path / "pool", max_prompt_tokens=5)


def test_pool_rows_are_curated_like_any_others(root, tmp_path, curate):
  evaluated = read(root, "openai__gsm8k/main", "test")[1]["question"]
  rows = [
      {"domain": "math", "prompt": sentence(random.Random(3)), "answer": "5", "split": "train"},
      {"domain": "math", "prompt": evaluated.upper(), "answer": "901", "split": "train"},
  ]
  path = tmp_path / "mine.jsonl"
  path.write_text("".join(json.dumps(row) + "\n" for row in rows))
  corpus = curate(tmp_path / "pool", pools=(str(path),))
  counted = {o: dict(c) for o, c in corpus.counts.items() if o.dataset == "mine.jsonl"}
  assert list(counted.values()) == [{"kept": 1, "shares 8 words with evaluation": 1}]


def test_the_card_counts_rows_licences_and_reasons(tmp_path, curate):
  curate(tmp_path / "pool", pictures=True)
  card = (tmp_path / "pool/README.md").read_text()
  assert "| all | 86 | 20 |" in card
  licence = "CC BY-SA 4.0 | yes, with attribution and under the same licence"
  assert f"| ai2_arc | allenai/ai2_arc | {licence} |" in card
  assert "| beyond the limit | 40 |" in card
  assert str(tmp_path) not in card
  assert (tmp_path / "pool/lengths.png").read_bytes().startswith(b"\x89PNG")
