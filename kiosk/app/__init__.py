"""The one loop of a kiosk and its hands. Nothing here knows a vendor's library, a file or a socket.

=============  =====================================================================================
``loop``       the bounded queue, the state, the view
``hands``      the effects
``requests``   bodies, ids, seals and proofs of what the kiosk asks
``answers``    what an answer must be before anybody believes it
``checks``     checks that wait for an answer; forgotten with the visit
``courier``    redeem requests between outbox and link, until their final answer is on the disk
``parts``      what all this is put together from
``watch``      the camera's thread: codes that come into sight
=============  =====================================================================================
"""

from kiosk.app.loop import App
from kiosk.app.parts import Parts
from kiosk.app.requests import Device
from kiosk.app.watch import Watch

__all__ = ["App", "Device", "Parts", "Watch"]
