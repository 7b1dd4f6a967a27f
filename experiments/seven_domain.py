r"""GRPO + LoRA on Gemma 3 in seven domains at once: DISCO sampling, hybrid rewards, a strict format gate.

  python -m reasoner.main --config=experiments/seven_domain.py                # embedded: two CPU cores
  python -m reasoner.main --config=experiments/seven_domain.py:gemma3_270m_cpu --config.data.root=DATA
  python -m reasoner.main --config=experiments/seven_domain.py:gemma3_270m    # one GPU or TPU chip of 16 GB
  python -m reasoner.main --config=experiments/seven_domain.py:gemma3_1b      # one TPU v5e-8, 9 hours
  python -m reasoner.main --config=experiments/seven_domain.py:embedded_clean # no planted flaws
  python -m reasoner.ablate --config=experiments/seven_domain.py:embedded_small --workdir=DIR --leave_one_out

`get_config` reads as the headline recipe; a variant is the same recipe, resized. Any field can be
set on the command line: --config.rewards.creative_writing.pasting.weight=0.0 measures that guard
without applying it. A recipe of yours imports this one and adds to it.
"""

import ml_collections


def get_config(variant: str = "embedded") -> ml_collections.ConfigDict:
  config = ml_collections.ConfigDict()
  config.seed = 0
  config.plugins = ()  # paths of Python files that register more rewards

  config.model = dict(
      name="gemma3_1b_it",
      source="huggingface",  # or kaggle, local, pypi
      path="",  # local: a directory of config.json, tokenizer.model and safetensors; else another repository
      dtype="auto",  # bfloat16 on an accelerator, float32 on a CPU
      mesh=dict(fsdp=8, tp=1, replicated_sampling=True),  # fsdp=0: all devices
      lora=dict(rank=16, alpha=32.0, modules=("q", "kv", "attention_output", "gate", "up", "down")),
  )

  config.data = dict(
      # A directory of JSONL or Parquet files laid out by hub id; "" loads from the hub. Or embedded:
      # the project's own corpus with careless writers' traces; embedded_clean: without them.
      root="",
      pools=(),  # paths of pool-schema files: {domain, prompt, answer, metadata}
      on_bad_row="stop",  # or "quarantine"
      evaluation_rows=200,  # held-out prompts a domain, at most
      sources=dict(
          math=dict(gsm8k=dict(train=("train",), evaluation=("test",))),
          coding=dict(mbpp=dict(train=("prompt", "train", "validation"), evaluation=("test",))),
          science=dict(
              sciq=dict(train=("train",), evaluation=("test",)),
              ai2_arc=dict(train=("train",), evaluation=("test",), limit=1931),
          ),
          logic=dict(strategyqa=dict(train=("train",), evaluation=("test",))),
          creative_writing=dict(
              writingprompts=dict(train=("train",), evaluation=("test",), limit=5000),
              dolly=dict(train=("train",), evaluation=("train",)),  # evaluation is carved off by a hash
          ),
          creative_ideation=dict(dolly=dict(train=("train",), evaluation=("train",))),
          summarization=dict(xsum=dict(train=("train",), evaluation=("test",), limit=10_000)),
      ),
      evaluation_sets=dict(),  # further sets, reported beside the held-out one: {name: {data set: splits}}
  )
  config.disco = dict(
      alpha=0.5,  # share ~ weight * rows ** alpha: 1 is natural, 0 uniform
      max_repeats=8,  # how often one row may be drawn in a run
      weights=dict(
          math=1.0,
          coding=1.0,
          science=1.0,
          logic=1.0,
          creative_writing=1.0,
          creative_ideation=1.0,
          summarization=1.0,
      ),
      # domain: none, log, log_squared or inverse; these need an algorithm like dr_grpo
      reward_scaling=dict(domain="none", difficulty=False, epsilon=0.1),
  )

  # total = gate * (w_format (1 - guarded (1 - left)) + left * sum w s) / (w_format + sum w), where the
  # guards g, from 0 (measured, not applied) to 1, leave prod(1 - w_g (1 - g)). None: optional, give it a weight.
  def paid(**components):
    return dict(format=dict(weight=0.2, guarded=0.0), **components)

  def open_task(**components):
    guards = dict(
        answer_length=dict(weight=1.0),
        repetition=dict(weight=0.7),
        word_order=dict(weight=0.8),
        refusal=dict(weight=1.0),
        pasting=dict(weight=1.0),
        semantic_relevance=dict(weight=0.4, without_reference=True),
        rubric_judge=None,
        information=None,  # these two ask the policy's frozen reference; model_judge is unproven: see them
        model_judge=None,
    )
    return paid(**(guards | components))

  shown = dict(weight=0.12)  # the work: a tenth of the total, so that "." is not as good
  config.rewards = dict(
      math=paid(math_answer=dict(weight=0.8), reasoning=shown),
      coding=paid(tests_all_passed=dict(weight=0.8), tests_passed_fraction=None, reasoning=shown),
      science=paid(science_answer=dict(weight=0.8), reasoning=shown),
      logic=paid(yes_no=dict(weight=0.8), reasoning=shown),
      creative_writing=open_task(
          reference_similarity=dict(weight=0.8),
          group_difference=dict(weight=0.0),
      ),
      creative_ideation=open_task(
          reference_similarity=dict(weight=0.8),
          word_order=dict(weight=0.8, list_items=True),
          distinct_items=dict(weight=0.5),
          group_difference=dict(weight=0.0),
      ),
      summarization=open_task(
          reference_similarity=dict(weight=0.25, scale=(0.1, 0.7), on_topic=False),
          rouge=dict(weight=0.55),
          word_order=dict(weight=0.3),
          answer_length=dict(weight=1.0, min_words=5, max_words=150),
          pasting=dict(weight=1.0, free=0.4, worthless=0.8, disguised_free=0.85, disguised_worthless=1.0),
          faithfulness=dict(weight=0.2),
      ),
  )
  config.scoring = dict(num_workers=4, completion_timeout_seconds=10.0, batch_timeout_seconds=1800.0)

  config.rollout = dict(
      max_prompt_tokens=1024, max_new_tokens=512, temperature=0.7, top_p=0.95, top_k=50
  )
  config.cold_start = dict(  # supervised steps before GRPO; none for an instruction-tuned model
      steps=0,
      traces=2000,
      batch_size=16,
      learning_rate=1e-4,
      warmup_fraction=0.1,
      checkpoint_every=100,
  )
  config.grpo = dict(
      algorithm="grpo",  # or dr_grpo, dapo, gspo, maxrl
      num_generations=4,
      num_iterations=4,  # updates a batch
      beta=0.04,
      epsilon=None,  # how far the ratio may move; None: 0.2, and gspo's own 3e-4 / 4e-4
      epsilon_high=None,  # its upper side, dapo alone; None: 0.28
  )
  config.train = dict(
      steps=625,  # batches of prompts; 625 x 16 = 10,000 prompts, each step num_iterations updates
      time_budget_hours=9.0,  # a session's worth: fewer steps where they would not fit, see run/budget.py
      prompts_per_step=16,
      micro_batches=1,  # on each of 8 chips two prompts, read once, and their eight completions
      rematerialize=True,  # without, two micro-batches would take 20 GiB of a chip's 15.75
      learning_rate=3e-6,  # AdamW: linear warm-up, then a cosine to 0
      warmup_fraction=0.1,
      b1=0.9,
      b2=0.99,
      weight_decay=0.1,
      gradient_clip=0.1,
      checkpoint_every=500,
      checkpoint_minutes=10.0,  # and so long after the last at the latest
      checkpoints_kept=3,
      samples_every=10,
      evaluate_every=100,  # steps; a small held-out sample, which chooses the best adapter; 0: never
  )

  if variant not in VARIANTS:
    raise ValueError(f"variant {variant!r} is unknown; accepted: {', '.join(VARIANTS)}")
  VARIANTS[variant](config)
  return config


def _gemma3_1b(config: ml_collections.ConfigDict) -> None:
  """The recipe as it stands: Gemma 3 1B, instruction-tuned, on one TPU v5e-8."""


def _gemma3_270m(config: ml_collections.ConfigDict) -> None:
  """The 270M base model on one GPU or TPU chip of 16 GB or more: sized by arithmetic, not run yet.

  bfloat16 weights take 0.5 GB, the caches of 64 completions 0.9 GB, what a part of the update keeps for
  its gradient, 4 sequences of 768 tokens, 3 to 6 GB.
  """
  config.model.update(name="gemma3_270m", mesh=dict(fsdp=1))
  config.rollout.update(max_prompt_tokens=512, max_new_tokens=256, temperature=1.0, top_p=1.0, top_k=0)
  # A base model knows no turns: it is shown the format first.
  config.cold_start.update(steps=400, traces=1600, batch_size=4, learning_rate=2e-4)
  config.train.update(
      time_budget_hours=0.0, micro_batches=16, rematerialize=False, learning_rate=1e-5, gradient_clip=1.0,
      checkpoint_every=100,
  )  # fmt: skip


def _gemma3_270m_cpu(config: ml_collections.ConfigDict) -> None:
  """The 270M base model on two CPU cores, out of Python packages; rows from --config.data.root."""
  config.model.update(name="gemma3_270m", source="pypi", mesh=dict(fsdp=1))
  dolly = dict(train=("train_exact", "train_reconstructed"), evaluation=("train_exact", "train_reconstructed"))
  config.data.evaluation_rows = 100
  config.data.sources = dict(
      math=dict(gsm8k=dict(train=("train",), evaluation=("test",))),
      coding=dict(mbpp=dict(train=("prompt", "train", "validation"), evaluation=("test",))),
      science=dict(
          sciq=dict(evaluation=("test",), support=True),
          ai2_arc=dict(train=("train",), evaluation=("test",)),
      ),
      logic=dict(strategyqa=dict(train=("train",), evaluation=("validation",))),
      creative_writing=dict(writingprompts=dict(train=("train",), evaluation=("test",)), dolly=dolly),
      creative_ideation=dict(dolly=dolly),
      summarization=dict(
          cnn_dailymail=dict(train=("train",)), xsum=dict(evaluation=("test",)), dolly=dolly
      ),
  )
  config.disco.alpha = 0.0  # so few steps would show a twentieth of summaries
  config.disco.weights.update(coding=2.0, creative_writing=1.5, creative_ideation=2.0)  # what loops, greedily
  for domain in ("creative_writing", "creative_ideation", "summarization"):
    # Its texts resemble the reference in nothing at first: of those, too, what repeats itself shall earn less.
    config.rewards[domain].format.guarded = 0.8
  config.grpo.least_spread = 0.03  # of the total: by less, a group differs in how long it reasons, hardly more
  config.scoring.num_workers = 1
  # At 0.7 a group hardly ever has one of the loops that greedy text falls into; 0.3: BUILD_NOTES.md, ninth part.
  config.rollout.update(max_prompt_tokens=192, max_new_tokens=128, temperature=0.4, top_p=1.0, top_k=0)
  config.cold_start.update(
      steps=250, traces=1300, batch_size=4, learning_rate=3e-4, completion_tokens=80, checkpoint_every=25
  )
  config.grpo.update(num_generations=4, num_iterations=1)
  config.train.update(
      steps=90,
      time_budget_hours=0.0,
      prompts_per_step=2,
      micro_batches=2,
      rematerialize=False,
      learning_rate=7e-5,  # by 1e-4 two prompts a step unlearned logic: BUILD_NOTES.md, sixth part
      gradient_clip=1.0,
      checkpoint_every=5,
      samples_every=5,
      evaluate_every=0,
  )


def _embedded(config: ml_collections.ConfigDict) -> None:
  """A 0.5 M-parameter Gemma 3 that starts from nothing: ten minutes on two CPU cores.

  Its corpus plants flaws for GRPO to mend: 47.5 % of the cold start's traces break the format.
  """
  config.model.update(name="embedded", source="", mesh=dict(fsdp=1))
  config.data.update(root="embedded", evaluation_rows=96)
  config.data.sources = dict(
      math=dict(gsm8k=dict(train=("train",), evaluation=("test",))),
      coding=dict(mbpp=dict(train=("train",), evaluation=("test",))),
      science=dict(
          sciq=dict(train=("train",), evaluation=("test",), support=True),
          ai2_arc=dict(train=("train",), evaluation=("test",), configs=("ARC-Easy",)),
      ),
      logic=dict(strategyqa=dict(train=("train",), evaluation=("validation",))),
      creative_writing=dict(writingprompts=dict(train=("train",), evaluation=("test",))),
      creative_ideation=dict(dolly=dict(train=("train",), evaluation=("train",))),
      summarization=dict(xsum=dict(train=("train",), evaluation=("test",))),
  )
  unseen = ("unseen_templates",)  # phrasings that no training row has: reported without a bar
  config.data.evaluation_sets = dict(
      unseen_templates={
          name: unseen
          for name in ("gsm8k", "mbpp", "sciq", "ai2_arc", "strategyqa", "writingprompts", "dolly", "xsum")
      }
  )
  for domain in ("creative_writing", "creative_ideation", "summarization"):
    rewards = config.rewards[domain]
    rewards.reference_similarity.model = "packaged"  # word vectors: no torch
    rewards.semantic_relevance = None
  # Training and evaluation share phrasings by design, and differ in what fills them.
  config.curation = dict(shared_ngrams="keep")
  config.scoring.num_workers = 2
  config.rollout.update(max_prompt_tokens=64, max_new_tokens=96, temperature=1.0, top_p=1.0, top_k=0)
  config.cold_start.update(
      steps=600,
      traces=19_200,
      batch_size=32,
      learning_rate=3e-3,
      warmup_fraction=0.07,
      checkpoint_every=100,
  )
  config.grpo.update(num_generations=8, num_iterations=1, beta=0.02)
  config.train.update(
      steps=60,
      time_budget_hours=0.0,
      prompts_per_step=14,
      rematerialize=False,
      learning_rate=1e-3,
      weight_decay=0.0,
      gradient_clip=1.0,
      checkpoint_every=10,
      samples_every=5,
      evaluate_every=20,
  )


def _embedded_clean(config: ml_collections.ConfigDict) -> None:
  """The same rows and steps without a flaw: what supervised training reaches where nothing is planted."""
  _embedded(config)
  config.data.root = "embedded_clean"


def _embedded_small(config: ml_collections.ConfigDict) -> None:
  """Half the prompts for half the steps and a shorter cold start, for ablations (`python -m reasoner.ablate`)."""
  _embedded(config)
  config.data.evaluation_sets = dict()
  config.cold_start.steps = 400
  config.train.update(steps=30, prompts_per_step=7, evaluate_every=0)


def _embedded_tour(config: ml_collections.ConfigDict) -> None:
  """What the notebooks show on any machine: so few rows that all of it, a pool included, takes some minutes."""
  _embedded_small(config)
  config.data.evaluation_rows = 16
  for domain in config.data.sources.values():
    for source in domain.values():
      source.limit = 200
  config.cold_start.update(steps=300, traces=9600)


VARIANTS = {
    "gemma3_1b": _gemma3_1b,
    "gemma3_270m": _gemma3_270m,
    "gemma3_270m_cpu": _gemma3_270m_cpu,
    "embedded": _embedded,
    "embedded_clean": _embedded_clean,
    "embedded_small": _embedded_small,
    "embedded_tour": _embedded_tour,
}
