"""The network: backbone, attention and decoder."""

import capmodel.compat  # noqa: F401  (before anything here imports timm)
