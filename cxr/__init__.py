"""Chest X-ray findings: training (`cxr.training`) and serving (`cxr.serving`) of one model folder."""
