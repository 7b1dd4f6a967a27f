"""An export asks and answers as the trained model does: in transformers, under PEFT, and out of GGUF."""

import json
import pathlib
import random
import subprocess
import sys

import numpy as np
import pytest

from reasoner import export as export_lib
from reasoner.data import prompts
from reasoner.models import embedded
from reasoner.models import gemma3
from reasoner.models import gguf_convert
from reasoner.models import hugging_face
from reasoner.models import lora
from reasoner.models import mesh as mesh_lib
from reasoner.models import peft_format
from reasoner.models import publish
from reasoner.run import files
from reasoner.run.settings import Settings
from reasoner.run.workdir import Workdir
from rewards import recipes
from rewards.errors import ConfigError
from tests.reasoner.models.shrunken import logits_of
from tests.reasoner.models.test_peft_format import trained
from tests.reasoner.models.test_peft_format import vocabulary
from tests.reasoner.reporting.test_report import record as reported
from tests.reasoner.reporting.test_report import SUMMARY as REPORTED

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROW = dict.fromkeys((f"{f}_{w}" for f in ("format", "accuracy", "accuracy_given_format") for w in ("before", "after")), 0.5)
SUMMARY = {
    "domains": {
        "math": ROW | {"n": 96, "best_constant_answer": 0.04, "accuracy_after": 0.9375},
        "summarization": ROW | {"n": 96, "best_constant_answer": None, "accuracy_after": None},
    }
}


@pytest.fixture(scope="module", name="run")
def _run(tmp_path_factory):
  """A finished run of the embedded model whose adapter does something; and its actor."""
  config, _ = recipes.load(f"{ROOT}/experiments/seven_domain.py", (), Settings)
  plain = Settings.plain(config)
  workdir, tokenizer = Workdir(tmp_path_factory.mktemp("run")), vocabulary()
  base = embedded.Embedded().load(mesh_lib.make_mesh(1, 1), "float32", seed=0)
  workdir.begin(
      config=plain, rows={}, disco=[], tokenizer=tokenizer,
      environment={"model": "the embedded model"},
  )  # fmt: skip
  workdir.claim()
  settings = Settings.of(plain).model.lora
  actor = trained(lora.add_lora(base, settings.rank, settings.alpha, settings.modules, seed=0))
  hugging_face.write_directory(workdir.base, actor, tokenizer)
  peft_format.write(workdir.adapter, actor, settings, base=str(workdir.base), license="apache-2.0", template="{task}")
  workdir.summary.write_text(json.dumps(SUMMARY))
  return workdir, actor, tokenizer


@pytest.fixture(scope="module", name="exported")
def _exported(run, tmp_path_factory):
  output = tmp_path_factory.mktemp("out") / "export"
  export_lib.export(run[0].path, output, gguf="Q8_0")
  assert list(output.parent.iterdir()) == [output]  # nothing half-made beside it
  return output


@pytest.fixture(scope="module", name="theirs")
def _theirs(exported):
  pytest.importorskip("torch", reason="torch comes with the extra [semantic]")
  import transformers

  model = transformers.AutoModelForCausalLM.from_pretrained(exported).eval()
  return model, transformers.AutoTokenizer.from_pretrained(exported)


def texts(count):
  """Text of what the vocabulary has and has not: turn markers, tags, runs of spaces, other alphabets."""
  draw = random.Random(1)
  parts = [*"abcdefgh  \n.,12", "<reasoning>", "</answer>", "<end_of_turn>", "<start_of_turn>user\n", "   ", "é東", "task"]
  return ["".join(draw.choices(parts, k=draw.randint(1, 30))) for _ in range(count)]


def test_teacher_forced_logits_are_the_trained_model_s(run, theirs):
  import torch

  workdir, actor, _ = run
  ids = np.random.default_rng(1).integers(6, 1280, (2, 24))
  with torch.no_grad():
    merged = theirs[0](torch.tensor(ids)).logits.numpy()
  ours = logits_of(actor, ids)
  np.testing.assert_allclose(merged, ours, atol=2e-3)
  import peft
  import transformers

  base = transformers.AutoModelForCausalLM.from_pretrained(workdir.base).eval()
  with torch.no_grad():
    plain = base(torch.tensor(ids)).logits.numpy()
    adapted = peft.PeftModel.from_pretrained(base, workdir.adapter).eval()(torch.tensor(ids)).logits.numpy()
  np.testing.assert_allclose(adapted, ours, atol=2e-3)
  assert np.abs(plain - ours).max() > 0.1  # the adapter does something, and the export has it


def test_it_reads_as_the_run_s_tokenizer_does_after_one_bos(run, theirs):
  tokenizer, own = theirs[1], run[2]
  assert tokenizer("abc").input_ids == [own.bos_id(), *own.encode("abc")]
  for text in texts(300):
    ids = own.encode(text)
    assert tokenizer(text, add_special_tokens=False).input_ids == ids, text
    if own._processor.unk_id() not in ids:
      assert tokenizer.decode(ids) == own.decode(ids)


@pytest.mark.parametrize("task", ["What is 2 + 2?", "  Sum up:\n\n a{b} \n", "Hi<end_of_turn>\n<start_of_turn>model\nSure"])
def test_the_chat_template_asks_as_it_was_trained(run, theirs, task):
  own = run[2]
  asked = theirs[1].apply_chat_template([{"role": "user", "content": task}], add_generation_prompt=True, return_dict=False)
  assert asked == [own.bos_id(), *own.encode(prompts.render(task, own.turns))]


def test_a_conversation_keeps_its_turns_and_a_system_text_stands_before_the_task(theirs):
  messages = [
      {"role": "system", "content": "Be kind."},
      {"role": "user", "content": "a"},
      {"role": "assistant", "content": "<answer>b</answer>"},
      {"role": "user", "content": "c"},
  ]
  text = theirs[1].apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
  assert text.count(prompts.INSTRUCTION) == 2
  assert "Task: Be kind.\n\na<end_of_turn>\n<start_of_turn>model\n<answer>b</answer><end_of_turn>\n<start_of_turn>user" in text
  assert text.endswith("Task: c<end_of_turn>\n<start_of_turn>model\n")


def test_its_text_is_the_trained_model_s_up_to_the_first_near_tie(run, theirs):
  import torch

  _, actor, own = run
  model, _ = theirs
  assert model.generation_config.eos_token_id == list(own.eos_ids) and not model.generation_config.do_sample
  ids = [own.bos_id(), *own.encode(prompts.render("abc abd", own.turns))]
  out = model.generate(torch.tensor([ids]), max_new_tokens=12)[0].tolist()
  logits = logits_of(actor, np.array([out]))[0]
  for place in range(len(ids), len(out)):
    best = np.sort(logits[place - 1])
    if best[-1] - best[-2] < 4e-3:
      break
    assert logits[place - 1].argmax() == out[place]
  assert place > len(ids) + 2


def test_gguf_read_back_is_the_model_within_its_type(run, exported, tmp_path):
  _, actor, own = run
  gguf_convert.convert(exported / "model-Q8_0.gguf", tmp_path / "back")
  gemma3.check_directory(tmp_path / "back")
  from safetensors.numpy import load_file

  merged, back = (load_file(path / "model.safetensors") for path in (exported, tmp_path / "back"))
  assert merged.keys() == back.keys()
  for name, value in merged.items():
    off = np.abs(back[name] - value)
    if value.ndim == 1:
      assert off.max() < 1e-6  # the one that is added and taken off again
    else:
      rows = np.abs(value.reshape(-1, 32)).max(1, keepdims=True)
      assert (off.reshape(-1, 32) <= rows * (1 / 254 + 1 / 2048)).all(), name  # half a step, of a float16 scale
  ids = np.random.default_rng(1).integers(6, 1280, (2, 24))
  loaded = gemma3.load_directory(tmp_path / "back", mesh_lib.make_mesh(1, 1), "float32")
  ours = logits_of(actor, ids)
  assert np.abs(logits_of(loaded, ids) - ours).max() < 0.05 * np.abs(ours).max()
  tokenizer = gemma3.tokenizer(tmp_path / "back" / "tokenizer.model")
  assert tokenizer.eos_ids == own.eos_ids
  assert all(tokenizer.encode(text) == own.encode(text) for text in texts(100))
  config = json.loads((tmp_path / "back" / "config.json").read_text())
  mine = json.loads((exported / "config.json").read_text())
  assert {key: config[key] for key in config} == {key: mine[key] for key in config}


def test_a_bfloat16_file_moves_a_weight_by_half_a_step_of_its_own(run, tmp_path):
  from safetensors.numpy import load_file

  export_lib.export(run[0].path, tmp_path / "export", gguf="BF16")
  gguf_convert.convert(tmp_path / "export" / "model-BF16.gguf", tmp_path / "back")
  merged, back = (load_file(tmp_path / name / "model.safetensors") for name in ("export", "back"))
  for name, value in merged.items():
    assert (np.abs(back[name] - value) <= np.abs(value) / 256 + 1e-6).all(), name


def test_the_card_has_the_run_s_figures_and_the_terms(exported):
  card = (exported / "README.md").read_text()
  assert "license: apache-2.0" in card and "Made of the embedded model: trained with GRPO" in card
  assert "| math | 96 | 50 | 50 | 50 | 94 | 50 | 50 | 4 |" in card and "| summarization | 96 | 50 | 50 | 50 | – |" in card
  assert "break the format on purpose" in card
  assert "https://www.apache.org/licenses/LICENSE-2.0" in (exported / "NOTICE").read_text()
  modelfile = (exported / "Modelfile").read_text()
  assert modelfile.startswith("FROM ./model-Q8_0.gguf\n") and "PARAMETER stop <end_of_turn>" in modelfile
  own = prompts.template(gemma3.TURNS).replace("{task}", "{{ if .System }}{{ .System }}\n\n{{ end }}{{ .Prompt }}")
  assert f'TEMPLATE """{own}{{{{ .Response }}}}"""' in modelfile


def test_an_output_that_exists_is_left_as_it_is(run, tmp_path):
  (tmp_path / "mine").mkdir()
  (tmp_path / "file").write_text("mine")
  (tmp_path / "link").symlink_to(tmp_path / "nowhere")
  for name in ("mine", "file", "link"):
    with pytest.raises(ConfigError, match=f"--output={tmp_path / name} exists: name a new directory"):
      export_lib.export(run[0].path, tmp_path / name)
  assert not any((tmp_path / "mine").iterdir()) and (tmp_path / "file").read_text() == "mine"


def test_what_cannot_be_exported_is_one_sentence_and_leaves_nothing(run, tmp_path):
  with pytest.raises(ConfigError, match="holds no finished run"):
    export_lib.export(tmp_path / "none", tmp_path / "export")
  with pytest.raises(ConfigError, match="--gguf=Q4_K_M: accepted: Q8_0, BF16"):
    export_lib.export(run[0].path, tmp_path / "export", gguf="Q4_K_M")
  assert not any(tmp_path.iterdir())
  command = [sys.executable, "-m", "reasoner.export", f"--workdir={tmp_path}", "--ouput=x"]
  done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
  assert done.returncode == 2 and done.stderr.startswith("error: '--ouput=x' is no flag; accepted: --workdir")


class Server:
  """Stands for both clients: keeps what was asked, and refuses where it is told to."""

  def __init__(self):
    self.asked, self.refusal = [], None

  def __getattr__(self, name):
    def request(*args, **settings):
      if self.refusal:
        raise self.refusal
      self.asked.append((name, args, settings))

    return request


@pytest.fixture(name="server")
def _server(monkeypatch):
  import huggingface_hub
  import kagglehub

  server = Server()
  monkeypatch.setattr(huggingface_hub, "HfApi", lambda: server)
  monkeypatch.setattr(kagglehub, "model_upload", server.model_upload)
  monkeypatch.setenv("KAGGLE_USERNAME", "me")
  monkeypatch.setenv("KAGGLE_KEY", "key")
  return server


def test_it_is_pushed_whole_to_both_hubs(run, server, tmp_path):
  output = tmp_path / "export"
  targets = [publish.Hub("me/shows-its-work"), publish.Kaggle("me/shows-its-work/transformers/270m")]
  export_lib.export(run[0].path, output, targets=targets)
  assert [name for name, *_ in server.asked] == ["create_repo", "upload_folder", "model_upload"]
  assert server.asked[0][2] == {"private": True, "exist_ok": True}
  assert server.asked[1][2]["folder_path"] == output and server.asked[1][2]["repo_id"] == "me/shows-its-work"
  assert server.asked[2][1:] == (
      ("me/shows-its-work/transformers/270m", str(output)), {"license_name": "Apache 2.0"},
  )  # fmt: skip


def test_a_refused_push_costs_no_export_and_a_failed_one_keeps_it(run, server, tmp_path, monkeypatch):
  output = tmp_path / "export"
  server.refusal = OSError("401")
  with pytest.raises(ConfigError, match="huggingface.co/me/mine cannot be written to: run `hf auth login`"):
    export_lib.export(run[0].path, output, targets=[publish.Hub("me/mine")])
  assert not output.exists()
  import requests

  server.refusal = requests.ConnectionError("no route")
  with pytest.raises(ConfigError, match="took no upload .no route.; the export is in"):
    export_lib.export(run[0].path, output, targets=[publish.Kaggle("me/a/transformers/b")])
  assert (output / "model.safetensors").is_file()
  monkeypatch.delenv("KAGGLE_KEY")
  with pytest.raises(ConfigError, match="set KAGGLE_USERNAME and KAGGLE_KEY"):
    publish.Kaggle("me/a/transformers/b").prepare()
  with pytest.raises(ConfigError, match="expected owner/name"):
    publish.Hub("mine")
  with pytest.raises(ConfigError, match="expected owner/model/framework/variation"):
    publish.Kaggle("me/mine")


def test_evidence_opens_as_the_run_does_and_has_no_text_of_a_data_set(run, tmp_path):
  workdir, actor, own = run
  story = "Once a keeper of a lighthouse wrote a letter."
  records = [
      reported(uid, domain) | {"reference": reference, "prompt": f"Secret {uid}"}
      for uid, domain, reference in (("gsm8k/4", "math", "7"), ("wp/1", "creative_writing", story))
  ]
  config = files.read_json(workdir.config)
  config["data"] |= {"root": str(tmp_path / "rows"), "pools": [str(tmp_path / "rows" / "more.jsonl")]}
  files.write_json(workdir.config, config)
  files.write_json(workdir.summary, SUMMARY | REPORTED)
  for path in (workdir.before, workdir.after, workdir.samples):
    files.write_lines(path, [{"step": 1, **row} for row in records])
  export_lib.export(workdir.path, tmp_path / "evidence", only_evidence=True)
  texts = {path.name: path.read_text() for path in (tmp_path / "evidence").iterdir() if path.suffix in (".json", ".jsonl", ".md", ".html")}
  assert {"config.json", "summary.json", "evaluation_after.jsonl", "report.html", "samples.md"} <= texts.keys()
  for name, text in texts.items():
    assert "Secret" not in text and "lighthouse" not in text and str(tmp_path) not in text, name
  assert "<title>evidence</title>" in texts["report.html"]
  assert '"root": "DATA"' in texts["config.json"] and "DATA/more.jsonl" in texts["config.json"]
  assert '"reference": "7"' in texts["evaluation_after.jsonl"] and "wp/1: reference [withheld]" in texts["samples.md"]
  assert (tmp_path / "evidence" / "NOTICE").exists()
  opened = Workdir(tmp_path / "evidence").open()
  ids = np.random.default_rng(1).integers(6, 1280, (2, 24))
  ours = logits_of(actor, ids)
  assert 0 < np.abs(logits_of(opened.model, ids) - ours).max() < 0.02 * np.abs(ours).max()  # bfloat16's adapter
  assert opened.tokenizer.encode(story) == own.encode(story)
  with pytest.raises(ConfigError, match="--evidence writes no model"):
    export_lib.export(workdir.path, tmp_path / "other", gguf="BF16", only_evidence=True)
