"""Measurements as ratios against a baseline of the same run, because absolute times belong to one machine."""
