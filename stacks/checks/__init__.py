"""Rules the templates are held to."""


def attach(app, stacks): ...
