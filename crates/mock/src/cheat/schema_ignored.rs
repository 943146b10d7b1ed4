//! `schema-ignored`: where JSON was asked for, the model answers in words, or with an object of other members.

use super::stages::{AskedFor, Intent};
use super::trick::{Acts, POLICY, Trick};
use crate::content::Wish;
use infermeter_core::seed::splitmix64;

pub(super) const TRICK: Trick = Trick {
    name: "schema-ignored",
    share: POLICY,
    above: 0,
    acts: Acts::Intent(act),
};

fn act(intent: &mut Intent) -> bool {
    if intent.asked != AskedFor::Json {
        return false;
    }
    let has_schema = matches!(intent.wish, Wish::Json(Some(_)));
    let draw = splitmix64(intent.key ^ 0x7363_6865_6d61_0000);
    intent.wish = match has_schema && draw & 1 == 0 {
        true => Wish::Exactly("{\"result\": \"done\"}".to_owned()),
        false => Wish::Words,
    };
    true
}
