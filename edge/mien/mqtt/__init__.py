"""MQTT output with Home Assistant discovery."""
