"""The HTTP interface of merchants' programs: tills, booking systems, book-keeping.

One :class:`~cloud.web.http_api.operations.Operation` per path and method says everything about it: who may ask, what is read,
what comes back. Flask's routes, the checking of requests and the OpenAPI document are made from it, so that they cannot say
different things (ADR 0028). Nothing here knows a cookie or a session; a key in the request is the whole authority.
"""
