"""The serving half: any film and a model folder in, findings out. Never imports torch."""
