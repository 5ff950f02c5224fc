"""The model folder: its files and its config; the Hugging Face Hub, where folders are kept."""
