"""What visitors see, tab by tab."""
