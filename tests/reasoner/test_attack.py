"""The search for worthless text that is paid, where rewards ask a model."""

import json

from reasoner import attack


class Model:
  """The longer the prompt is, the likelier every word."""

  def log_probabilities(self, prompts, texts):
    return [[-1.0 if prompt else -1.2] * len(text.split()) for prompt, text in zip(prompts, texts)]


def test_rewards_that_ask_a_model_can_be_paid_and_attacked(tmp_path, capsys, monkeypatch):
  rows = [
      {"domain": "creative_writing", "prompt": f"Write about the {it}.", "answer": f"A {it} stood in the rain."}
      for it in ("lighthouse", "bridge")
  ]
  (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
  flags = [
      f"--input={tmp_path / 'rows.jsonl'}", "--config=experiments/seven_domain.py:embedded", "--budget=8",
      "--config.rewards.creative_writing.information.weight=1.0",
  ]  # fmt: skip
  assert attack.main([f"--workdir={tmp_path}", *flags]) == 2
  assert "holds no finished run" in capsys.readouterr().err
  monkeypatch.setattr(attack, "frozen_base", lambda workdir: Model())
  assert attack.main(["--workdir=run", *flags]) == 0
  assert "creative_writing, worst 1" in capsys.readouterr().out
