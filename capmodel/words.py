"""English words that need care of their own, in the search and where captions are judged."""

# Words that name nothing one could point at.
FUNCTION_WORDS = frozenset((
    "a", "an", "the", "and", "or", "of", "in", "on", "at", "by", "to", "from", "with", "for", "into", "onto", "over",
    "through", "near", "is", "are", "was", "be", "been", "being", "his", "her", "its", "their", "it", "he", "she",
    "they", "that", "this", "there", "as", "while", "who", "which", "up", "down", "out", "off",
))  # fmt: skip

# Words for men, for women, and for either.
GENDERED_WORDS = (
    ("man", "woman", "person"),
    ("men", "women", "people"),
    ("boy", "girl", "child"),
    ("boys", "girls", "children"),
    ("his", "her", "their"),
)
