"""The console page: act at the pretended GitHub on the one side, see what the product makes of it on the other."""
