"""The store's partner services: orders, returns, shipping, promotions, pricing, profile and reviews over HTTP.

In AWS these belong to other teams: an environment's settings hold their addresses and the names of the secrets with
their credentials, so there is no container definition here. On the twin and in tests this one application stands for all
seven, on a database of its own. **Every customer, order, price, seller and review in it is synthetic**, laid out from the
catalogue feed by ``world``; there is no name, address or other personal fact in it, only made-up ids.
"""
