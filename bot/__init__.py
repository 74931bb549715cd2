"""The edge and the composition root: the only package that imports all the others."""
