"""The on-call command line: model policy, terminal chat, local twin."""
