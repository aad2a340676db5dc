"""Evolution: networks bred by mutation and choice, with the weights that they inherit."""
