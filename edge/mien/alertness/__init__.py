"""Eyes, yawns and head: signals of alertness for every track, and events."""
