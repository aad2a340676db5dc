"""Networks, one paper a file: images (B, 3, H, W) in, one `Fields` a supervised stage out."""
