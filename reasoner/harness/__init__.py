"""An outside judge: the LM Evaluation Harness on a run's starting and exported model, over local files.

  python -m reasoner.harness --workdir=runs/seven_domain --data=DATA --limit=100

Our own evaluation reads answers with the rewards that the model was trained on. Here someone else's code
loads someone else's file format and asks. ARC, SciQ and StrategyQA are judged by the likelihood of each
choice: no tag and no reader is in it, so neither format training nor a lenient reader can lift them, and
a fall is forgetting. GSM8K and MBPP are written out, in the exported chat template, and are read twice:
`strict` reads the answer tag, so it rises with the format alone; `flexible` does not look at tags.

The YAML files beside this one are the tasks, worded as the harness' own where it has them; they name data
files relative to the working directory, so that they work with its own command too:

  cd DATA && lm_eval run --model hf --model_args pretrained=EXPORT --tasks reasoner_arc_easy \\
      --include_path PATH/TO/reasoner/harness
"""
