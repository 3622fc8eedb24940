"""Requests nobody thought of, made from the OpenAPI document: none may break the cloud, none may be answered off the document."""
