"""What a trace reasons where its row has no rationale."""

import collections

import pytest

from reasoner.data import embedded_flaws
from reasoner.data import plans
from rewards.schema import Choice
from rewards.schema import Example
from rewards.schema import Number
from rewards.schema import Text
from rewards.schema import UnitTests


def example(domain, reference, prompt="Tell me of the sea. Be brief."):
  return Example(uid="set/1", domain=domain, prompt=prompt, reference=reference)


@pytest.mark.parametrize(
    "domain, reference, expected",
    [
        (
            "coding",
            UnitTests(
                tests=(),
                text="def first_repeated(text):\n  for i, c in enumerate(text):\n    if c in text[:i]:\n      return c",
            ),
            "first_repeated(text): loop, enumerate, condition.",
        ),
        ("coding", UnitTests(tests=(), text="def fact(n):\n  return n * fact(n - 1)"), "fact(n): recursion."),
        ("coding", UnitTests(tests=(), text="def double(n): return 2 * n"), "double(n): one expression."),
        ("coding", UnitTests(tests=(), text="not a program"), "Tell me of the sea."),
        (
            "creative_writing",
            Text(text="The lighthouse keeper had not been asleep. A storm, a letter: the keeper wept."),
            "lighthouse, keeper, asleep, storm, letter.",
        ),
        ("creative_ideation", Text(text="- A raft of corks\n- A necklace\n2. Raft races"), "raft, necklace."),
        ("summarization", Text(text="Cardiff have sacked manager Malky Mackay."), "Cardiff, sacked, manager, Malky, Mackay."),
        (
            "science",
            Choice(text="a gas", label="B", choices=(("A", "a fish"), ("B", "a gas"))),
            "Tell, brief: a gas.",
        ),
        ("math", Number(text="4"), "Tell me of the sea."),
        ("creative_writing", Text(text="So it was."), "Tell me of the sea."),
    ],
)
def test_a_plan_is_a_few_words_of_its_own_row(domain, reference, expected):
  assert plans.plan(example(domain, reference), "Tell me of the sea. Be brief.") == expected


def test_no_sentence_stands_in_every_plan():
  stories = [Text(text=f"The {noun} sang of {other}.") for noun, other in (("keeper", "storms"), ("baker", "bread"))]
  words = [set(plans.plan(example("creative_writing", s), "Write.").rstrip(".").split(", ")) for s in stories]
  shared = collections.Counter(word for own in words for word in own)
  assert [word for word, n in shared.items() if n > 1] == ["sang"]  # the stories' own word


def test_the_embedded_corpus_keeps_sentences_that_its_small_model_can_learn():
  text = embedded_flaws.restated(example("creative_writing", Text(text="A story.")), "When it rains. Be brief.")
  assert text == "When it rains. I begin with a scene, let something happen, and end on a feeling that stays."
