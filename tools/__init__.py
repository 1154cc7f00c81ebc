"""Small scripts behind the targets of the Makefile; no part of the package `lstm_lib`."""
