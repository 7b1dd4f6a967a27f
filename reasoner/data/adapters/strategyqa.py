"""StrategyQA: yes/no questions that need several implicit steps; feeds logic.

  {"qid": "03caf2...", "term": "The Police", "answer": false,
   "question": "Could the members of The Police perform lawful arrests?",
   "facts": ["The members of The Police were musicians, ...", ...]}

The authors' release has lists of facts, the hub's copy one text.
"""

from reasoner.data.dataset import DataSet
from reasoner.data.dataset import Task
from rewards.schema import YesNo


def task(row, domain) -> Task:
  facts = [row["facts"]] if isinstance(row["facts"], str) else row["facts"]
  sentences = [" ".join(fact.split()) for fact in facts]
  return Task(
      text=row["question"].strip(),
      reference=YesNo(value=row["answer"]),
      rationale=" ".join(s if s.endswith((".", "!", "?")) else f"{s}." for s in sentences if s),
  )


DATASET = DataSet(
    name="strategyqa",
    hub_id="ChilleD/StrategyQA",
    splits=("train", "test"),
    domains=("logic",),
    columns={"qid": str, "question": str, "answer": bool, "facts": (list, str)},
    task=task,
    uid_column="qid",
    folder="strategyqa",
    licence="MIT",
    redistribution="yes, with the licence text",
)
