"""The training half: NIH images in, model folder out. May use torch and fastai."""
