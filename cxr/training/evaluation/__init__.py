"""Measuring a model honestly: metrics, baselines, intervals, thresholds, localisation."""
