"""From the network to words: the tokenizer, beam search, and the other words it might have written."""
