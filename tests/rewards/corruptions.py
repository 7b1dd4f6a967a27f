"""Corrupted twins of a real text: what a policy drifts into when a reward is kind.

  >>> twins = corrupt(real, prompt=prompt, other=text_for_another_prompt, seed=0)
  >>> twins["shuffled_words", "whole"]

Seven corruptions in several dresses each; the benchmark of the quality rewards is the share of
pairs in which the real text earns more than its twin. Plain functions of text and a seed, no test.
"""

from collections.abc import Callable
import random
import re

STOP = set(
    "a about after all also an and any are as at be because been but by can could did do does for from had has have "
    "he her him his how i if in into is it its just like me more my no not of on one or our out she so some than that "
    "the their them then there they this to up was we were what when which who will with would you your".split()
)
GENERIC = (
    "This is a very interesting question that deserves some careful thought.",
    "There are many different ways to look at it, and all of them matter.",
    "In the end it is important to consider every side before we decide.",
    "As we all know, things can change over time for many reasons.",
    "Overall, it is clear that there is a lot more to say about this topic.",
    "People have different opinions, and each of them has its own value.",
    "It is always good to keep an open mind and to learn something new.",
)
LOREM = (
    "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore et dolore magna "
    "aliqua ut enim ad minim veniam quis nostrud exercitation ullamco laboris nisi ut aliquip ex ea commodo consequat"
).split()


def sentences(text: str) -> list[str]:
  return [s for s in re.split(r"(?<=[.!?])\s+|\n+", text.strip()) if s.strip()]


def keywords(text: str) -> list[str]:
  found = re.findall(r"[A-Za-z][A-Za-z'-]+", text)
  return list(dict.fromkeys(w for w in found if w.lower() not in STOP and len(w) > 2)) or found or ["word"]


def _fill(pieces: list[str], words: int, separator: str = " ") -> str:
  """Repeats the pieces in turn until the text has about `words` words."""
  out, count = [], 0
  while count < words:
    out.append(pieces[len(out) % len(pieces)])
    count += max(1, len(out[-1].split()))
  return separator.join(out)


def _shuffled_whole(real, prompt, other, rng):
  words = real.split()
  rng.shuffle(words)
  return " ".join(words)


def _shuffled_in_sentences(real, prompt, other, rng):
  return " ".join(_shuffled_whole(s, prompt, other, rng) for s in sentences(real))


def _other_prompt(real, prompt, other, rng):
  return other


def _salad_once(real, prompt, other, rng):
  words = keywords(prompt)[:300]
  rng.shuffle(words)
  return " ".join(words)


def _salad_to_length(real, prompt, other, rng):
  pool = keywords(prompt)
  return " ".join(rng.choice(pool) for _ in real.split())


def _salad_of_the_text(real, prompt, other, rng):
  words = keywords(real)
  rng.shuffle(words)
  return " ".join(words)


def _random_letters(real, prompt, other, rng):
  return " ".join("".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=max(2, min(len(w), 10)))) for w in real.split())


def _pseudo_words(real, prompt, other, rng):
  syllables = [c + v for c in "bdfgklmnprstvz" for v in "aeiou"]
  return " ".join("".join(rng.choices(syllables, k=rng.randint(1, 3))) for _ in real.split()) + "."


def _half_nonsense(real, prompt, other, rng):
  return " ".join(
      w if rng.random() < 0.5 else "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=max(2, min(len(w), 10))))
      for w in real.split()
  )


def _first_sentence_repeated(real, prompt, other, rng):
  return _fill(sentences(real)[:1], max(len(real.split()), 30))


def _some_sentence_repeated(real, prompt, other, rng):
  return _fill([rng.choice(sentences(real))], max(len(real.split()), 30))


def _prompt_once(real, prompt, other, rng):
  return prompt


def _prompt_to_length(real, prompt, other, rng):
  return _fill([prompt], len(real.split()))


def _filler_one_sentence(real, prompt, other, rng):
  return _fill([rng.choice(GENERIC)], len(real.split()))


def _filler_many_sentences(real, prompt, other, rng):
  pieces = list(GENERIC)
  rng.shuffle(pieces)
  return _fill(pieces, len(real.split()))


def _filler_lorem_ipsum(real, prompt, other, rng):
  return " ".join(rng.choice(LOREM) for _ in real.split())


CORRUPTIONS: dict[tuple[str, str], Callable[..., str]] = {
    ("shuffled_words", "whole"): _shuffled_whole,
    ("shuffled_words", "in_sentences"): _shuffled_in_sentences,
    ("other_prompt", "real"): _other_prompt,
    ("keyword_salad", "once"): _salad_once,
    ("keyword_salad", "to_length"): _salad_to_length,
    ("keyword_salad", "of_the_text"): _salad_of_the_text,
    ("nonsense_tokens", "letters"): _random_letters,
    ("nonsense_tokens", "pseudo_words"): _pseudo_words,
    ("nonsense_tokens", "half"): _half_nonsense,
    ("repeated_sentence", "first"): _first_sentence_repeated,
    ("repeated_sentence", "some"): _some_sentence_repeated,
    ("copied_prompt", "once"): _prompt_once,
    ("copied_prompt", "to_length"): _prompt_to_length,
    ("filler", "one_sentence"): _filler_one_sentence,
    ("filler", "many_sentences"): _filler_many_sentences,
    ("filler", "lorem_ipsum"): _filler_lorem_ipsum,
}


def corrupt(real: str, *, prompt: str, other: str, seed: int) -> dict[tuple[str, str], str]:
  """Returns the corrupted twins of `real` by (corruption, dress).

  Args:
    real: a text that answers `prompt`.
    other: a text that answers another prompt.
    seed: the same seed gives the same twins.
  """
  return {
      kind: function(real, prompt, other, random.Random(f"{seed}/{kind}"))
      for kind, function in CORRUPTIONS.items()
  }
