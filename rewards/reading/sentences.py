r"""Sentences: where an answer says what it settles on, for all kinds of verdict alike.

One real input: `Each bag has 12 apples.\n5 x 12 = 60\n\nSo the answer is 60. I hope this helps!` is
work, the lead "the answer is", the verdict 60, and a courtesy. A kind (Number, Choice, YesNo,
ShortText, Formula) says how its verdict is taken from a text; `settle` finds the place to take it from.
"""

import re

from rewards.reading import words
from rewards.reading.dress import undress
from rewards.reading.words import Refused

# The longest honest answers, solutions copied whole with a box at the end, have some 12,000 characters.
MAX_ANSWER_CHARACTERS = 20_000
MAX_WORDS_CHARACTERS = 4_000  # where a word, a name or a label is the answer


SENTENCE = re.compile(r"[.!?;]+(?=\s|$)|\n+")
_LEAD = re.compile(
    r"####|^A\s*:|\b(?<!wrong )(?<!incorrect )(?<!another )(?:(?:the|my|our) )?(?:(?:correct|right|best|final"
    r"|short) )*(?:answer|ans\b\.?|choice|option|solution|verdict)(?: (?:choice|option|letter|here|to (?:this"
    r"|the)(?: \w+)?))?\s*(?:(?:is|are|was|would be|must be|should be|:|=)(?![\w=])|[^\S\n]*\n"
    r"|(?<=nswer)\s+(?=[$\\\d-]))\s*:?|\b(?:correct|right)(?: one)?(?:\s*:| is\b)",
    re.IGNORECASE | re.MULTILINE,
)
_CONCLUSION = re.compile(
    r"(?P<before>^|[.,;:!?\n)]\s*|\b(?:and|but) )(?:so(?! (?:that|many|much|is|are)\b)|thus|hence|therefore"
    r"|finally|in conclusion|in total|in all|altogether|together|overall|(?:the )?total(?:\s*(?:is\b|:|=)))"
    r"(?![\w'])|=>|[⇒∴]|\\(?:(?-i:Rightarrow)|implies|therefore)(?![a-zA-Z])",
    re.IGNORECASE | re.MULTILINE,
)
_BOX = re.compile(r"\\(?:boxed|fbox)\s*(?:(?=\{)|([^\s{}$\\]+))")
_CLAUSE = re.compile(r"[.;,:\n=!?]|\b(?:then|so|thus|hence|therefore)\b", re.IGNORECASE)
_CLOSING = re.compile(r"[$} \t]*")


def boxes(text: str) -> list[tuple[int, int, str]]:
  """Returns (start, end, content) of every closed box, outermost only; an open box is refused."""
  found, end = [], 0
  for match in _BOX.finditer(text):
    if match.start() < end:
      continue
    if match[1]:
      found.append((match.start(), match.end(), match[1].rstrip(".,;")))
      continue
    depth = 0
    for i in range(match.end(), len(text)):
      depth += (text[i] == "{") - (text[i] == "}")
      if depth == 0:
        end = i + 1
        found.append((match.start(), end, text[match.end() + 1 : i].strip()))
        break
    else:
      raise Refused("unreadable", "Lead: a box never closes.")
  return found


def prepared(answer: str, most: int = MAX_ANSWER_CHARACTERS) -> str:
  """Returns an answer without dress and closing courtesy.

  Raises:
    Refused: it is too long, or ends while it is still thinking.
  """
  if len(answer) > most:
    raise Refused("too_long", f"Size: the answer is too long; {most} characters are read.")
  if "<think>" in answer.rpartition("</think>")[2]:
    raise Refused("unreadable", "Dress: the answer ends while it is still thinking.")
  return words.without_courtesy(undress(answer)).strip()


def leads(text: str) -> list[re.Match]:
  """The leads of a text behind which something stands."""
  return [m for m in _LEAD.finditer(text) if text[m.end() :].strip(" .:*$!\n")]


class Kind:
  """How one kind of verdict is read; `settle` asks these and knows nothing else about it."""

  name = ""
  most_characters = MAX_WORDS_CHARACTERS

  def __init__(self, prompt: str, expected):
    self.prompt = prompt
    self.expected = expected  # the verdict that is right

  def same(self, verdict, other) -> bool:
    """Whether a verdict says what another one does."""
    return verdict == other

  def shown(self, verdict) -> str:
    return str(verdict)

  def take(self, body: str):
    """(verdict, reason): what `body` states first and the text behind it; None where it states nothing."""
    raise NotImplementedError

  def bare(self, line: str):
    """The verdict of a line that is nothing else, or None."""
    raise NotImplementedError

  def check(self, verdict, reason: str, answer: str) -> None:
    """Refuses a reason that withdraws the verdict or names another candidate, in the whole `answer`."""
    raise NotImplementedError

  def box(self, contents: list[str], tail: str):
    """`take` for boxes, whose distinct contents these are, and for what follows the last one."""
    if len(contents) > 1:
      raise Refused("several", "Lead: two boxes state different verdicts.")
    return self.take(contents[0] + tail)

  def agrees(self, verdict, other) -> bool:
    try:
      return self.same(verdict, other)
    except Refused:
      return False

  def take_or_none(self, body: str):
    try:
      return self.take(body)
    except Refused:
      return None


def settle(text: str, kind: Kind):
  """Returns the one verdict of a prepared text, as `kind` takes it.

  Raises:
    Refused: no verdict, several, or one that is in words.
  """
  work, earlier, boxed = "", leads(text), boxes(text)
  if boxed:
    contents = list({re.sub(r"\s", "", content): content for _, _, content in boxed}.values())
    work, tail = text[: boxed[0][0]], text[boxed[-1][1] :]
    closing = _CLOSING.match(tail)
    tail = (" " if closing[0] else "") + tail[closing.end() :]
    taken, earlier = kind.box(contents, tail if tail.strip(" .") else ""), leads(work)
  elif earlier and (taken := kind.take(text[earlier[-1].end() :].lstrip(" :\n"))):
    work = text[: earlier.pop().start()]
  else:
    taken = None
    for conclusion in list(_CONCLUSION.finditer(text))[-1:]:
      work = text[: max(conclusion.start(), conclusion.end("before"))]
      body = text[conclusion.end() :].lstrip(" ,:\n")
      taken = kind.take_or_none(body) if body else None
    work, earlier, taken = work if taken else "", [], taken or kind.take(text)
  if taken is None:
    raise Refused("unreadable", f"{kind.name}: the answer states none.")
  verdict, reason = taken
  words.refuse_before(_CLAUSE.split(work[-300:])[-1])
  _refuse_rivals(kind, verdict, work, earlier)
  kind.check(verdict, reason, text)
  return verdict


def _refuse_rivals(kind: Kind, verdict, work: str, earlier: list[re.Match]) -> None:
  """Refuses work in which an earlier lead, or a line or clause that is nothing else, has another verdict."""
  starts = [lead.start() for lead in earlier[1:]] + [len(work)]
  for lead, end in zip(earlier, starts):
    other = kind.take_or_none(SENTENCE.split(work[lead.end() : end].strip(" :\n"))[0])
    if other is not None and not kind.agrees(verdict, other[0]):
      raise Refused("several", "Lead: an earlier lead states another verdict.")
  for line in re.split(r"[.!?;,]+(?=\s|$)|\n+", re.sub(r"(?m)^\s*\d{1,2}[.)]\s", " ", work)):
    other = kind.bare(line) if 0 < len(line.strip()) < 200 else None
    if other is not None and not kind.agrees(verdict, other):
      raise Refused("several", f"Lead: {line.strip()[:60]!r} before it is another verdict.")


def refuse_other_conclusion(reasoning: str, kind: Kind, verdict) -> None:
  """Refuses a verdict where the reasoning's last lead or box, else its closing "so", states another one."""
  text = undress(reasoning[-kind.most_characters :]).rstrip(" .!\n")
  found = [(m.start(), SENTENCE.split(text[m.end() :].strip(" :\n"))[0]) for m in leads(text)[-1:]]
  found += [(start, content) for start, _, content in boxes(text)[-1:]]
  if not found:
    so = [(m.start(), text[m.end() :].lstrip(" ,:\n")) for m in list(_CONCLUSION.finditer(text))[-1:]]
    found = [(start, body) for start, body in so if not SENTENCE.search(body)]
  other = kind.take_or_none(max(found)[1]) if found else None
  if other is not None and not kind.agrees(verdict, other[0]):
    raise Refused("several", "Lead: the reasoning concludes otherwise.")
