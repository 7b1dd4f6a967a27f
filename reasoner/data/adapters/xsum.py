"""EdinburghNLP/xsum: BBC articles, each with one sentence of summary; feeds summarization.

  {"document": "Prison Link Cymru had 1,099 referrals ...", "summary": "There is a ...", "id": "1"}
"""

from reasoner.data.dataset import DataSet
from reasoner.data.dataset import Task
from rewards.schema import Text


def task(row, domain) -> Task:
  article = row["document"].strip()
  return Task(
      text=article,
      prompt=f"Summarize the following article in one or two sentences.\n\n{article}",
      reference=Text(text=row["summary"].strip()),
      passage=article,
  )


DATASET = DataSet(
    name="xsum",
    hub_id="EdinburghNLP/xsum",
    # The main branch is a loading script, which `datasets` runs no more since 4.0; the hub keeps
    # its own Parquet copy of every data set here.
    revision="refs/convert/parquet",
    domains=("summarization",),
    columns={"document": str, "summary": str, "id": str},
    task=task,
    uid_column="id",
    licence="not stated; articles are the BBC's",
    redistribution="no: share uids in place of text",
)
