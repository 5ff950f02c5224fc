"""Predictions and labels -> metrics, plots, report and model card. No torch."""
