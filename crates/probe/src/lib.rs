//! The other side: engine identity, host facts, feature probes.
