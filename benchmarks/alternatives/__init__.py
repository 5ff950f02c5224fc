"""What was compared before it was chosen; each module writes docs/alternatives/NAME.json."""
