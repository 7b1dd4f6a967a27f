"""Worthless text, by family: what `python -m rewards attack` offers to the rewards. No reward here."""
