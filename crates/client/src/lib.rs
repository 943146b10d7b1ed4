//! One request in, one record out: sockets with kernel stamps, HTTP, TLS, SSE, dialects.
