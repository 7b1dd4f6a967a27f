"""The one exception for a user's mistake: a sentence to read, never a stack trace."""


class ConfigError(ValueError):
  """A setting, name, file or row that cannot be used.

  The message is one sentence naming the field, its value and what is accepted. Commands print it
  and exit with status 2; a traceback is kept for our own bugs.
  """


class Exhausted(Exception):
  """What a completion did ended the process that served it, and alone it did so again: it gets 0.0.

  Args:
    cause: one word that the metrics count.
  """

  def __init__(self, cause: str):
    super().__init__(cause)
    self.cause = cause


def suggest(name: str, known) -> str:
  """Returns `Did you mean 'x'? ` for a near miss among `known`, else an empty string."""
  import difflib

  near = difflib.get_close_matches(str(name), [str(k) for k in known], n=1)
  return f"Did you mean {near[0]!r}? " if near else ""
