"""What a word depends on."""
