"""FER-2013 and FER+: reading, auditing, subsets."""
