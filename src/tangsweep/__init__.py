"""Sweeps over training choices of hand-built recurrent language models."""
