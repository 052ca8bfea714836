"""Captioned data sets, and the batches that training draws from them."""
