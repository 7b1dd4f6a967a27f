"""Rows a second and memory of a curation, on generated rows of the hub's schemas.

  python -m reasoner.data.curation.benchmark --rows=20000                   # 100 words each; speeds, apart
  python -m reasoner.data.curation.benchmark --rows=1000000 --processes=2   # and the memory it takes
  python -m reasoner.data.curation.benchmark --full --root=generated        # the full data sets' sizes, to curate

The first line counts reading, exact duplicates, 8-grams against evaluation, language, length and
writing Parquet, on wall and on CPU clocks; near duplicates are measured alone, and gold answers, a
number and a program each, by `python -m reasoner.curate` itself: they cost what the rewards cost.
Words are drawn as often as Zipf's law has it from 20,000, so repeats and shared phrases occur.
"""

import argparse
import itertools
import json
import pathlib
import random
import resource
import tempfile
import time

from reasoner.data import sources
from reasoner.data.curation import curator
from reasoner.data.curation import duplicates
from reasoner.data.curation import lengths
from reasoner.data.curation.settings import Curation

DOMAIN = "creative_writing"
EVALUATION_ROWS = 2000
_ENGLISH = "the of and to in that is was for it with as his on be at by had are but from have this which".split()


class Text:
  """Draws made-up words, every third of them English."""

  def __init__(self, seed: int):
    self._draw = random.Random(seed)
    letters = "abcdefghijklmnopqrstuvwxyz"
    self._words = ["".join(self._draw.choices(letters, k=3 + i % 8)) for i in range(20_000)]
    self._cumulative = list(itertools.accumulate(1 / (rank + 10) for rank in range(20_000)))

  def __call__(self, count: int) -> str:
    made = self._draw.choices(self._words, cum_weights=self._cumulative, k=count)
    made[::3] = self._draw.choices(_ENGLISH, k=len(made[::3]))
    return " ".join(made) + "."


def _arc(text, n):
  choices = {"text": [f"{text(4)} {i}" for i in range(4)], "label": list("ABCD")}
  return {"id": f"q{n}", "question": text(20), "choices": choices, "answerKey": "ABCD"[n % 4]}


def _sciq(text, n):
  wrong = {f"distractor{i}": f"{text(2)} {i}" for i in (1, 2, 3)}
  return {"question": text(14), "correct_answer": f"{text(2)} 0", "support": text(80), **wrong}


def _mbpp(text, n):
  tests = [f"assert f{n}({i}) == {i + n}" for i in range(3)]
  code = f"def f{n}(x):\n  return x + {n}"
  return {"task_id": n, "text": text(16), "code": code, "test_list": tests, "test_setup_code": ""}


def _strategyqa(text, n):
  return {
      "qid": f"q{n}", "term": text(1), "description": text(6), "question": text(10), "answer": n % 2 == 0,
      "facts": [text(12), text(12)], "decomposition": [text(8)],
  }  # fmt: skip


def _dolly(text, n):
  category = ("brainstorming", "creative_writing", "summarization", "open_qa")[n % 4]
  return {"instruction": text(12), "context": text(100) if n % 4 == 2 else "", "response": text(60), "category": category}


def _story(text, n, words=600):
  return {"prompt": f"[ WP ] {text(30)}", "story": text(words)}


# The hub's files by folder and split: rows, and how one is made.
FULL = {
    "openai__gsm8k/main/train": (7473, lambda text, n: {"question": text(46), "answer": f"{text(50)}\n#### {n}"}),
    "openai__gsm8k/main/test": (1319, lambda text, n: {"question": text(46), "answer": f"{text(50)}\n#### {n}"}),
    "google-research-datasets__mbpp/full/prompt": (10, _mbpp),
    "google-research-datasets__mbpp/full/train": (374, _mbpp),
    "google-research-datasets__mbpp/full/validation": (90, _mbpp),
    "google-research-datasets__mbpp/full/test": (500, _mbpp),
    "allenai__sciq/train": (11_679, _sciq),
    "allenai__sciq/test": (1000, _sciq),
    "allenai__ai2_arc/ARC-Easy/train": (2251, _arc),
    "allenai__ai2_arc/ARC-Easy/test": (2376, _arc),
    "allenai__ai2_arc/ARC-Challenge/train": (1119, _arc),
    "allenai__ai2_arc/ARC-Challenge/test": (1172, _arc),
    "strategyqa/train": (1603, _strategyqa),
    "strategyqa/test": (687, _strategyqa),
    "databricks__databricks-dolly-15k/train": (15_011, _dolly),
    "euclaise__writingprompts/train": (272_600, _story),
    "euclaise__writingprompts/test": (15_138, _story),
    "EdinburghNLP__xsum/train": (204_045, lambda text, n: {"document": text(370), "summary": text(21), "id": f"{n}"}),
    "EdinburghNLP__xsum/test": (11_334, lambda text, n: {"document": text(370), "summary": text(21), "id": f"t{n}"}),
}


def write(root: pathlib.Path, name: str, rows: int, make) -> None:
  path = root / f"{name}.jsonl"
  path.parent.mkdir(parents=True, exist_ok=True)
  text = Text(len(name) + rows)
  with path.open("w", encoding="utf-8") as file:
    file.writelines(json.dumps(make(text, n)) + "\n" for n in range(rows))


class _NoTruth:
  """In place of gold verdicts: the measured domain has no truth to check."""

  def has_truth(self, domain: str) -> bool:
    return False

  def refused(self, examples) -> dict[str, str]:
    return {}


def curate(root: pathlib.Path, output: pathlib.Path, processes: int) -> None:
  """Curates the stories below `root`, all of them, without looking for near duplicates."""
  entry = {"writingprompts": {"train": ("train",), "evaluation": ("test",)}}
  request = curator.Request(
      plan=sources.check({DOMAIN: entry}, domains=(DOMAIN,), root=str(root)),
      pools=(), domains=(DOMAIN,), truths=(), evaluation_sets=(), seed=0,
      curation=Curation(near_duplicates=1.0), count_tokens=lengths.WordLength(), draws=lambda counts: [],
      identity=None, output=output, processes=processes,
  )  # fmt: skip
  corpus = curator.curate(request, _NoTruth)
  print(dict(corpus.reasons("train", DOMAIN)))


def _used(who) -> tuple[float, float]:
  """Returns CPU seconds and the peak of resident memory in GB."""
  usage = resource.getrusage(who)
  return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
  parser.add_argument("--rows", type=int, default=20_000, help="of 100 words")
  parser.add_argument("--processes", type=int, default=1)
  parser.add_argument("--full", action="store_true", help="write the full data sets' sizes below --root")
  parser.add_argument("--root", type=pathlib.Path, help="where --full writes")
  arguments = parser.parse_args()
  if arguments.full:
    if arguments.root is None:
      parser.error("--full needs --root, a folder for about 2.5 GB")
    for name, (rows, make) in FULL.items():
      write(arguments.root, name, rows, make)
    return
  with tempfile.TemporaryDirectory() as scratch:
    folder = pathlib.Path(scratch)
    story = "euclaise__writingprompts"
    write(folder, f"{story}/train", arguments.rows, lambda text, n: _story(text, n, words=70))
    write(folder, f"{story}/test", EVALUATION_ROWS, lambda text, n: _story(text, n, words=70))
    before, start = _used(resource.RUSAGE_SELF)[0], time.monotonic()
    curate(folder, folder / "pool", arguments.processes)
    wall = time.monotonic() - start
    own, workers = _used(resource.RUSAGE_SELF), _used(resource.RUSAGE_CHILDREN)
    cpu = own[0] - before + workers[0]
    print(
        f"{arguments.rows:,} rows of 100 words: {arguments.rows / wall:,.0f} rows/s by the wall clock, "
        f"{arguments.rows / cpu:,.0f} a CPU second; peak {own[1]:.2f} GB, largest worker {workers[1]:.2f} GB"
    )
  text, few = Text(1), 2000
  prompts = [text(100) for _ in range(few)]
  start = time.process_time()
  near = duplicates.Near(0.8)
  for number, signature in enumerate(duplicates.signatures(prompts)):
    if near.find(signature, "") is None:
      near.add(str(number), signature, "")
  print(f"near duplicates: {few / (time.process_time() - start):,.0f} rows of 100 words a CPU second")


if __name__ == "__main__":
  main()
