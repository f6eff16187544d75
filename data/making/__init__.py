"""The generators behind the shipped samples and the starter model; every sentence was written for them."""
