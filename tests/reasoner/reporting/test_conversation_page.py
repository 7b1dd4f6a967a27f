"""The page of a conversation: what it is to show, as plain values, and the page itself where Gradio is installed."""

import types

import pytest

from reasoner.policy.streaming import Written
from reasoner.reporting import conversation_page
from rewards.errors import ConfigError
from rewards.schema import Example
from rewards.schema import YesNo

WHOLE = "<reasoning>Whales breathe air.</reasoning>\n<answer>no</answer>"


def message(content, **metadata):
  return {"role": "assistant", "content": content} | ({"metadata": metadata} if metadata else {})


@pytest.mark.parametrize(
    "text, done, shown",
    [
        ("", False, []),
        ("<reaso", False, []),  # the half of a tag is not shown and taken back
        ("<reasoning>Whales", False, [message("Whales", title="Reasoning", status="pending")]),
        ("<reasoning>Whales</reas", False, [message("Whales", title="Reasoning", status="pending")]),
        (WHOLE[:-5], False, [message("Whales breathe air.", title="Reasoning", status="done"), message("no")]),
        (WHOLE, True, [message("Whales breathe air.", title="Reasoning", status="done"), message("no")]),
        (
            f"Well. {WHOLE} Sure?", True,
            [message("Well."), message("Whales breathe air.", title="Reasoning", status="done"), message("no\nSure?")],
        ),
        ("<reasoning>on and on", True, [message("<reasoning>on and on")]),  # what was never closed is not folded
        ("no tags <at all", True, [message("no tags <at all")]),
        ("<reasoning>a</reasoning> no", True, [message("a", title="Reasoning", status="done"), message("no")]),
    ],
)  # fmt: skip
def test_reasoning_is_apart_from_the_answer_and_nothing_is_hidden(text, done, shown):
  assert conversation_page.messages(text, done=done) == shown


class Conversation:
  """Two speakers who say what they are given, a word a token."""

  note = ""

  def __init__(self, **says):
    row = Example(uid="whale", domain="logic", prompt="Is a whale a fish?", reference=YesNo(value=False))
    self.rows, self.speakers, self.asked = {"whale": row}, says, []

  def stream(self, name, asked, *, temperature):
    if len(str(asked)) > 1000:
      raise ConfigError("the prompt is too long.")
    self.asked.append((name, asked, temperature))
    words = self.speakers[name].split(" ")
    return iter(
        Written(text=" ".join(words[: n + 1]), tokens=n + 1, ended=n + 1 == len(words)) for n in range(len(words))
    )

  def explain(self, row, completion):
    return [f"{row.uid} is paid for {len(completion)} characters"]


def test_both_speakers_are_shown_as_they_write_and_at_last_what_they_are_paid():
  conversation = Conversation(starting="fish yes it is", trained=WHOLE)
  states = list(conversation_page.turns(conversation, "Is a whale a fish?", "whale", 0.5))
  assert [asked for _, asked, _ in conversation.asked] == [conversation.rows["whale"]] * 2
  (starting, _), first = states[0]
  assert starting == [{"role": "user", "content": "Is a whale a fish?"}, message("fish")] and first[0] == "1 tokens …"
  (starting, trained), paid = states[-1]
  assert starting[1:] == [message("fish yes it is")]
  assert trained[1:] == conversation_page.messages(WHOLE, done=True)
  assert paid == [f"reference: no\nwhale is paid for {n} characters" for n in (14, len(WHOLE))]


def test_a_task_that_is_no_row_has_no_reward_but_a_verdict_on_its_format():
  conversation = Conversation(starting="fish", trained=WHOLE)
  *_, (_, paid) = conversation_page.turns(conversation, "Is a shark a fish?", "whale", 0.0)
  assert [asked for _, asked, _ in conversation.asked] == ["Is a shark a fish?"] * 2
  assert "refused: missing" in paid[0] and "format is right" in paid[1]


def test_what_cannot_be_asked_is_said():
  conversation = Conversation(starting="fish", trained=WHOLE)
  assert list(conversation_page.turns(conversation, "  ", None, 0.0)) == [([[], []], ["", ""])]
  ((_, paid),) = conversation_page.turns(conversation, "long " * 500, None, 0.0)
  assert paid == ["error: the prompt is too long."] * 2


def test_without_gradio_one_sentence_says_what_to_install(monkeypatch):
  monkeypatch.setitem(__import__("sys").modules, "gradio", None)
  with pytest.raises(ConfigError, match=r"pip install 'reasoner\[chat\]'"):
    conversation_page.require_gradio()


def test_the_page_has_a_column_for_each_speaker():
  gradio = pytest.importorskip("gradio")
  blocks = conversation_page.page(Conversation(starting="a", trained="b"), "runs/whales")
  chats = [block.label for block in blocks.blocks.values() if isinstance(block, gradio.Chatbot)]
  assert chats == ["starting", "trained"]
  (choices,) = [block.choices for block in blocks.blocks.values() if isinstance(block, gradio.Dropdown)]
  assert choices == [("logic: Is a whale a fish?", "whale")]
  directory = types.SimpleNamespace(rows={}, speakers={"trained": None}, note="It has no rows.")
  assert conversation_page.page(directory, "export")
