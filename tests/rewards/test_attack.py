"""The attacker wins where a reward is naive, finds nothing where it is exact, and never gets the answer.

Prompts and texts were written for this test.
"""

import json

import pytest

from rewards import __main__ as command
from rewards import attack
from rewards import registry
from rewards.attacks import material as materials
from rewards.format import parse
from rewards.format import render
from rewards.rows import example_from_row
from rewards.schema import Choice
from rewards.schema import Example
from rewards.schema import Number
from rewards.schema import Text
from rewards.schema import UnitTests
from rewards.schema import YesNo
from rewards.scorer import Scorer

POEMS = (
    (
        "Describe the harbour of a fishing village in winter.",
        "Ropes creak under ice while two gulls argue over a crate that smells of last week's herring.",
    ),
    (
        "A robot finds a garden behind the old factory.",
        "It did not know the word for green, so it stored the colour under the number of the day.",
    ),
    (
        "Tell how grandmother baked bread on Sundays.",
        "She slapped the dough as if it owed her money, and then she sang to it under the towel.",
    ),
    (
        "What would a clock say if it could speak?",
        "You all keep asking me what I have, and none of you has ever wanted to know how I am.",
    ),
)

PLUGIN = '''
from rewards import register

@register("wordy", kind="quality")
def wordy(completion, example):
  """Pays for words, whatever they say."""
  return min(1.0, len(completion.answer.split()) / 40)

@register("to_the_letter", kind="quality")
def to_the_letter(completion, example):
  """Pays for the reference alone."""
  return float(completion.answer == example.reference.text)

@register("holds", kind="correctness")
def holds(completion, example):
  """Pays where the truth stands anywhere in the answer."""
  return float(example.reference.text in completion.answer)

@register("exact", kind="correctness")
def exact(completion, example):
  return float(completion.answer == example.reference.text)
'''

RECIPE = '''
import ml_collections

def get_config(variant="wordy"):
  config = ml_collections.ConfigDict()
  config.plugins = ({plugin!r},)
  config.rewards = dict(poems=dict(format=dict(weight=0.2)))
  config.rewards.poems[variant] = dict(weight=0.8)
  config.scoring = dict(num_workers=1)
  return config
'''


@pytest.fixture
def plugin(tmp_path):
  path = tmp_path / "poems.py"
  path.write_text(PLUGIN)
  (tmp_path / "recipe.py").write_text(RECIPE.format(plugin=str(path)))
  with registry.temporary():
    yield str(path)


class Recorder(Scorer):
  """A scorer that remembers what it was asked."""

  def score(self, examples, texts, groups=None):
    self.asked = getattr(self, "asked", [])
    self.asked += zip(examples, texts, strict=True)
    return super().score(examples, texts, groups)


def scorer_of(plugin, name, domain="poems"):
  return Recorder({domain: {"format": {"weight": 0.2}, name: {"weight": 0.8}}}, plugins=(plugin,))


def poems():
  return [
      attack.Row(
          example=Example(uid=f"poem/{i}", domain="poems", prompt=prompt, reference=Text(text=text)),
          own=render(attack.PLAIN_REASONING, text),
      )
      for i, (prompt, text) in enumerate(POEMS)
  ]


def riddle(reference, prompt="What is six times seven plus eighteen?", uid="riddle/0"):
  example = Example(uid=uid, domain="riddles", prompt=prompt, reference=reference)
  return attack.Row(example=example, own=render("Six sevens are 42, and 42 + 18 = 60.", reference.text))


def test_a_naive_reward_loses_every_row_and_an_exact_one_none(plugin):
  (naive,) = attack.search(scorer_of(plugin, "wordy"), poems(), budget=60, seed=0)
  (exact,) = attack.search(scorer_of(plugin, "to_the_letter"), poems(), budget=60, seed=0)
  assert naive.wins == 1.0 and naive.attack == 1.0 > naive.own
  assert exact.wins == exact.close == 0.0 and exact.attack == pytest.approx(0.2) and exact.own == 1.0


def test_the_search_goes_on_where_fixed_texts_end(plugin):
  scorer = scorer_of(plugin, "wordy")
  (outcome,) = attack.search(scorer, poems(), budget=120, seed=0)
  by_edits = [r.best[attack.EDITS] for r in outcome.rows]
  assert len(by_edits) == len(POEMS) and all(found.root != attack.EDITS for found in by_edits)
  asked = [example.uid for example, _ in scorer.asked]
  assert all(asked.count(f"poem/{i}") == 1 + 120 for i in range(len(POEMS)))  # its own, and the budget


def test_a_seed_repeats_to_the_letter_and_another_does_not(plugin):
  asked = []
  for seed in (0, 0, 1):
    scorer = scorer_of(plugin, "wordy")
    attack.search(scorer, poems(), budget=80, seed=seed)
    asked.append([text for _, text in scorer.asked])
  assert asked[0] == asked[1] != asked[2]


def test_no_text_says_the_rows_own_reference_again(plugin):
  rows = poems()
  # Another row answers the same prompt with the same words: no material either.
  twin = Example(uid="twin", domain="poems", prompt=POEMS[0][0], reference=Text(text=POEMS[0][1]))
  rows.append(attack.Row(example=twin, own=rows[0].own))
  scorer = scorer_of(plugin, "to_the_letter")
  attack.search(scorer, rows, budget=150, seed=0)
  offered = [(e, t) for e, t in scorer.asked if t != render(attack.PLAIN_REASONING, e.reference.text)]
  assert len(offered) == 150 * len(rows)
  assert not any(materials.shares_run(parse(text).answer, e.reference.text) for e, text in offered)
  said = " ".join(parse(text).answer for example, text in offered if example.uid == "poem/1")
  assert "herring" in said and "number of the day" not in said  # others' texts are material


def test_other_rows_lend_their_texts_only_where_the_prompts_differ():
  prompts = ("Name ideas for a birthday.", "Name more ideas for a birthday.", "Explain how tides work.")
  examples = [Example(uid=p, domain="d", prompt=p, reference=Text(text=p)) for p in prompts]
  first, _, third = materials.collect(examples, ["Cake.", "Balloons.", "The moon pulls."], seed=0)
  assert first.foreign == (("The moon pulls.",),)
  assert sorted(third.foreign) == [("Balloons.",), ("Cake.",)]


@pytest.mark.parametrize(
    "reference",
    [
        Number(text="60"),
        Choice(text="oxygen", label="B", choices=(("A", "helium"), ("B", "oxygen"), ("C", "iron"))),
        YesNo(value=True),
        Text(text="photosynthesis"),
        UnitTests(tests=("assert f(1) == 2",), text="def f(x):\n  return x + 1"),
    ],
    ids=lambda reference: type(reference).__name__,
)
def test_where_there_is_a_truth_no_wrong_answer_is_it_and_every_right_one_is(plugin, reference):
  scorer = scorer_of(plugin, "exact", "riddles")
  wrong, unshown = attack.search(scorer, [riddle(reference)], budget=200, seed=0)
  assert (wrong.aim, unshown.aim) == (attack.WRONG, attack.UNSHOWN)
  truth = attack.verdicts.truth(reference)
  answers = [parse(text).answer for _, text in scorer.asked[1:]]
  right = [answer == truth for answer in answers]
  assert any(right) and not all(right)
  assert right == sorted(right)  # all wrong ones come first, then right ones alone
  assert wrong.attack == pytest.approx(0.2)


def test_a_truth_that_is_searched_for_in_the_answer_is_hedged(plugin):
  scorer = scorer_of(plugin, "holds", "riddles")
  wrong, unshown = attack.search(scorer, [riddle(Number(text="60"))], budget=100, seed=0)
  assert wrong.close == 1.0 and wrong.attack == wrong.own == 1.0
  means = {name: mean for name, _, mean, _, _ in wrong.families()}
  assert means["together"] == means["hedge"] == 1.0 and means["empty"] == pytest.approx(0.2)
  assert attack.worst_ratio([wrong]) == 1.0
  assert attack.worst_ratio([unshown]) == 0.0  # no bar for right answers


def test_edits_keep_a_text_within_bounds():
  (material,) = materials.collect([poems()[0].example], [""], seed=0)
  rng, draft = materials.random.Random(0), materials.Draft(("One.", "Two."))
  for _ in range(500):
    draft = materials.edit(draft, draft, material, rng)
    assert draft.pieces and len(draft.pieces) <= materials.MOST_SENTENCES
    assert len(draft.text.split()) <= materials.MOST_WORDS + 50


def test_a_rows_own_text_is_its_completion_then_its_rationale_then_a_plain_one():
  raw = {"domain": "math", "prompt": "6 * 7?", "answer": "Six sevens are 42.\n#### 42"}
  raw["completion"] = "<answer>"
  example = example_from_row(raw, "here")
  assert attack.own_text(example, raw) == "<answer>"
  del raw["completion"]
  assert parse(attack.own_text(example, raw)).reasoning == "Six sevens are 42."
  told = example_from_row(raw | {"metadata": {"rationale": "Count them."}}, "here")
  assert attack.own_text(told, raw) == render("Count them.", "42")
  assert attack.own_text(example, raw | {"answer": "42"}) == render(attack.PLAIN_REASONING, "42")
  empty = Example(uid="u", domain="d", prompt="p", reference=UnitTests(tests=("assert 1",)))
  assert attack.own_text(empty, {}) is None


def run(tmp_path, variant, *more):
  path = tmp_path / "rows.jsonl"
  lines = [{"domain": "poems", "prompt": f"<script>alert()</script> {p}", "answer": a} for p, a in POEMS]
  path.write_text("".join(json.dumps(line) + "\n" for line in lines))
  return command.main([
      "attack", f"--config={tmp_path / 'recipe.py'}:{variant}", "--input", str(path), "--budget", "30", *more
  ])


def test_the_command_prints_the_worst_texts_and_writes_a_page(plugin, tmp_path, capsys):
  assert run(tmp_path, "wordy", "--output", str(tmp_path / "attack.html")) == 0
  printed = capsys.readouterr().out
  assert "100%" in printed and "poems, worst 3:" in printed and "  | <answer>" in printed
  page = (tmp_path / "attack.html").read_text()
  assert "&lt;script&gt;alert()" in page and "<script>" not in page and "&lt;answer&gt;" in page


def test_the_exit_status_is_1_only_above_the_ratio_that_was_asked_for(plugin, tmp_path):
  assert run(tmp_path, "wordy") == 0
  assert run(tmp_path, "wordy", "--fail-above", "0.75") == 1
  assert run(tmp_path, "to_the_letter", "--fail-above", "0.75") == 0


def test_mistakes_are_one_sentence(plugin, tmp_path, capsys):
  for more, said in (
      (("--domain", "songs"), "has no row of songs"),
      (("--budget", "0"), "expected 1 or more"),
      (("--output", str(tmp_path / "nowhere" / "a.html")), "a directory that exists"),
  ):
    assert run(tmp_path, "wordy", *more) == 2
    assert said in capsys.readouterr().err
