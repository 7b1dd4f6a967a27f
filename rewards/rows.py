"""Pool rows, the published exchange format, to Examples.

One real row:

  {"domain": "science", "prompt": "Which gas do plants take in?", "answer": "B",
   "metadata": {"choices": {"label": ["A", "B"], "text": ["oxygen", "carbon dioxide"]}}}

`uid` and `split` are optional and belong to whoever holds the rows. This module checks a row's
shape; whether a prompt is worth training on is decided where data sets are loaded.
"""

from collections.abc import Iterator, Mapping, Sequence
import hashlib
import json
import pathlib
import types
from typing import Any

from rewards.errors import ConfigError
from rewards.schema import Choice
from rewards.schema import Example
from rewards.schema import Number
from rewards.schema import Reference
from rewards.schema import Text
from rewards.schema import UnitTests
from rewards.schema import YesNo

YES, NO = ("yes", "true"), ("no", "false")


class RowError(ConfigError):
  """A row that cannot become an Example; the message names the place and the cause."""


def read_rows(path: str | pathlib.Path) -> Iterator[tuple[str, dict[str, Any]]]:
  """Yields ("path:line", row) of a JSONL file; blank lines are skipped.

  Raises:
    ConfigError: the file does not exist.
    RowError: a line is not a JSON object in UTF-8.
  """
  path = pathlib.Path(path)
  if not path.is_file():
    raise ConfigError(f"{path} does not exist: expected a JSONL file of pool rows.")
  with path.open("rb") as lines:  # decoded line by line, so that a broken one is named
    for number, line in enumerate(lines, start=1):
      if not line.strip():
        continue
      place = f"{path}:{number}"
      try:
        row = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
      except json.JSONDecodeError as error:
        raise RowError(f"{place} is not JSON: {error.msg} at column {error.colno}.") from None
      except UnicodeDecodeError as error:
        raise RowError(f"{place} is not UTF-8: {error.reason} at byte {error.start}.") from None
      except (ValueError, RecursionError) as error:  # a number of 5,000 digits, 10,000 brackets
        raise RowError(f"{place} cannot be read: {error}.") from None
      if not isinstance(row, dict):
        raise RowError(f"{place} is {type(row).__name__}, not a JSON object.")
      yield place, row


_WITHOUT_TRUTH = ("creative_writing", "creative_ideation", "summarization")


def example_from_row(row: Mapping[str, Any], place: str) -> Example:
  """Returns the Example that a pool row describes; without `uid`, one hashed from its content.

  Raises:
    RowError: `place` and what is missing or cannot be understood.
  """
  for field in ("domain", "prompt"):
    if not isinstance(row.get(field), str) or not row[field].strip():
      raise RowError(f"{place}: {field!r} is {row.get(field)!r:.200}; expected a non-empty string.")
  metadata = row.get("metadata") or {}
  if not isinstance(metadata, Mapping):
    raise RowError(f"{place}: 'metadata' is {metadata!r:.200}; expected an object.")
  domain, prompt = row["domain"], row["prompt"]
  carried = {k: v for k, v in row.items() if k not in ("uid", "domain", "prompt", "answer")}
  uid = row.get("uid")
  if uid is None:
    content = json.dumps([prompt, row.get("answer")])
    uid = f"{domain}/{hashlib.sha256(content.encode()).hexdigest()[:16]}"
  return Example(
      uid=str(uid),
      domain=domain,
      prompt=prompt,
      reference=reference_from(domain, row.get("answer"), metadata, place),
      extra=carried | dict(metadata),
  )


def reference_from(domain: str, answer: Any, metadata: Mapping[str, Any], place: str) -> Reference:
  """Returns the reference that fits a pool row's domain and metadata.

  `metadata.test_cases` makes unit tests and `metadata.choices` a choice, in any domain; else math
  is a Number (GSM8K's `#### 72` is understood), logic a YesNo, all other domains Text.

  A story or a summary may have no reference: the empty text, which what compares with one does not
  score.

  Raises:
    RowError: the answer is empty in any other domain, not among the choices, or not yes or no.
  """
  if not isinstance(answer, (str, int, float, types.NoneType)):
    raise RowError(f"{place}: 'answer' is {answer!r:.200}; expected a string, number or boolean.")
  text = "" if answer is None else str(answer).strip()
  # Columnar files give every row all metadata keys, null where they do not apply.
  if metadata.get("test_cases") is not None or domain == "coding":
    return _unit_tests(text, metadata, place)
  if not text and domain not in _WITHOUT_TRUTH:
    raise RowError(f"{place}: 'answer' is empty; expected the reference.")
  if metadata.get("choices"):
    return _choice(text, metadata["choices"], place)
  if domain == "math":
    number = text.rsplit("####", 1)[-1].strip()
    if not number:
      raise RowError(f"{place}: 'answer' is {answer!r}; expected a number after '####'.")
    return Number(text=number)
  if domain == "logic":
    word = text.lower().rstrip(".!")
    if word not in YES + NO:
      raise RowError(f"{place}: 'answer' is {answer!r}; logic accepts yes, no, true or false.")
    return YesNo(value=word in YES)
  aliases = metadata.get("aliases") or ()
  return Text(text=text, aliases=tuple(str(a) for a in aliases))


def _unit_tests(solution: str, metadata: Mapping[str, Any], place: str) -> UnitTests:
  tests = metadata.get("test_cases") or ()
  tests = (tests,) if isinstance(tests, str) else tests
  if not isinstance(tests, Sequence) or not all(isinstance(test, str) for test in tests):
    raise RowError(f"{place}: metadata.test_cases is {tests!r:.200}; expected a list of Python statements.")
  return UnitTests(
      tests=tuple(tests), setup=str(metadata.get("test_setup_code") or ""), text=solution
  )


def _choice(answer: str, choices: Any, place: str) -> Choice:
  try:
    labels, texts = [str(c) for c in choices["label"]], [str(c) for c in choices["text"]]
  except (TypeError, KeyError):
    labels, texts = [], []
  if not labels or len(labels) != len(texts) or len(set(labels)) != len(labels):
    raise RowError(
        f"{place}: metadata.choices is {choices!r:.200}; expected {{'label': [...], 'text': [...]}} of "
        "equal length with distinct labels."
    )
  pairs = tuple(zip(labels, texts))
  right = [pair for pair in pairs if pair[0] == answer]
  right = right or [pair for pair in pairs if pair[1].strip().lower() == answer.lower()]
  if len(right) != 1:
    raise RowError(f"{place}: 'answer' is {answer!r}; expected one of {labels} or one of {texts}.")
  return Choice(label=right[0][0], text=right[0][1], choices=pairs)
