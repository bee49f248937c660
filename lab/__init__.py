"""What nature and the instructor provide: wires, processes, traces, the customers' contract.

Deleting this package would remove no idea about services: it starts them, listens to them and
does them harm. It imports no era by name (`lab.find` finds them).
"""
