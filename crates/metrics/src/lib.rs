//! Records to samples: TTFT, TPOT, ITL, throughput, windows.
