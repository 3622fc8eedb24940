"""Redeem one voucher as a till does, with nothing but Python's standard library.

    KEY=vk_… python docs/examples/till.py https://pay.example.tw 566780776770 4321 room 5050

The answer may get lost on its way; the order never is. So the request has a name that is chosen before it is sent, and the same
request is sent under the same name until there is an answer.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid

AGAIN_S = 2
TRIES = 30


def redeem(host: str, key: str, order: dict, name: str) -> tuple[int, dict]:
    """Send one order until it is answered; return status and answer."""
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": name, "Content-Type": "application/json"}
    request = urllib.request.Request(f"{host}/api/v1/orders", json.dumps(order).encode(), headers)
    for _ in range(TRIES):
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as problem:
            if problem.code not in (429, 500, 503):
                return problem.code, json.load(problem)
        except OSError:
            pass  # whether it arrived is not known
        time.sleep(AGAIN_S)
    return 0, {"title": "not known yet", "detail": "Ask again under the same name: nothing is redeemed twice."}


if __name__ == "__main__":
    host, voucher_no, last_four, item, total = sys.argv[1:]
    order = {
        "vouchers": [{"voucher_no": voucher_no, "last_four": last_four}],
        "item_category": item,
        "order_total_twd": int(total),
    }
    status, answer = redeem(host, os.environ["KEY"], order, f"till-1-{uuid.uuid4()}")
    if status == 201:
        print(f"{answer['reference']}: {answer['redeemed_twd']} redeemed, the customer still pays {answer['topup_twd']}")
    else:
        sys.exit(f"not redeemed ({status}): {answer['title']} {answer['detail']}")
