"""Each adapter on rows as the hub has them, written for these tests."""

import re

import hypothesis
from hypothesis import strategies
import pytest

from reasoner.data import dataset
from reasoner.data.dataset import Dropped
from reasoner.data.spacing import repair_spacing
from rewards.rows import RowError
from rewards.schema import Choice
from rewards.schema import Number
from rewards.schema import Text
from rewards.schema import UnitTests
from rewards.schema import YesNo

ROWS = {
    "gsm8k": {
        "question": "Ada has 1,000 pins and buys 234 more. How many has she?",
        "answer": "She has 1000+234=<<1000+234=1234>>1234 pins.\n#### 1,234",
    },
    "mbpp": {
        "task_id": 601,
        "text": "Write a function to double a number.",
        "code": "def double(x):\r\n  return 2 * x",
        "test_list": ["assert double(1000) == 2000", "assert double(2) == 4"],
        "test_setup_code": "",
        "challenge_test_list": [],
    },
    "sciq": {
        "question": "What do bees make?",
        "correct_answer": "honey",
        "distractor1": "milk",
        "distractor2": "silk",
        "distractor3": "wool",
        "support": "Bees turn nectar into honey.",
    },
    "ai2_arc": {
        "id": "Mercury_1",
        "question": "Which animal lays eggs?",
        "choices": {"text": ["cat", "hen", "cow"], "label": ["1", "2", "3"]},
        "answerKey": "2",
    },
    "strategyqa": {
        "qid": "a1",
        "question": "Could a snail outrun a fast train?",
        "answer": False,
        "facts": ["Snails are slow", "Trains are  fast."],
    },
    "writingprompts": {
        "prompt": "[ WP ] You ca n't sleep , and neither can the moon .\n",
        "story": "`` Awake ? '' she said . \n \n `` Always . ''\n",
    },
    "dolly": {
        "instruction": "List three uses of a brick.",
        "context": "",
        "response": "A wall, a step, a door stop.",
        "category": "brainstorming",
    },
    "xsum": {
        "document": "The bridge reopened on Monday.",
        "summary": "A bridge is open.",
        "id": "7",
    },
    "cnn_dailymail": {
        "article": "By . Ann Author . PUBLISHED: . 14:11 EST, 25 October 2013 . | . UPDATED: . "
        "15:36 EST, 26 October 2013 . The bridge reopened , he said .",
        "highlights": "The bridge is open .\nIt was shut for a year .",
        "id": "0a",
    },
    "no_robots": {
        "prompt": "Write a limerick about a kettle.",
        "prompt_id": "b2",
        "category": "Generation",
        "messages": [
            {"role": "user", "content": "Write a limerick about a kettle."},
            {"role": "assistant", "content": "A kettle that lived on a shelf ..."},
        ],
    },
}


def task(name, row=None, domain=None, **settings):
  data = dataset.known()[name]
  row = ROWS[name] | (row or {})
  data.check_row(row, "rows.jsonl:1")
  return data.task(row, domain or data.domains[0], **settings)


def test_every_data_set_of_the_package_has_a_row_here():
  assert set(dataset.known()) == set(ROWS)


@pytest.mark.parametrize("name", sorted(ROWS))
def test_an_adapter_makes_a_prompt_that_holds_the_rows_own_words(name):
  domain = "creative_writing" if name == "no_robots" else None
  made = task(name, domain=domain)
  assert made.text and made.text in (made.prompt or made.text)
  assert made.text == made.text.strip() and made.prompt == made.prompt.strip()


@pytest.mark.parametrize("name", sorted(ROWS))
def test_a_missing_column_is_named_with_its_place(name):
  data = dataset.known()[name]
  for column in data.columns:
    row = {k: v for k, v in ROWS[name].items() if k != column}
    with pytest.raises(RowError, match=f"rows.jsonl:1: column '{column}' of {name} is missing"):
      data.check_row(row, "rows.jsonl:1")


def test_gsm8k_gives_the_number_without_commas_and_the_solution_without_calculator_marks():
  made = task("gsm8k")
  assert made.reference == Number(text="1234")
  assert made.rationale == "She has 1000+234=1234 pins."


def test_gsm8k_without_a_final_answer_is_dropped():
  with pytest.raises(Dropped, match="no final answer"):
    task("gsm8k", {"answer": "She has many."})


def test_mbpp_shows_the_shortest_test_and_keeps_the_others_unseen():
  made = task("mbpp")
  assert made.prompt.endswith("Your code should pass this test:\nassert double(2) == 4")
  assert "1000" not in made.prompt
  assert made.reference == UnitTests(
      tests=("assert double(1000) == 2000", "assert double(2) == 4"),
      text="def double(x):\n  return 2 * x",
  )


def test_mbpp_shows_code_that_runs_before_the_tests():
  made = task("mbpp", {"test_setup_code": "root = Node(1) \r\nleaf = Node(2)"})
  assert made.prompt.endswith("\nBefore the test, this runs:\nroot = Node(1) \nleaf = Node(2)")
  assert made.reference.setup == "root = Node(1) \nleaf = Node(2)"


def test_sciq_options_are_shuffled_the_same_way_each_time_and_the_letter_follows():
  made = task("sciq")
  assert made == task("sciq")
  assert dict(made.reference.choices)[made.reference.label] == "honey" == made.reference.text
  assert sorted(text for _, text in made.reference.choices) == ["honey", "milk", "silk", "wool"]
  assert f"\n{made.reference.label}. honey" in made.prompt


def test_sciq_answers_are_spread_over_the_letters():
  rows = ({"question": f"What does bee {i} make?"} for i in range(400))
  labels = [task("sciq", row).reference.label for row in rows]
  # 100 each are expected; 4 standard deviations of Binomial(400, 1/4) are 35.
  assert all(65 <= labels.count(label) <= 135 for label in "ABCD")


def test_sciq_support_stands_before_the_question_unless_switched_off():
  assert task("sciq").prompt.startswith("Bees turn nectar into honey.\n\nWhat do bees make?\nA. ")
  assert task("sciq", support=False).prompt.startswith("What do bees make?\nA. ")
  assert task("sciq", {"support": ""}).prompt.startswith("What do bees make?\nA. ")
  assert task("sciq", support=False).rationale == "Bees turn nectar into honey."


def test_arc_options_numbered_by_the_exam_get_letters():
  made = task("ai2_arc")
  assert made.prompt == "Which animal lays eggs?\nA. cat\nB. hen\nC. cow"
  assert made.reference == Choice(
      label="B", text="hen", choices=(("A", "cat"), ("B", "hen"), ("C", "cow"))
  )


def test_arc_with_an_answer_that_is_no_option_is_dropped():
  with pytest.raises(Dropped, match="not among"):
    task("ai2_arc", {"answerKey": "E"})
  for choices in ({"text": ["one"], "label": ["A"]}, {"text": ["one", "two"], "label": ["A", "B", "C"]}):
    with pytest.raises(Dropped, match="do not match"):
      task("ai2_arc", {"answerKey": "A", "choices": choices})


def test_strategyqa_joins_its_facts_to_sentences_in_both_of_its_forms():
  assert task("strategyqa").reference == YesNo(value=False)
  assert task("strategyqa").rationale == "Snails are slow. Trains are fast."
  one_text = task("strategyqa", {"facts": "Snails are slow. Trains are fast."})
  assert one_text.rationale == "Snails are slow. Trains are fast."


def test_writingprompts_loses_its_tags_and_its_tokenised_spacing():
  made = task("writingprompts")
  assert made.text == "You can't sleep, and neither can the moon."
  assert made.reference == Text(text='"Awake?" she said.\n\n"Always."')


@pytest.mark.parametrize(
    "prompt, text",
    [
        ("[ WP ] [ CW ] - A day in one sentence\n", "A day in one sentence"),
        ("[ wp ] : The door [ it hums ] opens", "The door [it hums] opens"),
        ("A prompt without any tag", "A prompt without any tag"),
    ],
)
def test_writingprompts_tags_are_dropped_at_the_start_alone(prompt, text):
  assert task("writingprompts", {"prompt": prompt}).text == text


@pytest.mark.parametrize(
    "tag, reason", [("IP", "image"), ("MP", "music"), ("WP/IP", "image"), ("nsfw", "safe")]
)
def test_writingprompts_that_need_a_picture_or_are_unsafe_are_dropped(tag, reason):
  with pytest.raises(Dropped, match=reason):
    task("writingprompts", {"prompt": f"[ WP ] [ {tag} ] A castle in Spain at dawn"})


@pytest.mark.parametrize(
    "tokenised, text",
    [
        ("I wo n't , I 'm late !", "I won't, I'm late!"),
        ("It 's Ann 's ( old ) hat ...", "It's Ann's (old) hat..."),
        ("in .NET at 3 : 15", "in .NET at 3: 15"),
        ("the dogs ' bowls", "the dogs ' bowls"),
        ("a\n \n b \n c", "a\n\nb\nc"),
        ("", ""),
    ],
)
def test_spacing_is_repaired_where_it_is_certain(tokenised, text):
  assert repair_spacing(tokenised) == text


@hypothesis.given(strategies.text("a(['’\"`.,;!?)] \nnt", max_size=40))
def test_spacing_is_repaired_as_by_patterns_over_the_whole_text(text):
  said = text.replace("`` ", '"').replace("``", '"').replace(" ''", '"').replace("''", '"')
  said = re.sub("  +", " ", said).replace(" \n", "\n")
  said = re.sub(r" (n['’]t|['’](?:s|m|d|re|ve|ll))\b", r"\1", said, flags=re.IGNORECASE)
  said = re.sub(r" ([,;:!?%)\]]|\.+(?!\w))", r"\1", said)
  said = re.sub(r"([(\[]) +", r"\1", said)
  said = re.sub(r"\n[ \n]*", lambda run: "\n\n" if run[0].count("\n") > 1 else "\n", said)
  assert repair_spacing(text) == said.strip()


def test_dolly_feeds_each_domain_its_own_category():
  assert task("dolly", domain="creative_ideation").text == "List three uses of a brick."
  for domain in ("creative_writing", "summarization"):
    with pytest.raises(Dropped, match="another category"):
      task("dolly", domain=domain)


def test_dolly_puts_the_context_under_the_instruction():
  row = {"category": "summarization", "context": "Bricks are old.\n", "instruction": "Sum it up."}
  made = task("dolly", row, domain="summarization")
  assert made.prompt == "Sum it up.\n\nBricks are old."
  assert made.text == "Bricks are old."
  with pytest.raises(Dropped, match="nothing to summarize"):
    task("dolly", row | {"context": " "}, domain="summarization")


def test_cnn_dailymail_loses_its_byline_and_joins_its_highlights():
  made = task("cnn_dailymail")
  assert made.text == "The bridge reopened, he said."
  assert made.reference == Text(text="The bridge is open. It was shut for a year.")
  assert task("cnn_dailymail", {"article": "By night . All is well ."}).text.startswith("By night.")


def test_no_robots_takes_single_turns_of_its_domains_category():
  made = task("no_robots", domain="creative_writing")
  assert made.reference == Text(text="A kettle that lived on a shelf ...")
  with pytest.raises(Dropped, match="another category"):
    task("no_robots", domain="summarization")
  chat = [{"role": "system", "content": "Be terse."}, *ROWS["no_robots"]["messages"]]
  with pytest.raises(Dropped, match="more than one turn"):
    task("no_robots", {"messages": chat}, domain="creative_writing")


def test_an_article_or_a_supporting_text_may_be_cut_and_nothing_else():
  assert task("xsum").passage == "The bridge reopened on Monday."
  assert task("cnn_dailymail").passage == "The bridge reopened, he said."
  assert task("sciq").passage == "Bees turn nectar into honey."
  assert task("sciq", support=False).passage == "" == task("sciq", {"support": ""}).passage
  row = {"category": "summarization", "context": "Bricks are old.\n", "instruction": "Sum it up."}
  assert task("dolly", row, domain="summarization").passage == "Bricks are old."
  own = [task(name) for name in ("gsm8k", "mbpp", "ai2_arc", "strategyqa", "writingprompts")]
  own += [task("dolly", domain="creative_ideation"), task("no_robots", domain="creative_writing")]
  assert not any(made.passage for made in own)
