"""The network: backbone, attention and decoder."""
