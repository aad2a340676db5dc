"""Estimators: pictures in, people out, by networks of posewright's own or of anybody."""
