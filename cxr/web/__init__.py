"""The Gradio app, its API, and its deployment to a Space."""
