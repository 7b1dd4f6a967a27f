"""databricks/databricks-dolly-15k: instructions written by employees; feeds three domains.

  {"instruction": "Give me a list of ...", "context": "", "response": "- ...",
   "category": "brainstorming"}

There is one split: naming it both for training and for evaluation carves 10 % off.
"""

from reasoner.data.dataset import DataSet
from reasoner.data.dataset import Dropped
from reasoner.data.dataset import Task
from rewards.schema import Text

CATEGORIES = {
    "creative_ideation": "brainstorming",
    "creative_writing": "creative_writing",
    "summarization": "summarization",
}


def task(row, domain) -> Task:
  if row["category"] != CATEGORIES[domain]:
    raise Dropped("of another category")
  instruction, context = row["instruction"].strip(), row["context"].strip()
  if domain == "summarization" and not context:
    raise Dropped("nothing to summarize")
  return Task(
      text=context if domain == "summarization" else instruction,
      prompt=f"{instruction}\n\n{context}" if context else "",
      reference=Text(text=row["response"].strip()),
      passage=context,
  )


DATASET = DataSet(
    name="dolly",
    hub_id="databricks/databricks-dolly-15k",
    splits=("train",),
    official_split=False,
    domains=tuple(CATEGORIES),
    columns={"instruction": str, "context": str, "response": str, "category": str},
    task=task,
    licence="CC BY-SA 3.0",
    redistribution="yes, with attribution and under the same licence",
)
