"""Plumbing without mathematics: tables, validation, seeds, parallel loops, results."""
