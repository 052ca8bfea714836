"""From network to words: the tokenizer, beam search, and the alternatives to each word."""
