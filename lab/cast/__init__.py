"""Who is on the stage: the processes of an era, and the wire between orders and the inventories.

* eras 0 to 2: orders, one inventory, customers at a counter (`counter`)
* eras 3 to 6: a registry, many inventories, orders, all at URLs (`http`)

Both are told the same (`setting`) and are asked the same by `lab.stage.Stage`.
"""
