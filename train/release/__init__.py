"""What is done before a model is published, and publishing it."""
