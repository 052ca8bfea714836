"""The precisions that a backbone can compute in; `FastEncoder` says what they do."""

PRECISIONS = ("auto", "fp32", "bf16")
