"""Figures on real data, each with the command that makes it; `python -m benchmarks --help`."""
