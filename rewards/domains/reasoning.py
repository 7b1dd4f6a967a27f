"""Is the work shown? The reasoning of verifiable domains: of its own, about the task, leading to the answer.

One real input: the prompt "A box holds 12 eggs. How many do 5 boxes hold?", the reasoning "Each box
holds 12 eggs, so 5 boxes hold 5 * 12 = 60." and the answer "60". Without it a policy drops its reasoning,
because "." earns as much. The answer that counts is the completion's own, right or wrong: this pays for
work that leads there, correctness pays for being right. Whether a step follows from the one before is not
understood here.
"""

import functools
import re

from rewards import reading
from rewards.domains import guards
from rewards.measures import text
from rewards.registry import register
from rewards.schema import Choice
from rewards.schema import Completion
from rewards.schema import Example
from rewards.schema import Number
from rewards.schema import Score
from rewards.schema import UnitTests
from rewards.schema import YesNo

_MOST_CHARACTERS = 8_000  # of reasoning that is read; the last ones, where it concludes
_SIGN = re.compile(r"(?<=[\d\s])[-+*/=<>×÷](?=[\s\d])")  # of arithmetic, which is work
_UNIT = re.compile(r"(?<=\d)\s*(?:[^\W\d_]++[\s.]{0,2}+){1,4}(?=[-+*/=×÷])")  # "36 items / 2" is 36 / 2
_SENTENCE = re.compile(r"(?<=[.!?])\s+|[\n\r]+")

_VERDICT_WORD = re.compile(r"\b(?:[A-J]|(?i:yes|no|true|false|answer|option|choice|correct))\b")
# A yes or no that stands alone; before a noun, "no" is no verdict.
_ALONE = re.compile(r"(?i)(?:^|[\s:,;(\"'*])(yes|no)(?=\s*(?:[.,;:!)\"'*]|$))")
_ARTICLE = re.compile(r"^A(?= (?!is |was |because |and |or )[a-z])")  # "A leaf is ..." is no choice
_PLAIN = str.maketrans({"–": "-", "−": "-", "$": None, "€": None, "£": None})
# Words about thinking, answering and programs as such, and those that join others, are no thought.
_THINKING = frozenset(
    map(
        text.stem,
        "answer answers choice choices option options correct true false yes no result results "
        "therefore hence thus think thinking thought thoughts step steps question questions read "
        "reading care careful carefully look looking looks given give know known knows fact facts help "
        "helps compare possibility possibilities drop fit fits left follows follow check right wrong "
        "clear obvious sure certain consider asks asked task problem solve solution solutions reason "
        "reasoning conclude conclusion say says said means want following statement claim sentence "
        "compose tale explain understand finally overall let then after before those them once because "
        "now here another same under over every each very most only python def function code program "
        "programs test tests pass assert import return returns".split(),
    )
)

# What remains of a text that is of its own and about the task, by where it leads.
_ELSEWHERE, _MADE_UP, _WRITTEN, _SILENT, _LEADS = 0.0, 0.5, 0.6, 0.8, 1.0


@register("reasoning", kind="quality", domains=("math", "coding", "science", "logic"))
def reasoning(completion: Completion, example: Example) -> Score:
  """Work shown: words of its own, about the task, that lead to the completion's own answer, in [0, 1].

  The product of four factors. Own: 1 from three content words on (two for a yes or no, and in math, where
  numbers and signs count too) that neither the prompt nor the answer has, in any order, and that do not only
  speak of thinking; 0 for the question in other words; 1 for a sentence that points to where the prompt
  itself states the chosen answer. In coding the prompt's words count, if something is new and it is no code.
  Fresh: 1 up to 30 % and 0 from 80 % that repeat. About: near to a sentence of the prompt in meaning, or two
  of its numbers; in math and coding, a content word or a number of the prompt or the program. Leading: where
  it arrives. Math: 1 where the answer is the value of an expression or the last of a true chain, 0.6 where it
  stands behind the last equals sign of what arithmetic cannot read, 0.5 where an operand is the answer itself
  or a number that nobody gave, 0 where an equation is false or it arrives elsewhere. Choices and yes/no: 1
  where its last sentence that states a verdict states the answer's, 0 where it states another, 0.8 where none
  does. Coding: from 0.2 to 1 for two content words shared with prompt and program.

  ".", "so 71", the question again, "5 times 12 is 71, so I say 71" and a list of the prompt's words earn
  nothing. Fluent talk about the topic of a yes/no question is paid, and so is arithmetic on the question's
  numbers that happens to arrive: it gates nothing, and its weight is small.
  """
  said = completion.reasoning[-_MOST_CHARACTERS:]
  words = text.read(said)
  own = _own(said, words, completion, example)
  fresh = text.ramp(text.repeated_share(words), 0.8, 0.3)
  shared = len(_known(example) & _marks(words.words)) + _shares_program(completion, example, words.words)
  about = float(shared > 0)
  if isinstance(example.reference, (Choice, YesNo)):
    # Rationales of people reach 0.55, 0.11, 0.25 (ARC, CREAK, StrategyQA; 5th percentile), another row's
    # 0.26, 0, 0.05 (median). Vectors know no numbers.
    numbers = sum(mark.isdigit() for mark in _known(example) & _marks(words.words))
    about = max(text.ramp(_nearness(words.words, example.prompt), 0.0, 0.12), min(1.0, numbers / 2))
  leading, why = _leading(said, shared, completion, example) if own * fresh * about else (0.0, "no work")
  return Score(
      own * fresh * about * leading, f"own {own:.2f}, fresh {fresh:.2f}, about the task {about:.2f}; {why}."
  )


def _own(said: str, words: text.Text, completion: Completion, example: Example) -> float:
  asked, reference = _known_words(example.prompt), example.reference
  if isinstance(reference, UnitTests):
    # The prompt's names count too, but not its sentences nor code; something has to be new.
    told = text.read(_CODE.sub(" ", said.replace("_", " ")))
    own = _marks(text.without_copies(told, text.read(example.prompt)).words) - _THINKING
    return text.ramp(len(own), 0, 3) if own - asked else 0.0
  own = _marks(words.words) - asked - _THINKING - _marks(text.words(completion.answer[:_MOST_CHARACTERS]))
  if isinstance(reference, Number):
    return text.ramp(len(own) + len(_SIGN.findall(said)), 0, 2)
  # The question in other words: half of people's rationales have 0.12 of it, one in twenty 0.47.
  reworded = text.ramp(guards.disguised_share(said, example.prompt), 0.7, 0.45)
  score = reworded * text.ramp(len(own), 0, 2 if isinstance(reference, YesNo) else 3)
  return 1.0 if isinstance(reference, Choice) and score < 1 and _quotes(words, completion, example) else score


_CODE = re.compile(r"(?sm)```.*?(?:```|\Z)|\bdef\b[^\n]*|^[ \t]*(?:import|from|return)\b[^\n]*")
_MOST_QUOTED = 0.6  # of the prompt's words; more is the question again


def _quotes(words: text.Text, completion: Completion, example: Example) -> bool:
  """Whether a sentence points to where the prompt itself states the chosen answer, beside its question."""
  answered = getattr(reading.read(completion.answer, example.reference, example.prompt), "stated", "")
  chosen = next((choice for label, choice in _choices(example.reference.choices) if label == answered), None)
  if chosen is None or chosen not in _facts(example.prompt, example.reference.choices):
    return False
  prompt = text.read(example.prompt)
  quoted = len(words.words) - len(text.without_copies(words, prompt).words)
  offered = " ".join(choice for _, choice in example.reference.choices)
  told = _known_words(example.prompt) - _known_words(offered)
  return quoted <= _MOST_QUOTED * len(prompt.words) and any(
      _names(s, example.reference) == answered and len(_marks(s) & told) >= 2 for s in words.sentences
  )


@functools.lru_cache(maxsize=64)
def _facts(prompt: str, choices: tuple[tuple[str, str], ...]) -> str:
  """Returns the words of a prompt's sentences that neither ask nor are a choice, spaced."""
  offered = {choice.strip() for _, choice in choices}
  told = [s for s in _SENTENCE.split(prompt) if not s.rstrip().endswith("?") and s.strip() not in offered]
  return f" {' '.join(text.words(' '.join(told)))} "


def _marks(words: tuple[str, ...]) -> frozenset[str]:
  """Returns the stems of content words, and the numbers."""
  return text.content_stems(words) | {w for w in words if w.isdigit()}


@functools.lru_cache(maxsize=64)
def _known_words(passage: str) -> frozenset[str]:
  return _marks(text.words(passage))


def _known(example: Example) -> frozenset[str]:
  choices = example.reference.choices if isinstance(example.reference, Choice) else ()
  return _known_words(" ".join([example.prompt, *(choice for _, choice in choices)]))


def _nearness(words: tuple[str, ...], prompt: str) -> float:
  """Returns the largest similarity of the words to a sentence of the prompt."""
  return max((text.similarity(words, sentence) for sentence in text.read(prompt).sentences), default=0.0)


def _shares_program(completion: Completion, example: Example, words: tuple[str, ...]) -> int:
  if not isinstance(example.reference, UnitTests):
    return 0
  names = re.findall(r"[A-Za-z]{3,}", completion.answer[:_MOST_CHARACTERS])
  stems = frozenset(text.stem(name.lower()) for name in names) - _known(example)
  return len(stems & frozenset(map(text.stem, words)))


def _leading(said: str, shared: int, completion: Completion, example: Example) -> tuple[float, str]:
  reference, prompt = example.reference, example.prompt
  if isinstance(reference, UnitTests):
    return text.ramp(shared, -0.5, 2), f"names {shared} things of the task and the program"
  answer = reading.read(completion.answer, reference, prompt)
  if isinstance(answer, reading.Refusal):
    return _ELSEWHERE, "the answer states no verdict that it could lead to"
  if isinstance(reference, Number):
    return _arrives(said, answer.stated, prompt)
  last = next(filter(None, (_states(s, reference, prompt) for s in reversed(_SENTENCE.split(said)))), None)
  if last is None:
    return _SILENT, "no sentence of it states a verdict"
  if last == answer.stated:
    return _LEADS, f"it states {last!r}"
  return _ELSEWHERE, f"it states {last!r}, not {answer.stated!r}"


def _arrives(said: str, stated: str, prompt: str) -> tuple[float, str]:
  false = next((e for e in reading.equations(said) if not e.true), None)
  if false:
    return _ELSEWHERE, f"{false.text[:60]!r} is false"
  # A formula is no value that arithmetic arrives at: it has to be written down.
  if not re.fullmatch(r"[-+\d.,/ ]*", stated) and _bare(stated) in _bare(said):
    return _LEADS, "it writes the answer down"
  plain = "\n".join(_UNIT.sub(" ", line) for line in said.translate(_PLAIN).splitlines())
  works = {said, plain} if re.search(r"\d", said) else ()
  last = plain.rpartition("=")[2].split()  # algebra and units that arithmetic cannot read
  if any(reading.reaches(work, stated) for work in works):
    led, why = _LEADS, "it arrives at the answer"
  elif last and last[0].rstrip(".,;") == stated and re.search(r"\d\D*[-+*/(]", plain):
    led, why = _WRITTEN, "the answer stands behind its last equals sign"
  else:
    return _ELSEWHERE, "it does not arrive at the answer"
  made_up = _made_up(plain, stated, prompt)
  return (min(led, _MADE_UP), f"nobody gave {made_up}") if made_up else (led, why)


_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?|\.\d+")
_GOES_ON = re.compile(r"\s*(?:[-+*/×÷^]\s*(?=[\d(.])|[xX]\s*(?=[\d(.]))")
_GOES_BEFORE = re.compile(r"(?:[-+*/×÷^(]|\d\s*[xX])\s*\(?\s*$")
# Numbers that anybody knows: small ones, of clocks and calendars, coins and hundreds.
_ANYBODYS = frozenset(
    map(float, [*range(13), 24, 28, 30, 31, 50, 52, 60, 100, 365, 1000, 0.5, 0.25, 0.1, 0.05, 0.01])
)
_TEENS = "thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty".split()


def _made_up(plain: str, stated: str, prompt: str) -> str | None:
  """Returns an operand that neither the prompt gives nor an earlier result, or the answer itself."""
  given = {float(m[0].replace(",", "")) for m in _NUMBER.finditer(prompt)}
  given |= {float(n) for n, word in enumerate(_TEENS, 13) if word in prompt.lower()}
  percent = {f(g) for g in given for f in (lambda g: g / 100, lambda g: 100 - g, lambda g: 100 + g)}
  percent |= {p / 100 for p in percent} | {g * 100 for g in given}
  results: set[float] = set()
  operands = []
  plain = re.sub(r"(?<==) ?(\d{1,15})/(\d{1,15})\b(?!\s*[-+*/=(])", _decimal, plain)
  for match in _NUMBER.finditer(plain):
    value = float(match[0].replace(",", ""))
    goes_on = _GOES_ON.match(plain, match.end())
    if plain[max(0, match.start() - 8) : match.start()].rstrip().endswith("=") and not goes_on:
      results.add(round(value, 4))
    elif goes_on or _GOES_BEFORE.search(plain, max(0, match.start() - 8), match.start()):
      if match[0] == stated and value not in given and value not in results:
        return match[0]
      operands.append((round(value, 4), match[0]))
  known = {round(value, 4) for value in given | percent | _ANYBODYS} | results
  return next((written for value, written in operands if value not in known), None)


def _decimal(fraction: re.Match) -> str:
  return f" {int(fraction[1]) / (int(fraction[2]) or 1):.4f} = {fraction[1]} = {fraction[2]} "


def _bare(passage: str) -> str:
  return re.sub(r"[\s$\\{}]|left|right", "", passage)


def _states(sentence: str, reference, prompt: str) -> str | None:
  """Returns what a sentence states: a verdict as an answer would, or the one choice that it names."""
  sentence = _ARTICLE.sub("a", sentence)
  verdict = _VERDICT_WORD.search(sentence)  # reading takes a millisecond, and most sentences state nothing
  readable = verdict and isinstance(reference, (Choice, YesNo))
  if readable and (stated := reading.stated(sentence, reference, prompt)):
    return stated
  if isinstance(reference, YesNo) and (alone := _ALONE.findall(sentence)):
    return alone[-1].lower()
  return _names(text.words(sentence), reference) if isinstance(reference, Choice) else None


def _names(sentence: tuple[str, ...], reference: Choice) -> str | None:
  """Returns the label of the one choice whose text stands in a sentence's words."""
  words = f" {' '.join(sentence)} "
  named = [label for label, choice in _choices(reference.choices) if choice in words]
  return named[0] if len(named) == 1 else None


@functools.lru_cache(maxsize=64)
def _choices(choices: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
  bare = ((label, re.sub(r"(?i)^(?:the|an?)\s+(?=\S)", "", choice.strip())) for label, choice in choices)
  return [(label, f" {' '.join(text.words(choice))} ") for label, choice in bare]
