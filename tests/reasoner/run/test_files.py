"""A run's files after a kill at any instant."""

import json

import pytest

from reasoner.run import files


def test_a_replaced_file_leaves_nothing_beside_it(tmp_path):
  files.write_json(tmp_path / "a.json", {"x": 1})
  files.write_json(tmp_path / "a.json", {"x": 2})
  assert [p.name for p in tmp_path.iterdir()] == ["a.json"]
  assert '"x": 2' in (tmp_path / "a.json").read_text()


def test_a_line_cut_short_by_a_kill_is_left_out(tmp_path):
  path = tmp_path / "rows.jsonl"
  files.append_line(path, {"step": 0})
  files.append_line(path, {"step": 1})
  path.write_text(path.read_text() + '{"step": 2, "re')
  assert files.read_lines(path) == [{"step": 0}, {"step": 1}]


def test_steps_beyond_a_checkpoint_are_dropped(tmp_path):
  path = tmp_path / "rows.jsonl"
  for step in range(5):
    files.append_line(path, {"step": step})
  files.keep_steps(path, below=3)
  files.append_line(path, {"step": 3})
  assert [row["step"] for row in files.read_lines(path)] == [0, 1, 2, 3]


def test_text_with_a_lone_surrogate_survives(tmp_path):
  files.write_lines(tmp_path / "a.jsonl", [{"text": "\ud800"}])
  assert files.read_lines(tmp_path / "a.jsonl") == [{"text": "\ud800"}]


def test_a_number_that_is_not_finite_is_written_as_null(tmp_path):
  row = {"loss": float("nan"), "more": [float("inf"), 1.5], "nested": {"x": -float("inf")}}
  files.append_line(tmp_path / "a.jsonl", row)
  files.write_json(tmp_path / "a.json", row)
  wanted = {"loss": None, "more": [None, 1.5], "nested": {"x": None}}
  for path in (tmp_path / "a.jsonl", tmp_path / "a.json"):
    refuse = lambda token: pytest.fail(f"{token} is no JSON")  # noqa: E731
    assert json.loads(path.read_text(), parse_constant=refuse) == wanted


def test_a_replacement_that_fails_leaves_the_old_file_alone(tmp_path):
  files.write_text(tmp_path / "a.txt", "old")
  with pytest.raises(ZeroDivisionError), files.replacing(tmp_path / "a.txt") as temporary:
    temporary.write_text("half")
    1 / 0  # noqa: B018
  assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]
