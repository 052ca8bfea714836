"""Training and evaluation: scripts that read downward. Each one's docstring shows its command."""

import capmodel.compat  # noqa: F401  (before any script imports timm)
