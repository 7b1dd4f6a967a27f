"""Whether a program that a model wrote passes MBPP's tests, in our sandbox: mbpp.yaml's judge.

The harness' own runs untrusted programs unconfined, and fetches its judge when it is imported.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from rewards import format as output_format
from rewards import sandbox
from rewards.domains.coding import extract_program


def passes(doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, float]:
  """Returns 1.0 or 0.0 for the program in the answer of a valid format, and for the one anywhere in the text."""
  text = results[0]
  answer = output_format.parse(text).answer
  return {"strict": float(bool(answer) and _passes(answer, doc)), "flexible": float(_passes(answer or text, doc))}


def _passes(text: str, doc: Mapping[str, Any]) -> bool:
  report = sandbox.run(extract_program(text), doc["test_list"], doc["test_setup_code"], doc["code"])
  return bool(report.passed) and all(report.passed)
