"""Verbs: files in, files and numbers out; the command line only parses and calls them."""
