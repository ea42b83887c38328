"""What `mien doctor` looks at: one small file per group of checks."""
