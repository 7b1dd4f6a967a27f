"""The parts that a curation is made of, each by itself."""

import json
import random
import re

import hypothesis
from hypothesis import strategies
import numpy as np
import pytest

from reasoner.data import dataset
from reasoner.data import reading
from reasoner.data.curation import contamination
from reasoner.data.curation import duplicates
from reasoner.data.curation import language
from reasoner.data.curation import lengths
from reasoner.data.curation import privacy
from reasoner.data.curation import words


@pytest.mark.parametrize(
    "text, masked",
    [
        ("Write to jane.doe@example.org.", "Write to [e-mail]."),
        ("ask bob_77+x@mail.co.uk, or", "ask [e-mail], or"),
        ("tokenised : bob @ mail . com !", "tokenised : [e-mail] !"),
        ("Call (555) 123-4567 now", "Call [phone] now"),
        ("Call 555-123-4567, 555.123.4567 or 1-800-555-0199.", "Call [phone], [phone] or [phone]."),
        ("from abroad +49 30 1234567.", "from abroad [phone]."),
        ("written together +49301234567", "written together [phone]"),
        ("in London 020 7946 0958", "in London [phone]"),
        ("hidden: jane [at] example [dot] com, ann(at)x.org", "hidden: [e-mail], [e-mail]"),
        ("SHOUTED: JANE @ EXAMPLE . COM and ann\uff20x.org", "SHOUTED: [e-mail] and [e-mail]"),
        ("Call 07700 900123 or 0049 30 1234567", "Call [phone] or [phone]"),
        ("555 - 123 - 4567, 555\u2011123\u20134567, 555\u00a0223\u00a04567", "[phone], [phone], [phone]"),
        ("thanks /u/some_writer and u/other-one", "thanks [account] and [account]"),
    ],
)
def test_personal_data_is_masked(text, masked):
  assert privacy.mask(text)[0] == masked


@pytest.mark.parametrize(
    "text",
    [
        "They met @ noon.",
        "between 1914-1918 and 1939-1945",
        "It cost $1,234,567.89 in 2020.",
        "He ran 100 200 300 metres.",
        "cities of 100 200 3000 people",
        "He looked at (at last) a dot com firm.",
        "The score was 555-1234.",
        "ISBN 978-3-16-148410-0",
        "menu/food and u/ alone",
        "1234567890123",
        "pi is 3.141592653589",
    ],
)
def test_numbers_and_signs_of_other_kinds_stay(text):
  assert privacy.mask(text) == (text, {})


def test_masking_takes_time_in_proportion_to_the_text():
  for text in ("1 " * 50_000, "a@" * 50_000, "1-" * 50_000, "u/" * 50_000, "a [at] " * 30_000, "a.b@" + "c." * 50_000):
    assert isinstance(privacy.mask(text)[0], str)  # a quadratic expression would take minutes here


@pytest.mark.parametrize(
    "text, english",
    [
        ("How many shells does Nora have now, and how many did she have before?", True),
        ("Wie viele Muscheln hat Nora jetzt und wie viele hatte sie vorher?", False),
        ("Combien de coquillages Nora a-t-elle et combien en avait-elle dans la boîte ?", False),
        ("¿Cuántas conchas tiene Nora ahora y cuántas tenía antes de la tarde?", False),
        ("У Норы было двадцать семь ракушек, и она нашла ещё три.", False),
        ("ノラは貝殻を二十七個持っていて、さらに三個もらいました。", False),
        ("Could jockey win Triple Crown between Eid al-Fitr endpoints?", True),
        ("Short one", True),
        ("def f(x): return [y for y in x if y]", True),
        ("The café où le garçon works is in Paris, is it not?", True),
    ],
)
def test_english_is_told_from_other_languages(text, english):
  assert language.is_english(text) == english


def test_ngrams_know_neither_case_nor_marks_and_end_with_their_text():
  one, bounds = words.ngrams([("A robe, takes 2 bolts",), ("a ROBE takes 2 bolts!", "end here now")], 3)
  assert bounds.tolist() == [0, 3, 7]  # 5 words: 3; then 3 and 1, none over the end of a text
  assert one[:3].tolist() == one[3:6].tolist() and len(set(one.tolist())) == 4
  turned, _ = words.ngrams([("bolts 2 takes robe a",)], 3)
  assert not set(turned.tolist()) & set(one.tolist())  # order counts
  nothing, bounds = words.ngrams([("too short",), ()], 8)
  assert len(nothing) == 0 and bounds.tolist() == [0, 0, 0]


@hypothesis.given(strategies.text(strategies.characters(max_codepoint=127), max_size=60))
def test_words_of_ascii_are_those_that_any_text_has(text):
  assert words.words(text) == re.findall(r"\w+", text.casefold())
  assert words.words(f"{text} Ä") == [*words.words(text), "ä"]


def test_an_index_finds_the_hashes_that_it_has_and_no_other():
  draw = np.random.default_rng(0)
  for size in (0, 1, 7, 1000):
    held = np.unique(draw.integers(2**64, size=size, dtype=np.uint64))
    bounds = np.arange(len(held) + 1)
    index = contamination.Index([""] * len(held), held, bounds[:-1], bounds[:-1], contamination.heads(held))
    others = draw.integers(2**64, size=99, dtype=np.uint64)
    asked = draw.permutation(np.concatenate([held, held + np.uint64(1), others]))
    places, hit = index.find(asked)
    assert hit.tolist() == np.isin(asked, held).tolist()
    assert held[places[hit]].tolist() == asked[hit].tolist()


def sentence(draw, count):
  return " ".join("".join(draw.choices("abcdefghij", k=5)) for _ in range(count))


def test_contamination_says_whose_words_and_how_much_of_them(tmp_path):
  draw = random.Random(0)
  first, second, other = (sentence(draw, 30) for _ in range(3))
  index = contamination.Index.build(["a", "b"], [(first,), (second,)])
  index.save(tmp_path)
  phrase = " ".join(second.split()[10:18])
  rows = [(other,), (second.upper(),), (f"{other} {phrase}",), (" ".join(second.split()[:7]),)]
  for held in (index, contamination.Index.open(tmp_path)):
    found = held.matches(*words.ngrams(rows, 8))
    assert set(found) == {1, 2}  # seven words are not eight
    assert (found[1].uid, found[1].shared, found[1].overlap) == ("b", 23, 1.0)  # 30 words: 23 phrases
    assert (found[2].uid, found[2].shared, found[2].overlap) == ("b", 1, 1 / 23)
    assert held.shared_words(rows[2]) == phrase


def test_the_chance_rate_is_what_templates_share_and_nothing_else():
  draw = random.Random(1)
  free = [(sentence(draw, 20),) for _ in range(200)]
  assert contamination.chance_rate(free, 50) == 0.0
  template = "how many of them does she have left over in total"
  half = [(f"{sentence(draw, 9)} {template}",) if i % 2 else row for i, row in enumerate(free)]
  assert contamination.chance_rate(half, 50) == 0.5
  assert contamination.chance_rate(free[:1], 50) is None


def test_near_duplicates_are_those_of_the_stated_similarity():
  draw = random.Random(2)
  base = sentence(draw, 100).split()
  # 98 shingles; a word in the middle touches 3: Jaccard 95 / 101 = 0.94. Every tenth word: far below 0.8.
  one_word = [*base[:50], "changed", *base[51:]]
  many = [word if i % 10 else "changed" for i, word in enumerate(base)]
  prompts = [" ".join(text) for text in (base, one_word, many)]
  signatures = duplicates.signatures([*prompts, sentence(draw, 100), "two words"])
  near = duplicates.Near(0.8)
  near.add("base", signatures[0], "")
  uid, similarity = near.find(signatures[1], "")
  assert uid == "base" and abs(similarity - 95 / 101) < 0.1  # 3 standard deviations of 128 draws: 0.06
  assert near.find(signatures[1], "another truth") is None
  assert near.find(signatures[2], "") is None and near.find(signatures[3], "") is None
  near.add("short", signatures[4], "")
  assert near.find(signatures[4], "") is None  # too short to tell


def test_a_file_in_parts_reads_as_the_whole(tmp_path):
  pyarrow = pytest.importorskip("pyarrow")
  import pyarrow.parquet

  rows = [{"question": f"q{i}", "answer": "é" * i} for i in range(25)]
  lines = [json.dumps(row, ensure_ascii=False) for row in rows]
  lines.insert(3, "")
  lines.insert(9, "   ")
  (tmp_path / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")
  pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet", row_group_size=10)
  for name in ("a.jsonl", "a.parquet"):
    file = reading.File(dataset=dataset.get("gsm8k", "here"), config="main", split="train", path=tmp_path / name)
    whole = list(reading.read(file))
    assert [row for _, row in whole] == rows
    for size in (1, 4, 10, 25, 30):
      parts = reading.parts(file, size)
      assert sum(part.rows for part in parts) == 25
      assert [row for part in parts for row in reading.read(file, part)] == whole  # their places too


def test_a_length_is_the_tokenizer_s_to_a_piece():
  class Characters:
    def encode(self, text):
      return list(text)

  text = "Jack is  stranded\non a desert island. "
  assert lengths.TokenizerLength(Characters(), "x")(text) == len(text)
  assert lengths.WordLength()("one two three four") == 5  # 4 x 1.35
