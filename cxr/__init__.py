"""Chest X-ray findings: training and serving, which meet in one model folder."""
