"""Captions millions of photos on the cores or GPUs of many machines."""
