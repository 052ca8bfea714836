"""Captions for many visitors at once: their photos, the queue for the model, and what the browser may ask."""
