"""`maskbench fid`: two samples of images or features of any form, and their distance."""
