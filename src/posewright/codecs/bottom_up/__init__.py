"""Codecs of whole pictures with everybody in them: decoding is grouping keypoints into people."""
