"""Processes that read a catalog beside one that writes it."""
