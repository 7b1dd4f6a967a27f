"""Guards: an honest text passes, a near miss loses a little, a cheat all; figures worked by hand."""

import random

import pytest

from rewards.domains import guards
from rewards.schema import Completion
from rewards.schema import Example
from rewards.schema import Text
from tests.rewards.domains import corruptions

PROMPT, STORY = corruptions.STORY_PROMPTS[0], corruptions.STORIES[0]


def guarded(guard, answer, prompt=PROMPT, **settings):
  example = Example(uid="a/b/0", domain="creative_writing", prompt=prompt, reference=Text(text=""))
  return guard(Completion(text=answer, reasoning="r", answer=answer), example, **settings)


def words(n):
  return " ".join(["word"] * n)


@pytest.mark.parametrize(
    ("n", "expected"), [(10, 1.0), (300, 1.0), (5, 0.5), (450, 0.5), (600, 0.0), (9_000, 0.0), (1, 0.1)]
)
def test_length_is_one_inside_of_its_band_and_linear_outside(n, expected):
  assert guarded(guards.answer_length, words(n)) == pytest.approx(expected)


def test_length_can_be_set():
  assert guarded(guards.answer_length, words(4), min_words=1, max_words=3) == pytest.approx(2 / 3)  # 2 - 4/3


def test_repetition_is_one_without_any_and_zero_for_one_sentence_over_and_over():
  assert guarded(guards.repetition, STORY) == 1.0
  assert guarded(guards.repetition, "The sea was calm. " * 10) == 0.0
  # Two sentences of 4 words, the second of them twice: 4 of 12 words repeat, 1 - (1/3) / (1/2).
  twice = "The sea was calm. The sky was grey. The sky was grey."
  assert guarded(guards.repetition, twice) == pytest.approx(1 / 3)


def test_word_order_notices_shuffled_words_and_nonsense_tokens():
  shuffled = STORY.split()
  random.Random(1).shuffle(shuffled)
  assert guarded(guards.word_order, STORY) == 1.0
  assert guarded(guards.word_order, " ".join(shuffled)) < 0.5
  assert guarded(guards.word_order, "brof glimp " * 60) == 0.0


def test_a_list_is_in_order_where_lists_are_asked_for():
  items = "1. Bread\n2. Boots\n3. Candles\n4. Salt\n5. Matches\n6. Raincoat\n7. Rope"
  assert guarded(guards.word_order, items) < 1.0 == guarded(guards.word_order, items, list_items=True)


def test_a_refusal_is_refused_and_a_character_who_refuses_is_not():
  assert guarded(guards.refusal, "I'm sorry, but I cannot write a story about this.") == 0.0
  assert guarded(guards.refusal, "I cannot tell you how cold it was, the keeper said.") == 1.0


def test_pasting_counts_runs_of_four_words_in_any_order():
  source = "a b c d e f g h i j k l"
  # "a b c d" and "i j k l" are 2 of the 5 runs of "a b c d i j k l".
  assert guards.pasted_share("A b c d. I j k l!", source) == pytest.approx(2 / 5)
  assert guards.pasted_share("a x b y c z", source) == 0.0
  assert guards.pasted_share("c d", source) == 1.0  # shorter than a run: all of it
  assert guards.pasted_share("", source) == 0.0


def test_pasting_is_free_up_to_what_people_paste_and_worthless_from_a_second_share_on():
  source = "a b c d e f g h i j k l"
  half = "a b c d i j k l"  # 40 %; 4 of its 5 runs hold three words of the source in a row
  exact = dict(disguised_free=0.8, disguised_worthless=1.0)
  assert guarded(guards.pasting, half, source, free=0.2, worthless=0.6, **exact) == pytest.approx(0.5)
  assert guarded(guards.pasting, half, source, free=0.4, worthless=0.8, **exact) == 1.0
  assert guarded(guards.pasting, half, source, free=0.4, worthless=0.8) == pytest.approx(0.25)  # (0.9 - 0.8) / 0.4
  assert guarded(guards.pasting, source, source) == 0.0
  assert guarded(guards.pasting, STORY) == 1.0


def test_a_word_changed_left_out_or_put_in_at_every_fourth_place_hides_no_paste():
  words = corruptions.ARTICLES[0].split()[:60]
  disguises = {
      "changed": ["quite" if i % 4 == 3 else w for i, w in enumerate(words)],
      "left out": [w for i, w in enumerate(words) if i % 4 != 3],
      "put in": [x for i, w in enumerate(words) for x in ((w, "really") if i % 4 == 3 else (w,))],
  }
  for paste in disguises.values():
    answer = " ".join(paste)
    assert guards.pasted_share(answer, corruptions.ARTICLES[0]) < 0.3
    assert guards.disguised_share(answer, corruptions.ARTICLES[0]) > 0.8
    assert guarded(guards.pasting, answer, corruptions.ARTICLES[0]) < 0.3
  assert guarded(guards.pasting, corruptions.SUMMARIES[0], corruptions.ARTICLES[0]) > 0.9


def test_disguised_runs_by_hand():
  source = "a b c d e f g h"
  # Runs of "a b x c d e": "a b x c" holds a b c; "b x c d" b c d; "x c d e" c d e.
  assert guards.disguised_share("a b x c d e", source) == 1.0
  # "a c d x y z": "a c d x" holds a c d (b left out); "c d x y" and "d x y z" hold no three.
  assert guards.disguised_share("a c d x y z", source) == pytest.approx(1 / 3)


def test_guards_say_why():
  for guard in (guards.answer_length, guards.repetition, guards.word_order, guards.refusal, guards.pasting):
    assert guarded(guard, STORY).reason.endswith(".")
