"""HuggingFaceH4/no_robots: instructions and answers written by annotators; feeds three domains.

  {"prompt": "Write a poem about ...", "prompt_id": "e3b0...", "category": "Generation",
   "messages": [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]}
"""

from reasoner.data.dataset import DataSet
from reasoner.data.dataset import Dropped
from reasoner.data.dataset import Task
from rewards.measures import text as text_lib
from rewards.schema import Text

CATEGORIES = {
    "creative_ideation": "Brainstorm",
    "creative_writing": "Generation",
    "summarization": "Summarize",
}


def task(row, domain) -> Task:
  if row["category"] != CATEGORIES[domain]:
    raise Dropped("of another category")
  if [message["role"] for message in row["messages"]] != ["user", "assistant"]:
    raise Dropped("more than one turn")
  text = row["messages"][0]["content"].strip()
  return Task(
      text=text,
      reference=Text(text=row["messages"][1]["content"].strip()),
      # What the rewards for summaries take for the source.
      passage=text_lib.split_at_blank_line(text)[1] if domain == "summarization" else "",
  )


DATASET = DataSet(
    name="no_robots",
    hub_id="HuggingFaceH4/no_robots",
    splits=("train", "test"),
    domains=tuple(CATEGORIES),
    columns={"prompt_id": str, "messages": list, "category": str},
    task=task,
    uid_column="prompt_id",
    licence="CC BY-NC 4.0",
    redistribution="for non-commercial use alone, with attribution",
)
