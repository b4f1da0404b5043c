"""Explanations of black boxes, and whether they are equally faithful to every group of people."""

__all__ = []
