"""euclaise/writingprompts: Reddit's r/WritingPrompts, tokenised; feeds creative_writing.

  {"prompt": "[ WP ] You ca n't sleep , and neither can the moon .\\n", "story": "..."}

The forum's tags say what a post is: those that need a picture or music, that are no prompts, or
that are not safe for work are dropped.
"""

import re

from reasoner.data.dataset import DataSet
from reasoner.data.dataset import Dropped
from reasoner.data.dataset import Task
from reasoner.data.spacing import repair_spacing
from rewards.schema import Text

_TAGS = re.compile(r"^\s*(?:\[\s{0,9}([^\]\s][^\]]{0,19}?)\s{0,9}\][\s:-]*)+")
_TAG = re.compile(r"\[\s{0,9}([^\]\s][^\]]{0,19}?)\s{0,9}\]")
_REFUSED = {
    "IP": "prompt is an image",
    "MP": "prompt is music",
    "OT": "off topic",
    "MODPOST": "off topic",
    "NSFW": "not safe for work",
}


def task(row, domain) -> Task:
  head = _TAGS.match(row["prompt"])
  for tag in _TAG.findall(head[0]) if head else ():
    for part in tag.upper().split("/"):
      if part.strip() in _REFUSED:
        raise Dropped(_REFUSED[part.strip()])
  text = repair_spacing(row["prompt"][head.end() if head else 0 :])
  return Task(
      text=text,
      prompt=f"Write a story: {text}",
      reference=Text(text=repair_spacing(row["story"])),
  )


DATASET = DataSet(
    name="writingprompts",
    hub_id="euclaise/writingprompts",
    domains=("creative_writing",),
    columns={"prompt": str, "story": str},
    task=task,
    licence="MIT as listed on the hub; the text is Reddit users'",
    redistribution="doubtful: its writers keep their rights; share uids in place of text",
)
