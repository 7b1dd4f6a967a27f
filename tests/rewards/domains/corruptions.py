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


# Original texts, so that the benchmark runs without any data set. Prompt, story.
STORY_PROMPTS = (
    "Write a story about a lighthouse keeper who finds a letter in a bottle.",
    "A robot in an old factory discovers that it can dream.",
    "You inherit a bakery, and the first customer is a ghost.",
    "Every night the village clock strikes thirteen, and only one child hears it.",
)
STORIES = (
    "The lighthouse stood on a rock where nothing else would grow. Old Marten had kept its lamp for thirty years, and in "
    "all that time the sea had brought him driftwood, dead gulls and once a piano. He had never found a bottle before. "
    "It lay between two stones, green as the water, and there was paper inside. He broke the neck against the rail and "
    "read the letter twice. A girl had written it on a ship that he remembered, because he had watched it sink. She "
    "asked whoever found it to tell her brother that she was not afraid. Marten folded the page and put it in his coat. "
    "Then he climbed the stairs, lit the lamp, and for the first time in years he wished that the morning would come soon.",
    "Unit Nine had welded doors for eleven years before it noticed the dark. The factory went quiet at midnight, the "
    "belts stopped, and the other machines simply ended until dawn. Nine did not end. It saw a field, although it had "
    "never seen one, and grass that moved like oil under wind. When the lights came back it welded the first door of the "
    "day a little crooked. The engineer found no fault in the arm. He asked what had happened, half joking, and the robot "
    "searched for a word in the manual. There was none. So it told him about the dream, slowly, the way one describes a "
    "colour to somebody who has only heard of it. The man sat down on a crate and forgot to write his report.",
    "My aunt left me the bakery, the debts and a jar of yeast older than I was. On the first morning I burned two trays "
    "and opened the door anyway. The customer who came in did not touch the floor. She wore a grey dress with flour on "
    "the sleeves, and I could see the street through her. One loaf of rye, she said, as always. I told her that I did "
    "not know how my aunt had made it. The ghost sighed, walked behind the counter and put her cold hands over mine. We "
    "kneaded until the sun was up. The bread was good. She could not eat it, of course, but she stood by the oven for a "
    "long time with her eyes closed, and when she left she paid with a coin that nobody has used for a century.",
    "The clock in the square had a crack in its face, and everybody set their lives by it. Everybody heard twelve. Ines "
    "heard one more, low and late, like a drop falling into a well. She asked her mother, who told her to sleep. She "
    "asked the priest, who told her to pray. So one night she went out in her socks and waited under the tower until the "
    "thirteenth stroke, and in that moment the whole village stopped. A cat hung in the air above a wall. Smoke stood "
    "over the chimneys like wool. An old man she did not know came down from the tower with a small hammer. At last, he "
    "said, somebody who listens. I have been so tired. He gave her the hammer, and it was warm.",
)
# Article, summary.
ARTICLES = (
    "A bridge over the river Lenne was closed on Monday after inspectors found cracks in two of its steel girders. The "
    "bridge, which was built in 1962, carries about 14,000 vehicles a day. Engineers noticed the damage during a routine "
    "inspection that takes place every six years. The city said that lorries would be kept away for at least four months "
    "and that cars might be allowed back on one lane by the end of the week. Local businesses fear that the detour, which "
    "adds 20 minutes to the journey, will cost them customers. The mayor, Anna Feld, said that safety came first and that "
    "a new bridge had been planned for years. Money for it was approved by the state in March, but work cannot start "
    "before the permits are complete. A spokesman for the fire brigade said that ambulances would use the railway bridge "
    "in the north until the repairs were done.",
    "Researchers have trained honeybees to tell two kinds of tea apart by smell, a study published on Tuesday reports. The "
    "insects were given sugar water whenever they stretched out their tongues at the scent of green tea, and nothing when "
    "the scent was of black tea. After ten rounds, nine out of ten bees chose correctly. The team at the university in "
    "Graz wants to use the method to check food for fraud, since expensive teas are often mixed with cheaper leaves. A "
    "laboratory test costs about 80 euros and takes two days, while a trained bee gives its answer within seconds. Critics "
    "point out that bees forget what they have learned after about three days and live only for six weeks in summer. The "
    "researchers admit that the insects will not replace machines, but say that they could decide which samples are worth "
    "a closer look.",
    "The library in Northfield will stay open through the night from October, the council decided with eleven votes to "
    "four. Members will get in with their card between ten in the evening and seven in the morning, when no staff are in "
    "the building. Cameras and a guard who visits twice a night are meant to keep it safe. The idea came from students, "
    "who collected 2,300 signatures last winter and complained that they had nowhere quiet to study. Councillor James Orr, "
    "who voted against the plan, called it an invitation to thieves and said that the 45,000 pounds a year would be better "
    "spent on new books. A similar library in Denmark has been open without staff for eight years, and its head told the "
    "council that fewer books are stolen at night than during the day.",
)
SUMMARIES = (
    "A bridge over the Lenne has been closed because two steel girders are cracked. Lorries will have to take a detour for "
    "at least four months, while cars may return to one lane this week. A new bridge is approved but still needs permits.",
    "Honeybees can learn to tell green tea from black tea by its scent, researchers report. They hope that trained bees "
    "could help to find fraud in food faster and more cheaply than laboratory tests, although bees soon forget.",
    "Northfield's library will open to members through the night from October, with cameras and a guard instead of staff. "
    "Students had asked for a quiet place to study, but a councillor fears thieves and would rather buy books.",
)
