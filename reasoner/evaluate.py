"""Greedy evaluation on held-out prompts: accuracy beside format compliance, with n, by domain.

One record, a line of `evaluation_before.jsonl`:

  {"set": "held_out", "domain": "math", "uid": "gsm8k/main/test/4", "prompt": "...", "reference": "5",
   "reference_label": null, "completion": "<reasoning>...", "gate": true, "failure": null,
   "correct": false, "total": 0.2, "scores": {"math_answer": 0.0}, "tokens": 61, "truncated": false, ...}

`reference_label` is the letter of a multiple choice's right option.

An accuracy claim that is really a format claim cannot hide here: `accuracy` counts a completion
without valid format as wrong, `accuracy_given_format` counts valid ones alone.
"""

from collections.abc import Mapping, Sequence

from reasoner.reporting import records as records_lib
from rewards.schema import Example


def evaluate(policy, service, sets: Mapping[str, Sequence[Example]], render, sampling, batch_size: int):
  """Returns a record for each example of each set.

  Args:
    policy: a grpo.Policy.
    service: scores completions (rewards.service.Service).
    sets: examples by the name of their set.
    render: Example -> token ids of its prompt.
    sampling: a grpo.Sampling; greedy.
    batch_size: completions a call; the last call is filled up, so that nothing recompiles.
  """
  import jax

  rows = [(name, example) for name, examples in sets.items() for example in examples]
  pending = []
  for first in range(0, len(rows), batch_size):
    batch = rows[first : first + batch_size]
    prompts = [render(example) for _, example in batch]
    filled = prompts + [prompts[0]] * (batch_size - len(batch))
    rollout = policy.generate(filled, sampling, jax.random.key(0))
    examples = [example for _, example in batch]
    scores = service.submit(examples, rollout.texts[: len(batch)], list(range(len(batch))))
    pending.append((batch, rollout, scores))
  records = []
  for batch, rollout, scores in pending:
    for i, ((name, example), breakdown) in enumerate(zip(batch, scores.result())):
      records.append({
          "set": name,
          "domain": example.domain,
          "uid": example.uid,
          "prompt": example.prompt,
          "reference": example.reference.text,
          "reference_label": getattr(example.reference, "label", None),
          "completion": rollout.texts[i],
          "tokens": int(rollout.lengths[i]),
          "truncated": bool(rollout.truncated[i]),
          **records_lib.as_record(breakdown),
      })
  return records
