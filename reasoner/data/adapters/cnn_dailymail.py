"""abisee/cnn_dailymail 3.0.0: news with the editors' highlights; feeds summarization.

  {"article": "By . Associated Press . PUBLISHED: . 14:11 EST, 25 October 2013 . | . ...",
   "highlights": "Bishop ... diagnosed .\\nHe contracted ...", "id": "0b2f..."}
"""

import re

from reasoner.data.dataset import DataSet
from reasoner.data.dataset import Task
from reasoner.data.spacing import repair_spacing
from rewards.schema import Text

# A third of the articles open with who wrote them and when they were published.
_BYLINE = re.compile(
    r"(?:By \. .{1,80}? \. )?"
    r"(?:PUBLISHED: \. .{1,60}? \. \| \. UPDATED: \. .{1,40}?\d{4} \. |"
    r"Last updated at .{1,40}?\d{4} \. )?"
)


def task(row, domain) -> Task:
  article = repair_spacing(row["article"][_BYLINE.match(row["article"]).end() :])
  return Task(
      text=article,
      prompt=f"Summarize the following article in two to four sentences.\n\n{article}",
      reference=Text(text=" ".join(repair_spacing(row["highlights"]).split())),
      passage=article,
  )


DATASET = DataSet(
    name="cnn_dailymail",
    hub_id="abisee/cnn_dailymail",
    configs=("3.0.0",),
    domains=("summarization",),
    columns={"article": str, "highlights": str, "id": str},
    task=task,
    uid_column="id",
    licence="Apache-2.0 as listed on the hub; articles are CNN's and the Daily Mail's",
    redistribution="no: share uids in place of text",
)
