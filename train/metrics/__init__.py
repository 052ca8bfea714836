"""How good captions and maps are."""
