"""What two machines must agree on: kiosk, cloud, and nobody else's business.

Everything here is pure. No I/O, no clock, no randomness: times, ids and nonces arrive as arguments, so the same bytes come
out of the same inputs on every machine, and a simulation can replay them.

======================  ==========================================================================================
``limits``              every number both sides must share
``reasons``             the closed list of refusals, in order of precedence
``voucher``             what a printed code may hold, and the signature in it
``messages``            bodies of requests, answers and device state
``envelope``            CloudEvents 1.0 on MQTT 5, binary mode
``topics``              the topic tree, built and taken apart
``keys``                key agreement at enrolment, authentication of messages
``seal``                the last four characters of an ID, readable only by the cloud
``chain``               the hash chain over one kiosk's requests
``ids``                 UUIDv7 and the six-character reference a person can read aloud
``words``               sentences for every reason, in four languages
``asyncapi``            the machine-readable description of the MQTT side
``openapi``             the same of the HTTPS side: enrolment
======================  ==========================================================================================
"""
