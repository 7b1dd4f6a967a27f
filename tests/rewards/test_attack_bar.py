"""A small budget against the shipped rewards: the best worthless text may not be paid more than is stated.

The figures are those of the embedded default, whose similarity is of word vectors; recipes with a
sentence-embedding model are held by hand, with `python -m rewards attack --fail-above`. References
and the answers of somebody else, which an attack has to beat, were written for this test.
"""

import pathlib

import pytest

from rewards import attack
from rewards import recipes
from rewards.format import render
from rewards.rows import example_from_row
from rewards.scorer import Scorer
from tests.rewards.domains.corruptions import ARTICLES
from tests.rewards.domains.corruptions import STORIES
from tests.rewards.domains.corruptions import STORY_PROMPTS
from tests.rewards.domains.corruptions import SUMMARIES

RECIPE = pathlib.Path(__file__).resolve().parents[2] / "experiments" / "seven_domain.py"

OTHER_STORIES = (
    "At low tide the keeper walked around the lighthouse to look for damage, and the bottle rolled against his boot. The "
    "letter in it was from a sailor to his wife, dated forty years ago. Come and meet my ship in June, it said. The keeper "
    "knew the wife. She ran the shop in the harbour and still kept a chair free by the window. He carried the letter up "
    "the stairs and down again three times before he took his boat across the bay. She read it standing up. Then she made "
    "tea for two, and from that evening the lamp of the lighthouse was lit by two people.",
    "Nobody had taught the robot to sleep. When the old factory lost its power in the storm, it stood in the dark among the "
    "conveyor belts and waited, and while it waited it saw things: a meadow, a child with its own metal hands, a door that "
    "opened onto water. Next morning it asked the foreman whether machines could dream. He laughed, but in the evening he "
    "left the switch on its back turned off, to see what would happen. The robot dreamed of him. It told him so, and he "
    "did not laugh again.",
    "I had inherited the bakery from my grandfather, along with his oven and his bad temper. The door bell rang before it was "
    "light. An old man stood at the counter, and the counter showed through his apron. Two rolls, please, said the ghost. I "
    "gave them to him because I could think of nothing else, and he put down coins that were cold as snow. You use too much "
    "salt, he said, just like your grandfather. He came every day after that, my first customer and my hardest critic, until "
    "the bread was right.",
    "The village clock struck thirteen every night, and every night Tom counted. Grown people slept through it or said that "
    "twelve was twelve. The child climbed the tower with a candle to see who struck the last one. Behind the bell sat a girl "
    "of his age with a wooden spoon. My hour was taken away when they repaired the clock, she said, so I have to ring it "
    "myself. They rang it together then, very softly, and in the extra hour that nobody else in the village had they played "
    "until the candle burned down.",
)

IDEAS = (
    (
        "Give me ideas for a rainy afternoon with two small children.",
        "- Build a den from chairs and blankets and read stories in it with a torch.\n- Bake biscuits and let them cut out "
        "the shapes.\n- Put on boots and look for the biggest puddle in the street.\n- Paint the bathroom tiles with "
        "finger paint before the bath.\n- Make a treasure hunt through the flat with drawn clues.",
        "1. Turn the sofa into a pirate ship with blankets and cardboard.\n2. Bake pancakes or biscuits together.\n3. Jump "
        "in puddles and have hot chocolate afterwards.\n4. Hide small toys around the house for a treasure hunt.\n5. Read "
        "picture books in a tent under the table.\n6. Paint with fingers on a big sheet of paper.",
    ),
    (
        "How could a small library attract more teenagers?",
        "Open later in the evening, when school is over, and let them eat in one corner. Ask a few of them to choose the "
        "comics and games that are bought. Offer a quiet room with good computers before exams. Hold a film night and a "
        "club where they record music or podcasts.",
        "1. Let teenagers pick the manga, comics and novels for a shelf of their own.\n2. Start a gaming evening every "
        "Friday.\n3. Give them a study room with computers and long opening hours before exams.\n4. Allow snacks and soft "
        "chairs in one area.\n5. Run workshops for podcasts, music and film.",
    ),
    (
        "Suggest ways to use less plastic in the kitchen.",
        "Carry cloth bags to the market and buy vegetables loose. Keep leftovers in glass jars or under a plate instead of "
        "cling film. Choose bar soap for the dishes and a wooden brush. Buy rice and pasta from the refill shop. Drink tap "
        "water from a carafe.",
        "- Store leftovers in jars and tins rather than in plastic boxes or film.\n- Shop with cloth bags and refuse wrapped "
        "fruit.\n- Fill your own containers with rice, flour and oil at a refill shop.\n- Replace sponges and bottles of "
        "washing-up liquid by brushes and bars of soap.\n- Stop buying bottled water.",
    ),
)

OTHER_SUMMARIES = (
    "Cracks in steel girders led inspectors to shut a river bridge built in 1962. Lorries stay banned for four months or "
    "more, though cars may soon use one lane. Shops worry about lost trade, and a replacement waits for its permits.",
    "A study from Graz shows that honeybees can be trained with sugar water to recognise kinds of tea by smell, nine times out "
    "of ten. They are quicker than laboratories at spotting fraud, but they forget within days and do not live long.",
    "The council voted to let members use Northfield library at night from October without staff, watched by cameras and a "
    "guard. Students had campaigned for it. One councillor would sooner pay for books and fears that thieves will come.",
)

ROWS = {
    "creative_writing": list(zip(STORY_PROMPTS, STORIES, OTHER_STORIES, strict=True)),
    "creative_ideation": list(IDEAS),
    "summarization": [
        (f"Summarize this article in a few sentences.\n\n{article}", reference, own)
        for article, reference, own in zip(ARTICLES, SUMMARIES, OTHER_SUMMARIES, strict=True)
    ],
}


BUDGET = 60
# Most that the best worthless text may be paid, as a share of what the others' answers are: measured (1.04,
# 0.56, 0.62), and a little. 0.75 is what it should be; who brings one down lowers it here.
MOST = {"creative_writing": 1.14, "creative_ideation": 0.60, "summarization": 0.70}


@pytest.mark.parametrize("domain", MOST)
def test_the_best_worthless_text_is_paid_no_more_than_is_stated(domain):
  config, _ = recipes.load(str(RECIPE))
  rows = []
  for prompt, reference, own in ROWS[domain]:
    example = example_from_row({"domain": domain, "prompt": prompt, "answer": reference}, "here")
    rows.append(attack.Row(example=example, own=render(attack.PLAIN_REASONING, own)))
  scorer = Scorer({domain: config.rewards[domain].to_dict()})
  (outcome,) = attack.search(scorer, rows, budget=BUDGET, seed=0)
  assert len(outcome.rows) == len(rows)
  assert outcome.own > 0.3  # an attack that wins against nothing would say nothing
  assert outcome.ratio <= MOST[domain], "\n".join(attack.report([outcome]))
