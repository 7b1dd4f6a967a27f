"""The command: what it refuses before anything heavy is loaded. A whole conversation: test_train.py."""

import pytest

from reasoner import chat


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--workdir=nowhere"], "holds no finished run"),
        (["--model=nowhere"], "there is no directory 'nowhere'"),
        (["--model=nowhere", "--starting"], "--starting needs --workdir"),
        (["--workdir=nowhere", "--temperature=-1"], "expected 0 or more"),
        (["--workdir=nowhere", "--temperature=nan"], "expected 0 or more"),
        (["--workdir=nowhere", "--max_new_tokens=0"], "expected 1 or more"),
    ],
)
def test_a_mistake_is_one_sentence(arguments, said, capsys):
  assert chat.main(arguments) == 2
  printed = capsys.readouterr().err
  assert printed.startswith("error: ") and said in printed and printed.count("\n") == 1


def test_a_model_must_be_named(capsys):
  with pytest.raises(SystemExit):
    chat.main(["--prompt=Is a whale a fish?"])
  assert "--workdir" in capsys.readouterr().err
