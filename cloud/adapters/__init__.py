"""Tables, queries, MQTT, bank files, documents. Adapters implement ports and never see services or each other's vendors."""
