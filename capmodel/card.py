"""The card of a model: the README of its folder, which the Hugging Face Hub shows as its page."""

CARD = "README.md"


def short_card(repo_id: str, attention: str) -> str:
    """A card for a model without a description: Markdown with the Hub's YAML header."""
    return f"""---
library_name: capmodel
pipeline_tag: image-to-text
tags:
  - image-captioning
  - attention
---

# {repo_id.partition("/")[2]}

Writes a caption of a photo and shows, word by word, where in the photo it looked ({attention} attention).

```python
from capmodel import Captioner

print(Captioner.from_pretrained("{repo_id}")(["photo.jpg"])[0].text)
```

Its training data, its scores and its limits have not been documented yet.
"""
