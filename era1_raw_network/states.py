"""The life of a connection, as a table: what may happen in each state, and what follows.

The states are TCP's (RFC 9293 section 3.3.2), because the problem is:

                  CONNECT            +--------+        (Endpoint makes it from a SYN)
             +---------------------- | CLOSED | ----------------------+
             v                       +--------+                       v
        +----------+  SYN (both sides connect at once)        +--------------+
        | SYN_SENT | ---------------------------------------> | SYN_RECEIVED |
        +----------+                                          +--------------+
             | SYNACK            +-------------+      ACKED or SYNACK |
             +-----------------> | ESTABLISHED | <--------------------+
                                 +-------------+
                    CLOSE  |                       |  FIN
                           v                       v
                    +------------+           +------------+
                    | FIN_WAIT_1 |           | CLOSE_WAIT |   half closed: the other half may
                    +------------+           +------------+   still send, and be answered
           FIN_ACKED |     | FIN                   | CLOSE
                     v     v                       v
          +------------+ +---------+         +----------+
          | FIN_WAIT_2 | | CLOSING |         | LAST_ACK |
          +------------+ +---------+         +----------+
               FIN |          | FIN_ACKED          | FIN_ACKED
                   v          v                    v
                +----------------+  EXPIRED   +--------+
                |   TIME_WAIT    | ---------> | CLOSED |   (RESET, GIVE_UP: here from anywhere)
                +----------------+            +--------+
"""

from enum import Enum


class State(Enum):
    CLOSED = "closed"
    SYN_SENT = "syn sent"
    SYN_RECEIVED = "syn received"
    ESTABLISHED = "established"
    FIN_WAIT_1 = "fin wait 1"
    FIN_WAIT_2 = "fin wait 2"
    CLOSE_WAIT = "close wait"
    CLOSING = "closing"
    LAST_ACK = "last ack"
    TIME_WAIT = "time wait"


class Event(Enum):
    CONNECT = "connect"
    SYN = "syn"
    SYNACK = "synack"
    ACKED = "our syn was acknowledged"
    CLOSE = "close"
    FIN = "fin"
    FIN_ACKED = "our fin was acknowledged"
    EXPIRED = "expired"
    RESET = "reset"
    GIVE_UP = "give up"


TRANSITIONS = {
    (State.CLOSED, Event.CONNECT): State.SYN_SENT,
    (State.CLOSED, Event.SYN): State.SYN_RECEIVED,
    (State.SYN_SENT, Event.SYN): State.SYN_RECEIVED,
    (State.SYN_SENT, Event.SYNACK): State.ESTABLISHED,
    (State.SYN_SENT, Event.CLOSE): State.CLOSED,
    (State.SYN_RECEIVED, Event.ACKED): State.ESTABLISHED,
    (State.SYN_RECEIVED, Event.SYNACK): State.ESTABLISHED,
    (State.ESTABLISHED, Event.CLOSE): State.FIN_WAIT_1,
    (State.ESTABLISHED, Event.FIN): State.CLOSE_WAIT,
    (State.FIN_WAIT_1, Event.FIN_ACKED): State.FIN_WAIT_2,
    (State.FIN_WAIT_1, Event.FIN): State.CLOSING,
    (State.FIN_WAIT_2, Event.FIN): State.TIME_WAIT,
    (State.CLOSING, Event.FIN_ACKED): State.TIME_WAIT,
    (State.CLOSE_WAIT, Event.CLOSE): State.LAST_ACK,
    (State.LAST_ACK, Event.FIN_ACKED): State.CLOSED,
    (State.TIME_WAIT, Event.EXPIRED): State.CLOSED,
}
TRANSITIONS |= {
    (state, event): State.CLOSED
    for state in State
    if state is not State.CLOSED
    for event in (Event.RESET, Event.GIVE_UP)
}
OPEN = (  # both sides have agreed on numbers: data may flow
    State.ESTABLISHED,
    State.FIN_WAIT_1,
    State.FIN_WAIT_2,
    State.CLOSE_WAIT,
    State.CLOSING,
    State.LAST_ACK,
)
