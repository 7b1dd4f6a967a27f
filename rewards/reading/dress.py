r"""Dress: how an answer is written, taken off before anything is read.

One real input: `**Final Answer:** There are **60** apples. 🍎` leaves `Final Answer: There are 60 apples.`

Markdown, HTML, quotes, emoji, thoughts in <think> and layout commands of LaTeX say nothing and go;
`wordy` takes the rest of LaTeX off too, where words are expected. A cross, a thumb down or a shrug
says "not" and becomes that word. Not here: what the text means.
"""

import re
import unicodedata

_SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-"))
_SUPERSCRIPT = re.compile(f"[{''.join(_SUPERSCRIPTS)}]+")
_VULGAR = dict(zip("½⅓⅔¼¾⅕⅖⅗⅘⅛⅜⅝⅞", "1/2 1/3 2/3 1/4 3/4 1/5 2/5 3/5 4/5 1/8 3/8 5/8 7/8".split()))
_CHARACTERS = str.maketrans(
    {c: " not " for c in "✗✘❌❎➖👎🚫🤷🙅"}
    | {k: f" {v} " for k, v in _VULGAR.items()}
    | {c: "-" for c in "−‐‑‒﹣–"} | {"―": "—"}
    # Invisible characters become spaces: in front of 60 they are nothing, inside they split it.
    | {c: " " for c in "\x00\xad\u180e\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"}
    | {c: " " for c in "\u202a\u202b\u202c\u202d\u202e"}
    | {"×": r"\times ", "·": r"\cdot ", "⋅": r"\cdot ", "÷": r"\div ", "√": r"\sqrt ", "±": r"\pm "}
    | {"≤": r"\le ", "≥": r"\ge ", "≠": r"\ne ", "≈": r"\approx ", "π": r"\pi "}
    | {"∞": r"\infty ", "θ": r"\theta ", "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in "}
    | {"ℝ": r"\mathbb{R}", "ℤ": r"\mathbb{Z}", "∅": r"\emptyset "}
    | {"’": "'", "‘": "'", "“": '"', "”": '"', "«": '"', "»": '"'}
    | {"º": "°", "⁄": "/", "∕": "/", "→": r"\to "}
)  # fmt: skip
_PICTURE = re.compile(
    "[✓✔✅☑⭐✨\U0001f300-\U0001f4ff\U0001f525\U0001f600-\U0001f6ff\U0001f900-\U0001faff\ufe0f]"
)


def compiled(*rules: tuple[str, str]) -> list[tuple[re.Pattern, str]]:
  """Returns (pattern, replacement) pairs for `respelled`."""
  return [(re.compile(pattern), replacement) for pattern, replacement in rules]


_GAPS = compiled((r"\s{40,}", lambda gap: "\n" if "\n" in gap[0] else " "))


def respelled(text: str, rules: list[tuple[re.Pattern, str]]) -> str:
  """Returns a text after each rule in turn; gaps are closed, as what reads it is quadratic in their length."""
  for pattern, replacement in (*_GAPS, *rules, *_GAPS):
    text = pattern.sub(replacement, text)
  return text


_MARKUP = compiled(
    (r"(?i)<br ?/?>|</(?:p|div|li|h[1-6])>", "\n"),
    (r"(?i)</?(?:b|strong|i|em|u|p|span|div|code|sub|sup|ul|ol|li|h[1-6])>", " "),
    (r"(?m)^\s*(?:#{1,3}(?!#)|>|[-*•](?=\s+(?:[^\s\d-]|\d{1,2}[).]\s)))\s+", ""),
    (r"(?<![\w*)])(\*\*|__)(?=\S)((?:[^*\n]|\*(?!\*))+?)(?<=\S)\1(?![\w*(])", r"\2"),
    (r"(?<![\w*)])\*(?=[^\s*])([^*\n]+)(?<=\S)\*(?![\w*(])", r"\1"),
    (r"(?<![\w)}])_(?=[^\W_])([^_\n]+)(?<=[^\W_])_(?!\w)", r"\1"),
    (r"~~|`+|\"", " "),
    (r"(?<!\S)~\s*(?=\S)", "about "),
    (r"\*\*", "^"),
    (r"\\\\(?=(?:d?frac|sqrt|boxed|pi|left|right|text|cup|infty|pm)\b)", r"\\"),  # escaped twice
    (r"(?<!\\)\\!\s*", ""),
    (r"\\(?:left|right|[bB]igg?[lr]?|displaystyle|limits)(?![a-zA-Z])\.?", ""),
    (r"\$\$|(?<!\\)\\[()\[\]]", "$"),  # one delimiter of formulas
    (r"\\operatorname\s*\{(\w+)\}", r"\\\1 "),
    (r"(?<=\d)(?=\\(?:text|mathrm|mbox))", " "),
    (r"\\(?:text\w*|mbox|emph|ce|math(?:rm|bf|it|sf)|bf)\s*\{([^{}]*)\}", r"\1"),
    (r"\\pmod\s*(?:\{\w+\}|\d)|\(\s*\\?mod\s*\{?\w+\}?\s*\)", " "),  # a residue is a unit phrase
    (r"(?<!\\)\\[,;:> ]|(?<=\w)~(?=\\?\w)|\\q?quad(?![a-zA-Z])", " "),
    (r"\{,\}", ","), (r"\\[dtc]frac", r"\\frac"), (r"\\%", "%"), (r"\\textdollar|\\\$", "$"),
    (r"(?<![^\S\n])[^\S\n]++(?=[.,;:!?](?:\s|$))", ""),
    (r"\^\s*(?:\{\s*\\circ\s*\}|\\circ(?![a-zA-Z]))|\\degree(?![a-zA-Z])", "°"),
)  # fmt: skip
_WORDY = compiled(
    (r"([_^])\{([^{}]*)\}", r"\1\2"),
    (r"\\(?:boxed|fbox|math\w+)\s*\{([^{}]*)\}", r"\1"),
    (r"\\(?:long)?rightarrow|\\to\b|-+>", "→"),
    (r"\$", " "),
    (r"(?<!\w)'|'(?!\w)|[_^]", ""),
)
_PLAIN = re.compile(r"[\w .,;:!?'()/-]*\Z", re.ASCII)


def undress(text: str) -> str:
  r"""Returns `text` without its dress, mathematics kept; what follows the last </think>, where there is one.

  >>> undress("**60** apples \u2705")
  '60 apples'
  """
  if _PLAIN.match(text) and "_" not in text and "\n" not in text and not text.lstrip().startswith("- "):
    return respelled(text.strip(), [])
  text = text.rpartition("</think>")[2].translate(_CHARACTERS)
  text = _SUPERSCRIPT.sub(lambda m: "^{" + "".join(map(_SUPERSCRIPTS.get, m[0])) + "}", text)
  return respelled(_PICTURE.sub(" ", unicodedata.normalize("NFKC", text)), _MARKUP).strip()


def wordy(text: str) -> str:
  r"""Returns an undressed text as words: `\boxed{\text{CO}_{2}}` is `CO2`."""
  for _ in range(3 if "{" in text else 1):  # as deep as honest answers nest: \boxed{\text{CO_{2}}}
    text = respelled(text, _WORDY)
  return text.strip()
