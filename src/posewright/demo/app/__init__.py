"""The app: a page on this machine alone, to drag an occluder over a photograph and watch the poses change."""
