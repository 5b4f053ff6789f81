"""`maskbench fid`: the distance between two samples of images or features."""
