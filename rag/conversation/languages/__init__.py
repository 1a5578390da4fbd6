"""The languages in which a question is understood to rest on another: one file each, all but Chinese with the same `Words`."""
