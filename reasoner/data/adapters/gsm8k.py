"""openai/gsm8k: grade-school word problems with worked solutions; feeds math.

  {"question": "A robe takes 2 bolts ...", "answer": "It takes 2/2=<<2/2=1>>1 bolt ...\\n#### 3"}
"""

import re

from reasoner.data.dataset import DataSet
from reasoner.data.dataset import Dropped
from reasoner.data.dataset import Task
from rewards.schema import Number

_CALCULATOR = re.compile(r"<<[^>]*>>")


def task(row, domain) -> Task:
  solution, mark, answer = row["answer"].rpartition("####")
  if not mark:
    raise Dropped("no final answer after ####")
  return Task(
      text=row["question"].strip(),
      reference=Number(text=answer.strip().replace(",", "")),
      rationale=_CALCULATOR.sub("", solution).strip(),
  )


DATASET = DataSet(
    name="gsm8k",
    hub_id="openai/gsm8k",
    configs=("main",),
    splits=("train", "test"),
    domains=("math",),
    columns={"question": str, "answer": str},
    task=task,
    licence="MIT",
    redistribution="yes, with the licence text",
)
