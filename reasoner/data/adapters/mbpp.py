"""google-research-datasets/mbpp: small Python functions with tests; feeds coding.

  {"task_id": 602, "text": "Write a python function to find ...", "code": "def first_repeated ...",
   "test_list": ["assert first_repeated_char(\\"abcabc\\") == \\"a\\"", ...], "test_setup_code": ""}

The 500 test rows (ids 11 to 510) are evaluation only. `challenge_test_list` is not used: the
published figures come from `test_list`, and 11 rows alone have one.
"""

from reasoner.data.dataset import DataSet
from reasoner.data.dataset import Task
from rewards.schema import UnitTests


def _lines(code: str) -> str:
  return code.replace("\r\n", "\n").strip()


def task(row, domain) -> Task:
  text, setup = row["text"].strip(), _lines(row["test_setup_code"])
  tests = tuple(_lines(test) for test in row["test_list"])
  # A test tells the function's name and arguments, which the text does not. One, and the shortest:
  # the others stay unseen, and some are a thousand tokens long.
  prompt = f"{text}\nYour code should pass this test:\n{min(tests, key=len, default='')}"
  if setup:
    prompt += f"\nBefore the test, this runs:\n{setup}"
  return Task(
      text=text,
      prompt=prompt,
      reference=UnitTests(tests=tests, setup=setup, text=_lines(row["code"])),
  )


DATASET = DataSet(
    name="mbpp",
    hub_id="google-research-datasets/mbpp",
    configs=("full",),
    splits=("prompt", "train", "validation", "test"),
    domains=("coding",),
    columns={"task_id": int, "text": str, "code": str, "test_list": list, "test_setup_code": str},
    task=task,
    uid_column="task_id",
    licence="CC BY 4.0",
    redistribution="yes, with attribution",
)
