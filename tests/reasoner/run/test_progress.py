"""What a person reads while a run goes on."""

import pytest

from reasoner.run import progress


@pytest.mark.parametrize("seconds, shown", [
    (0, "00:00:00"), (59.6, "00:01:00"), (3_725, "01:02:05"), (86_399, "23:59:59"),
    (86_400, "1 d 00:00:00"), (93_784, "1 d 02:03:04"), (10 * 86_400 + 1, "10 d 00:00:01"),
])
def test_a_duration_beyond_a_day_says_its_days(seconds, shown):
  assert progress.duration(seconds) == shown


def test_a_line_tells_the_step_its_values_the_pace_and_the_time_left(capsys, monkeypatch):
  now = [0.0]
  monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
  with progress.Progress("grpo", start=4, total=10_004) as bar:
    now[0] = 10.0
    bar.update(5, reward=0.25, accuracy=None)
  assert capsys.readouterr().out == "grpo 5/10004  reward 0.250  10.00 s/step  1 d 03:46:30 left\n"


def test_a_phase_inside_of_another_is_not_counted_twice(tmp_path, monkeypatch):
  now = [0.0]
  monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
  clock = progress.Clock(tmp_path / "seconds.json", goes_on=False)
  with clock.phase("grpo"):
    now[0] = 10.0
    with clock.phase("evaluation"):
      now[0] = 13.0
      assert clock.seconds() | {"cold_start": 0} == {"cold_start": 0, "evaluation": 3.0, "grpo": 10.0, "total": 13.0}
    now[0] = 15.0
  assert (clock.seconds()["grpo"], clock.seconds()["evaluation"]) == (12.0, 3.0)
