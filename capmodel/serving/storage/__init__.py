"""Visitors' photos on disk: their folders, how they come in, and when they go."""
