//! What an engine does before its port opens: loads weights, compiles, allocates its cache, captures graphs. It
//! says so in the forms of vLLM's log (version 1 of its engine), which instruments read.
//!
//! Times and words are the caller's: nothing here sleeps or prints. Invariant: a phase that lasts no time is not told.

use infermeter_core::units::Span;

/// How long each phase lasts; 0: it does not take place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StartUp {
    /// Loading weights.
    pub weights: Span,
    /// Compiling.
    pub compile: Span,
    /// Allocating the KV cache.
    pub kv_cache: Span,
    /// Capturing graphs.
    pub graphs: Span,
}

/// Simulated size of the weights and of the cache, as the log tells it.
const WEIGHTS_GIB: f64 = 14.99;
const CACHE_GIB: f64 = 52.4;
const CACHE_TOKENS: &str = "429,248";

impl StartUp {
    /// Goes through the phases, one after the other. `wait` lets the time of one pass, and is `None` where it is to
    /// end here; `say` takes lines of the log.
    pub fn run(
        &self,
        wait: &mut dyn FnMut(Span) -> Option<()>,
        say: &mut dyn FnMut(&str),
    ) -> Option<()> {
        if self.weights.ns() > 0 {
            wait(self.weights)?;
            let s = self.weights.as_seconds();
            say(&format!(
                "INFO [default_loader.py:262] Loading weights took {s:.2} seconds"
            ));
            say(&format!(
                "INFO [gpu_model_runner.py:1801] Model loading took {WEIGHTS_GIB} GiB and {s:.6} seconds"
            ));
        }
        if self.compile.ns() > 0 {
            wait(self.compile)?;
            let s = self.compile.as_seconds();
            say(&format!(
                "INFO [monitor.py:34] torch.compile takes {s:.2} s in total"
            ));
        }
        if self.kv_cache.ns() > 0 {
            say(&format!(
                "INFO [gpu_worker.py:244] Available KV cache memory: {CACHE_GIB} GiB"
            ));
            wait(self.kv_cache)?;
            say(&format!(
                "INFO [kv_cache_utils.py:864] GPU KV cache size: {CACHE_TOKENS} tokens"
            ));
        }
        if self.graphs.ns() > 0 {
            wait(self.graphs)?;
            let s = self.graphs.as_seconds();
            say(&format!(
                "INFO [gpu_model_runner.py:2439] Graph capturing finished in {s:.2} secs, took 0.50 GiB"
            ));
        }
        Some(())
    }

    /// Anything takes place.
    pub fn is_anything(&self) -> bool {
        *self != Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(start_up: StartUp, most: usize) -> (Vec<String>, Vec<Span>, Option<()>) {
        let (mut said, mut waited) = (Vec::new(), Vec::new());
        let ended = start_up.run(
            &mut |span| {
                waited.push(span);
                (waited.len() <= most).then_some(())
            },
            &mut |line| said.push(line.to_owned()),
        );
        (said, waited, ended)
    }

    const ALL: StartUp = StartUp {
        weights: Span::millis(2_000),
        compile: Span::millis(1_000),
        kv_cache: Span::millis(200),
        graphs: Span::millis(500),
    };

    #[test]
    fn phases_are_told_in_their_order() {
        let (said, waited, ended) = told(ALL, 9);
        assert_eq!(waited, [2_000, 1_000, 200, 500].map(Span::millis));
        assert_eq!(ended, Some(()));
        assert_eq!(said.len(), 6);
        assert!(said[0].ends_with("Loading weights took 2.00 seconds"));
        assert!(said[5].contains("finished in 0.50 secs"));
        assert_eq!(told(StartUp::default(), 9).0, Vec::<String>::new());
    }

    #[test]
    fn a_signal_ends_it_where_it_is() {
        let (said, _, ended) = told(ALL, 1);
        assert_eq!((said.len(), ended), (2, None));
    }
}
