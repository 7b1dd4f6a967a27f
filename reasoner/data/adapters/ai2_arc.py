"""allenai/ai2_arc, Easy and Challenge: school science exams; feeds science.

  {"id": "Mercury_7220990", "question": "Which factor will most likely cause ...?",
   "choices": {"text": ["a leg muscle ...", ...], "label": ["A", ...]}, "answerKey": "B"}
"""

from reasoner.data.choices import LABELS
from reasoner.data.choices import with_options
from reasoner.data.dataset import DataSet
from reasoner.data.dataset import Dropped
from reasoner.data.dataset import Task
from rewards.schema import Choice


def task(row, domain) -> Task:
  question = row["question"].strip()
  labels, texts = row["choices"]["label"], [text.strip() for text in row["choices"]["text"]]
  if not 2 <= len(labels) == len(texts) <= len(LABELS):
    raise Dropped("labels and choices do not match")
  if row["answerKey"] not in labels:
    raise Dropped("answer not among the choices")
  # Some exams label 1 to 4, which could be read as a choice's text: all get letters.
  choices = tuple(zip(LABELS, texts))
  label, text = choices[labels.index(row["answerKey"])]
  return Task(
      text=question,
      prompt=with_options(question, choices),
      reference=Choice(label=label, text=text, choices=choices),
  )


DATASET = DataSet(
    name="ai2_arc",
    hub_id="allenai/ai2_arc",
    configs=("ARC-Challenge", "ARC-Easy"),
    domains=("science",),
    columns={"id": str, "question": str, "choices": dict, "answerKey": str},
    task=task,
    uid_column="id",
    min_words=3,  # the options complete a short question
    licence="CC BY-SA 4.0",
    redistribution="yes, with attribution and under the same licence",
)
