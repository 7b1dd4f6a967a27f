"""The data set card of a pool: README.md with its figures, and lengths.png.

Everything in it was counted by this curation, but for the licences, which stand beside the adapters.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
import pathlib
from typing import Any

import numpy as np

from reasoner.data import dataset as datasets_
from reasoner.data import plans
from reasoner.data.corpus import TRAIN
from reasoner.data.curation import contamination
from reasoner.data.curation.selection import Tally

LENGTHS = "lengths.png"

_HEAD = """\
---
language: en
configs:
- config_name: default
  data_files:
  - split: train
    path: train.parquet
  - split: evaluation
    path: evaluation.parquet
tags:
- reasoning
- reinforcement-learning
---

# A pool of tasks with verifiable or free answers

Made by `python -m reasoner.curate` with seed {seed}. A row is
`{{uid, domain, prompt, answer, split, metadata}}`; `metadata` holds choices, tests, aliases or the data
set's own rationale where the task has them. To train on it:

    config.data.pools = ("train.parquet", "evaluation.parquet")   # and no sources
"""

_CONTAMINATION = """\
A training row is flagged where its task, its free answer or its rationale shares {words} words in a row
with any evaluation row. *Same task*: it shares at least {same:.0%} of the shorter row's {words}-word
phrases with one evaluation row; the others share a phrase. *By chance*: how many training rows share
{words} words with as many *other training rows* as the domain has evaluation rows (or with half of its
rows, where that is fewer): nothing leaks there, so it is the rate of false positives that the data set's
templates cause. `dropped.jsonl` shows the words and the
evaluation row of each.
"""


def write(output: pathlib.Path, figures: Mapping[str, Any], tallies: Mapping[tuple[str, str], Tally]) -> None:
  """Writes the card and its picture into the pool's folder."""
  _histograms(output / LENGTHS, tallies)
  (output / "README.md").write_text("\n".join(lines(figures)) + "\n", encoding="utf-8")


def lines(figures: Mapping[str, Any]) -> list[str]:
  """Returns the card's text."""
  rules, sources = figures["rules"], figures["sources"]
  said = [_HEAD.format(seed=figures["seed"]), "## Rows", ""]
  by_domain = {d: [s for s in sources if s["domain"] == d] for d in sorted({s["domain"] for s in sources})}
  said += table(
      ("domain", "train", "evaluation"),
      [(d, _kept(rows, TRAIN), _kept(rows, "evaluation")) for d, rows in by_domain.items() if d != "?"]
      + [("all", _kept(sources, TRAIN), _kept(sources, "evaluation"))],
  )
  said += ["", "By source; what other sets hold is evaluated elsewhere and never trained on.", ""]
  said += table(
      ("domain", "data set", "split", "role", "read", "kept", "dropped"),
      [
          (
              s["domain"], s["dataset"], s["split"], s["role"], f"{s['read']:,}", f"{s['kept']:,}",
              "; ".join(f"{n:,} {reason}" for reason, n in s["dropped"].items()),
          )
          for s in sources
      ],
  )  # fmt: skip
  reasons: Counter = Counter()
  for source in sources:
    if source["role"] == TRAIN:
      reasons.update(source["dropped"])
  said += ["", "## Training rows dropped, by reason", ""]
  said += table(("reason", "rows"), [(reason, f"{n:,}") for reason, n in sorted(reasons.items())])
  said += ["", f"Lengths are {figures['tokens_of']}: prompts to {rules['max_prompt_tokens']:,}, answers to "]
  said[-1] += f"{rules['max_answer_tokens']:,}. " + _rules(rules)
  said += ["", "## Shared with evaluation", ""]
  said.append(
      _CONTAMINATION.format(words=contamination.NGRAM_WORDS, same=contamination.SAME_TASK)
      + ("" if rules["shared_ngrams"] == "drop" else "They are **kept**: `config.curation.shared_ngrams`.\n")
  )
  said += table(
      ("domain", "data set", "evaluation", "screened", "flagged", "same task", "a phrase", "by chance"),
      [
          (
              c["domain"], c["dataset"], f"{c['evaluation']:,}", f"{c['screened']:,}",
              f"{c['flagged']:,} ({c['flagged'] / max(c['screened'], 1):.1%})", f"{c['same_task']:,}",
              f"{c['flagged'] - c['same_task']:,}",
              "-" if c["chance_rate"] is None else f"{c['chance_rate']:.1%}",
          )
          for c in figures["contamination"]
      ],
  )  # fmt: skip
  said += ["", "## Personal data", ""]
  said.append("E-mail addresses, telephone numbers and account names are masked in tasks with free answers.")
  if figures["masked"]:
    said += ["", *table(
        ("role", "data set", "kind", "rows"),
        [(m["role"], m["dataset"], m["kind"], f"{m['rows']:,}") for m in figures["masked"]],
    )]  # fmt: skip
  else:
    said[-1] += " None was found."
  said += ["", "## What a cold start reasons", ""]
  said.append(
      "Rows with a rationale show that; `config.cold_start.rationales` joins others. The rest reasons in a few "
      "words of its own row:"
  )
  said += ["", *table(
      ("domain", "data set", "rows", "with a rationale", "the others' is made of"),
      [
          (
              r["domain"], r["dataset"], f"{r['rows']:,}", f"{r['reasoned']:,}",
              plans.MADE_OF.get(r["domain"], plans.MADE_OF_OTHERS) if r["reasoned"] < r["rows"] else "",
          )
          for r in figures["reasoning"]
      ],
  )]  # fmt: skip
  said += ["", "## Licences", "", *_licences(sources)]
  said += ["", "## How often each domain is drawn (DISCO)", ""]
  said += table(
      ("domain", "rows", "natural share", "DISCO share", "draws", "epochs"),
      [
          (
              r["domain"], f"{r['rows']:,}", f"{r['natural_share']:.1%}", f"{r['disco_share']:.1%}",
              f"{r['draws']:,}", f"{r['epochs']:.2f}",
          )
          for r in figures["disco"]
      ],
  )  # fmt: skip
  return [*said, "", "## Lengths", "", f"![Lengths of prompts and answers by domain]({LENGTHS})"]


def _rules(rules: Mapping[str, Any]) -> str:
  near = rules["near_duplicates"]
  parts = []
  if near < 1:
    parts.append(
        f"Near duplicates: three-word phrases of the prompts with a Jaccard similarity of {near:g} or more "
        "(MinHash, 128 permutations) and, where there is a short truth, the same truth."
    )
  if rules["english_only"]:
    parts.append("English is told by the commonest words of nine languages.")
  parts.append("Gold answers of domains with a truth were verified by the domain's own reward.")
  return " ".join(parts)


def _kept(sources: Sequence[Mapping[str, Any]], role: str) -> str:
  return f"{sum(s['kept'] for s in sources if s['role'] == role):,}"


def _licences(sources: Sequence[Mapping[str, Any]]) -> list[str]:
  rows = []
  for name in sorted({s["dataset"] for s in sources}):
    known = datasets_.known().get(name)
    if known:
      rows.append((name, known.hub_id, known.licence, known.redistribution))
    else:
      rows.append((name, "a pool file", "as its own file says", "see there"))
  return [
      "A pool is as free as its least free part. Rows that may not be passed on can be rebuilt by the "
      "command above wherever the data sets may be read.",
      "",
      *table(("data set", "hub", "licence", "may its rows be passed on"), rows),
  ]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
  """Returns a Markdown table."""
  cells = [[str(cell).replace("|", "\\|") for cell in row] for row in (head, *rows)]
  cells.insert(1, ["---"] * len(head))
  return ["| " + " | ".join(row) + " |" for row in cells]


def _histograms(path: pathlib.Path, tallies: Mapping[tuple[str, str], Tally]) -> None:
  from matplotlib.backends.backend_agg import FigureCanvasAgg
  from matplotlib.figure import Figure

  domains = sorted({domain for domain, _ in tallies})
  height = 1.4 * max(len(domains), 1) + 0.4
  figure = Figure(figsize=(7.2, height))
  figure.subplots_adjust(0.07, 0.45 / height, 0.98, 1 - 0.25 / height, wspace=0.16, hspace=0.6)
  FigureCanvasAgg(figure)
  axes = figure.subplots(len(domains), 2, squeeze=False)
  for row, domain in zip(axes, domains):
    tokens = [part for (d, _), tally in tallies.items() if d == domain for part in tally.tokens]
    lengths = np.concatenate([np.zeros((0, 2), np.int32), *tokens])
    for axis, values, what in zip(row, lengths.T, ("prompt", "answer")):
      if len(values):
        axis.hist(values, bins=np.linspace(0, max(values.max(), 1), 41), color="#0072b2")
        axis.axvline(np.median(values), color="#d55e00", linewidth=1)
        axis.set_title(f"{domain}: {what}, median {np.median(values):,.0f}", loc="left", fontsize=8)
      axis.tick_params(labelsize=7)
      axis.spines[["top", "right"]].set_visible(False)
  for axis in axes[-1] if len(domains) else ():
    axis.set_xlabel("tokens", fontsize=8)
  figure.savefig(path, dpi=110, metadata={"Software": None})
