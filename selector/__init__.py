"""Diversity-aware subset selection for the data that fine-tunes language models."""
