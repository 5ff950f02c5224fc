"""The training half: NIH films in, model folder out. May use torch and fastai."""
