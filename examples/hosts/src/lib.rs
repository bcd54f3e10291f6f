//! Example hosts: simple, streaming, state, and the demo.
