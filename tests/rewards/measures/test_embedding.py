"""The vectors of texts that come back are kept, within a bound, and are the same as fresh ones."""

import numpy as np

from rewards.measures import embedding


def test_texts_that_come_back_are_not_encoded_again():
  asked = []

  def encode(texts):
    asked.extend(texts)
    return np.array([[float(len(text)), 1.0] for text in texts])

  embed = embedding._kept(encode)
  assert embed(["ab", "a", "ab"]).tolist() == [[2.0, 1.0], [1.0, 1.0], [2.0, 1.0]]
  assert embed(["abc", "a"]).tolist() == [[3.0, 1.0], [1.0, 1.0]]
  assert sorted(asked) == ["a", "ab", "abc"]


def test_those_not_seen_for_longest_are_forgotten(monkeypatch):
  monkeypatch.setattr(embedding, "_MOST_KEPT", 2)
  asked = []
  embed = embedding._kept(lambda texts: asked.extend(texts) or np.zeros((len(texts), 1)))
  for text in ("a", "b", "a", "c", "a", "b"):
    embed([text])
  assert asked == ["a", "b", "c", "b"]


def test_one_call_may_have_more_texts_than_are_kept(monkeypatch):
  monkeypatch.setattr(embedding, "_MOST_KEPT", 2)
  embed = embedding._kept(lambda texts: np.array([[float(text)] for text in texts]))
  assert embed(["1", "2", "3"]).tolist() == [[1.0], [2.0], [3.0]]
