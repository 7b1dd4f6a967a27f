"""allenai/sciq: science exam questions with a supporting passage; feeds science.

  {"question": "What opens two strands of dna?", "correct_answer": "helicase",
   "distractor1": "...", "distractor2": "...", "distractor3": "...", "support": "Helicase ..."}
"""

import hashlib

from reasoner.data.choices import LABELS
from reasoner.data.choices import with_options
from reasoner.data.dataset import DataSet
from reasoner.data.dataset import Task
from rewards.schema import Choice


def task(row, domain, *, support: bool = True) -> Task:
  """`support` puts the passage, where the row has one, before the question."""
  question, right = row["question"].strip(), row["correct_answer"].strip()
  passage = row["support"].strip()
  texts = [right, *(row[f"distractor{n}"].strip() for n in (1, 2, 3))]
  # The right answer must not always be A; hashing keeps the order the same in every run and copy.
  texts.sort(key=lambda text: hashlib.sha256(f"{question}\n{text}".encode()).digest())
  choices = tuple(zip(LABELS, texts))
  prompt = with_options(question, choices)
  return Task(
      text=question,
      prompt=f"{passage}\n\n{prompt}" if support and passage else prompt,
      reference=Choice(label=LABELS[texts.index(right)], text=right, choices=choices),
      passage=passage if support else "",
      rationale=passage,
  )


DATASET = DataSet(
    name="sciq",
    hub_id="allenai/sciq",
    domains=("science",),
    columns={
        "question": str,
        "correct_answer": str,
        "distractor1": str,
        "distractor2": str,
        "distractor3": str,
        "support": str,
    },
    task=task,
    min_words=3,  # the options complete a short question
    licence="CC BY-NC 3.0",
    redistribution="for non-commercial use alone, with attribution",
)
