"""A page on this machine that asks the starting and the trained model the same thing, side by side.

  serve(conversation, "runs/seven_domain", port=7860)     # until it is interrupted

Gradio draws it (the extra [chat]); what it is to draw is made here, as plain values: `turns` streams
messages, the reasoning folded apart from the answer, and for a held-out row what each is paid.
"""

from collections.abc import Iterator
import html
import re
from typing import Any

from reasoner.run.conversation import Conversation
from rewards import format as output_format
from rewards.errors import ConfigError

_PART_OF_A_TAG = re.compile(r"</?[a-z]*$")
# Columns of the breakdown, and the indentation of a program that is an answer.
_STYLE = """
.reward textarea {font-family: monospace; font-size: 12px; white-space: pre-wrap}
.message-markdown-disabled {white-space: pre-wrap !important}
"""


def require_gradio() -> None:
  """Raises ConfigError where Gradio is not installed."""
  try:
    import gradio  # noqa: F401
  except ImportError:
    raise ConfigError(
        "--serve needs Gradio: pip install 'reasoner[chat]'. Without it, the same command without --serve "
        "talks in the terminal."
    ) from None


def messages(text: str, done: bool) -> list[dict[str, Any]]:
  """Returns a completion, whole or so far, as chat messages: what stands before, reasoning, the rest.

  Shows all that the model wrote; only tags that stand where they belong are left out. What ends inside of
  its reasoning is shown as it is: there is nothing to fold it away from.
  """
  if not done:
    text = _PART_OF_A_TAG.sub("", text)
  before, opened, rest = text.partition(output_format.REASONING_OPEN)
  reasoning, closed, rest = rest.partition(output_format.REASONING_CLOSE)
  if done and not closed:
    return [{"role": "assistant", "content": text}]
  said = []
  if before.strip():
    said.append({"role": "assistant", "content": before.strip()})
  if opened:
    folded = {"title": "Reasoning", "status": "done" if closed else "pending"}
    said.append({"role": "assistant", "content": reasoning.strip(), "metadata": folded})
  rest = rest.strip()
  if rest.startswith(output_format.ANSWER_OPEN):
    answer, _, after = rest.removeprefix(output_format.ANSWER_OPEN).partition(output_format.ANSWER_CLOSE)
    rest = "\n".join(part for part in (answer.strip("\n"), after.strip()) if part)
  if rest:
    said.append({"role": "assistant", "content": rest})
  return said


def turns(
    conversation: Conversation, asked: str, uid: str | None, temperature: float
) -> Iterator[tuple[list[list[dict[str, Any]]], list[str]]]:
  """Yields what each speaker has written so far, token by token in turn, and at last what it is paid.

  Args:
    uid: of the row that was chosen; its reward is shown where it was asked as it stands.

  Yields:
    messages by speaker, and a text by speaker: the reward's breakdown, or why there is none.
  """
  row = conversation.rows.get(uid) if uid else None
  row = row if row and row.prompt.strip() == asked.strip() else None
  question = {"role": "user", "content": asked}
  said = {name: [question] for name in conversation.speakers}
  paid = dict.fromkeys(said, "")
  if not asked.strip():
    yield [[] for _ in said], list(paid.values())
    return
  texts: dict[str, str] = {}
  try:
    streams = {name: conversation.stream(name, row or asked, temperature=temperature) for name in said}
  except ConfigError as error:
    yield list(said.values()), [f"error: {error}"] * len(said)
    return
  while streams:
    for name, stream in list(streams.items()):
      written = next(stream, None)
      if written is None:
        del streams[name]
        said[name] = [question, *messages(texts[name], done=True)]
        continue
      texts[name] = written.text
      said[name] = [question, *messages(written.text, done=False)]
      paid[name] = f"{written.tokens} tokens" + ("" if written.ended else " …")
    yield list(said.values()), list(paid.values())
  for name, text in texts.items():
    if row:
      paid[name] = f"reference: {row.reference.text}\n" + "\n".join(conversation.explain(row, text))
    else:
      failure = output_format.parse(text).failure
      verdict = "right" if failure is None else f"refused: {failure}"
      paid[name] = f"The format is {verdict}. There is no reference to compare with."
    yield list(said.values()), list(paid.values())


def page(conversation: Conversation, title: str):
  """Returns the page as a gradio.Blocks."""
  import gradio

  rows, names = conversation.rows, list(conversation.speakers)
  with gradio.Blocks(title=f"{title}: a conversation", analytics_enabled=False, fill_width=True) as blocks:
    said = f"Each task is asked by itself, in the prompt that the model was trained on. {conversation.note}"
    gradio.Markdown(f"### {title}\n{said}")
    chosen = gradio.Dropdown(
        [(f"{row.domain}: {' '.join(row.prompt.split())[:110]}", uid) for uid, row in rows.items()],
        value=None, label="A row that the run was evaluated on, and never trained on", visible=bool(rows),
    )  # fmt: skip
    with gradio.Row():
      asked = gradio.Textbox(label="Task", lines=3, scale=4)
      with gradio.Column(scale=1, min_width=220):
        temperature = gradio.Slider(0.0, 1.5, 0.0, step=0.25, label="Temperature")
        ask = gradio.Button("Ask", variant="primary")
    chats, rewards = [], []
    with gradio.Row():
      for name in names:
        with gradio.Column():
          chats.append(gradio.Chatbot(label=name, height=260, render_markdown=False, buttons=["copy"]))
          rewards.append(gradio.Textbox(label=f"What the {name} is paid", lines=10, elem_classes="reward"))
    chosen.input(lambda uid: rows[uid].prompt if uid else "", chosen, asked)

    def answer(asked, uid, temperature):
      try:
        for said, paid in turns(conversation, asked, uid, temperature):
          # Gradio takes messages for HTML, and a program that compares a <b with c> d would lose half of it.
          yield [*([m | {"content": html.escape(m["content"], quote=False)} for m in of] for of in said), *paid]
      except Exception as error:  # whatever it is, the page shows it and stays
        raise gradio.Error(str(error)) from error

    gradio.on([ask.click, asked.submit], answer, [asked, chosen, temperature], [*chats, *rewards])
  return blocks


def serve(conversation: Conversation, title: str, port: int | None = None) -> None:
  """Shows the page at http://127.0.0.1:port until it is interrupted; None: the first free port from 7860.

  Raises:
    ConfigError: no Gradio, or another program has the port.
  """
  require_gradio()
  blocks = page(conversation, title)
  try:
    _, url, _ = blocks.launch(
        server_name="127.0.0.1", server_port=port, quiet=True, footer_links=[], css=_STYLE, prevent_thread_lock=True
    )
  except OSError:
    taken = "7860 to 7959 are" if port is None else f"{port} is"
    raise ConfigError(f"--port: {taken} taken; name another one.") from None
  print(f"{url} shows {title}; Ctrl-C ends it.", flush=True)
  blocks.block_thread()
