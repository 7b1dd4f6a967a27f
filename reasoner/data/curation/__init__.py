"""From rows as they were published to a pool to train on: what `python -m reasoner.curate` is made of.

  settings.py       config.curation          screening.py      rows by themselves, in several processes
  words.py          hashed word n-grams      selection.py      rows among each other: duplicates, limits
  contamination.py  shared with evaluation   curator.py        the story, and the files that it leaves
  duplicates.py     MinHash and LSH          card.py           README.md and pictures
  privacy.py, language.py                    personal data; English or not

Which rows there are and what they ask is still decided by reasoner/data: loading.py's RowReader reads
them here too, and its Loader keeps evaluation rows apart in the same words.
"""
