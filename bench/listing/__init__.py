"""Lists of what is on the disk: runs in a folder, and the stored work that they use."""
