"""Tells an MQTT broker, and so Home Assistant, what is read in the faces."""
