"""Measures of text, and the table that they need."""
