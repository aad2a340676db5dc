"""Where people are, as boxes: whole pictures in, a box a person out."""
