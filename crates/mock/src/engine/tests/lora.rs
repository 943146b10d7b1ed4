//! LoRA adapters: loading, waiting, being passed.

use super::*;

fn with_slots(slots: u32) -> Engine {
    Engine::new(EngineParams {
        lora: Some(LoraParams {
            slots,
            load_ns: 100 * MS,
        }),
        ..plain()
    })
}

fn adapted(id: u64, adapter: Option<u32>, output_tokens: u32) -> EngineRequest {
    EngineRequest {
        adapter,
        ..request(id, 10, output_tokens)
    }
}

#[test]
fn loading_is_paid_once_in_the_step_that_needs_it() {
    let mut engine = with_slots(1);
    let tokens = run(
        &mut engine,
        &[(0, adapted(1, Some(5), 2)), (200, adapted(2, Some(5), 1))],
    );
    assert_eq!(tokens, [(112.0, 1, 0), (123.0, 1, 1), (212.0, 2, 0)]);
    assert_eq!(engine.counters().adapter_loads, 1);
}

#[test]
fn a_request_waits_for_a_slot_and_others_pass_it() {
    let mut engine = with_slots(1);
    let tokens = run(
        &mut engine,
        &[
            (0, adapted(1, Some(5), 3)),
            (1, adapted(2, Some(6), 1)),
            (2, adapted(3, Some(5), 1)),
            (3, adapted(4, None, 1)),
        ],
    );
    // 3 (the same adapter) and 4 (none) pass 2: 10 + 2 + 3. 2 is loaded when 1 has ended: 112.
    assert_eq!(
        tokens,
        [
            (112.0, 1, 0),
            (127.0, 1, 1),
            (127.0, 3, 0),
            (127.0, 4, 0),
            (138.0, 1, 2),
            (250.0, 2, 0)
        ]
    );
    assert_eq!(engine.gauges().deferred.max(), 1);
    assert_eq!(engine.gauges().deferred.value(), 0);
}

#[test]
fn an_unused_adapter_gives_way_and_has_to_be_loaded_again() {
    let mut engine = with_slots(2);
    let arrivals: Vec<_> = [5, 6, 5, 7, 5, 6]
        .into_iter()
        .zip(0..)
        .map(|(adapter, n)| (n * 200, adapted(n as u64, Some(adapter), 1)))
        .collect();
    let tokens = run(&mut engine, &arrivals);
    let cost: Vec<_> = tokens
        .iter()
        .zip(0..)
        .map(|(t, n)| t.0 - f64::from(n) * 200.0)
        .collect();
    assert_eq!(cost, [112.0, 112.0, 12.0, 112.0, 12.0, 112.0]);
}

#[test]
fn a_request_given_up_while_it_is_passed_over_is_forgotten() {
    let mut engine = with_slots(1);
    let _ = engine.arrive(0, adapted(1, Some(5), 2));
    let _ = engine.arrive(1, adapted(2, Some(6), 1));
    engine.step(112 * MS, &mut Vec::new());
    engine.cancel(SequenceId(2));
    assert_eq!(run(&mut engine, &[]), [(123.0, 1, 1)]);
    assert_eq!(engine.next_deadline(), None);
}

#[test]
fn without_limits_adapters_cost_nothing() {
    let mut engine = batched(8, 1000);
    assert_eq!(
        run(&mut engine, &[(0, adapted(1, Some(5), 1))]),
        [(12.0, 1, 0)]
    );
}
