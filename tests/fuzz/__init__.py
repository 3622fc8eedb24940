"""Requests nobody thought of, made from the OpenAPI document: none may break the cloud or be answered off the document."""
