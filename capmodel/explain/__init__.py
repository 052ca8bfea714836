"""Measures what a word depends on."""
