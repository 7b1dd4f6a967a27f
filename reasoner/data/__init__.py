"""Rows of public data sets and pools, turned into Examples: one data set a file.

  corpus = data.load({"math": {"gsm8k": {"train": ("train",), "evaluation": ("test",)}}},
                     domains=("math",), root="rows")
  corpus.train["math"][17]  ->  Example(uid="gsm8k/main/train/17", prompt="Jack is stranded ...")

A file with a `DATASET` is an adapter: it says where a data set lives and what a row of it asks.
sources.py checks what a config names, loading.py keeps training and evaluation apart, gold.py runs
the gold answers through the rewards.
How much of a domain is drawn, and when, is not decided here but in sampling.py.
"""

from reasoner.data.corpus import Corpus
from reasoner.data.gold import check_gold
from reasoner.data.gold import try_rewards
from reasoner.data.loading import load
from reasoner.data.sources import check
