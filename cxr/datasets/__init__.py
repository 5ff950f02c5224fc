"""Label tables, images and boxes of NIH ChestX-ray14; who is in which set. No torch."""
