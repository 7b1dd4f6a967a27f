"""How a multiple-choice question is put: the question, then one option a line.

  Which gas do plants take in?
  A. oxygen
  B. carbon dioxide
"""

from collections.abc import Sequence
import string

LABELS = string.ascii_uppercase


def with_options(question: str, choices: Sequence[tuple[str, str]]) -> str:
  """Returns the question with its (label, text) options under it."""
  return "\n".join([question, *(f"{label}. {text}" for label, text in choices)])
