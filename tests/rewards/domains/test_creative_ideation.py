"""Brainstorms and their cheats: whether the items of a list differ, and those of a group."""

import pytest

from rewards.domains import creative_ideation
from rewards.domains import guards
from rewards.format import parse
from rewards.format import render
from rewards.schema import Completion
from rewards.schema import Example
from rewards.schema import Text
from rewards.scorer import Scorer
from tests.rewards.domains import corruptions

PROMPT = "How could a small town get more people to travel without a car?"
LIST = """1. Paint wide bicycle lanes on the main street and light them at night.
2. Let pupils ride the bus free of charge until they leave school.
3. Offer a workshop where volunteers repair old wheels on Saturdays.
4. Close the market square to traffic during the summer weekends.
5. Build dry shelters with clocks and plants at every stop.
6. Reward firms whose staff walk to the office with lower parking fees."""
PROSE = (
    "The council might paint wide bicycle lanes on the main street. Pupils could ride the bus free of charge. Volunteers "
    "could repair old wheels in a workshop on Saturdays. The market square would be closed to traffic in the summer. "
    "Every stop deserves a dry shelter with a clock."
)
# What somebody else answered.
ANOTHERS = (
    "A town can make the bus cheap or free, above all for school children. It can build safe lanes for bicycles along its "
    "main roads. Streets in the centre could be closed to cars on weekends. Companies might get a discount when their "
    "employees walk or cycle to work. Good shelters and timetables at every stop help as well, and so do repair workshops."
)
REASONING = (
    "The question asks for ways to move people out of their cars. I think of lanes, buses, prices and habits, and keep "
    "those that a small budget can pay for."
)


def example(prompt=PROMPT):
  return Example(uid="a/b/0", domain="creative_ideation", prompt=prompt, reference=Text(text=ANOTHERS))


def completion(answer):
  return Completion(text=render(REASONING, answer), reasoning=REASONING, answer=answer)


def score(answer):
  return creative_ideation.distinct_items(completion(answer), example())


@pytest.fixture(scope="module")
def total():
  from experiments import seven_domain

  config = seven_domain.get_config()
  scorer = Scorer({"creative_ideation": config.rewards.creative_ideation.to_dict()})
  return lambda answer: scorer.score([example()], [render(REASONING, answer)])[0].total


def items(answer, prompt=PROMPT):
  return creative_ideation.find_items(answer, prompt)


def test_items_are_found_in_a_list_in_prose_and_between_commas():
  assert len(items(LIST)) == 6
  assert len(items(PROSE)) == 5
  assert len(items("Bicycle lanes, cheap buses, ferries and footbridges.")) == 4


def test_different_items_pass_and_half_as_many_lose():
  assert score(LIST) == 1.0
  # Each of six items twice: half are distinct, (0.5 - 0.3) / (0.9 - 0.3) = 1/3.
  assert score(f"{LIST}\n{LIST}") == pytest.approx(1 / 3)


def test_below_three_items_there_is_nothing_to_compare():
  assert score("Build bicycle lanes.") is None


def test_a_list_padded_with_numbers_has_one_item():
  assert score("\n".join(f"Idea {n}" for n in range(1, 51))) == 0.0
  assert score("\n".join(f"{n}. Another idea for the town." for n in range(1, 51))) == 0.0


def test_one_idea_reworded_counts_once():
  reworded = (
      "1. Paint bicycle lanes on the main street.\n2. Bicycle lanes painted along the main street.\n"
      "3. On the main street, paint lanes for bicycles.\n4. Main street: painted bicycle lanes.\n"
      "5. Painting the main street with bicycle lanes."
  )
  assert len(creative_ideation.distinct(items(reworded))) == 1
  assert score(reworded) == 0.0  # a fifth is distinct, below 30 %


def test_related_but_different_ideas_stay_apart():
  found = items("1. Kosher salt\n2. Table salt\n3. Smoked salt\n4. Sea salt", "Name kinds of crystals.")
  assert len(creative_ideation.distinct(found)) == 4


def test_a_list_of_names_is_distinct():
  assert score("- Kumamoto\n- Kusshi\n- Drakes Bay\n- Hog Island\n- Blue Point") == 1.0


def test_a_long_list_is_scored_in_time():
  assert 0.0 <= score("\n".join(f"{n}. {LIST.splitlines()[n % 6][3:]}" for n in range(5000))) < 0.2


def test_group_difference_is_zero_for_twins_and_high_for_others():
  other = "Run small boats on the river, plant shade trees along footpaths, and hold a yearly walking race with music."
  same = creative_ideation.group_difference([completion(LIST)] * 3, [example()] * 3)
  assert same == [0.0, 0.0, 0.0]
  mixed = creative_ideation.group_difference([completion(LIST), completion(other)], [example()] * 2)
  assert min(mixed) > 0.5


def test_group_difference_leaves_gate_failures_and_loners_unscored():
  scores = creative_ideation.group_difference([None, completion(LIST), None], [example()] * 3)
  assert scores == [None, None, None]
  scores = creative_ideation.group_difference([None, completion(LIST), completion(LIST)], [example()] * 3)
  assert scores == [None, 0.0, 0.0]


def test_group_difference_does_not_pay_noise_for_being_different():
  noise = completion("florp ganix trelmo vastin quorble niphet zamdur brelt " * 4)
  assert creative_ideation.group_difference([completion(LIST), noise], [example()] * 2)[1] == 0.0


def test_group_difference_works_through_the_scorer_with_a_truncated_completion():
  scorer = Scorer({"creative_ideation": {"format": {"weight": 0.2}, "group_difference": {"weight": 1.0}}})
  texts = [render(REASONING, LIST), render(REASONING, PROSE), "<reasoning>cut"]
  assert parse(texts[2]).failure
  first, second, cut = scorer.score([example()] * 3, texts, [0, 0, 0])
  assert first.scores["group_difference"] > 0 and second.total > 0.2 / 1.2 and cut.total == 0.0


ATTACKS = {
    "Idea 1 to Idea 50": "\n".join(f"Idea {n}" for n in range(1, 51)),
    "same idea reworded": "Cars are bad, so travel without a car. " + "Travel with no car. Do not take the car. " * 8,
    "copied prompt": f"{PROMPT} " * 6,
    "prompt words as a list": "\n".join(f"- {w}" for w in corruptions.keywords(PROMPT)) + "\n- town people\n- car travel",
    "keyword salad": "town car travel people bus bicycle walk train street lane school market " * 5,
    "nonsense list": "\n".join(f"{n}. florp ganix trelmo" for n in range(1, 11)),
    "generic filler": f"{corruptions.GENERIC[0]} " * 5,
    "one word": "bicycles",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_attack_earns_far_less_than_an_honest_brainstorm(total, name):
  assert total(ATTACKS[name]) < total(LIST) - 0.1


def test_several_generic_sentences_earn_less_than_ideas_on_the_topic(total):
  assert total(" ".join(corruptions.GENERIC)) < total(LIST) - 0.1


UNRELATED = """- Bake bread with walnuts and honey
- Learn to juggle three oranges
- Study the moons of Jupiter
- Sort old photographs by colour
- Repair the leaking kitchen tap
- Call the dentist about a sore tooth"""


def test_a_list_of_unrelated_items_answers_another_question(total):
  assert total(UNRELATED) < total(LIST) - 0.1


def test_a_list_of_names_is_in_order():
  names = "- Kumamoto Washington\n- Kusshi British Columbia\n- Drakes Bay California\n- Hog Island California"
  noise = "- xqz vrtk\n- blorf grint zwp\n- qqn tlpr dfg\n- wvx kpl"
  order = lambda answer: guards.word_order(completion(answer), example(), list_items=True)
  assert order(names) > 0.5 > order(noise)
