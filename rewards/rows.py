"""Pool rows, the published exchange format, to Examples.

One real row:

  {"domain": "science", "prompt": "Which gas do plants take in?", "answer": "B",
   "metadata": {"choices": {"label": ["A", "B"], "text": ["oxygen", "carbon dioxide"]}}}

`uid` and `split` are optional and belong to whoever holds the rows. This module checks a row's
shape; whether a prompt is worth training on is decided where data sets are loaded.
"""

from collections.abc import Iterator, Mapping, Sequence
import decimal
import hashlib
import json
import pathlib
import types
from typing import Any

from rewards.errors import ConfigError
from rewards.errors import suggest
from rewards.schema import Choice
from rewards.schema import Example
from rewards.schema import Number
from rewards.schema import Reference
from rewards.schema import Text
from rewards.schema import TYPES
from rewards.schema import UnitTests
from rewards.schema import YesNo

YES, NO = ("yes", "true"), ("no", "false")
# What `metadata.type` may say of a row's reference; without it, these domains have one of their own.
_TYPE_OF_DOMAIN = {"math": "number", "logic": "yes_no", "coding": "tests", "science": "text"}
WITHOUT_TRUTH = ("creative_writing", "creative_ideation", "summarization")
# JSON and Python both write and read these, and no answer is one of them.
_NO_NUMBERS = ("nan", "inf", "infinity")


class RowError(ConfigError):
  """A row that cannot become an Example; the message names the place and the cause."""


def read_rows(path: str | pathlib.Path) -> Iterator[tuple[str, dict[str, Any]]]:
  """Yields ("path:line", row) of a JSONL file; blank lines are skipped.

  Raises:
    ConfigError: the file does not exist or cannot be read.
    RowError: a line is not a JSON object in UTF-8.
  """
  try:
    lines = open(path, "rb")  # a file, a pipe or a device; decoded by line, so that a broken one is named
  except FileNotFoundError:
    raise ConfigError(f"{path} does not exist: expected a JSONL file of pool rows.") from None
  except OSError as error:
    raise ConfigError(f"{path} cannot be read: {error.strerror}; expected a JSONL file of pool rows.") from None
  with lines:
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


def example_from_row(row: Mapping[str, Any], place: str, *, truth: bool | None = None) -> Example:
  """Returns the Example that a pool row describes; without `uid`, one hashed from its content.

  Args:
    row: of JSON's types or numpy's.
    place: where it stands.
    truth: whether its domain has a truth, so that the answer must not be empty; None: all have one but
      those for creative text and summaries.

  Raises:
    RowError: `place` and what is missing or cannot be understood.
  """
  try:
    row = plain(row)
  except RecursionError:
    raise RowError(f"{place} is nested too deeply to be read.") from None
  if "answer" not in row and isinstance(row.get("reward_model"), Mapping):
    raise RowError(
        f"{place}: the truth stands in 'reward_model.ground_truth', as another trainer has it; expected "
        "the fields 'domain', 'prompt' and 'answer'."
    )
  for field in ("domain", "prompt"):
    if not isinstance(row.get(field), str) or not row[field].strip():
      raise RowError(f"{place}: {field!r} is {row.get(field)!r:.200}; expected a non-empty string.")
  metadata = row.get("metadata") or {}
  if not isinstance(metadata, Mapping):
    raise RowError(f"{place}: 'metadata' is {metadata!r:.200}; expected an object.")
  domain, prompt = row["domain"], row["prompt"]
  carried = {k: v for k, v in row.items() if k not in ("uid", "domain", "prompt", "answer")}
  reference = reference_from(domain, row.get("answer"), metadata, place, truth=truth)
  uid = row.get("uid")
  if uid is None:
    content = json.dumps([prompt, row.get("answer")], default=str)
    uid = f"{domain}/{hashlib.sha256(content.encode()).hexdigest()[:16]}"
  return Example(
      uid=str(uid),
      domain=domain,
      prompt=prompt,
      reference=reference,
      extra=carried | dict(metadata),
  )


def plain(value: Any) -> Any:
  """Returns numpy's scalars and arrays as Python's, at any depth of mappings and sequences."""
  if isinstance(value, Mapping):
    return {key: plain(item) for key, item in value.items()}
  if isinstance(value, (list, tuple)):
    return [plain(item) for item in value]
  return value.tolist() if hasattr(value, "tolist") else value


def reference_from(
    domain: str, answer: Any, metadata: Mapping[str, Any], place: str, *, truth: bool | None = None
) -> Reference:
  """Returns the reference that fits a pool row's metadata and domain.

  `metadata.type` says which it is: "number" (GSM8K's `#### 72` is understood), "choice", "yes_no",
  "tests" or "text". Without it `metadata.test_cases` makes tests and `metadata.choices` a choice, in
  any domain; else math is a number, logic yes or no, coding tests, and all other domains are text.

  Where there is no truth a row may have no reference: the empty text, which what compares with one
  does not score.

  Raises:
    RowError: the answer is empty where there is a truth, no number, not among the choices, not yes or no.
  """
  if isinstance(answer, decimal.Decimal):
    answer = f"{answer:f}" if answer.is_finite() else float("nan")
  if not isinstance(answer, (str, int, float, types.NoneType)):
    raise RowError(f"{place}: 'answer' is {answer!r:.200}; expected a string, number or boolean.")
  text = "" if answer is None else _text(answer, place)
  kind = metadata.get("type")
  if not isinstance(kind, str) or kind not in TYPES:  # data sets have types of their own, such as "Algebra"
    if isinstance(kind, str) and domain not in (*_TYPE_OF_DOMAIN, *WITHOUT_TRUTH) and (near := suggest(kind, TYPES)):
      raise RowError(f"{place}: metadata.type is {kind!r}. {near}Known: {', '.join(TYPES)}.")
    kind = _TYPE_OF_DOMAIN.get(domain, "text")
    # Columnar files give every row all metadata keys, null where they do not apply.
    if metadata.get("choices"):
      kind = "choice"
    if metadata.get("test_cases") is not None:
      kind = "tests"
  if kind == "tests":
    return _unit_tests(text, metadata, place)
  if not text:
    if truth or (truth is None and domain not in WITHOUT_TRUTH):
      raise RowError(f"{place}: 'answer' is empty; expected the reference.")
    return Text(text="")
  if kind == "choice":
    return _choice(text, metadata.get("choices"), place)
  if kind == "number":
    number = text.rsplit("####", 1)[-1].strip()
    if not number or is_no_number(number):
      raise RowError(f"{place}: 'answer' is {answer!r}; expected a number, or a number after '####'.")
    return Number(text=number)
  if kind == "yes_no":
    word = text.lower().rstrip(".!")
    if word not in YES + NO:
      raise RowError(f"{place}: 'answer' is {answer!r}; {domain} accepts yes, no, true or false.")
    return YesNo(value=word in YES)
  return Text(text=text, aliases=_texts(metadata.get("aliases") or (), "aliases", place))


def is_no_number(text: str) -> bool:
  """Tells the words for what is no number, such as NaN: an answer of the same word would be paid."""
  return text.strip().lstrip("+-").lower() in _NO_NUMBERS


def _text(answer: str | int | float, place: str) -> str:
  if isinstance(answer, float) and is_no_number(str(answer)):
    raise RowError(f"{place}: 'answer' is {answer!r}, which is no reference; expected one.")
  try:
    return str(answer).strip()
  except ValueError:  # an integer of more digits than Python writes
    raise RowError(f"{place}: 'answer' is a number of too many digits; expected it as a string.") from None


def _texts(values: Any, name: str, place: str) -> tuple[str, ...]:
  if not isinstance(values, Sequence) or isinstance(values, (str, bytes)):
    raise RowError(f"{place}: metadata.{name} is {values!r:.200}; expected a list of texts.")
  return tuple(str(value) for value in values)


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
    labels, texts = (_texts(choices[key], f"choices.{key}", place) for key in ("label", "text"))
  except (TypeError, KeyError, IndexError):
    labels, texts = (), ()
  if not labels or len(labels) != len(texts) or len(set(labels)) != len(labels):
    raise RowError(
        f"{place}: metadata.choices is {choices!r:.200}; expected {{'label': [...], 'text': [...]}} of "
        "equal length with distinct labels."
    )
  pairs = tuple(zip(labels, texts))
  right = [pair for pair in pairs if pair[0] == answer]
  right = right or [pair for pair in pairs if pair[1].strip().lower() == answer.lower()]
  if len(right) != 1:
    raise RowError(f"{place}: 'answer' is {answer!r}; expected one of {list(labels)} or one of {list(texts)}.")
  return Choice(label=right[0][0], text=right[0][1], choices=pairs)
