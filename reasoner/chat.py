r"""Talks to a finished run, or to a model's directory.

  python -m reasoner.chat --workdir=runs/seven_domain                        # a line, an answer
  python -m reasoner.chat --workdir=runs/seven_domain --serve                # a page on this machine
  python -m reasoner.chat --workdir=runs/seven_domain --prompt="Is a whale a fish?"
  python -m reasoner.chat --workdir=runs/seven_domain --row=gsm8k/main/test/4    # and what it is paid
  python -m reasoner.chat --model=DIRECTORY                                  # an export, or any Gemma 3

The page shows the starting and the trained model side by side. Needs the rows of a run for --row, and
nothing of it but the model for the rest.
"""

import argparse
import pathlib
import sys

from rewards.errors import ConfigError
from rewards.scorer import ComponentError
from rewards.service import WorkerError


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
  parser = argparse.ArgumentParser(
      prog="python -m reasoner.chat", description=__doc__, allow_abbrev=False,
      formatter_class=argparse.RawDescriptionHelpFormatter,
  )  # fmt: skip
  what = parser.add_mutually_exclusive_group(required=True)
  what.add_argument("--workdir", type=pathlib.Path, help="a finished run")
  what.add_argument("--model", type=pathlib.Path, help="a directory as Hugging Face has them")
  how = parser.add_mutually_exclusive_group()
  how.add_argument("--prompt", help="asks this and ends")
  how.add_argument("--row", metavar="UID", help="asks a row that the run was evaluated on, and says what it is paid")
  how.add_argument("--serve", action="store_true", help="a page in the browser, on this machine alone")
  parser.add_argument("--starting", action="store_true", help="asks the model as it was before training")
  parser.add_argument("--temperature", type=float, default=0.0, help="0 (default): greedy, as evaluated")
  parser.add_argument("--max_new_tokens", type=int, help="default: as trained")
  parser.add_argument("--seed", type=int, default=0, help="of what is drawn at a temperature above 0")
  parser.add_argument("--port", type=int, help="of --serve; default: the first free one from 7860")
  return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
  """Runs the command and returns its exit status."""
  options = parse(arguments)
  try:
    if not options.temperature >= 0:
      raise ConfigError(f"--temperature={options.temperature}: expected 0 or more.")
    if options.max_new_tokens is not None and options.max_new_tokens < 1:
      raise ConfigError(f"--max_new_tokens={options.max_new_tokens}: expected 1 or more.")
    if options.starting and options.model:
      raise ConfigError("--starting needs --workdir: a directory holds one model.")
    if options.serve:
      from reasoner.reporting import conversation_page

      conversation_page.require_gradio()  # before the weights are read
    talk(options)
  except (ConfigError, ComponentError, WorkerError) as error:
    print(f"error: {error}", file=sys.stderr)
    return 2
  except (KeyboardInterrupt, EOFError):
    print()
  return 0


def talk(options: argparse.Namespace) -> None:
  from reasoner.run import conversation as conversations  # JAX and Tunix: seconds

  kinds = conversations.Conversation
  with kinds.of_run(options.workdir) if options.workdir else kinds.of_directory(options.model) as conversation:
    if options.serve:
      from reasoner.reporting import conversation_page

      conversation_page.serve(conversation, str(options.workdir or options.model), options.port)
      return
    speaker = conversations.STARTING if options.starting else conversations.TRAINED

    def ask(asked) -> str:
      shown = ""
      for written in conversation.stream(
          speaker, asked,
          temperature=options.temperature, max_new_tokens=options.max_new_tokens, seed=options.seed,
      ):  # fmt: skip
        print(written.text[len(shown) :], end="", flush=True)
        shown = written.text
      print("" if written.ended else " [out of tokens]")
      return shown

    if options.prompt is not None:
      ask(options.prompt)
    elif options.row is not None:
      row = conversation.row(options.row)
      print(f"{row.prompt}\n")
      completion = ask(row)
      print("", *conversation.explain(row, completion), sep="\n")
    else:
      print(f"The {speaker} of {options.workdir or options.model}. Each line is a task of its own; Ctrl-D ends.")
      while True:
        asked = input("\n> ").strip()
        if asked:
          try:
            ask(asked)
          except ConfigError as error:  # too long: the next may be shorter
            print(f"error: {error}")


if __name__ == "__main__":
  sys.exit(main())
