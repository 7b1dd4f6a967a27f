"""What a trace reasons where its row has no rationale."""

import pytest

from reasoner.data import embedded_flaws
from reasoner.data import plans
from rewards.schema import Choice
from rewards.schema import Example
from rewards.schema import Number
from rewards.schema import Text
from rewards.schema import UnitTests


def example(domain, reference, prompt="Tell me of the sea. Be brief.", uid="set/1"):
  return Example(uid=uid, domain=domain, prompt=prompt, reference=reference)


def said(domain, reference):
  """Returns what plans of a row say under many uids."""
  rows = [example(domain, reference, uid=f"set/{n}") for n in range(40)]
  return {plans.plan(row, "Tell me of the sea. Be brief.") for row in rows}


def program(text):
  return UnitTests(tests=(), text=text)


REPEATED = "def first_repeated(text):\n  for i, c in enumerate(text):\n    if c in text[:i]:\n      return c"


@pytest.mark.parametrize(
    "domain, reference, expected",
    [
        (
            "coding",
            program(REPEATED),
            {
                "first_repeated takes text: it loops, calls enumerate and checks a condition.",
                "first_repeated gets text and loops, calls enumerate and checks a condition.",
                "Given text, first_repeated loops, calls enumerate and checks a condition.",
            },
        ),
        (
            "creative_writing",
            Text(text="The lighthouse keeper had not been asleep. A storm, a letter: the keeper wept."),
            {
                "It tells of Tell and brief.", "The story is about Tell and brief.",
                "It has Tell and brief in it.", "I begin with Tell and brief.",
            },
        ),
        (
            "creative_ideation",
            Text(text="- A raft of corks\n- A necklace\n2. Raft races"),
            {
                "I look for Tell and brief.", "It asks for Tell and brief.",
                "The list is of Tell and brief.", "What fits Tell and brief?",
            },
        ),
        (
            "summarization",
            Text(text="Cardiff have sacked manager Malky Mackay."),
            {
                "What matters is Cardiff, sacked and manager.",
                "The text is about Cardiff, sacked and manager.",
                "It comes down to Cardiff, sacked and manager.",
                "I keep Cardiff, sacked and manager.",
            },
        ),
        (
            "science",
            Choice(text="a gas", label="B", choices=(("A", "a fish"), ("B", "a gas"))),
            {"Of these, a gas fits Tell and brief.", "With Tell and brief, it must be a gas.",
             "What goes with Tell and brief is a gas."},
        ),
        ("coding", program("not a program"), {"Tell me of the sea."}),
        ("math", Number(text="4"), {"Tell me of the sea."}),
        ("science", Text(text="carbon dioxide"), {"Tell me of the sea."}),
        ("coding", Text(text="A lighthouse keeper."), {"Tell me of the sea."}),
        ("a_domain_of_a_plugin", Text(text="A lighthouse keeper."), {"Tell me of the sea."}),
    ],
)  # fmt: skip
def test_a_plan_is_a_short_sentence_of_its_own_row_worded_by_its_uid(domain, reference, expected):
  assert said(domain, reference) == expected


@pytest.mark.parametrize(
    "text, does",
    [
        ("def fact(n):\n  return n * fact(n - 1)", "calls itself"),
        ("def double(n): return 2 * n", "returns one expression"),
        (
            "def squares(n):\n  def s(x): return x * x\n  return sum([s(i) for i in range(n)])",
            "has a helper function, calls sum and builds a list",
        ),
    ],
)
def test_a_program_s_plan_names_its_first_steps(text, does):
  name = text.split("(")[0].removeprefix("def ")
  assert f"{name} takes n: it {does}." in said("coding", program(text))


@pytest.mark.parametrize("domain", ["creative_writing", "creative_ideation"])
def test_of_an_open_task_a_plan_has_the_three_longest_words_in_their_order(domain):
  task = "Give me some uses for a hundred corks at the seaside, for children."
  row = example(domain, Text(text="A raft, a necklace."), prompt=task)
  assert "hundred, seaside and children" in plans.plan(row, task)


@pytest.mark.parametrize("domain", ["creative_writing", "creative_ideation"])
def test_an_open_task_without_words_that_carry_its_matter_is_restated(domain):
  assert plans.plan(example(domain, Text(text="A raft.")), "Go on.") == "Go on."


def test_no_list_is_longer_than_three_words():
  summary = Text(text=" ".join(f"lantern{chr(97 + n)} sings." for n in range(20)))
  assert {text.count(",") for text in said("summarization", summary)} == {1}


def test_the_embedded_corpus_keeps_sentences_that_its_small_model_can_learn():
  text = embedded_flaws.restated(example("creative_writing", Text(text="A story.")), "When it rains. Be brief.")
  assert text == "When it rains. I begin with a scene, let something happen, and end on a feeling that stays."
